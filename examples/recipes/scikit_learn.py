"""scikit-learn's MLPClassifier and MLPRegressor with fastadam's Adam in the place of their own.

Needs scikit-learn: python examples/recipes/scikit_learn.py [--rounds 9] [--hidden 512 512]
"""

import argparse
import math
import pickle
import statistics
import warnings
from time import perf_counter
from unittest import mock

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor, _multilayer_perceptron
from sklearn.neural_network._stochastic_optimizers import BaseOptimizer

import fastadam

DIGITS = {"float32": 6, "float64": 10}  # of the losses, which both optimizers agree in


class FusedAdam(BaseOptimizer):
    """What scikit-learn's AdamOptimizer does, with its arguments and in its place."""

    def __init__(self, params, learning_rate_init=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-8):
        super().__init__(learning_rate_init)
        self.beta_2, self.epsilon = beta_2, epsilon
        self.adam = fastadam.Adam(params, lr=learning_rate_init, betas=(beta_1, beta_2), eps=self.eps)

    def eps(self, steps):
        """scikit-learn adds epsilon to the root before its bias is corrected, fastadam as the paper's Algorithm 1 does."""
        return self.epsilon / math.sqrt(1 - self.beta_2 ** (steps + 1))

    def update_params(self, params, grads):
        self.adam.step(grads)  # in place; params are those that it has


def fit(model, x, y, fused):
    """Fits the model with one of the two, and returns the seconds that it took."""
    # Its private name in the module is the only place where scikit-learn lets in another optimizer.
    own = _multilayer_perceptron.AdamOptimizer
    with mock.patch.object(_multilayer_perceptron, "AdamOptimizer", FusedAdam if fused else own):
        start = perf_counter()
        model.fit(x, y)
        return perf_counter() - start


def compare(kind, x, y, options):
    settings = {"hidden_layer_sizes": options.hidden, "max_iter": options.epochs, "batch_size": 100, "random_state": 0}
    models = [kind(**settings) for _ in range(2)]
    seconds = [[fit(model, x, y, fused) for fused, model in enumerate(models)] for _ in range(options.rounds)]
    theirs, ours = (model.loss_curve_ for model in models)
    digits = DIGITS[x.dtype.name]
    np.testing.assert_allclose(ours, theirs, rtol=10.0**-digits)
    assert all(coefs.dtype == x.dtype for coefs in models[1].coefs_)
    assert theirs[-1] < 0.9 * theirs[0]
    ratio, name = statistics.median(a / b for a, b in seconds), f"{kind.__name__}, {x.dtype}"
    print(f"{name}: loss {theirs[0]:.3f} -> {theirs[-1]:.3f}, equal to {digits} digits; {ratio:.2f} times as fast to fit")
    return models[1]


def check_pickle(model, x, y):
    """A pickled model goes on as the model does, to the bit: its optimizer is in the pickle, still over its parameters."""
    copy = pickle.loads(pickle.dumps(model))
    for each in (model, copy):
        each.partial_fit(x, y)
    assert all(map(np.array_equal, copy.coefs_ + copy.intercepts_, model.coefs_ + model.intercepts_))
    print("A pickled model goes on with the same bits.")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="fits of each, taking turns")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--hidden", type=int, nargs="+", default=[128, 128], help="sizes of the hidden layers")
    parser.add_argument("--dtypes", nargs="+", choices=DIGITS, default=list(DIGITS))
    options = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)

    rng = np.random.default_rng(0)
    data = rng.standard_normal((400, 20))
    for dtype in options.dtypes:
        x = data.astype(dtype)  # the type of the data is that of the parameters
        y = np.sin(x[:, 0]) + x[:, 1]
        compare(MLPRegressor, x, y, options)
        check_pickle(compare(MLPClassifier, x, y > 0, options), x, y > 0)


if __name__ == "__main__":
    main()
