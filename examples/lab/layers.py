"""Layers with hand-written gradients, in NumPy or CuPy, and models that keep all parameters in one flat buffer.

Call `forward` first. Then, given the gradient of the loss with respect to the layer's output, `gradients` stores the gradient
with respect to its parameters in `grads`, and `propagate` returns the gradient with respect to its input.
"""

import numpy as np

import fastadam


class Layer:
    """A function of a batch; this base class is the identity. `params` and `grads` are lists of views of a model's buffers."""

    xp = np

    def initial(self, rng):
        """The initial values of the parameters, a sequence of arrays."""
        return ()

    def forward(self, x, rng=None):
        """The output. `rng` generates the noise of a training step; None means no noise."""
        return x

    def gradients(self, error):
        """Store the gradient for the parameters in `grads`; `error` is the gradient for the output."""

    def propagate(self, error):
        """The gradient for the input; `error` is the gradient for the output."""
        return error


class Dense(Layer):
    """``x @ weight + bias``; `x` may be sparse. The weights start with standard deviation `scale` (default: He et al. 2015)."""

    def __init__(self, inputs, outputs, scale=None):
        self.shape, self.scale = (inputs, outputs), np.sqrt(2 / inputs) if scale is None else scale

    def initial(self, rng):
        return rng.standard_normal(self.shape) * self.scale, np.zeros(self.shape[1])

    def forward(self, x, rng=None):
        self.x = x
        return x @ self.params[0] + self.params[1]

    def gradients(self, error):
        self.grads[0][...] = self.x.T @ error
        self.grads[1][...] = error.sum(axis=0)

    def propagate(self, error):
        return error @ self.params[0].T


class ReLU(Layer):
    def forward(self, x, rng=None):
        self.positive = x > 0
        return x * self.positive

    def propagate(self, error):
        return error * self.positive


class Softplus(Layer):
    """``log(1 + exp(x))``."""

    def forward(self, x, rng=None):
        self.x = x
        return self.xp.logaddexp(x, 0)

    def propagate(self, error):
        return error * sigmoid(self.xp, self.x)


class Dropout(Layer):
    """Zero each element with probability `rate`, and scale the others to keep the expectation (Srivastava et al. 2014)."""

    def __init__(self, rate):
        self.rate = rate

    def forward(self, x, rng=None):
        self.mask = 1 if rng is None else self._mask(x, rng)
        return x * self.mask

    def propagate(self, error):
        return error * self.mask

    def _mask(self, x, rng):
        return (rng.random(x.shape, dtype=x.dtype) >= self.rate) * x.dtype.type(1 / (1 - self.rate))


class SparseDropout(Dropout):
    """Dropout on the stored elements of a sparse matrix. It must be the first layer, as it has no `propagate`."""

    def forward(self, x, rng=None):
        if rng is not None:
            x = x.copy()
            x.data *= self._mask(x.data, rng)
        return x


def forward(layers, x, rng=None):
    """The output of the layers, applied in order."""
    for layer in layers:
        x = layer.forward(x, rng)
    return x


def backward(layers, error):
    """Store the gradients of all layers in their `grads`. Returns the gradient for the first layer's output."""
    for layer in reversed(layers[1:]):
        layer.gradients(error)
        error = layer.propagate(error)
    layers[0].gradients(error)
    return error


def sigmoid(xp, x):
    return 0.5 * (xp.tanh(0.5 * x) + 1)  # exp could overflow


def softmax_cross_entropy(xp, logits, labels):
    """The mean cross-entropy of a batch, and its gradient with respect to the logits."""
    logits = logits - logits.max(axis=1, keepdims=True)
    log_prob = logits - xp.log(xp.exp(logits).sum(axis=1, keepdims=True))
    rows = xp.arange(len(labels))
    error = xp.exp(log_prob)
    error[rows, labels] -= 1
    return -log_prob[rows, labels].mean(), error / len(labels)


class Model:
    """Layers whose parameters and gradients are views of two flat buffers, `params` and `grads`, so that one native call steps
    them all. NumPy draws the initial values from `seed`, so they are the same on a GPU."""

    def __init__(self, layers, seed, xp=np):
        self.layers, self.xp = layers, xp
        rng = np.random.default_rng(seed)
        initial = [[xp.asarray(array, xp.float32) for array in layer.initial(rng)] for layer in layers]
        self.shapes = [[array.shape for array in arrays] for arrays in initial]
        params, _ = fastadam.flatten([array for arrays in initial for array in arrays])
        self.bind(params, fastadam.flatten([xp.zeros_like(params)])[0])

    def bind(self, params, grads):
        """Make the layers use these buffers."""
        self.params, self.grads, start = params, grads, 0
        for layer, shapes in zip(self.layers, self.shapes, strict=True):
            layer.xp, layer.params, layer.grads = self.xp, [], []
            for shape in shapes:
                part = slice(start, start + int(np.prod(shape)))
                layer.params.append(params[part].reshape(shape))
                layer.grads.append(grads[part].reshape(shape))
                start = part.stop


class Classifier(Model):
    """A network whose outputs are class logits. The loss includes `l2 / 2` times the sum of the squared parameters."""

    def __init__(self, layers, seed, xp=np, l2=0.0):
        super().__init__(layers, seed, xp)
        self.l2 = l2

    def loss(self, x, labels, rng=None):
        """The mean loss of a batch, as a 0-d array. Stores its gradient in `grads`."""
        loss, error = softmax_cross_entropy(self.xp, forward(self.layers, x, rng), labels)
        backward(self.layers, error)
        if self.l2:
            loss = loss + self.l2 / 2 * (self.params @ self.params)
            self.grads += self.l2 * self.params
        return loss

    def accuracy(self, x, labels):
        return float((forward(self.layers, x).argmax(axis=1) == labels).mean())
