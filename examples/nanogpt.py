"""Trains a small GPT on the CPU with PyTorch, and prints how long the optimizer took: torch's, then fastadam's.

The text is Python's own documentation, which comes with Python. Run it with torch installed:

    python examples/nanogpt.py [--steps 200]
"""

import argparse
import time
from pydoc_data.topics import topics

import torch
from torch import nn

import fastadam.torch

LAYERS, WIDTH, HEADS, CONTEXT, BATCH = 4, 64, 4, 32, 8
CLOSE = 1e-3  # for 200 steps; it was 1e-6
TEXT = "".join(topics.values()).encode("ascii", "replace")
OPTIMIZERS = {"torch.optim.AdamW": torch.optim.AdamW, "fastadam.torch.AdamW": fastadam.torch.AdamW}


class Block(nn.Module):
    """Attention and a network of two layers, each after a norm and beside a shortcut."""

    def __init__(self):
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(WIDTH) for _ in range(2))
        self.queries_keys_values, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.network = nn.Sequential(nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH))

    def forward(self, x):
        heads = self.queries_keys_values(self.norms[0](x)).unflatten(-1, (3 * HEADS, -1)).transpose(1, 2).chunk(3, dim=1)
        x = x + self.out(nn.functional.scaled_dot_product_attention(*heads, is_causal=True).transpose(1, 2).flatten(2))
        return x + self.network(self.norms[1](x))


class GPT(nn.Module):
    """Radford et al. (2019), a few hundred times smaller. A token is a byte."""

    def __init__(self):
        super().__init__()
        self.tokens, self.places = nn.Embedding(128, WIDTH), nn.Embedding(CONTEXT, WIDTH)
        self.rest = nn.Sequential(*(Block() for _ in range(LAYERS)), nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 128))

    def forward(self, tokens):
        return self.rest(self.tokens(tokens) + self.places.weight)


def loss_of(model):
    """The cross-entropy of the next byte, in pieces of the text at random places."""
    places = torch.randint(len(TEXT) - CONTEXT, (BATCH,)).tolist()
    pieces = torch.tensor([[*TEXT[place : place + CONTEXT + 1]] for place in places])
    return nn.functional.cross_entropy(model(pieces[:, :-1]).flatten(0, 1), pieces[:, 1:].flatten())


def train(optimizer_class, steps):
    """Returns the losses, the seconds, and the optimizer's seconds."""
    torch.manual_seed(0)
    model = GPT()
    optimizer = optimizer_class(model.parameters(), lr=1e-3, weight_decay=0.1)
    losses, begin, spent = [], time.perf_counter(), 0.0
    for _ in range(steps):
        optimizer.zero_grad()
        loss = loss_of(model)
        loss.backward()
        before = time.perf_counter()
        optimizer.step()
        spent += time.perf_counter() - before
        losses.append(loss.item())
    return losses, time.perf_counter() - begin, spent


def main():
    """Train with each optimizer and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=200)
    steps = parser.parse_args().steps
    torch.set_num_threads(1)
    runs = []
    for name, optimizer_class in OPTIMIZERS.items():
        losses, seconds, spent = train(optimizer_class, steps)
        runs.append(losses)
        print(
            f"{name:21} loss {losses[0]:.3f} to {losses[-1]:.3f}; {seconds:.2f} s, of which the optimizer {1e3 * spent:.1f} ms "
            f"({1e6 * spent / steps:.0f} µs a step, {100 * spent / seconds:.0f} %)"
        )
    # Rounding differs between the two, so losses may differ by a little more in each step.
    assert all(abs(one - other) < CLOSE for one, other in zip(*runs, strict=True)), "the losses differ"


if __name__ == "__main__":
    main()
