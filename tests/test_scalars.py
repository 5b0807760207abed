"""The scalars of a step in float64 are those of exact arithmetic, rounded once: they are computed with twice the precision.

Products of some hundred factors would otherwise be off by as many units in the last place, and at decay rates close to 1, where
``1 - beta**step`` is small, nothing would be left of it.
"""

import numpy as np
import pytest

from fastadam import _native

mpmath = pytest.importorskip("mpmath", reason="mpmath is not installed")
mpf, sqrt = mpmath.mpf, mpmath.sqrt

STEPS = [1, 2, 3, 5, 6, 7, 10, 100, 1000, 12345, 10**6, 10**9 + 7, 2**53 + 1, 2**63 - 1]
RATES = [0.0, 0.5, 0.9, 0.99, 0.999, 0.9999, 1 - 2.0**-20, 1 - 2.0**-30, 1 - 2.0**-53]
LR, EPS, DECAY = 1e-3, 1e-8, 0.01


def moments(b1, b2):
    """The rates, and one minus each, which is one rounded subtraction of an element's type."""
    return [b1, b2, mpf(float(1 - b1)), mpf(float(1 - b2))]


def adam(o, t):
    corrects = o.get("bias_correction", 1)
    k1, root = 1 - corrects * o["beta1"] ** t, sqrt(1 - corrects * o["beta2"] ** t)
    d = 1 - o["lr"] * o["weight_decay"]
    return [*moments(o["beta1"], o["beta2"]), o["lr"] * root / k1, o["eps"] * root, d, o["weight_decay"]]


def adamax(o, t):
    c1 = moments(o["beta1"], o["beta2"])[2]
    return [o["beta1"], c1, o["beta2"], o["lr"] / (1 - o["beta1"] ** t), o["eps"], o["weight_decay"]]


def nadam(o, t):
    def mu(i):
        return o["beta1"] * (1 - mpf(0.96) ** (i * o["momentum_decay"]) / 2)

    product = mpf(1)
    for i in range(1, t + 1):
        product *= mu(i)
        if product < mpf(10) ** -60:
            break
    root, d = sqrt(1 - o["beta2"] ** t), 1 - o["lr"] * o["weight_decay"]
    steps = [o["lr"] * (1 - mu(t)) / (1 - product), o["lr"] * mu(t + 1) / (1 - product * mu(t + 1))]
    return [*moments(o["beta1"], o["beta2"]), *(step * root for step in steps), o["eps"] * root, d, o["weight_decay"]]


def radam(o, t):
    b1, b2 = o["beta1"], o["beta2"]
    longest = 2 / (1 - b2) - 1
    length = longest - 2 * t * b2**t / (1 - b2**t)
    a = o["lr"] / (1 - b1**t)
    if length > 5:
        ratio = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
        a = o["lr"] * sqrt(ratio) * sqrt(1 - b2**t) / (1 - b1**t)
    d = 1 - o["lr"] * o["weight_decay"]
    return [*moments(b1, b2), a, o["eps"], mpf(int(length > 5)), d, o["weight_decay"]]


def adagrad(o, t):
    return [o["lr"] / (1 + (t - 1) * o["lr_decay"]), o["eps"], o["weight_decay"]]


def lion(o, t):
    b1, b2, c1, c2 = moments(o["beta1"], o["beta2"])
    return [b1, c1, b2, c2, o["lr"], 1 - o["lr"] * o["weight_decay"]]


def adopt(o, t):
    if t == 1:
        return [1, 0, 0, 1, 0, 1, 0, 1, o["weight_decay"]]
    limit, d = sqrt(sqrt(mpf(t - 1))), 1 - o["lr"] * o["weight_decay"]
    return [*moments(o["beta1"], o["beta2"]), o["lr"], o["eps"], limit, d, o["weight_decay"]]


def coefficients(name, options, step):
    bytes_ = _native.cuda_coefficients(_native.Rule(name, options, "float64"), step)
    return np.frombuffer(bytes_, np.float64)


def assert_rounded_once(actual, exact, context):
    assert len(actual) == len(exact)
    for i, (number, wanted) in enumerate(zip(actual.tolist(), exact, strict=True)):
        half_ulp = mpf(float(np.spacing(abs(number)))) / 2
        assert abs(mpf(number) - wanted) <= half_ulp * (1 + mpf(2) ** -20), (context, i, number, wanted)


