"""The network that ``python -m fastadam demo`` trains, and its training data, in NumPy."""

import numpy as np
from numpy.typing import NDArray

import fastadam

Array = NDArray[np.float32]
Labels = NDArray[np.bool_]


def spirals(points: int, rng: np.random.Generator) -> tuple[Array, Labels]:
    """Points of two interleaved spirals within the unit circle, with some noise, and which spiral each belongs to."""
    labels = np.arange(points) % 2 == 1
    along = np.sqrt(rng.uniform(0.02, 1, points))  # evenly over the length
    angle = 5 * np.pi * along + np.pi * labels
    where = along[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1) + rng.normal(0, 0.02, (points, 2))
    return where.astype(np.float32), labels


class Network:
    """Two dense layers with a tanh between them. `params` and `grads` are flat, which is the fastest to step."""

    def __init__(self, hidden: int, rng: np.random.Generator) -> None:
        weights = {
            "w1": rng.normal(0, 5, (2, hidden)),  # steep enough to bend within the unit circle
            "b1": rng.normal(0, 3, hidden),
            "w2": rng.normal(0, hidden**-0.5, (hidden, 1)),
            "b2": np.zeros(1),
        }
        arrays = {name: value.astype(np.float32) for name, value in weights.items()}
        self.params, self._weights = fastadam.flatten(arrays)
        self.grads, self._grads = fastadam.flatten(arrays)

    def logits(self, points: Array) -> Array:
        """Above 0 where the network predicts the second spiral."""
        return self._forward(points)[1]

    def loss(self, points: Array, labels: Labels) -> float:
        """The mean cross-entropy of a batch; leaves its gradient in `grads`."""
        w, g = self._weights, self._grads
        hidden, logits = self._forward(points)
        margin = np.where(labels, logits, -logits)
        error = (np.where(labels, np.float32(-1), np.float32(1)) / (1 + np.exp(margin)) / np.float32(len(points)))[:, None]
        np.matmul(hidden.T, error, out=g["w2"])
        np.sum(error, axis=0, out=g["b2"])
        hidden_error = (error @ w["w2"].T) * (1 - hidden * hidden)
        np.matmul(points.T, hidden_error, out=g["w1"])
        np.sum(hidden_error, axis=0, out=g["b1"])
        return float(np.logaddexp(np.float32(0), -margin).mean())

    def accuracy(self, points: Array, labels: Labels) -> float:
        return float(((self.logits(points) > 0) == labels).mean())

    def _forward(self, points: Array) -> tuple[Array, Array]:
        w = self._weights
        hidden = np.tanh(points @ w["w1"] + w["b1"])
        return hidden, (hidden @ w["w2"] + w["b2"])[:, 0]
