"""The paper's claims about the cost of Adam: simple to implement, efficient, little memory, suited to large problems.

Times are judged by those of negating the same parameters, taken in turn, so that a busy machine slows down both. Small versions
measure times but do not judge them: they are for tests.
"""

import ast
import inspect
import time
import tracemalloc
from functools import partial

import numpy as np

import fastadam
from fastadam.viz import METHODS
from fastadam.viz.style import STYLES
from lab.claim import Claim
from lab.layers import Classifier, Dense, ReLU

# How many arrays a step reads or writes, relative to the two of negating the parameters in place.
TRAFFIC = {"SGD": 3 / 2, "momentum": 5 / 2, "AdaGrad": 5 / 2, "Adam": 7 / 2, "AMSGrad": 9 / 2}


def adam(p, g, m, v, t, lr=1e-3, b1=0.9, b2=0.999, eps=1e-8):
    m += (1 - b1) * (g - m)
    v += (1 - b2) * (g * g - v)
    m_hat = m / (1 - b1**t)
    v_hat = v / (1 - b2**t)
    p -= lr * m_hat / (np.sqrt(v_hat) + eps)


def seconds(calls, repeats):
    """The shortest time of each call. Calls take turns; the first turn, which touches memory, does not count."""
    times = {name: [] for name in calls}
    for _ in range(repeats + 1):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - start)
    return {name: min(each[1:]) for name, each in times.items()}


def arrays(size):
    rng = np.random.default_rng(0)
    return rng.standard_normal(size, np.float32), rng.standard_normal(size, np.float32)


class Simple(Claim):
    words = "straightforward to implement"
    verdict = "holds"
    title = "All of Algorithm 1"

    def measure(self, settings):
        self.code = inspect.getsource(adam)
        self.statements = len(ast.parse(self.code).body[0].body)
        rng = np.random.default_rng(settings.seed)
        param = rng.standard_normal(1000, np.float32)
        moments = np.zeros((2, 1000), np.float32)
        exact, exact_moments = param.astype(float), np.zeros((2, 1000))
        for step in range(1, 1001):
            grad = rng.standard_normal(1000, np.float32)
            fastadam.adam_step(param, grad, *moments, step=step)
            adam(exact, grad.astype(float), *exact_moments, step)
        self.difference = float(np.abs(param - exact).max())

    def line(self):
        return (
            f"{self.statements} NumPy statements; in float64 they are within {self.difference:.0e} of the kernel after "
            "1,000 steps of 0.001"
        )

    def draw(self, axes):
        axes.axis("off")
        body = "\n".join(line.strip() for line in self.code.splitlines()[1:])
        axes.text(0.5, 0.55, body, fontsize=8.5, ha="center", va="center", linespacing=1.8, transform=axes.transAxes)

    def check(self):
        assert self.statements <= 6, self.statements
        assert self.difference < 1e-5, self.difference


class TimedClaim(Claim):
    """A claim whose verdict depends on what is measured."""

    is_judged: bool

    def holds(self):
        raise NotImplementedError

    @property
    def verdict(self):
        return ("holds" if self.holds() else "does not hold here") if self.is_judged else "not judged in the small version"

    def check(self):
        assert not self.is_judged or self.holds(), self.line()


class Efficient(TimedClaim):
    words = "computationally efficient"
    title = "Time per step"

    def measure(self, settings):
        self.is_judged = not settings.small
        size = 1_000_000 if settings.small else 32_000_000
        param, grad = arrays(size)
        steps = {name: partial(METHODS[name].make(param, 1e-3).step, grad, num_threads=1) for name in TRAFFIC}
        times = seconds({"negation": partial(np.negative, param, out=param), **steps}, 10)
        self.passes = {name: times[name] / times["negation"] for name in TRAFFIC}
        model = Classifier([Dense(784, 256), ReLU(), Dense(256, 10)], 0)
        images = np.random.default_rng(0).random((128, 784), np.float32)
        optimizer = fastadam.Adam(model.params)
        step = partial(optimizer.step, model.grads, num_threads=1)
        times = seconds({"gradient": partial(model.loss, images, np.arange(128) % 10), "step": step}, 20)
        self.share = times["step"] / times["gradient"]

    def line(self):
        return (
            f"a step takes {self.passes['Adam']:.1f} times as long as negating the parameters in memory (SGD: "
            f"{self.passes['SGD']:.1f} times) and moves {TRAFFIC['Adam']} times as many bytes; it takes {self.share:.0%} of "
            "the time of computing the gradient of a 784-256-10 network on a batch of 128"
        )

    def draw(self, axes):
        colors = [STYLES[name].color for name in TRAFFIC]
        axes.barh(list(TRAFFIC), list(self.passes.values()), color=colors)
        axes.plot(list(TRAFFIC.values()), list(TRAFFIC), "|", color="black", markersize=16, label="traffic")
        axes.set(xlabel="negations", xticks=[0, 2, 4], xlim=(0, 7))
        axes.invert_yaxis()
        axes.legend(frameon=False, fontsize=9, loc="upper right")

    def holds(self):
        return self.passes["Adam"] < 2 * TRAFFIC["Adam"] and self.share < 0.5


