"""Adaptive methods can overfit where SGD generalizes: the example of Wilson et al. (NeurIPS 2017).

Their section 3.3 constructs a least-squares problem with more parameters than examples. Feature 1 is the label, so it suffices
for the prediction; features 2 and 3 are 1 in every example; each remaining feature belongs to one example. Adam, AdaGrad and
RMSProp give all features weights of the same size, sign(X'y) (lemma 3.1). On new examples, features 2 and 3 outvote the label,
and every prediction is +1. SGD finds the solution of minimum norm and makes no mistake. All fit the training data exactly.

The right panel shows that this gap is not universal: on handwritten digits, with learning rates chosen on validation data,
there is none. It covers one small network, and cannot show which problems have a gap.
"""

from functools import partial
from typing import NamedTuple

import numpy as np
from lab.figures import long_title, panels
from lab.grid import train
from lab.layers import Classifier, Dense, ReLU
from lab.program import Experiment, main
from sklearn.datasets import load_digits
from tqdm import tqdm

import fastadam
from fastadam.viz.style import STYLES

POSITIVE = 0.6  # the share of +1 among the labels
L2, LARGE_EPS = "Adam, L2 of 0.001", "Adam, eps = 1"
BAD = ("AdaGrad", "RMSProp", "Adam", "AMSGrad")
CONSTRUCTED = {
    "SGD": (fastadam.SGD, 0.5),
    "momentum": (partial(fastadam.SGD, momentum=0.9), 0.1),
    "AdaGrad": (fastadam.Adagrad, 0.1),
    "RMSProp": (fastadam.RMSprop, 0.01),
    "Adam": (fastadam.Adam, 0.01),
    "AMSGrad": (partial(fastadam.Adam, amsgrad=True), 0.01),
    L2: (partial(fastadam.Adam, weight_decay=1e-3), 0.01),
    LARGE_EPS: (partial(fastadam.Adam, eps=1.0), 0.3),
}
DIGITS = {
    "SGD": (fastadam.SGD, (0.03, 0.1, 0.3, 1.0)),
    "momentum": (partial(fastadam.SGD, momentum=0.9), (0.003, 0.01, 0.03, 0.1)),
    "Adam": (fastadam.Adam, (0.0003, 0.001, 0.003, 0.01)),
    "AdamW": (partial(fastadam.AdamW, weight_decay=0.1), (0.0003, 0.001, 0.003, 0.01)),
}


class Result(NamedTuple):
    """The results of both problems."""

    fit: dict  # by method: the mean squared error on the training data of the constructed problem
    error: dict  # by method: the share of wrong answers to its new examples
    norm: dict  # by method: the norm of the solution
    negative: float  # the share of -1 among the new examples
    digits: dict  # by method: the test errors, one per seed


def constructed(count, rng):
    """Examples and labels as in section 3.3: an example with label -1 has five features of its own, with +1 it has one."""
    labels = np.where(rng.random(count) < POSITIVE, 1, -1)
    features = np.zeros((count, 3 + 5 * count), np.float32)
    features[:, 0] = labels
    features[:, 1:3] = 1
    for i, label in enumerate(labels):
        features[i, 3 + 5 * i : 3 + 5 * i + (1 if label == 1 else 5)] = 1
    return features, labels.astype(np.float32)


def fit(make, lr, features, labels, steps):
    """Weights after steps with full-batch gradients from zero, with a learning rate that falls to zero."""
    weights = np.zeros(features.shape[1], np.float32)
    optimizer = make(weights, lr=lambda step: lr * (1 - step / steps))
    for _ in range(steps):
        optimizer.step(features.T @ (features @ weights - labels) / np.float32(len(labels)))
    return weights


def digits(make, rates, epochs, seed):
    """The test error of a network, at the learning rate with the smallest error on validation images."""
    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(labels))
    images, labels = (images[order] / 16).astype(np.float32), labels[order]
    errors = []
    for lr in rates:
        model = Classifier([Dense(64, 64), ReLU(), Dense(64, 10)], seed)
        train(model, make(model.params, lr=lr), (images[:400], labels[:400]), epochs, batch=50, seed=seed)
        errors.append([1 - model.accuracy(images[part], labels[part]) for part in (slice(400, 800), slice(800, None))])
    return min(errors)[1]


