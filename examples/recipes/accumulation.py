"""Gradient accumulation: batches that do not fit into memory, summed piece by piece, with one step for all of them."""

import numpy as np

import fastadam

PIECES, SIZE = 4, 64


def gradient(weights, x, y):
    """Of the mean squared error over these examples."""
    return 2 * x.T @ (x @ weights - y) / len(x)


def train(x, y, kind, steps=200):
    weights = np.zeros(8, np.float32)
    total = np.zeros_like(weights)
    optimizer = fastadam.Adam(weights, lr=0.05)
    for _ in range(steps):
        if kind == "whole":
            optimizer.step(gradient(weights, x, y))
            continue
        total[...] = 0
        for i in range(0, len(x), SIZE):
            piece = gradient(weights, x[i : i + SIZE], y[i : i + SIZE])
            if kind == "each":  # wrong: a step of full length for each piece
                optimizer.step(piece)
            total += piece
        if kind == "scaled":
            optimizer.step(total, grad_scale=1 / PIECES)  # multiplied as it is read, without a pass over memory
        elif kind == "divided":
            total /= PIECES
            optimizer.step(total)
    return weights, optimizer.step_count


def main():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((PIECES * SIZE, 8), dtype=np.float32)
    y = x @ np.arange(8, dtype=np.float32) + rng.standard_normal(len(x), dtype=np.float32)
    weights, counts = {}, {}
    for kind in ("whole", "scaled", "divided", "each"):
        weights[kind], counts[kind] = train(x, y, kind)
    assert np.array_equal(weights["scaled"], weights["divided"])  # the rule sees the same gradient
    assert np.abs(weights["scaled"] - weights["whole"]).max() < 1e-5  # the sum is rounded in another order
    assert np.abs(weights["each"] - weights["whole"]).max() > 0.1
    print(f"grad_scale or a sum divided first: the same bits, within 1e-5 of whole batches after {counts['scaled']} steps")
    print(f"a step for each piece: {counts['each']} steps, and other weights")


if __name__ == "__main__":
    main()
