"""The paper's claim that Adam needs little tuning: which learning rates work on very different problems."""

import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits, load_wine

from fastadam.viz.style import STYLES
from lab.claim import Claim
from lab.data import synthetic_reviews
from lab.grid import search
from lab.layers import Classifier, Dense, ReLU

METHODS = ("momentum", "Adam")


class LittleTuning(Claim):
    words = "hyper-parameters typically require little tuning"
    verdict = "holds in part"
    title = "Learning rates that work"

    def measure(self, settings):
        """A learning rate works if it achieves nine tenths of the decrease in loss of the method's best one."""
        self.rates = [float(f"{rate:.1g}") for rate in 10 ** np.arange(-7, 1.1, 0.5)]
        self.works = {name: {} for name in METHODS}
        for problem, (layers, data, epochs, batch) in problems(settings.seed).items():
            start = float(np.log(data[1].max() + 1))  # of equal probabilities
            runs = search(
                dict.fromkeys(METHODS, self.rates),
                lambda layers=layers: Classifier(layers(), 0),
                data,
                epochs,
                batch,
                settings.seed,
            )
            for name in METHODS:
                losses = np.array([run.losses[-1] for run in runs if run.method == name])
                good = losses < losses.min() + 0.1 * (start - losses.min())
                self.works[name][problem] = [rate for rate, fine in zip(self.rates, good, strict=True) if fine]
        self.everywhere = {name: sorted(set.intersection(*map(set, works.values()))) for name, works in self.works.items()}

    def line(self):
        widths = {name: np.mean([decades(rates) for rates in works.values()]) for name, works in self.works.items()}
        lowest = {name: [min(rates) for rates in works.values()] for name, works in self.works.items()}
        return (
            f"learning rates that work on all {len(self.works['Adam'])} problems: "
            f"{', '.join(f'{rate:g}' for rate in self.everywhere['Adam']) or 'none'} for Adam, "
            f"{', '.join(f'{rate:g}' for rate in self.everywhere['momentum']) or 'none'} for SGD with momentum. The lower ends "
            f"of their intervals are up to {decades(lowest['Adam']):.1f} and {decades(lowest['momentum']):.1f} decades apart, "
            f"but the intervals are {widths['Adam']:.1f} and {widths['momentum']:.1f} decades wide on average"
        )

    def draw(self, axes):
        for k, (name, works) in enumerate(self.works.items()):
            for i, rates in enumerate(works.values()):
                where = i + 0.3 * (k - 0.5)
                style = STYLES[name]
                axes.semilogx([min(rates), max(rates)], [where] * 2, color=style.color, linewidth=5, solid_capstyle="round")
            axes.plot([], [], color=STYLES[name].color, linewidth=5, label=name)
        for rate in self.everywhere["Adam"]:
            axes.axvline(rate, color="#555555", linewidth=0.7, linestyle=":")
        axes.set_yticks(range(len(works)), list(works))
        axes.set(xlabel="learning rate", xticks=[1e-6, 1e-3, 1], ylim=(len(works) + 1.3, -0.6))
        axes.legend(frameon=False, fontsize=9, loc="lower left")

    def check(self):
        assert self.everywhere["Adam"], self.works
        assert not self.everywhere["momentum"], self.works


def decades(rates):
    return np.log10(max(rates) / min(rates))


def problems(seed):
    """By name: a function that creates the layers, the data, epochs and batch size. Features keep their original units."""
    digits, cancer, wine = (load(return_X_y=True) for load in (load_digits, load_breast_cancer, load_wine))
    reviews = synthetic_reviews(seed, 2_000, 2_000, 40)

    def as_float32(data, factor=1.0):
        return (data[0] * factor).astype(np.float32), data[1]

    return {
        "digits": (lambda: [Dense(64, 10, scale=0)], as_float32(digits), 5, 50),
        "network": (lambda: [Dense(64, 64), ReLU(), Dense(64, 10)], as_float32(digits, 1 / 16), 5, 50),
        "cancer": (lambda: [Dense(30, 2, scale=0)], as_float32(cancer), 20, 50),
        "wine": (lambda: [Dense(13, 3, scale=0)], as_float32(wine), 50, 20),
        "words": (lambda: [Dense(2_000, 2, scale=0)], (reviews.inputs, reviews.labels), 10, 50),
    }
