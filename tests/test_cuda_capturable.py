"""Steps captured into a CUDA graph, whose launches the CPU runs: each replay is one more step, with the eager bits."""

import numpy as np
import pytest
from buffers import assert_same_bits
from variants import VARIANTS

import fastadam

pytest.importorskip("cupy", reason="needs CuPy, though no GPU: pip install cupy-cuda13x")
from cuda_host import on_cpu, on_gpu

F32 = np.float32
SIZES = [5, 0, 300, 70_001]


def random_arrays(rng):
    return [rng.standard_normal(size).astype(F32) for size in SIZES]


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_replays_equal_the_steps_of_the_cpu_backend(host_gpu, variant):
    """The gradients' contents and the learning rate change between replays, and other gradients are stepped in between."""
    rng = np.random.default_rng(3)
    params = random_arrays(rng)
    arrays = [on_gpu(param, offset=k) for k, param in enumerate(params)]
    grads = [on_gpu(grad) for grad in random_arrays(rng)]
    others = [on_gpu(grad) for grad in random_arrays(rng)]
    captured = variant.make(arrays, capturable=True)
    expected = variant.make(params)
    with host_gpu.capture() as replay:
        captured.step(grads)
    assert all(on_cpu(state["step"]) == 0 for state in captured.state), "capturing took a step"
    for t in range(10):
        captured.lr = expected.lr = 0.1 / (t + 1)
        if t == 4:
            captured.step(others)
            expected.step([on_cpu(grad) for grad in others])
        else:
            for grad, values in zip(grads, random_arrays(rng), strict=True):
                on_cpu(grad)[...] = values
            replay()
            expected.step([on_cpu(grad) for grad in grads])
    for array, param, state, wanted in zip(arrays, params, captured.state, expected.state, strict=True):
        assert_same_bits(on_cpu(array), param)
        assert on_cpu(state["step"]) == wanted["step"] == 10
        for name in [name for name in state if name != "step"]:
            assert_same_bits(on_cpu(state[name]), wanted[name], name)


def test_device_computes_the_coefficients_of_the_host(host_gpu):
    """For step counts far apart, which users may set, and hyperparameters that make subnormal scalars."""
    for betas, eps in (((0.9, 0.999), 1e-8), ((0.0, 0.5), 1e-44), ((0.999999, 0.9999999), 1e-38)):
        counts = [0, 1, 2, 999, 10**5, 2**40]
        params = [on_gpu(np.full(3, 0.5, F32)) for _ in counts]
        optimizer = fastadam.Adam(params, lr=1e-3, betas=betas, eps=eps, capturable=True)
        for state, count in zip(optimizer.state, counts, strict=True):
            on_cpu(state["step"])[...] = count
        optimizer.step([on_gpu(np.array([1, 1e-22, -3], F32)) for _ in counts])
        for param, state, count in zip(params, optimizer.state, counts, strict=True):
            assert on_cpu(state["step"]) == count + 1
            expected, *moments = np.full(3, 0.5, F32), np.zeros(3, F32), np.zeros(3, F32)
            grad = np.array([1, 1e-22, -3], F32)
            fastadam.reference.adam_step(expected, grad, *moments, step=count + 1, betas=betas, eps=eps)
            assert_same_bits(on_cpu(param), expected, f"step {count + 1}, betas {betas}")


def test_a_step_that_could_not_advance_is_not_captured(host_gpu):
    param, grad = on_gpu(np.ones(4, F32)), on_gpu(np.ones(4, F32))
    optimizer = fastadam.Adam(param)
    with host_gpu.capture(), pytest.raises(RuntimeError, match=r"captured into a CUDA graph.*capturable=True"):
        optimizer.step(grad)
    assert optimizer.state["step"] == 0
    assert host_gpu.launches == []


def test_options_that_a_captured_graph_cannot_follow_are_refused(host_gpu):
    param, grad = on_gpu(np.ones(4, F32)), on_gpu(np.ones(4, F32))
    optimizer = fastadam.Adam(param, capturable=True)
    optimizer.maximize = True  # before the capture, anything goes
    with host_gpu.capture():
        optimizer.step(grad)
    for name, value in (("maximize", False), ("weight_decay", 0.1)):
        before = repr(optimizer)
        with pytest.raises(ValueError, match=r"CUDA graph was captured.*make a new optimizer"):
            setattr(optimizer, name, value)
        assert repr(optimizer) == before
    optimizer.lr = 0.5


def test_capturable_is_for_gpus():
    with pytest.raises(ValueError, match=r"capturable is True.*not on a GPU"):
        fastadam.Adam(np.ones(3, F32), capturable=True)
    with pytest.raises(TypeError, match=r"capturable is 1; expected True or False"):
        fastadam.Adam(np.ones(3, F32), capturable=1)
