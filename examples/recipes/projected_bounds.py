"""Fits with bounds: after each step, what left them is put back (projected Adam). Here shares of a mixture, from 0 to 1."""

import numpy as np

import fastadam

rng = np.random.default_rng(4)
SPECTRA = rng.random((60, 10), dtype=np.float32)  # of ten substances
TRUTH = np.array([0.7, 0, 0.2, 0, 0, 1.0, 0, 0.4, 0, 0], np.float32)  # their shares, each from 0 to 1
MEASURED = SPECTRA @ TRUTH + 0.05 * rng.standard_normal(60, dtype=np.float32)


def gradient(shares):
    return SPECTRA.T @ (SPECTRA @ shares - MEASURED)


def loss(shares):
    return float(np.square(SPECTRA @ shares - MEASURED).sum()) / 2


def fit(bounded, steps=1500):
    shares = np.full(10, 0.5, np.float32)
    optimizer = fastadam.Adam(shares, lr=lambda step: 0.02 * (1 - step / steps))
    for _ in range(steps):
        optimizer.step(gradient(shares))
        if bounded:
            np.clip(shares, 0, 1, out=shares)  # out: the optimizer has this array
    return shares


def main():
    free, bounded = fit(bounded=False), fit(bounded=True)
    late = np.clip(free, 0, 1)  # bounds only at the end
    for name, shares in (("free", free), ("free, then cut", late), ("projected", bounded)):
        text = " ".join(f"{share:5.2f}" for share in shares)
        print(f"{name:15} {text}   loss {loss(shares):.3f}")
    assert free.min() < -0.01
    assert loss(bounded) < loss(late)

    # What makes it the minimum within the bounds: the gradient vanishes, or leads out of them.
    slope = gradient(bounded)
    inside = (bounded > 0) & (bounded < 1)
    assert np.abs(slope[inside]).max() < 1e-3
    assert (slope[bounded == 0] > 0).all()
    assert (slope[bounded == 1] < 0).all()
    print(f"{(bounded == 0).sum()} shares at 0 and {(bounded == 1).sum()} at 1, where the loss falls only outwards")


if __name__ == "__main__":
    main()