def run(settings):
    train_count, steps, epochs, seeds = (60, 2_000, 30, 2) if settings.small else (100, 6_000, 100, 6)
    features, labels = constructed(train_count * 5, np.random.default_rng(settings.seed))
    new, result = slice(train_count, None), Result({}, {}, {}, float((labels[train_count:] < 0).mean()), {})
    with tqdm(total=len(CONSTRUCTED) + seeds * len(DIGITS), unit="training") as progress:
        for name, (make, lr) in CONSTRUCTED.items():
            weights = fit(make, lr, features[:train_count], labels[:train_count], steps)
            result.fit[name] = float(np.mean((features[:train_count] @ weights - labels[:train_count]) ** 2))
            result.error[name] = float(np.mean(np.sign(features[new] @ weights) != labels[new]))
            result.norm[name] = float(np.linalg.norm(weights))
            progress.update()
        for name, (make, rates) in DIGITS.items():
            result.digits[name] = []
            for seed in range(settings.seed, settings.seed + seeds):
                result.digits[name].append(digits(make, rates, epochs, seed))
                progress.update()
    return result


def figure(result):
    drawing, (left, right) = panels(1, 2, (10, 3.6), widths=(3, 2))
    colors = [STYLES[name.split(",")[0]].color for name in result.error]
    bars = left.barh(list(result.error), [100 * error for error in result.error.values()], color=colors)
    left.bar_label(bars, [f" {100 * error:.0f} %   ‖w‖ = {result.norm[name]:.2f}" for name, error in result.error.items()])
    left.set(
        title=long_title("Constructed least squares: all fit the training data"), xlabel="wrong answers to new examples, %"
    )
    left.set_xlim(0, 70)
    left.invert_yaxis()
    for row, (name, errors) in enumerate(result.digits.items()):
        style = STYLES[name]
        percent = 100 * np.array(errors)
        right.plot(percent, np.full(len(percent), row), style.marker, color=style.color, alpha=0.5, linestyle="none")
        right.plot([percent.mean()] * 2, [row - 0.25, row + 0.25], color=style.color, linewidth=2)
    right.set_yticks(range(len(result.digits)), result.digits)
    right.set(title="Handwritten digits (scikit-learn)", xlabel="test error, %: each seed, and the mean")
    right.set_xlim(0, 110 * max(map(max, result.digits.values())))
    right.invert_yaxis()
    return drawing


def summary(result):
    lines = [f"{'constructed problem':<22}{'training loss':>14}{'wrong on new':>14}{'norm':>8}"]
    lines += [f"{name:<22}{result.fit[name]:>14.1e}{result.error[name]:>14.0%}{result.norm[name]:>8.3f}" for name in result.fit]
    lines.append(f"{'digits':<22}{'mean test error':>16}{'sd over seeds':>16}")
    lines += [f"{name:<22}{np.mean(errors):>16.2%}{np.std(errors):>16.2%}" for name, errors in result.digits.items()]
    return "\n".join(lines)


def check(result):
    """All methods fit. Adaptive ones predict +1 for all, the others make no mistake. On the digits all are on a par."""
    for name, loss in result.fit.items():
        assert loss < 1e-4, f"{name} does not fit: {loss:.1e}"
        expected = result.negative if name in BAD else 0.0
        assert result.error[name] == expected, (
            f"{name} is wrong on {result.error[name]:.1%} of new examples, not {expected:.1%}"
        )
    means = {name: np.mean(errors) for name, errors in result.digits.items()}
    gap = max(means.values()) - min(means.values())
    assert gap < 0.015, f"test errors on the digits differ by {gap:.1%}: {means}"


if __name__ == "__main__":
    main(Experiment(run, figure, check, summary), __file__, __doc__)
