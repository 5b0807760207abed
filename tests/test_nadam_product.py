"""NAdam's product of momenta: the reference's bits and little time at every step number, decay and beta."""

import time

import c_interface
import numpy as np
import pytest
from buffers import assert_same_bits, random_inputs
from c_interface import OK

from fastadam import _native, reference

OPTIONS = {"lr": 0.1, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.0}
LIMIT = 2**20  # the factors that are multiplied one by one
STEPS = [1, 2, 1000, LIMIT - 1, LIMIT, LIMIT + 1, 2**21, 10**9, 2**31, 2**62, 2**63 - 2, 2**63 - 1]
BETAS = [0.0, 0.9, 0.9999, 1 - 2.0**-15, 1 - 2.0**-18, 1 - 2.0**-20, 1 - 2.0**-24]
DECAYS = [0.0, 1e-300, 4e-3, 0.28, 1.0, 1e30]  # from about 0.28 on, the product does not end before the decay


@pytest.mark.parametrize("momentum_decay", DECAYS)
@pytest.mark.parametrize("beta1", BETAS)
def test_every_step_ends(beta1, momentum_decay):
    rule = _native.Rule("nadam", OPTIONS | {"beta1": beta1, "momentum_decay": momentum_decay})
    for step in STEPS:
        start = time.perf_counter()
        _native.cuda_coefficients(rule, step)
        assert time.perf_counter() - start < 10  # it takes milliseconds; without a bound, more than a lifetime


@pytest.mark.parametrize(
    ("step", "beta1", "momentum_decay"),
    [
        *[(step, 1 - 2.0**-18, 1.0) for step in STEPS],
        *[(2**63 - 1, beta1, 4e-3) for beta1 in BETAS],
        *[(2**63 - 1, 1 - 2.0**-24, momentum_decay) for momentum_decay in DECAYS],
        (LIMIT + 1, 1 - 2.0**-24, 0.28),
        *[(step, 1 - 2.0**-18, 20.0) for step in (5, 10, 20, 40, 80)],  # whose product stays near 1: each factor counts
        (LIMIT, 0.9999, 1.0),
    ],
)
def test_it_has_the_bits_of_the_reference(step, beta1, momentum_decay):
    rule = c_interface.Rule("nadam", OPTIONS | {"beta1": beta1, "momentum_decay": momentum_decay})
    arrays = random_inputs(33, 2)
    expected = [array.copy() for array in arrays]
    assert rule.step(*arrays, step=step) == OK
    options = {name: value for name, value in OPTIONS.items() if name != "beta2"}
    betas = (beta1, OPTIONS["beta2"])
    reference.nadam_step(*expected, step=step, betas=betas, momentum_decay=momentum_decay, **options)
    for array, wanted in zip(arrays, expected, strict=True):
        assert_same_bits(array, wanted)


@pytest.mark.parametrize("step", [1000, LIMIT, LIMIT + 1, 2 * LIMIT, 5 * LIMIT])
@pytest.mark.parametrize("beta1", [1 - 2.0**-18, 1 - 2.0**-20, 1 - 2.0**-24])
@pytest.mark.parametrize("momentum_decay", [0.28, 0.3, 1.0])
def test_it_is_the_product_of_all_momenta(step, beta1, momentum_decay):
    """Also where factors are taken together."""
    rule = _native.Rule("nadam", OPTIONS | {"beta1": beta1, "momentum_decay": momentum_decay})
    *_, ag, am, _, _, _ = np.frombuffer(_native.cuda_coefficients(rule, step), np.float32)[-9:]
    decays = 0.96 ** (momentum_decay * np.arange(1, min(step, 10**6) + 2))
    product = beta1**step * np.exp(np.log1p(-0.5 * decays[:-1]).sum())
    mu, following = (beta1 * (1 - 0.5 * decay) for decay in decays[-2:])
    root = np.sqrt(1 - float(np.float32(OPTIONS["beta2"])) ** step)
    # 1 - mu is small, and beta1 exact: the difference of exact numbers.
    np.testing.assert_allclose(ag, 0.1 * (1 - mu) / (1 - product) * root, rtol=2.0**-22)
    np.testing.assert_allclose(am, 0.1 * following / (1 - product * following) * root, rtol=2.0**-22)


def test_the_bits_up_to_the_limit_are_those_of_one_multiplication_after_another():
    b1, q = 1 - 2.0**-18, reference.nadam.exponential_of_negative(reference.nadam.log_096(float))
    product, decay, root = 1.0, 1.0, np.sqrt(1.0)
    for _ in range(LIMIT):
        decay *= q
        product *= b1 * (1.0 - 0.5 * decay)
    mu = b1
    rule = _native.Rule("nadam", OPTIONS | {"beta1": b1, "momentum_decay": 1.0})
    *_, ag, am, _, _, _ = np.frombuffer(_native.cuda_coefficients(rule, LIMIT), np.float32)[-9:]
    assert ag == np.float32(0.1 * (1.0 - mu) / (1.0 - product) * root)
    assert am == np.float32(0.1 * mu / (1.0 - product * mu) * root)
