"""A network with two hidden layers of ReLUs: figure 2 of Kingma & Ba (2015), https://arxiv.org/abs/1412.6980.

In batches of 128, with L2 regularization; once with 50 % dropout in both hidden layers, and once without dropout, which makes
the loss deterministic. The paper also compares AdaDelta and the quasi-Newton method SFO, which are not in this package. The
program checks these statements about the mean loss of the last tenth of the epochs, each method at its best learning rate:

- With dropout Adam is on a par with RMSProp: neither ends above 1.25 times the other's loss. It is ahead of AdaGrad and of SGD
  with Nesterov momentum, which end at 1.1 times its loss or more.
- Without dropout Adam is ahead of the three others, which end at 1.1 times its loss or more.

In the paper Adam is ahead of RMSProp with dropout, too. Early in training, AdaGrad or Nesterov momentum is ahead.
"""

from lab.data import digits, mnist, on_device
from lab.figures import loss_curves
from lab.grid import assert_ahead, assert_inside, assert_level, best, search, table
from lab.layers import Classifier, Dense, Dropout, ReLU
from lab.program import Experiment, main

BATCH, L2 = 128, 1e-5
PANELS = {  # title: dropout rate and grid
    "dropout of 50 %": (
        0.5,
        {
            "AdaGrad": [0.02, 0.04, 0.08],
            "Nesterov": [0.0125, 0.025, 0.05, 0.1],
            "RMSProp": [0.0008, 0.0016, 0.003, 0.006, 0.012],
            "Adam": [0.001, 0.002, 0.004, 0.008],
        },
    ),
    "no dropout": (
        0.0,
        {
            "AdaGrad": [0.02, 0.04, 0.08, 0.16],
            "Nesterov": [0.1, 0.2, 0.4],
            "RMSProp": [0.0004, 0.0008, 0.0016, 0.003, 0.006, 0.012],
            "Adam": [0.004, 0.008, 0.016, 0.032, 0.064],
        },
    ),
}


def run(settings):
    data = mnist(settings.data) if settings.data else digits()
    arrays = [on_device(settings.xp, array) for array in (data.pixels, data.labels)]
    hidden, epochs = (32, 50) if settings.small else (1000 if settings.data else 128, 200)

    def network(rate):
        first = [Dense(data.pixels.shape[1], hidden), ReLU(), Dropout(rate)]
        second = [Dense(hidden, hidden), ReLU(), Dropout(rate), Dense(hidden, data.classes)]
        return Classifier([*first, *second], settings.seed, settings.xp, l2=L2)

    def panel(rate, grid):
        return best(search(grid, lambda: network(rate), arrays, epochs, BATCH, settings.seed))

    return {title: panel(*options) for title, options in PANELS.items()}, f"two hidden layers of {hidden} units; {data.name}"


def figure(result):
    panels, name = result
    return loss_curves({title: runs.values() for title, runs in panels.items()}, "Multi-layer network", name)


def check(result):
    with_dropout, without = result[0].values()
    assert_inside(with_dropout)
    assert_inside(without)
    assert_level(with_dropout, "Adam", "RMSProp", 1.25)
    for method in ("AdaGrad", "Nesterov"):
        assert_ahead(with_dropout, "Adam", method, 1.1)
    for method in ("RMSProp", "AdaGrad", "Nesterov"):
        assert_ahead(without, "Adam", method, 1.1)


def summary(result):
    return "\n".join(f"{title}\n{table(runs)}" for title, runs in result[0].items())


EXPERIMENT = Experiment(run, figure, check, summary, trains_model=True)

if __name__ == "__main__":
    main(EXPERIMENT, __file__, __doc__)
