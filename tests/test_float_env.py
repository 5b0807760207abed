"""Kernels have their own floating-point environment, whatever another library has set, and restore the caller's."""

import contextlib
import ctypes
import ctypes.util
import platform

import numpy as np
import pytest
from buffers import assert_same_bits, random_inputs
from variants import ONE_OF_EACH

import fastadam
from fastadam import _native

LIBM = ctypes.CDLL(ctypes.util.find_library("m"))
ROUNDING = [0x400, 0x800, 0xC00]  # down, up, to zero
on_x86 = pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="names x86's rounding modes")


@contextlib.contextmanager
def rounding(mode):
    """This thread rounds otherwise, and all must leave it so."""
    try:
        assert LIBM.fesetround(mode) == 0
        yield
        assert LIBM.fegetround() == mode, "the caller's environment was changed"
    finally:
        LIBM.fesetround(0)


@pytest.fixture
def workers_round():
    """A function that makes OpenMP's threads round otherwise, as a library may have left them: also those that are idle."""
    path = fastadam.build_info()["openmp"].partition(", ")[2]
    parallel = getattr(ctypes.CDLL(path), "GOMP_parallel", None) if path else None
    if parallel is None:
        pytest.skip("needs an OpenMP library with GNU's entry points")
    parallel.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint]
    fesetround = ctypes.cast(LIBM.fesetround, ctypes.c_void_p)

    def set_on_all(mode):
        parallel(fesetround, mode, 2, 0)

    yield set_on_all
    set_on_all(0)


def inputs(size=70_001):
    """Parameters and gradients of which many are subnormal, and moments near the smallest normal number."""
    rng = np.random.default_rng(0)
    tiny = np.float32(2.0**-126)
    param, grad, m = (rng.standard_normal(size).astype(np.float32) * tiny for _ in range(3))
    v = np.abs(rng.standard_normal(size).astype(np.float32)) * tiny
    return param, grad, m, v


@pytest.mark.parametrize("threads", [1, 2])
def test_caller_that_flushes_subnormals_gets_the_same_bits(isa, threads, flush_to_zero):
    expected = inputs()
    fastadam.reference.adam_step(*expected, step=2, lr=1e-3, eps=0.0, weight_decay=0.5)
    actual = inputs()
    with flush_to_zero():
        fastadam.adam_step(*actual, step=2, lr=1e-3, eps=0.0, weight_decay=0.5, num_threads=threads)
    assert np.any((expected[0] != 0) & (np.abs(expected[0]) < 2.0**-126)), "no subnormal was at stake"
    for a, e in zip(actual, expected, strict=True):
        assert_same_bits(a, e)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("mode", ROUNDING, ids=["down", "up", "to zero"])
@on_x86
def test_caller_that_rounds_otherwise_gets_the_same_bits(isa, threads, mode):
    actual, expected = (random_inputs(70_001, 2, special=0) for _ in range(2))
    fastadam.reference.adam_step(*expected, step=7, weight_decay=0.1, decoupled_weight_decay=True)
    norm = fastadam.reference.global_norm(expected[1:2])
    with rounding(mode):
        fastadam.adam_step(*actual, step=7, weight_decay=0.1, decoupled_weight_decay=True, num_threads=threads)
        assert fastadam.global_norm(actual[1], num_threads=threads) == norm
    for a, e in zip(actual, expected, strict=True):
        assert_same_bits(a, e)


@pytest.mark.parametrize("mode", ROUNDING, ids=["down", "up", "to zero"])
@on_x86
def test_threads_that_round_otherwise_give_the_same_bits(isa, mode, workers_round, eager_threads):
    """New threads have the environment of the one that starts them, which is the default one here; old ones have their own."""
    actual, expected = (random_inputs(70_001, 2, special=0) for _ in range(2))
    fastadam.reference.adam_step(*expected, step=7)
    norm = fastadam.reference.global_norm(expected[1:2])
    workers_round(mode)
    fastadam.adam_step(*actual, step=7, num_threads=2)
    found = _native.global_norm(actual[1:2], 2)
    workers_round(0)
    assert found == norm
    for a, e in zip(actual, expected, strict=True):
        assert_same_bits(a, e)


@pytest.mark.parametrize("variant", ONE_OF_EACH, ids=str)
@on_x86
def test_coefficients_are_those_of_the_default_environment(variant):
    """Also where no step of the CPU asks for them: for a GPU."""
    rule = variant.averaged.rule

    def coefficients():
        return [_native.cuda_coefficients(rule, step) for step in (2, 3, 7, 1000)]

    expected, found = coefficients(), []
    for mode in ROUNDING:
        with rounding(mode):
            found.append(coefficients())
    assert found == [expected] * len(ROUNDING)


def test_step_leaves_no_floating_point_exceptions():
    """NumPy reports sticky exception flags of its own operations; a step must not add to them."""
    param, grad, m, v = np.zeros((4, 100), np.float32)
    with np.errstate(all="raise"):
        fastadam.adam_step(param, grad, m, v, step=1, eps=0.0)  # 0 / 0 in every element
        np.ones(3, np.float32) / np.ones(3, np.float32)
    assert np.isnan(param).all()


def test_import_leaves_the_environment_alone(run_python):
    assert run_python("import numpy as np, fastadam; print(np.float32(1e-40) * np.float32(1) != 0)") == "True"


def test_vanished_gradients_leave_no_subnormal_moments(isa):
    """Two thousand steps of zero gradient take moments through the whole subnormal range."""
    rng = np.random.default_rng(0)
    param = rng.standard_normal(1000).astype(np.float32)
    optimizer = fastadam.Adam(param, betas=(0.9, 0.95), amsgrad=True)
    optimizer.step(rng.standard_normal(1000).astype(np.float32))
    zero = np.zeros_like(param)
    passed_close_to_subnormal = False
    for _ in range(2000):
        optimizer.step(zero)
        for moment in (optimizer.state["exp_avg"], optimizer.state["exp_avg_sq"]):
            magnitude = np.abs(moment[moment != 0])
            assert np.all(magnitude >= 2.0**-126)
            passed_close_to_subnormal |= bool(np.any(magnitude < 2.0**-120))
    assert passed_close_to_subnormal
    assert not optimizer.state["exp_avg"].any()
    assert not optimizer.state["exp_avg_sq"].any()
