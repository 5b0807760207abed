"""The paper's claims about gradients: invariance to diagonal rescaling, non-stationary objectives, noise and sparsity."""

import numpy as np
from sklearn.datasets import load_digits

import fastadam
from fastadam.viz import METHODS
from fastadam.viz.style import STYLES
from lab.claim import Claim
from lab.data import synthetic_reviews
from lab.figures import draw
from lab.grid import best, search
from lab.layers import Classifier, Dense, Dropout, ReLU

MOVING = {"SGD": (0.01, 0.03, 0.1, 0.3), "AdaGrad": (0.3, 1, 3, 10), "Adam": (0.003, 0.01, 0.03, 0.1)}
NOISY = {
    "SGD": (0.01, 0.03, 0.1, 0.3, 1, 3),
    "momentum": (0.001, 0.003, 0.01, 0.03, 0.1, 0.3),
    "AdaGrad": (0.03, 0.1, 0.3, 1, 3),
    "Adam": (0.001, 0.003, 0.01, 0.03, 0.1),
}


def rosenbrock(make, scale, steps=300):
    """The final point of steps from (-1.2, 1) with all gradients multiplied by `scale`."""
    point, grad = np.array([-1.2, 1], np.float32), np.empty(2, np.float32)
    optimizer = make(point)
    for _ in range(steps):
        x, y = point
        slope = y - x * x
        grad[:] = -2 * (1 - x) - 400 * x * slope, 200 * slope
        optimizer.step(grad * np.float32(scale))
    return point


class Invariant(Claim):
    words = "invariant to diagonal rescaling of the gradients"
    verdict = "holds for eps = 0"
    title = "Rescaled gradients"

    def measure(self, settings):
        def distances(eps, scales):
            def make(point):
                return fastadam.Adam(point, lr=0.02, eps=eps)

            return [float(np.abs(rosenbrock(make, scale) - rosenbrock(make, 1)).max()) for scale in scales]

        powers = 2.0 ** np.arange(-40, 41, 10)
        self.scales = [float(f"1e{power}") for power in range(-12, 13, 2)]  # 10**k differs between libraries
        self.same_bits = not any(distances(0.0, powers))
        self.by_eps = {eps: distances(eps, self.scales) for eps in (0.0, 1e-8)}

    def line(self):
        rounding, default = max(self.by_eps[0.0]), dict(zip(self.scales, self.by_eps[1e-8], strict=True))
        return (
            f"eps = 0: {'the same bits' if self.same_bits else 'other bits'} for powers of two from 2^-40 to 2^40, within "
            f"{rounding:.0e} for other factors (rounding); eps = 1e-8: off by {default[1e-10]:.1g} for gradients times 1e-10"
        )

    def draw(self, axes):
        for (eps, distances), line in zip(self.by_eps.items(), "-:", strict=True):
            axes.loglog(self.scales, np.maximum(distances, 1e-9), line, color=STYLES["Adam"].color, label=f"eps = {eps:g}")
        axes.set(xlabel="factor", ylabel="change", xticks=[1e-12, 1, 1e12])
        axes.set(yticks=[1e-8, 1e-4, 1], ylim=(5e-10, 1e3))
        axes.legend(frameon=False, fontsize=9)

    def check(self):
        assert self.same_bits
        assert max(self.by_eps[0.0]) < 1e-3, self.by_eps
        assert max(self.by_eps[1e-8]) > 0.1, self.by_eps


class NonStationary(Claim):
    words = "appropriate for non-stationary objectives"
    verdict = "holds"
    title = "Moving optimum"

    def measure(self, settings):
        """Follow a sine of amplitude 5 with noisy gradients, at the learning rate that is best in the second period."""
        self.period, self.periods = (1_000, 10) if settings.small else (2_000, 30)
        self.distance = {}
        for method, rates in MOVING.items():
            lr = min(rates, key=lambda lr, method=method: self.follow(method, lr, 2, settings.seed)[1])
            self.distance[method] = self.follow(method, lr, self.periods, settings.seed)
        self.growth = {method: distances[-1] / distances[1] for method, distances in self.distance.items()}

    def follow(self, method, lr, periods, seed):
        rng = np.random.default_rng(seed)
        x, phase = np.zeros(20, np.float32), rng.uniform(0, 2 * np.pi, 20)
        optimizer = METHODS[method].make(x, lr)
        squares = np.empty((periods, self.period))
        for step in range(squares.size):
            slope = x - 5 * np.sin(2 * np.pi * step / self.period + phase)
            squares.flat[step] = slope @ slope / 20
            optimizer.step((slope + rng.standard_normal(20)).astype(np.float32))
        return np.sqrt(squares.mean(axis=1))

    def line(self):
        return (
            f"from the second to the last of {self.periods} periods, the distance from the optimum grows by a factor of "
            + ", ".join(f"{growth:.2f} ({method})" for method, growth in self.growth.items())
        )

    def draw(self, axes):
        for method, distances in self.distance.items():
            draw(axes, method, np.arange(1, self.periods + 1), distances, label=method)
        axes.set(xlabel="period", ylabel="distance")
        axes.legend(frameon=False, fontsize=9)

    def check(self):
        assert self.growth["Adam"] < 1.1, self.growth
        assert self.growth["AdaGrad"] > 1.2, self.growth


class NoisyOrSparse(Claim):
    words = "appropriate for problems with very noisy and/or sparse gradients"
    verdict = "holds"
    title = "Noisy or sparse"

    def measure(self, settings):
        images, labels = load_digits(return_X_y=True)
        noisy = (images / 16).astype(np.float32), labels
        reviews = synthetic_reviews(settings.seed, 2_000 if settings.small else 4_000, 2_000, 40)
        epochs, seed = (2 if settings.small else 4), settings.seed

        def network():
            return Classifier([Dropout(0.5), Dense(64, 64), ReLU(), Dropout(0.5), Dense(64, 10)], seed)

        def logistic():
            return Classifier([Dense(2_000, 2, scale=0)], seed)

        self.losses = {
            name: {
                method: float(run.losses[-1]) for method, run in best(search(NOISY, make, data, epochs, batch, seed)).items()
            }
            for name, make, data, batch in (
                ("noisy", network, noisy, 4),
                ("sparse", logistic, (reviews.inputs, reviews.labels), 20),
            )
        }

    def line(self):
        return "; ".join(
            f"{name}: loss " + ", ".join(f"{loss:.3g} ({method})" for method, loss in losses.items())
            for name, losses in self.losses.items()
        )

    def draw(self, axes):
        for (name, losses), fill in zip(self.losses.items(), ("full", "none"), strict=True):
            for i, (method, loss) in enumerate(losses.items()):
                style = STYLES[method]
                label = name if i == 0 else None
                axes.semilogx(loss, i, style.marker, color=style.color, markersize=9, fillstyle=fill, label=label)
        axes.set_yticks(range(len(NOISY)), list(NOISY))
        axes.set(xlabel="loss", ylim=(3.5, -0.5))
        axes.margins(x=0.12)
        axes.legend(frameon=False, fontsize=9, loc="upper left")

    def check(self):
        noisy, sparse = self.losses["noisy"], self.losses["sparse"]
        assert noisy["Adam"] < 1.02 * min(noisy.values()), noisy
        assert sparse["Adam"] < 0.5 * min(sparse["SGD"], sparse["momentum"]), sparse
