"""Train a model with each method and each learning rate of a grid, and keep each method's best, as the paper does."""

import math
from functools import partial
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

import fastadam

# The names of fastadam.viz.style.STYLES. The momentum of 0.9 is what the paper's authors, and most, use.
METHODS = {
    "SGD": fastadam.SGD,
    "momentum": partial(fastadam.SGD, momentum=0.9),
    "Nesterov": partial(fastadam.SGD, momentum=0.9, nesterov=True),
    "AdaGrad": fastadam.Adagrad,
    "RMSProp": fastadam.RMSprop,
    "Adam": fastadam.Adam,
    "AMSGrad": partial(fastadam.Adam, amsgrad=True),
    "AdamW": fastadam.AdamW,
}


class Run(NamedTuple):
    """A training with a method and a learning rate, and the mean loss of each epoch's batches."""

    method: str
    lr: float
    losses: np.ndarray
    on_edge: bool  # of the grid: the best learning rate may be outside


def constant(lr):
    return lr


def inverse_sqrt(lr):
    """The schedule lr / sqrt(t) of section 4 of the paper, where t counts steps from 1."""
    return lambda count: lr / math.sqrt(count + 1)


def search(grid, make_model, data, epochs, batch, seed, schedule=constant):
    """Train `make_model()` once for each learning rate in `grid`, a mapping of methods to them. Returns a list of `Run`."""
    runs = []
    with tqdm(total=epochs * sum(map(len, grid.values())), unit="epoch") as bar:
        for method, rates in grid.items():
            for lr in rates:
                bar.set_postfix_str(f"{method}, lr {lr:g}")
                model = make_model()
                optimizer = METHODS[method](model.params, lr=schedule(lr))
                losses = train(model, optimizer, data, epochs, batch, seed, bar.update)
                runs.append(Run(method, lr, losses, on_edge=lr in (min(rates), max(rates))))
    return runs


def best(runs):
    """The run of each method that ended with the lowest loss, by method."""
    chosen = {}
    for run in runs:
        if run.method not in chosen or run.losses[-1] < chosen[run.method].losses[-1]:
            chosen[run.method] = run
    return chosen


def train(model, optimizer, data, epochs, batch, seed, progress=lambda: None):
    """Step through `data`, a tuple of arrays of equal length, in batches of random order.

    Returns the mean loss of each epoch's batches; infinity from where it is not finite any more, which ends the training.
    Equal seeds give equal batches and equal noise.
    """
    order, noise = np.random.default_rng(seed), model.xp.random.default_rng(seed)
    count, losses = data[0].shape[0], np.full(epochs, np.inf)
    with np.errstate(over="ignore", invalid="ignore"):  # a learning rate of the grid may be too large
        for epoch in range(epochs):
            total, shuffled = 0.0, model.xp.asarray(order.permutation(count))
            for start in range(0, count, batch):
                rows = shuffled[start : start + batch]
                total = total + len(rows) * model.loss(*(array[rows] for array in data), noise)
                optimizer.step(model.grads)
            progress()
            if not math.isfinite(mean := float(total) / count):
                break
            losses[epoch] = mean
    return losses
