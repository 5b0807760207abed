"""Gradients of the layers and models in examples/ against finite differences, in float64."""

import numpy as np
import pytest
from gallery_programs import assert_gradient, gallery_module, in_float64

layers, convolution = gallery_module("lab.layers"), gallery_module("lab.convolution")

IMAGES = np.random.default_rng(2).standard_normal((3, 4, 6, 2))
ROWS = np.random.default_rng(3).standard_normal((5, 4))
EACH = {
    "dense": (layers.Dense(4, 3), ROWS),
    "relu": (layers.ReLU(), ROWS),
    "softplus": (layers.Softplus(), 10 * ROWS),
    "dropout": (layers.Dropout(0.5), ROWS),
    "convolution": (convolution.Convolution(2, 3, 3), IMAGES),
    "wide convolution": (convolution.Convolution(2, 1, 5), IMAGES),
    "max-pooling": (convolution.MaxPooling(), IMAGES),
    "flatten": (convolution.Flatten(), IMAGES),
}


@pytest.mark.parametrize("name", EACH)
def test_layer(name):
    """By the input and by each parameter, for a loss that weighs all outputs at random."""
    layer, x = EACH[name]
    rng = np.random.default_rng(4)
    layer.params = [rng.standard_normal(initial.shape) for initial in layer.initial(rng)]
    layer.grads = [np.full(param.shape, np.nan) for param in layer.params]
    x = x.copy()
    weights = rng.standard_normal(layer.forward(x).shape)

    def loss():
        return (weights * layer.forward(x, np.random.default_rng(5))).sum()

    loss()
    layer.gradients(weights)
    assert_gradient(loss, x, layer.propagate(weights))
    for param, grad in zip(layer.params, layer.grads, strict=True):
        assert_gradient(loss, param, grad)


def test_convolution_is_the_sum_over_the_neighbourhood():
    layer = convolution.Convolution(2, 3, 3)
    rng = np.random.default_rng(0)
    layer.params = [rng.standard_normal(initial.shape) for initial in layer.initial(rng)]
    padded, kernel = np.pad(IMAGES, ((0, 0), (1, 1), (1, 1), (0, 0))), layer.params[0].reshape(3, 3, 2, 3)
    expected = np.einsum("nhwcij,ijco->nhwo", np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (1, 2)), kernel)
    np.testing.assert_allclose(layer.forward(IMAGES), expected + layer.params[1], rtol=1e-12, atol=1e-12)


def test_dropout_keeps_the_expectation_and_is_off_without_noise():
    layer, ones = layers.Dropout(0.25), np.ones((400, 100), np.float32)
    dropped = layer.forward(ones, np.random.default_rng(0))
    assert dropped.dtype == np.float32
    assert np.unique(dropped).tolist() == [0, pytest.approx(4 / 3)]
    assert dropped.mean() == pytest.approx(1, abs=0.01)
    assert np.array_equal(layer.forward(ones), ones)


def test_sparse_dropout_drops_what_is_stored():
    sparse = pytest.importorskip("scipy.sparse")
    counts = sparse.csr_matrix(np.eye(100, 30, dtype=np.float32))
    layer = layers.SparseDropout(0.5)
    dropped = layer.forward(counts, np.random.default_rng(0))
    assert set(dropped.data.tolist()) == {0, 2}
    assert dropped.dtype == np.float32
    assert (layer.forward(counts) != counts).nnz == 0
    assert set(counts.data.tolist()) == {1}


def test_equal_maxima_share_the_gradient():
    layer = convolution.MaxPooling()
    layer.forward(np.zeros((1, 2, 2, 1)))
    assert layer.propagate(np.ones((1, 1, 1, 1))).ravel().tolist() == [0.25] * 4


MODELS = {
    "logistic": lambda: layers.Classifier([layers.Dense(4, 3)], 0, l2=0.1),
    "multilayer": lambda: layers.Classifier(
        [layers.Dropout(0.2), layers.Dense(4, 6), layers.ReLU(), layers.Dropout(0.5), layers.Dense(6, 3)], 0, l2=0.1
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_classifier(name):
    model = in_float64(MODELS[name]())
    labels = np.array([0, 1, 2, 0, 2])

    def loss():
        return model.loss(ROWS, labels, np.random.default_rng(6))

    loss()
    assert_gradient(loss, model.params, model.grads.copy())


def test_model_is_one_buffer():
    model = MODELS["multilayer"]()
    assert model.params.dtype == model.grads.dtype == np.float32
    assert model.params.size == 4 * 6 + 6 + 6 * 3 + 3
    model.params[...] = np.arange(model.params.size)
    assert model.layers[1].params[1].tolist() == [*range(24, 30)]
    again = MODELS["multilayer"]()
    assert not np.shares_memory(again.params, model.params)


def test_cross_entropy_of_large_logits_is_finite():
    loss, error = layers.softmax_cross_entropy(np, np.array([[1e4, 0], [0, 1e4]], np.float32), np.array([0, 0]))
    assert float(loss) == 5e3
    assert error.tolist() == [[0, 0], [-0.5, 0.5]]
    assert error.dtype == np.float32