class Memory(Claim):
    words = "little memory requirements"
    verdict = "holds in part"
    title = "State"

    def measure(self, settings):
        size = 4_000_000  # beside which a few objects of Python do not count
        param, grad = arrays(size)
        self.bytes, self.step_bytes = {}, {}
        for name in TRAFFIC:
            tracemalloc.start()  # NumPy reports its arrays to it
            optimizer = METHODS[name].make(param, 1e-3)
            self.bytes[name] = round(tracemalloc.get_traced_memory()[0] / size, 2)
            tracemalloc.reset_peak()
            optimizer.step(grad)
            self.step_bytes[name] = round(tracemalloc.get_traced_memory()[1] / size - self.bytes[name], 2)
            tracemalloc.stop()

    def line(self):
        return (
            f"{self.bytes['Adam']:g} bytes of state per 4-byte parameter, {self.step_bytes['Adam']:g} more during a step; "
            f"but that is twice the model, while SGD needs {self.bytes['SGD']:g} and momentum {self.bytes['momentum']:g}"
        )

    def draw(self, axes):
        axes.barh(list(TRAFFIC), list(self.bytes.values()), color=[STYLES[name].color for name in TRAFFIC])
        axes.set(xlabel="bytes per parameter", xticks=[0, 4, 8, 12], yticks=[])  # the names are in the left panel
        axes.invert_yaxis()

    def check(self):
        assert self.bytes == {"SGD": 0, "momentum": 4, "AdaGrad": 4, "Adam": 8, "AMSGrad": 12}, self.bytes
        assert set(self.step_bytes.values()) == {0}, self.step_bytes


class Large(TimedClaim):
    words = "well suited for problems that are large in terms of data and/or parameters"
    title = "Time per parameter"

    def measure(self, settings):
        self.is_judged = not settings.small
        self.sizes = [10**4, 10**5, 10**6, *([] if settings.small else [10**7, 3 * 10**7, 10**8])]
        self.nanoseconds, self.passes = [], []
        for size in self.sizes:
            param, grad = arrays(size)
            step = partial(fastadam.Adam(param).step, grad, num_threads=1)
            negation = partial(np.negative, param, out=param)
            times = seconds({"negation": negation, "step": step}, 100 if size <= 10**6 else 5)
            self.nanoseconds.append(1e9 * times["step"] / size)
            self.passes.append(times["step"] / times["negation"])

    def line(self):
        low, high = min(self.nanoseconds), max(self.nanoseconds)
        return (
            f"{low:.2f} to {high:.2f} ns per parameter from {self.sizes[0]:.0e} to {self.sizes[-1]:.0e} parameters on one "
            f"thread, {min(self.passes):.1f} to {max(self.passes):.1f} times as long as negating them; data are processed in "
            "batches"
        )

    def draw(self, axes):
        axes.semilogx(self.sizes, self.nanoseconds, color=STYLES["Adam"].color, marker=STYLES["Adam"].marker)
        axes.set(xlabel="parameters", ylabel="ns", xticks=[1e4, 1e6, 1e8][: len(self.sizes) // 2], yticks=[0, 0.5, 1])

    def holds(self):
        """Whether the time is linear: beyond the caches, and with them within what a division takes more than a negation."""
        in_memory = self.passes[-3:]
        return max(in_memory) < 2 * min(in_memory) and max(self.passes) < 4 * min(self.passes)
