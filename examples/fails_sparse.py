"""Without bias correction, long averages and sparse gradients make Adam's first steps many times too large.

Moments start at zero. After the first gradient g of an element, m = (1 - beta1) g and v = (1 - beta2) g². Without correction
the step is then lr (1 - beta1) / sqrt(1 - beta2): 10 times lr for betas of 0.9 and 0.9999. With sparse gradients this happens
to most elements. In a network on the words of reviews the first steps are so large that units die (section 3 of Kingma & Ba
2015; in their section 6.4 the same happens to a variational autoencoder).

A learning rate that is ten times smaller avoids most of this, but is too small later.
"""

from itertools import product
from typing import NamedTuple

import numpy as np
from lab.data import synthetic_reviews
from lab.figures import caption, panels
from lab.layers import Classifier, Dense, ReLU
from lab.program import Experiment, main
from tqdm import tqdm

import fastadam
from fastadam.viz.style import STYLES
from fastadam.viz.svg import GREY

BETA1, HIDDEN, BATCH, EPOCHS = 0.9, 32, 50, 5
LONG, SHORT = 0.9999, 0.9
TOO_FAR = 0.01  # a learning rate that works with the correction
WORDS, LENGTH, TENDENCY = 2_000, 40, 0.15  # reviews that are hard to tell apart


class Training(NamedTuple):
    """One run of the grid, with or without bias correction."""

    losses: np.ndarray  # of the batches
    largest: float  # the largest change of an element in the first steps, in learning rates
    final: float  # the loss on all training data
    dead: int  # hidden units that are zero on all training data


def train(beta2, lr, corrected, reviews, seed):
    model = Classifier([Dense(WORDS, HIDDEN, scale=LENGTH**-0.5), ReLU(), Dense(HIDDEN, 2)], seed)
    optimizer = fastadam.Adam(model.params, lr=lr, betas=(BETA1, beta2), bias_correction=corrected)
    rng = np.random.default_rng(seed)
    losses, largest = [], 0.0
    for _ in range(EPOCHS):
        order = rng.permutation(len(reviews.labels))
        for batch in np.split(order, range(BATCH, len(order), BATCH)):
            losses.append(float(model.loss(reviews.inputs[batch], reviews.labels[batch])))
            before = model.params.copy()
            optimizer.step(model.grads)
            if len(losses) <= 20:
                largest = max(largest, float(np.abs(model.params - before).max()) / lr)
    final = float(model.loss(reviews.inputs, reviews.labels))
    return Training(np.array(losses), largest, final, int(np.sum(~model.layers[1].positive.any(axis=0))))


def run(settings):
    rates = (TOO_FAR,) if settings.small else (1e-4, 3e-4, 0.001, 0.003, TOO_FAR, 0.03, 0.1)
    beta2s = (SHORT, LONG) if settings.small else (SHORT, 0.99, 0.999, LONG)
    reviews = synthetic_reviews(settings.seed, 4_000, WORDS, LENGTH, TENDENCY)
    grid = list(product(beta2s, rates, (True, False)))
    return {key: train(*key, reviews, settings.seed) for key in tqdm(grid, unit="training")}


def figure(trainings):
    drawing, (left, middle, right) = panels(1, 3, (10, 3.5))
    beta2s, rates = (sorted({key[i] for key in trainings}) for i in (0, 1))
    for corrected in (True, False):
        name = "with correction" if corrected else "without"
        look = {"color": STYLES["Adam"].color if corrected else "#333333", "label": name}
        left.loglog([1 - b for b in beta2s], [trainings[b, rates[0], corrected].largest for b in beta2s], "o", **look)
        for beta2, line in ((LONG, "-"), (SHORT, ":")):
            finals = [trainings[beta2, lr, corrected].final for lr in rates]
            middle.loglog(rates, finals, line, marker=".", color=look["color"], label=f"{name}, β₂ = {beta2}")
        losses = trainings[LONG, TOO_FAR, corrected].losses
        smooth = np.convolve(losses, np.ones(10) / 10, "valid")
        right.semilogy(smooth, color=look["color"], label=name)
    left.loglog(
        [1e-4, 0.1], [0.1 / 1e-2, 0.1 / 0.1**0.5], color=GREY, linewidth=0.8, label="(1 - β₁) / √(1 - β₂): one gradient"
    )
    left.set(title="Largest of the first 20 steps", xlabel="1 - β₂", ylabel="step / learning rate")
    middle.set(title="Loss after training", xlabel="learning rate", ylabel="cross-entropy")
    right.set(title=f"β₂ = {LONG}, learning rate {TOO_FAR}", xlabel="step", ylabel="cross-entropy, mean of 10 batches")
    middle.axhline(np.log(2), color=GREY, linewidth=0.8)
    middle.text(1.1e-4, np.log(2) * 1.15, "constant prediction", color=GREY, fontsize=8)
    middle.set_ylim(3e-5, 3)
    left.set_ylim(top=300)
    for axes in (left, middle, right):
        axes.legend(frameon=False, fontsize=9)
        axes.minorticks_off()
    caption(drawing, "a network on a synthetic corpus of sparse bags of words")
    return drawing


def summary(trainings):
    columns = "beta2", "lr", "loss with correction", "without", "largest first steps / lr", "without", "dead units", "without"
    lines = ["  ".join(columns)]
    for beta2, lr, corrected in trainings:
        if corrected:
            yes, no = trainings[beta2, lr, True], trainings[beta2, lr, False]
            row = beta2, lr, f"{yes.final:.4f}", f"{no.final:.4f}", f"{yes.largest:.1f}", f"{no.largest:.1f}", yes.dead, no.dead
            lines.append("  ".join(f"{value:>{len(name)}}" for name, value in zip(columns, row, strict=True)))
    return "\n".join(lines)


def check(trainings):
    """With a long memory and no correction, the first steps are far too large and a good learning rate fails."""
    yes, no = trainings[LONG, TOO_FAR, True], trainings[LONG, TOO_FAR, False]
    assert yes.largest < 3 < 9 < no.largest, f"steps of {yes.largest:.1f} and {no.largest:.1f} learning rates"
    assert yes.final < 0.03 < 0.1 < no.final, f"losses of {yes.final:.3f} and {no.final:.3f}"
    assert yes.dead == 0 < HIDDEN / 2 < no.dead, f"{yes.dead} and {no.dead} dead units"
    with_short = trainings[SHORT, TOO_FAR, False].final
    assert with_short < 0.03, f"the loss without correction and with a short memory is {with_short:.3f}"


if __name__ == "__main__":
    main(Experiment(run, figure, check, summary), __file__, __doc__)
