"""Logistic regression on sparse bags of words: figure 1, right, of Kingma & Ba (2015), https://arxiv.org/abs/1412.6980.

Reviews are counts of 10,000 words, most of them rare, with 50 % dropout in every step, in batches of 128. Adam, RMSProp and
Nesterov momentum have the learning rate lr / sqrt(t). AdaGrad has a constant one, since its steps already shrink as 1 /
sqrt(t); the schedule gives the other methods the same decay (section 6.1). The program checks these statements about the mean
loss of the last tenth of the epochs, each method at its best learning rate:

- Adam is on a par with AdaGrad: neither ends above 1.4 times the other's loss.
- Both are far ahead of SGD with Nesterov momentum, which ends at twice their loss or more: a rare word rarely has a gradient,
  and needs its own learning rate.

The faint line is AdaGrad with lr / sqrt(t), which slows it down twice.
"""

from lab.data import imdb, on_device, synthetic_reviews
from lab.figures import loss_curves
from lab.grid import assert_ahead, assert_inside, assert_level, best, inverse_sqrt, search, table
from lab.layers import Classifier, Dense, SparseDropout
from lab.program import Experiment, main

BATCH, DROPOUT = 128, 0.5
GRID = {"Nesterov": [0.025, 0.05, 0.1, 0.2, 0.4], "RMSProp": [0.003, 0.006, 0.012, 0.024], "Adam": [0.02, 0.04, 0.08, 0.16]}
ADAGRAD = {"AdaGrad": [0.03, 0.06, 0.12, 0.24]}


def run(settings):
    if settings.data:
        data = imdb(settings.data)
    else:
        count, length = (2000, 200) if settings.small else (4000, 200)
        data = synthetic_reviews(settings.seed, count, words=10_000, length=length, tendency=0.2)
    arrays = [on_device(settings.xp, array) for array in (data.inputs, data.labels)]

    def make():
        return Classifier([SparseDropout(DROPOUT), Dense(data.inputs.shape[1], 2, scale=0)], settings.seed, settings.xp)

    options = arrays, 10 if settings.small else 20, BATCH, settings.seed
    runs = search(ADAGRAD, make, *options)
    runs += search(GRID, make, *options, schedule=inverse_sqrt)
    runs += search(ADAGRAD, make, *options, schedule=inverse_sqrt, note=" (lr / √t)")
    return best(runs), data.name


def figure(result):
    runs, name = result
    return loss_curves({"": runs.values()}, "Logistic regression on sparse bags of words, 50 % dropout", name)


def check(result):
    runs, _ = result
    assert_inside(runs)
    assert_level(runs, "Adam", "AdaGrad", 1.4)
    assert_ahead(runs, "Adam", "Nesterov", 2)
    assert_ahead(runs, "AdaGrad", "Nesterov", 2)


def summary(result):
    return table(result[0])


EXPERIMENT = Experiment(run, figure, check, summary, trains_model=True)

if __name__ == "__main__":
    main(EXPERIMENT, __file__, __doc__)
