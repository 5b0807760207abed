"""Late in training, gradients are tiny but Adam's steps are not: the loss spikes if beta2 or eps is too small.

A network learns 300 digits from full-batch gradients, and training continues after it fits them. Adam divides by the root of
its average of squared gradients. Small gradients therefore do not make small steps. After the gradients have fallen for longer
than the average remembers, the next larger gradient is divided by a number that is far too small. Many elements then move by up
to a learning rate at once, and the loss jumps from almost zero to its initial value. A smaller beta2 forgets sooner, so spikes
are frequent. With the defaults they are rare and come late (Thilak et al. 2022 call them slingshots; Molybog et al. 2023 see
them in large language models).

An eps above the size of the late gradients prevents the spikes. So do AMSGrad, which never forgets a large gradient, and a
learning rate that decays.
"""

from functools import partial
from typing import NamedTuple

import numpy as np
from lab.figures import caption, panels
from lab.layers import Classifier, Dense, ReLU
from lab.program import Experiment, main
from sklearn.datasets import load_digits
from tqdm import tqdm

import fastadam
from fastadam.viz.style import STYLES

LR, LARGE_EPS = 0.01, 1e-4
SHORT, DEFAULT = "β₂ = 0.9", "β₂ = 0.999"
WITH_EPS, AMSGRAD, DECAYED = "β₂ = 0.9, eps = 1e-4", "β₂ = 0.9, AMSGrad", "β₂ = 0.999, lr decays"
METHODS = {
    SHORT: partial(fastadam.Adam, betas=(0.9, 0.9)),
    "β₂ = 0.99": partial(fastadam.Adam, betas=(0.9, 0.99)),
    DEFAULT: fastadam.Adam,
    WITH_EPS: partial(fastadam.Adam, betas=(0.9, 0.9), eps=LARGE_EPS),
    AMSGRAD: partial(fastadam.Adam, betas=(0.9, 0.9), amsgrad=True),
    DECAYED: fastadam.Adam,
}
ADAM, DARK, BLACK = STYLES["Adam"].color, "#8a3d00", "#333333"
COLORS = dict(zip(METHODS, (ADAM, DARK, BLACK, ADAM, STYLES["AMSGrad"].color, BLACK), strict=True))


class Training(NamedTuple):
    """Measurements of each step."""

    losses: np.ndarray
    gradients: np.ndarray  # the largest magnitude of an element
    steps: np.ndarray  # the largest change of an element

    @property
    def spikes(self):
        """How often the loss rose above 0.01."""
        return int(np.sum((self.losses[:-1] <= 0.01) & (self.losses[1:] > 0.01)))

    @property
    def worst_late(self):
        """The largest loss of the second half."""
        return float(self.losses[len(self.losses) // 2 :].max())


def train(name, images, labels, steps, seed, progress):
    model = Classifier([Dense(64, 32), ReLU(), Dense(32, 10)], seed)
    lr = (lambda step: LR * (1 - step / steps)) if name == DECAYED else LR
    optimizer = METHODS[name](model.params, lr=lr)
    record = Training(*np.empty((3, steps)))
    for step in range(steps):
        record.losses[step] = model.loss(images, labels)
        before = model.params.copy()
        optimizer.step(model.grads)
        record.gradients[step] = np.abs(model.grads).max()
        record.steps[step] = np.abs(model.params - before).max()
        progress.update()
    return record


def run(settings):
    steps = 4_000 if settings.small else 20_000
    images, labels = load_digits(return_X_y=True)
    images, labels = (images[:300] / 16).astype(np.float32), labels[:300]
    with tqdm(total=steps * len(METHODS), unit="step") as progress:
        return {name: train(name, images, labels, steps, settings.seed, progress) for name in METHODS}


def figure(trainings):
    drawing, (left, middle, right) = panels(1, 3, (10, 3.6))
    middle.sharey(left)
    for i, (name, training) in enumerate(trainings.items()):
        axes = left if i < 3 else middle
        axes.semilogy(*peaks(training.losses), color=COLORS[name], linewidth=1.1, label=f"{name}: {training.spikes} spikes")
    for name, color in ((SHORT, ADAM), (WITH_EPS, BLACK)):
        training = trainings[name]
        right.semilogy(*peaks(training.steps), color=color, label=f"step, {name}")
        right.semilogy(*peaks(training.gradients), ":", color=color, label=f"gradient, {name}")
    left.set(title="Short memory, or small eps", ylabel="loss", ylim=(1e-9, 1e6), yticks=[1e-8, 1e-4, 1])
    middle.set(title="What helps")
    right.set(title="Largest element of each", ylim=(1e-9, 1e9), yticks=[1e-8, 1e-4, 1])
    for axes in (left, middle, right):
        axes.set_xlabel("step (largest of every 200)")
        axes.set_xticks(np.linspace(0, len(training.losses), 3).astype(int))
        axes.legend(frameon=False, fontsize=9, loc="upper right")
        axes.minorticks_off()
    caption(drawing, "a network on 300 of scikit-learn's digits, full-batch gradients")
    return drawing


def peaks(values):
    """The largest of every 200 values, and the positions."""
    return np.arange(0, len(values), 200), np.maximum(values.reshape(-1, 200).max(axis=1), 1e-12)


def summary(trainings):
    lines = [f"{'':<24}{'spikes':>8}{'largest loss of the second half':>34}{'step, 2,000 to 4,000':>25}"]
    for name, training in trainings.items():
        median = np.median(training.steps[2_000:4_000])
        lines.append(f"{name:<24}{training.spikes:>8}{training.worst_late:>34.1e}{median:>25.1e}")
    return "\n".join(lines)


def check(trainings):
    """A shorter memory gives more spikes; a large eps, AMSGrad or a decaying learning rate gives none."""
    spikes = {name: training.spikes for name, training in trainings.items()}
    assert spikes[SHORT] >= 10, spikes
    assert spikes[SHORT] > spikes["β₂ = 0.99"] >= spikes[DEFAULT], spikes
    assert spikes[WITH_EPS] == spikes[AMSGRAD] == spikes[DECAYED] == 0, spikes
    moved = {name: np.median(trainings[name].steps[2_000:4_000]) for name in (SHORT, WITH_EPS)}
    assert moved[SHORT] > 10 * moved[WITH_EPS], f"median size of steps 2,000 to 4,000: {moved}"


if __name__ == "__main__":
    main(Experiment(run, figure, check, summary), __file__, __doc__)
