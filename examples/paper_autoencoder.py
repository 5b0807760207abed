"""Bias correction on and off, on a variational autoencoder: figure 4 of Kingma & Ba (2015), https://arxiv.org/abs/1412.6980.

Adam with beta1 of 0 and 0.9, beta2 of 0.99, 0.999 and 0.9999, and lr from 1e-5 to 1e-1, in batches of 128. Without the
correction, step t is (1 - beta1^t) / sqrt(1 - beta2^t) times as large: with a beta2 close to 1, the first steps are far too
large. The program checks these statements about the negative lower bound in the last epoch:

- With the correction no run diverges. Without it some do, and more of them if beta2 is closer to 1.
- For each beta1 and beta2, the best lr with the correction ends at most 2 % above the best without it; with beta1 = 0 and
  beta2 = 0.9999 it ends 1 % or more below.

As in the paper's figure, an lr that is far too small does better without the correction, as the steps are larger.
"""

import itertools

import numpy as np
from lab.autoencoder import Autoencoder
from lab.data import digits, mnist, on_device
from lab.figures import caption, is_narrow
from lab.grid import train
from lab.program import Experiment, main
from matplotlib.figure import Figure
from tqdm import tqdm

import fastadam
from fastadam.viz.style import STYLES

BATCH = 128
BETA1, BETA2, RATES = (0.0, 0.9), (0.99, 0.999, 0.9999), (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
SIDES = {"corrected": True, "not corrected": False}

ADAM = STYLES["Adam"]
LOOKS = {
    "corrected": {"color": ADAM.color, "marker": ADAM.marker},
    "not corrected": {"color": "#333333", "marker": "o", "linestyle": "--"},
}


def run(settings):
    """The loss of each epoch for each beta1, beta2, lr and side, and a description of the data."""
    data = mnist(settings.data) if settings.data else digits()
    images = on_device(settings.xp, data.pixels)
    hidden, latent, epochs = (30, 5, 10) if settings.small else (500, 50, 100) if settings.data else (100, 10, 100)
    rates = RATES[2:] if settings.small else RATES
    losses = {}
    for beta1, beta2, lr, side in tqdm(list(itertools.product(BETA1, BETA2, rates, SIDES)), unit="training"):
        model = Autoencoder(images.shape[1], hidden, latent, settings.seed, settings.xp)
        optimizer = fastadam.Adam(model.params, lr=lr, betas=(beta1, beta2), bias_correction=SIDES[side])
        losses[beta1, beta2, lr, side] = train(model, optimizer, (images,), epochs, BATCH, settings.seed)
    return losses, f"{hidden} hidden units, {latent} latent ones; {data.name}"


def figure(result):
    losses, name = result
    epochs, rates = len(next(iter(losses.values()))), sorted({lr for _, _, lr, _ in losses})
    finite = np.concatenate([values[np.isfinite(values)][-1:] for values in losses.values()])
    top = 2 * np.median(finite)
    drawn, panels = grid_of_panels()
    for (i, beta1), (j, beta2) in itertools.product(enumerate(BETA1), enumerate(BETA2)):
        axes = panels[i, j]
        for (side, look), (epoch, alpha) in itertools.product(LOOKS.items(), ((epochs // 10, 0.4), (epochs, 1))):
            ends = np.array([losses[beta1, beta2, lr, side][epoch - 1] for lr in rates])
            axes.plot(rates, ends, alpha=alpha, label=f"{side}, {epoch} epoch{'s' * (epoch > 1)}", **look)
            broken = np.array(rates)[~np.isfinite(ends)]
            axes.plot(
                broken, np.full(len(broken), 0.97 * top), "x", color=look["color"], alpha=alpha, markersize=9, markeredgewidth=2
            )
        axes.set(xscale="log", xticks=rates[::2], ylim=(0.95 * finite.min(), top), title=f"β₁ = {beta1:g}, β₂ = {beta2:g}")
        axes.minorticks_off()
        axes.tick_params(length=0)
        axes.locator_params(axis="y", nbins=4)
        axes.grid(alpha=0.2)
    title = "Bias correction of Adam on a variational autoencoder"
    handles, labels = panels[0, 0].get_legend_handles_labels()
    drawn.legend(
        handles,
        labels,
        title=title,
        title_fontsize="large",
        frameon=False,
        loc="outside upper center",
        ncols=1 if is_narrow() else 2,
    )
    drawn.supylabel("negative lower bound (x: diverged)")
    caption(drawn, name)
    for axes in panels[-1] if not is_narrow() else panels[:, -1]:
        axes.set_xlabel("learning rate")
    return drawn


def grid_of_panels():
    """A figure and its panels, by beta1 and beta2; on a narrow screen the beta1 stand side by side."""
    drawn = Figure(figsize=(5, 8) if is_narrow() else (9, 5.8), layout="constrained")
    shape = len(BETA1), len(BETA2)
    axes = drawn.subplots(*(shape[::-1] if is_narrow() else shape), sharex=True, sharey=True)
    return drawn, axes.T if is_narrow() else axes


def outcome(losses):
    """For each beta1, beta2 and side: the lowest final loss over lr, and how many runs diverged."""
    found = {}
    for (beta1, beta2, _, side), values in losses.items():
        low, broken = found.get((beta1, beta2, side), (np.inf, 0))
        found[beta1, beta2, side] = min(low, values[-1]), broken + (not np.isfinite(values[-1]))
    return found


def check(result):
    found = outcome(result[0])
    for beta1, beta2 in itertools.product(BETA1, BETA2):
        (best, broken), (best_without, _) = (found[beta1, beta2, side] for side in SIDES)
        assert broken == 0, f"{broken} runs with the correction diverged at betas {beta1}, {beta2}"
        limit = 0.99 if (beta1, beta2) == (0, 0.9999) else 1.02
        ratio = best / best_without
        assert ratio <= limit, f"at betas {beta1}, {beta2} the best loss with the correction is {ratio:.4f} times that without"
    broken = [sum(found[beta1, beta2, "not corrected"][1] for beta1 in BETA1) for beta2 in BETA2]
    assert broken == sorted(broken), f"runs that diverged without the correction, by beta2: {broken}"
    assert broken[-1] > broken[0], f"runs that diverged without the correction, by beta2: {broken}"


def summary(result):
    return "\n".join(
        f"beta1 {beta1:<4g} beta2 {beta2:<7g} {side:<14} best loss {low:.2f}, {broken} diverged"
        for (beta1, beta2, side), (low, broken) in outcome(result[0]).items()
    )


EXPERIMENT = Experiment(run, figure, check, summary, trains_model=True)

if __name__ == "__main__":
    main(EXPERIMENT, __file__, __doc__)
