"""Adam converges to the worst point of a convex problem: the counterexample of Reddi, Kale & Kumar (ICLR 2018).

A player chooses x in [-1, 1] and has the loss f_t(x) = 1010 x in one round of 101, and -10 x in the others. Over 101 rounds
this adds up to 10 x, so -1 is the best choice. The rare gradient of 1010 increases the average by whose root Adam divides it,
and the average soon forgets it. The hundred small gradients win, and Adam moves to +1. AMSGrad, which divides by the largest
average so far, goes to -1. So does Adam if its average is long enough to remember the rare gradient.

The settings are those of the paper's section 5: betas of 0.9 and 0.99, and the learning rate divided by the root of the round
(updated every 101 rounds here). For other players the gradient of 1010 comes at random, on average once in a hundred rounds.
"""

from functools import partial
from typing import NamedTuple

import numpy as np
from lab.figures import panels
from lab.program import Experiment, main
from tqdm import tqdm

import fastadam
from fastadam.viz.style import STYLES
from fastadam.viz.svg import GREY

PERIOD, RARE, USUAL = 101, 1010, -10
BEST, WORST = np.float32(-1), np.float32(1)
LR = 3.0
LONG = "Adam, β₂ = 0.9999"
METHODS = {
    "Adam": partial(fastadam.Adam, betas=(0.9, 0.99)),
    LONG: partial(fastadam.Adam, betas=(0.9, 0.9999)),
    "AMSGrad": partial(fastadam.Adam, betas=(0.9, 0.99), amsgrad=True),
}
STYLE = {"Adam": STYLES["Adam"], "AMSGrad": STYLES["AMSGrad"], LONG: STYLES["Adam"]._replace(linestyle="--")}


class Game(NamedTuple):
    """The results of the players of one method, at the ends of some blocks of 101 rounds."""

    rounds: np.ndarray
    x: np.ndarray  # of the player with the rare gradient every 101 rounds
    regret: np.ndarray  # this player's, against always choosing -1: average over the rounds so far
    random: np.ndarray  # x of the players with the rare gradient at random, by round and player


def play(make, blocks, players, seed, progress):
    """Play blocks of rounds, starting at the best choice. The players are elements of one array, which do not interact."""
    rng = np.random.default_rng(seed)
    x = np.full(1 + players, BEST)
    optimizer = make(x)
    gradients = np.full((PERIOD, x.size), USUAL, np.float32)
    gradients[0, 0] = RARE
    choices = np.empty_like(gradients)
    kept, rows, regret = set(np.geomspace(1, blocks, 120).astype(int)), [], 0.0
    for block in range(1, blocks + 1):
        gradients[:, 1:] = np.where(rng.random((PERIOD, players)) < 0.01, RARE, USUAL)
        optimizer.lr = LR / np.sqrt((block - 1) * PERIOD + 1)
        for choice, gradient in zip(choices, gradients, strict=True):
            choice[...] = x
            optimizer.step(gradient)
            np.minimum(x, WORST, out=x)  # these two take half the time of np.clip
            np.maximum(x, BEST, out=x)
        regret += float((gradients[:, 0] * (choices[:, 0].astype(float) - BEST)).sum())
        if block in kept:
            rows.append((block * PERIOD, x[0], regret / (block * PERIOD), x[1:].copy()))
        progress.update()
    return Game(*map(np.array, zip(*rows, strict=True)))


def run(settings):
    blocks, players = (2_000, 16) if settings.small else (20_000, 64)
    with tqdm(total=blocks * len(METHODS), unit="block") as progress:
        return {name: play(make, blocks, players, settings.seed, progress) for name, make in METHODS.items()}


def figure(games):
    drawing, axes = panels(1, 3, (10, 3.4))
    for name, game in games.items():
        look = {"color": STYLE[name].color, "linestyle": STYLE[name].linestyle, "label": name}
        axes[0].semilogx(game.rounds, game.x, **look)
        axes[1].semilogx(game.rounds, game.random.mean(axis=1), **look)
        if name != LONG:  # it would hide the others
            low, high = np.quantile(game.random, [0.1, 0.9], axis=1)
            axes[1].fill_between(game.rounds, low, high, color=look["color"], alpha=0.15, linewidth=0)
        late = game.rounds > 2_000
        axes[2].loglog(game.rounds[late], game.regret[late], **look)
    axes[0].set(title="1010 in every 101st round", ylabel="x")
    axes[1].set(title="1010 at random, in 1 of 100", ylabel="x: mean, and 10 % to 90 % of players")
    axes[2].set(title="Regret per round (first case)")
    axes[2].set_yticks([0.2, 0.5, 1, 2], labels=["0.2", "0.5", "1", "2"])
    axes[2].set_ylim(top=20)
    axes[2].legend(frameon=False)
    for each in axes[:2]:
        each.axhline(-1, color=GREY, linewidth=0.8)
        each.text(110, -0.98, "best choice", color=GREY, fontsize=9, va="bottom")
    worst = 2 * (RARE + (PERIOD - 1) * USUAL) / PERIOD
    axes[2].axhline(worst, color=GREY, linewidth=0.8)
    axes[2].text(2_000, worst * 1.05, "of always choosing +1", color=GREY, fontsize=9, va="bottom")
    for each in axes:
        each.set_xlabel("round")
        each.minorticks_off()
    return drawing


def summary(games):
    lines = [f"{games['Adam'].rounds[-1]:,} rounds{'x':>15}{'x of random players':>24}{'average regret':>18}"]
    for name, game in games.items():
        lines.append(f"{name:<20}{game.x[-1]:+11.3f}{game.random[-1].mean():+24.3f}{game.regret[-1]:18.3f}")
    return "\n".join(lines)


def check(games):
    """Adam ends near +1, the others near -1, for regular and random rare gradients. AMSGrad has less regret than Adam."""
    for name, game in games.items():
        sign = 1 if name == "Adam" else -1
        assert sign * game.x[-1] > 0.7, f"{name} ended at {game.x[-1]:+.3f}"
        assert sign * game.random[-1].mean() > 0.2, (
            f"random players of {name} ended at {game.random[-1].mean():+.3f} on average"
        )
    adam, amsgrad = (games[name].regret[-1] for name in ("Adam", "AMSGrad"))
    assert amsgrad < adam, f"the regret of AMSGrad is {amsgrad:.3f}, Adam's {adam:.3f}"


if __name__ == "__main__":
    main(Experiment(run, figure, check, summary), __file__, __doc__)
