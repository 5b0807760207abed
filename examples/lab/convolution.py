"""Layers of convolutional networks. Images are (batch, height, width, channels)."""

import numpy as np

from lab.layers import Layer


class Convolution(Layer):
    """`outputs` filters of `size` x `size` (odd), with stride 1 and zero padding: the output has the same height and width.

    All patches become rows of one matrix ("im2col"), so that one matrix product does the work.
    """

    def __init__(self, inputs, outputs, size):
        self.inputs, self.outputs, self.size = inputs, outputs, size

    def initial(self, rng):
        fan_in = self.size**2 * self.inputs
        return rng.standard_normal((fan_in, self.outputs)) * np.sqrt(2 / fan_in), np.zeros(self.outputs)

    def forward(self, x, rng=None):
        batch, height, width, _ = x.shape
        border = self.size // 2
        padded = self.xp.pad(x, ((0, 0), (border, border), (border, border), (0, 0)))
        patches = self.xp.empty((batch, height, width, self.size, self.size, self.inputs), x.dtype)
        for i, j in np.ndindex(self.size, self.size):
            patches[:, :, :, i, j] = padded[:, i : i + height, j : j + width]
        self.image, self.rows = x.shape, patches.reshape(batch * height * width, -1)
        return (self.rows @ self.params[0] + self.params[1]).reshape(batch, height, width, self.outputs)

    def gradients(self, error):
        error = error.reshape(-1, self.outputs)
        self.grads[0][...] = self.rows.T @ error
        self.grads[1][...] = error.sum(axis=0)

    def propagate(self, error):
        batch, height, width, channels = self.image
        patches = (error.reshape(-1, self.outputs) @ self.params[0].T).reshape(
            batch, height, width, self.size, self.size, channels
        )
        border = self.size // 2
        padded = self.xp.zeros((batch, height + 2 * border, width + 2 * border, channels), error.dtype)
        for i, j in np.ndindex(self.size, self.size):
            padded[:, i : i + height, j : j + width] += patches[:, :, :, i, j]
        return padded[:, border : border + height, border : border + width]


class MaxPooling(Layer):
    """The maximum of each 2 x 2 square; height and width must be even. Equal maxima share the gradient."""

    def forward(self, x, rng=None):
        maximum = self.xp.maximum  # on strided views: many times as fast as max over short axes
        corners = [x[:, i::2, j::2] for i, j in np.ndindex(2, 2)]
        largest = maximum(maximum(corners[0], corners[1]), maximum(corners[2], corners[3]))
        self.winners, self.image = [corner == largest for corner in corners], x.shape
        return largest

    def propagate(self, error):
        share, result = (
            error / sum(self.winners[1:], start=self.winners[0].astype(error.dtype)),
            self.xp.empty(self.image, error.dtype),
        )
        for (i, j), winner in zip(np.ndindex(2, 2), self.winners, strict=True):
            result[:, i::2, j::2] = share * winner
        return result


class Flatten(Layer):
    def forward(self, x, rng=None):
        self.image = x.shape
        return x.reshape(len(x), -1)

    def propagate(self, error):
        return error.reshape(self.image)
