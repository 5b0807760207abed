"""A small convolutional network: figure 3 of Kingma & Ba (2015), https://arxiv.org/abs/1412.6980.

In batches of 128, without dropout or regularization, so that the loss can go to zero. Small losses are noisy, so losses are
geometric means over three seeds. The program checks the mean loss of the last tenth of the epochs, each method at its best
learning rate: in the long run Adam and SGD with Nesterov momentum are ahead of AdaGrad, which ends at twice their loss or more.
As in the paper, AdaGrad keeps up at first, but then its steps become too small.
"""

from functools import partial

from lab.convolution import Convolution, Flatten, MaxPooling
from lab.data import cifar10, digits, on_device
from lab.figures import loss_curves
from lab.grid import assert_ahead, assert_inside, best, mean_over_seeds, search, table
from lab.layers import Classifier, Dense, ReLU
from lab.program import Experiment, main

BATCH = 128
GRID = {
    "AdaGrad": [0.02, 0.04, 0.08, 0.16],
    "Nesterov": [0.05, 0.1, 0.2],
    "Adam": [0.008, 0.016, 0.032, 0.064],
}


def run(settings):
    data = cifar10(settings.data) if settings.data else digits()
    count, batch = (512, 64) if settings.small else (len(data.labels), BATCH)
    arrays = [on_device(settings.xp, array[:count]) for array in (data.inputs, data.labels)]
    _, height, width, channels = data.inputs.shape
    filters, hidden, epochs = (6, 64, 40) if settings.small else (64, 1000, 45) if settings.data else (16, 128, 45)

    def network(seed):
        first = [Convolution(channels, filters, 3), ReLU(), MaxPooling()]
        second = [Convolution(filters, 2 * filters, 3), ReLU(), MaxPooling(), Flatten()]
        dense = [Dense(height * width // 16 * 2 * filters, hidden), ReLU(), Dense(hidden, data.classes)]
        return Classifier([*first, *second, *dense], seed, settings.xp)

    seeds = range(settings.seed, settings.seed + (1 if settings.small else 3))
    runs = best(mean_over_seeds([search(GRID, partial(network, seed), arrays, epochs, batch, seed) for seed in seeds]))
    layers = f"3 x 3 convolutions of {filters} and {2 * filters} filters, {hidden} hidden units"
    return runs, f"{layers}; {len(seeds)} seed{'s' * (len(seeds) > 1)}\n{data.name}"


def figure(result):
    runs, name = result
    return loss_curves({"": runs.values()}, "Convolutional network", name)


def check(result):
    runs, _ = result
    assert_inside(runs)
    assert_ahead(runs, "Adam", "AdaGrad", 2)
    assert_ahead(runs, "Nesterov", "AdaGrad", 2)


def summary(result):
    return table(result[0])


EXPERIMENT = Experiment(run, figure, check, summary, trains_model=True)

if __name__ == "__main__":
    main(EXPERIMENT, __file__, __doc__)
