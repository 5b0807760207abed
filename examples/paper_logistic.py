"""Logistic regression on images: figure 1, left, of Kingma & Ba (2015), https://arxiv.org/abs/1412.6980.

L2-regularized, in batches of 128, with the learning rate lr / sqrt(t) for all methods, as in section 6.1. The program checks
these statements about the mean loss of the last tenth of the epochs, each method at its best learning rate:

- Adam is on a par with SGD with Nesterov momentum: neither ends above 1.2 times the other's loss.
- Both are ahead of AdaGrad, which ends at 1.3 times their loss or more.

AdaGrad's steps already shrink as 1 / sqrt(t), so this schedule slows it down twice. The faint line is AdaGrad with a constant
lr, as in its original publication: it comes close to the other two.
"""

from lab.data import digits, mnist, on_device
from lab.figures import loss_curves
from lab.grid import assert_ahead, assert_inside, assert_level, best, inverse_sqrt, search, table
from lab.layers import Classifier, Dense
from lab.program import Experiment, main

BATCH, L2 = 128, 1e-4
GRID = {"AdaGrad": [0.1, 0.3, 1, 3], "Nesterov": [0.3, 1, 3, 10], "Adam": [0.1, 0.3, 1, 3]}


def run(settings):
    data = mnist(settings.data) if settings.data else digits()
    arrays = [on_device(settings.xp, array) for array in (data.pixels, data.labels)]

    def make():
        return Classifier([Dense(data.pixels.shape[1], data.classes, scale=0)], settings.seed, settings.xp, l2=L2)

    options = arrays, 20 if settings.small else 45, BATCH, settings.seed
    runs = search(GRID, make, *options, schedule=inverse_sqrt)
    runs += search({"AdaGrad": GRID["AdaGrad"]}, make, *options, note=" (constant lr)")
    return best(runs), data.name


def figure(result):
    runs, name = result
    return loss_curves({"": runs.values()}, "L2-regularized logistic regression, lr / √t", name)


def check(result):
    runs, _ = result
    assert_inside(runs)
    assert_level(runs, "Adam", "Nesterov", 1.2)
    assert_ahead(runs, "Adam", "AdaGrad", 1.3)
    assert_ahead(runs, "Nesterov", "AdaGrad", 1.3)


def summary(result):
    return table(result[0])


EXPERIMENT = Experiment(run, figure, check, summary, trains_model=True)

if __name__ == "__main__":
    main(EXPERIMENT, __file__, __doc__)
