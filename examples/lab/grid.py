"""Train a model with each method and each learning rate of a grid, and keep the best run of each method, as in the paper."""

import math
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from fastadam.viz import METHODS


class Run(NamedTuple):
    """One training run: its method, its learning rate, and the mean loss of each epoch's batches."""

    method: str
    lr: float
    losses: np.ndarray
    on_edge: bool  # of the grid: the best learning rate may be outside
    note: str = ""  # distinguishes runs with the same method

    @property
    def label(self):
        return self.method + self.note

    @property
    def final(self):
        """The mean loss of the last tenth of the epochs, since a single epoch is noisy."""
        return float(self.losses[-max(1, len(self.losses) // 10) :].mean())


def constant(lr):
    return lr


def inverse_sqrt(lr):
    """The schedule lr / sqrt(t) of the paper's section 4, where t counts steps from 1."""
    return lambda count: lr / math.sqrt(count + 1)


def search(grid, make_model, data, epochs, batch, seed, schedule=constant, note=""):
    """Train `make_model()` once for each learning rate in `grid`, which maps methods to rates. Returns a list of `Run`."""
    runs = []
    with tqdm(total=epochs * sum(map(len, grid.values())), unit="epoch") as bar:
        for method, rates in grid.items():
            for lr in rates:
                bar.set_postfix_str(f"{method}{note}, lr {lr:g}")
                model = make_model()
                optimizer = METHODS[method].make(model.params, schedule(lr))
                losses = train(model, optimizer, data, epochs, batch, seed, bar.update)
                runs.append(Run(method, lr, losses, lr in (min(rates), max(rates)), note))
    return runs


def mean_over_seeds(searches):
    """Combine searches of the same grid with several seeds: each run has the geometric mean of the losses."""
    return [
        same[0]._replace(losses=np.exp(np.mean([np.log(run.losses) for run in same], axis=0)))
        for same in zip(*searches, strict=True)
    ]


def best(runs):
    """For each label, the run with the lowest final loss."""
    chosen = {}
    for run in runs:
        if run.label not in chosen or run.final < chosen[run.label].final:
            chosen[run.label] = run
    return chosen


def train(model, optimizer, data, epochs, batch, seed, progress=lambda count: None):
    """Train on `data`, a tuple of arrays of equal length, in batches of random order. An incomplete last batch is dropped.

    `progress` is called with the number of epochs done since its last call.

    Returns the mean loss of each epoch's batches. If it is not finite, training stops and the remaining losses are infinite.
    Equal seeds give equal batches and equal noise.
    """
    if data[0].shape[0] < batch:
        raise ValueError(f"the data are {data[0].shape[0]} examples; expected at least one batch of {batch}")
    order, noise = np.random.default_rng(seed), model.xp.random.default_rng(seed)
    starts, losses = range(0, data[0].shape[0] - batch + 1, batch), np.full(epochs, np.inf)
    with np.errstate(over="ignore", invalid="ignore"):  # a learning rate of the grid may be too large
        for epoch in range(epochs):
            total, shuffled = 0.0, model.xp.asarray(order.permutation(data[0].shape[0]))
            for start in starts:
                rows = shuffled[start : start + batch]
                total = total + model.loss(*(array[rows] for array in data), noise)
                optimizer.step(model.grads)
            mean = float(total) / len(starts)
            if not math.isfinite(mean):
                progress(epochs - epoch)
                break
            losses[epoch] = mean
            progress(1)
    return losses


def table(runs):
    """The results as readable text."""
    return "\n".join(
        f"{label:<20} lr {run.lr:<8g} final loss {run.final:.4g}{', at the edge of the grid' * run.on_edge}"
        for label, run in runs.items()
    )


def assert_ahead(runs, first, second, factor):
    """The final loss of `second` is at least `factor` times that of `first`."""
    ratio = runs[second].final / runs[first].final
    assert ratio >= factor, f"{second} ends at {ratio:.3g} times the loss of {first}; expected {factor} times or more"


def assert_level(runs, first, second, factor):
    """Neither final loss is more than `factor` times the other."""
    ratio = runs[second].final / runs[first].final
    assert 1 / factor <= ratio <= factor, f"{second} ends at {ratio:.3g} times the loss of {first}; expected up to {factor}"


def assert_inside(runs):
    """No best learning rate is at the edge of its grid, where a better one may lie outside."""
    outside = [f"{run.label} at lr {run.lr:g}" for run in runs.values() if run.on_edge]
    assert not outside, f"the best is at the edge of the grid: {', '.join(outside)}"