def check(name, options, exact, step):
    with mpmath.workdps(120):
        wanted = exact({key: mpf(value) for key, value in options.items()}, step)
        actual = coefficients(name, options, step)[2:]
        assert_rounded_once(actual, wanted, (name, options, step))


BETAS = [(b, 0.999) for b in RATES] + [(0.9, b) for b in RATES] + [(1 - 2.0**-53, 1 - 2.0**-53)]


@pytest.mark.parametrize("betas", BETAS, ids=str)
@pytest.mark.parametrize("exact", [adam, adamax, lion, adopt])
def test_they_are_rounded_once(exact, betas):
    name = exact.__name__
    options = {"lr": LR, "beta1": betas[0], "beta2": betas[1], "weight_decay": DECAY}
    options |= {"eps": EPS} if name != "lion" else {}
    options |= {"decoupled_weight_decay": 1.0} if name in ("adam", "adopt") else {}
    for step in STEPS:
        check(name, options, exact, step)


def test_those_without_bias_correction_are():
    options = {"lr": LR, "beta1": 0.9, "beta2": 0.999, "eps": EPS, "weight_decay": DECAY, "bias_correction": 0.0}
    for step in STEPS:
        check("adam", options | {"decoupled_weight_decay": 1.0}, adam, step)


@pytest.mark.parametrize("momentum_decay", [0.0, 0.004, 0.5, 100.0])
@pytest.mark.parametrize("betas", [(0.0, 0.999), (0.9, 0.999), (0.99, 1 - 2.0**-53), (0.9999, 0.5)], ids=str)
def test_those_of_nadam_are(betas, momentum_decay):
    options = {"lr": LR, "beta1": betas[0], "beta2": betas[1], "eps": EPS, "weight_decay": DECAY, "decoupled_weight_decay": 1.0}
    for step in [1, 2, 3, 10, 100, 1000, 12345]:
        check("nadam", options | {"momentum_decay": momentum_decay}, nadam, step)


@pytest.mark.parametrize("b2", [0.5, 0.9, 0.99, 0.999, 0.9999, 1 - 1e-6])
def test_those_of_radam_are(b2):
    """Its averages' length is a difference that loses the more digits, the closer beta2 is to 1: of them, some are left."""
    options = {"lr": LR, "beta1": 0.9, "beta2": b2, "eps": EPS, "weight_decay": DECAY, "decoupled_weight_decay": 1.0}
    for step in STEPS:
        check("radam", options, radam, step)


@pytest.mark.parametrize("lr_decay", [0.0, 1e-3, 0.5])
def test_those_of_adagrad_are(lr_decay):
    options = {"lr": LR, "lr_decay": lr_decay, "eps": EPS, "weight_decay": DECAY, "initial_accumulator_value": 0.0}
    for step in STEPS:
        check("adagrad", options, adagrad, step)


@pytest.mark.parametrize("decay", RATES)
def test_those_of_the_average_are(decay):
    for step in STEPS:
        with mpmath.workdps(120):
            share = (1 - mpf(decay)) / (1 - mpf(decay) ** step)
            options = {"lr": LR, "momentum": 0.0, "dampening": 0.0, "weight_decay": 0.0, "ema_decay": decay}
            keep, actual = coefficients("sgd", options, step)[:2].tolist()
            assert_rounded_once(np.array([actual]), [share], (decay, step))
            assert keep == 1 - actual


@pytest.mark.parametrize("decay", [0.0, 1e-300, 1e300])
@pytest.mark.parametrize("lr", [1e-320, 2.3e-308, 1e300, 1.7e308])
def test_numbers_beyond_twice_the_precision_are_still_float64(lr, decay):
    """Where errors of products overflow or underflow."""
    options = {"lr": lr, "beta1": 0.9, "beta2": 0.999, "eps": EPS, "weight_decay": decay, "decoupled_weight_decay": 1.0}
    actual = coefficients("adam", options, 10)[2:]
    k1, k2 = 1 - 0.9**10, 1 - 0.999**10
    np.testing.assert_allclose(actual[4], lr * np.sqrt(k2) / k1, rtol=1e-14, atol=5e-324)
    with np.errstate(over="ignore"):
        np.testing.assert_allclose(actual[6], 1 - np.float64(lr) * decay, rtol=1e-15, atol=1e-15)
