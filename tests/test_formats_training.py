"""A network that learns handwritten digits ends with the loss of float32, whatever its parameters and states are stored in."""

import functools

import numpy as np
import pytest
from test_formats_behaviour import F32, NAIVE, ByReference, Ours

SHAPES = [(64, 256), (256,), (256, 10), (10,)]
ENDS = np.cumsum([np.prod(shape) for shape in SHAPES])
EPOCHS, BATCH = 40, 64


def views(flat):
    return [part.reshape(shape) for part, shape in zip(np.split(flat, ENDS[:-1]), SHAPES, strict=True)]


def loss(params, images, labels, grads=None):
    """The mean cross-entropy of two dense layers with a ReLU between them; its gradient goes into `grads`."""
    w1, b1, w2, b2 = views(params)
    hidden = np.maximum(images @ w1 + b1, 0)
    logits = hidden @ w2 + b2
    logits -= logits.max(axis=1, keepdims=True)
    log_prob = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    rows = np.arange(len(labels))
    if grads is not None:
        error = np.exp(log_prob)
        error[rows, labels] -= 1
        error /= F32(len(labels))
        behind = (error @ w2.T) * (hidden > 0)
        parts = images.T @ behind, behind.sum(axis=0), hidden.T @ error, error.sum(axis=0)
        for view, part in zip(views(grads), parts, strict=True):
            view[...] = part
    return -log_prob[rows, labels].mean()


@functools.cache
def digits():
    images, labels = pytest.importorskip("sklearn.datasets").load_digits(return_X_y=True)
    return (images / 16).astype(F32), labels


@functools.cache
def trained(param="float32", state="float32"):
    """The loss of all digits in the end. `param` and `state` are formats, or keys of NAIVE."""
    images, labels = digits()
    rng = np.random.default_rng(0)
    params, grads = np.zeros((2, ENDS[-1]), F32)
    for weights in views(params)[::2]:
        weights[...] = rng.standard_normal(weights.shape) * np.sqrt(2 / weights.shape[0])
    cls = ByReference if {param, state} & NAIVE.keys() else Ours
    adam = cls(params.size, param, state, params, lr=1e-3, eps=1e-8)
    for _ in range(EPOCHS):
        for batch in np.split(order := rng.permutation(len(labels)), range(BATCH, len(order), BATCH)):
            loss(adam.param(), images[batch], labels[batch], grads)
            adam.step(grads)
    return loss(adam.param(), images, labels)


@pytest.mark.parametrize("state", ["float32", "bfloat16", "8bit"])
@pytest.mark.parametrize("param", ["float32", "bfloat16"])
def test_the_loss_is_that_of_float32(param, state):
    assert abs(trained(param, state) / trained() - 1) < 0.05


def test_rounding_to_nearest_ends_elsewhere():
    """Of the second moments, which then stay too large, and of the parameters."""
    assert trained(state="nearest bfloat16") / trained() > 1.1
    assert trained(param="nearest bfloat16") / trained() > 1.1
