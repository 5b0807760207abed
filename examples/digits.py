"""Train a two-layer network, written in plain NumPy, on scikit-learn's handwritten digits with ``fastadam.Adam``.

A second network is trained in step with it by the NumPy reference of the same formula. Both end with equal parameters.
"""

import argparse
import statistics
import sys
import time
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from tqdm import tqdm

import fastadam

INPUTS, HIDDEN, CLASSES = 64, 256, 10
BATCH, LEARNING_RATE = 64, 1e-3
REQUIRED_ACCURACY = 0.97


class Network:
    """Two dense layers with a ReLU between them. `params` and `grads` are flat arrays; the weights are views of them."""

    def __init__(self, rng):
        shapes = [(INPUTS, HIDDEN), (HIDDEN,), (HIDDEN, CLASSES), (CLASSES,)]
        size = sum(int(np.prod(shape)) for shape in shapes)
        self.params, self.grads = np.zeros(size, np.float32), np.zeros(size, np.float32)
        self.w1, self.b1, self.w2, self.b2 = views(self.params, shapes)
        self.dw1, self.db1, self.dw2, self.db2 = views(self.grads, shapes)
        for weights in (self.w1, self.w2):
            weights[...] = rng.standard_normal(weights.shape) * np.sqrt(2 / weights.shape[0])  # He et al. 2015

    def forward(self, images):
        hidden = np.maximum(images @ self.w1 + self.b1, 0)
        return hidden, hidden @ self.w2 + self.b2

    def loss(self, images, labels):
        """The mean cross-entropy of a batch. Stores its gradient in `grads`."""
        hidden, logits = self.forward(images)
        logits -= logits.max(axis=1, keepdims=True)
        log_prob = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        rows = np.arange(len(labels))
        error = np.exp(log_prob)
        error[rows, labels] -= 1
        error /= np.float32(len(labels))
        np.matmul(hidden.T, error, out=self.dw2)
        np.sum(error, axis=0, out=self.db2)
        hidden_error = (error @ self.w2.T) * (hidden > 0)
        np.matmul(images.T, hidden_error, out=self.dw1)
        np.sum(hidden_error, axis=0, out=self.db1)
        return -log_prob[rows, labels].mean()

    def accuracy(self, images, labels):
        return float((self.forward(images)[1].argmax(axis=1) == labels).mean())


class NumpyAdam:
    """``fastadam.Adam`` with the NumPy reference instead of the kernel."""

    def __init__(self, params, lr):
        self.params, self.lr, self.steps_taken = params, lr, 0
        self.moments = np.zeros_like(params), np.zeros_like(params)

    def step(self, grads):
        self.steps_taken += 1
        fastadam.reference.adam_step(self.params, grads, *self.moments, step=self.steps_taken, lr=self.lr)


def views(flat, shapes):
    """Consecutive parts of a flat array, reshaped to `shapes`."""
    ends = np.cumsum([np.prod(shape) for shape in shapes])
    return [part.reshape(shape) for part, shape in zip(np.split(flat, ends[:-1]), shapes, strict=True)]


def train(optimizers, images, labels, epochs, rng):
    """Train all networks on the same batches, one step each in turn. Returns the loss and the seconds of each step.

    The two networks agree to the last bit because the rest of the training does too: matmul and the reductions add in an order
    that depends only on the shapes. Taking turns makes the times of both optimizers comparable.
    """
    losses, seconds = ([[] for _ in optimizers] for _ in range(2))
    for _ in (epoch := tqdm(range(epochs), unit="epoch")):
        order = rng.permutation(len(labels))
        for batch in np.split(order, range(BATCH, len(order), BATCH)):
            x, y = images[batch], labels[batch]
            for k, (network, optimizer) in enumerate(optimizers):
                losses[k].append(network.loss(x, y))
                start = time.perf_counter()
                optimizer.step(network.grads)
                seconds[k].append(time.perf_counter() - start)
        epoch.set_postfix(loss=f"{losses[0][-1]:.4f}")
    return losses, seconds


def plot(losses, path):
    """Plot both loss curves. The reference's is wide and pale, to be visible under the kernel's."""
    figure = Figure(figsize=(8, 4.5), layout="constrained")  # not from pyplot, which may need a display
    axes = figure.subplots()
    axes.semilogy(losses[1], color="tab:orange", alpha=0.45, linewidth=5, label="NumPy reference")
    axes.semilogy(losses[0], color="tab:blue", linewidth=0.8, label="fastadam.Adam")
    axes.set(xlabel="step", ylabel="cross-entropy of the batch", title="Handwritten digits, two-layer network")
    axes.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0, help="seed of the initial weights and the batches")
    parser.add_argument("--output", type=Path, default=Path("build/digits.png"), help="file for the plot of the loss curves")
    options = parser.parse_args()

    images, labels = load_digits(return_X_y=True)
    images = (images / 16).astype(np.float32)  # gray levels are 0 to 16
    images, test_images, labels, test_labels = train_test_split(images, labels, test_size=0.2, stratify=labels, random_state=0)
    kernel, numpy = (Network(np.random.default_rng(options.seed)) for _ in range(2))
    optimizers = [
        (kernel, fastadam.Adam(kernel.params, lr=LEARNING_RATE)),
        (numpy, NumpyAdam(numpy.params, lr=LEARNING_RATE)),
    ]
    losses, seconds = train(optimizers, images, labels, options.epochs, np.random.default_rng(options.seed))

    plot(losses, options.output)
    accuracy = kernel.accuracy(test_images, test_labels)
    fused, plain = (statistics.median(times) * 1e6 for times in seconds)
    equal = np.array_equal(kernel.params, numpy.params)
    print(f"test accuracy      {accuracy:.2%} of {len(test_labels)} held-out images")
    print(f"time per step      {fused:.1f} µs fastadam.Adam, {plain:.1f} µs NumPy: {plain / fused:.0f} times as fast")
    print(f"{kernel.params.size:,} parameters  {'all equal' if equal else 'DIFFERENT'} after {len(losses[0])} steps")
    print(f"loss curves        {options.output}")
    if not equal:
        sys.exit("the kernel and the NumPy reference ended with different parameters")
    if accuracy < REQUIRED_ACCURACY:
        sys.exit(f"the test accuracy is below {REQUIRED_ACCURACY:.0%}")


if __name__ == "__main__":
    main()
