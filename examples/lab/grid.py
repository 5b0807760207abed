"""Train a model with each method and each learning rate of a grid, and keep each method's best, as the paper does."""

import math
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from fastadam.viz import METHODS


class Run(NamedTuple):
    """A training with a method and a learning rate, and the mean loss of each epoch's batches."""

    method: str
    lr: float
    losses: np.ndarray
    on_edge: bool  # of the grid: the best learning rate may be outside
    note: str = ""  # tells apart runs with the same method

    @property
    def label(self):
        return self.method + self.note

    @property
    def final(self):
        """The mean loss of the last tenth of the epochs: a single one's is noisy."""
        return float(self.losses[-max(1, len(self.losses) // 10) :].mean())


def constant(lr):
    return lr


def inverse_sqrt(lr):
    """The schedule lr / sqrt(t) of section 4 of the paper, where t counts steps from 1."""
    return lambda count: lr / math.sqrt(count + 1)


def search(grid, make_model, data, epochs, batch, seed, schedule=constant, note=""):
    """Train `make_model()` once for each learning rate in `grid`, a mapping of methods to them. Returns a list of `Run`."""
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
    """The runs of equal searches with several seeds as one, with the geometric means of their losses."""
    return [
        same[0]._replace(losses=np.exp(np.mean([np.log(run.losses) for run in same], axis=0)))
        for same in zip(*searches, strict=True)
    ]


def best(runs):
    """The run with each method that ended with the lowest loss, by label."""
    chosen = {}
    for run in runs:
        if run.label not in chosen or run.final < chosen[run.label].final:
            chosen[run.label] = run
    return chosen


def train(model, optimizer, data, epochs, batch, seed, progress=lambda count: None):
    """Step through `data`, a tuple of arrays of equal length, in batches of random order, leaving out what fills no batch.

    `progress` is called with the number of epochs that are done since its last call.

    Returns the mean loss of each epoch's batches; infinity from where it is not finite any more, which ends the training.
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
    """What came out, for people."""
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
    """No best learning rate is at the edge of its grid, where a better one may be beyond it."""
    outside = [f"{run.label} at lr {run.lr:g}" for run in runs.values() if run.on_edge]
    assert not outside, f"the best is at the edge of the grid: {', '.join(outside)}"
