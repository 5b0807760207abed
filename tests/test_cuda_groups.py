"""Groups, missing gradients, transforms and averages on a GPU whose launches the CPU runs: the bits of the CPU backend.

The CPU backend has those of the reference (test_gradients.py and others).
"""

import numpy as np
import pytest
from buffers import assert_same_bits
from grouping import both, random_arrays
from variants import ONE_OF_EACH

import fastadam

pytest.importorskip("cupy", reason="needs CuPy, though no GPU: pip install cupy-cuda13x")
from cuda_host import on_cpu, on_gpu

F32 = np.float32
SIZES = [[5, 0, 300, 70_001], [9], [1, 2, 3000]]
every_rule = pytest.mark.parametrize("variant", ONE_OF_EACH, ids=str)


def assert_same(here, params, there, arrays):
    for array, param, state, wanted in zip(arrays, params, there.state, here.state, strict=True):
        assert_same_bits(on_cpu(array), param)
        assert state.keys() == wanted.keys()
        assert int(state["step"] if isinstance(state["step"], np.ndarray) else on_cpu(state["step"])) == wanted["step"]
        for name in state.keys() - {"step"}:
            assert_same_bits(on_cpu(state[name]), wanted[name], name)


def upload(grads):
    return [None if grad is None else on_gpu(grad) for grad in grads]


@every_rule
@pytest.mark.parametrize("capturable", [False, True], ids=["eager", "capturable"])
def test_groups_with_missing_gradients(host_gpu, variant, capturable):
    here, params, there, arrays = both(variant, SIZES, on_gpu, capturable=capturable)
    rng = np.random.default_rng(4)
    for t in range(6):
        grads = [None if t and (t + i) % 3 == 0 else grad for i, grad in enumerate(random_arrays(rng, SIZES))]
        here.param_groups[1]["lr"] = there.param_groups[1]["lr"] = 0.1 / (t + 1)
        here.step(grads, grad_scale=0.5, clip_value=0.4)
        there.step(upload(grads), grad_scale=0.5, clip_value=0.4)
    assert_same(here, params, there, arrays)
    assert {int(state["step"]) for state in here.state} == {4, 5}


@every_rule
@pytest.mark.parametrize("capturable", [False, True], ids=["eager", "capturable"])
def test_clipping_by_norm(host_gpu, variant, capturable):
    here, params, there, arrays = both(variant, SIZES, on_gpu, capturable=capturable)
    rng = np.random.default_rng(4)
    for max_norm, missing in [(1.0, ()), (1e9, (2,)), (0.25, (0, 4, 5, 6, 7)), (np.inf, ()), (2.0, range(8))]:
        grads = [None if i in missing else grad for i, grad in enumerate(random_arrays(rng, SIZES))]
        wanted = here.step(grads, grad_scale=-2.0, max_norm=max_norm)
        norm = there.step(upload(grads), grad_scale=-2.0, max_norm=max_norm)
        assert norm.shape == ()
        assert on_cpu(norm).tobytes() == np.float64(wanted).tobytes()
    assert_same(here, params, there, arrays)


@every_rule
def test_skipped_steps(host_gpu, variant):
    here, params, there, arrays = both(variant, SIZES, on_gpu, capturable=True)
    rng = np.random.default_rng(4)
    for t in range(6):
        grads = random_arrays(rng, SIZES)
        grads[(3 * t) % 8][-1:] = [np.inf, 1, np.nan][t % 3]
        here.step(grads, skip_nonfinite=True)
        there.step(upload(grads), skip_nonfinite=True)
        assert there.skipped_steps == here.skipped_steps
    assert 0 < here.skipped_steps < 6
    assert_same(here, params, there, arrays)


@every_rule
def test_replays_with_norm_and_skips(host_gpu, variant):
    """Captured once: the decision is the device's, and taken anew in each replay."""
    here, params, there, arrays = both(variant, SIZES, on_gpu, capturable=True)
    rng = np.random.default_rng(5)
    buffers = upload(random_arrays(rng, SIZES))
    with host_gpu.capture() as replay:
        norm = there.step(buffers, max_norm=1.0, skip_nonfinite=True)
    for t in range(5):
        grads = random_arrays(rng, SIZES)
        grads[3][7] = np.nan if t % 2 else 0.5
        if t == 2:
            there.step(upload(grads), max_norm=1.0, skip_nonfinite=True)
        else:
            for buffer, grad in zip(buffers, grads, strict=True):
                on_cpu(buffer)[...] = grad
            replay()
        wanted = here.step(grads, max_norm=1.0, skip_nonfinite=True)
        np.testing.assert_array_equal(on_cpu(norm), wanted)
    assert there.skipped_steps == here.skipped_steps == 2
    assert_same(here, params, there, arrays)


def test_one_launch_more_for_a_norm(host_gpu):
    _, _, there, arrays = both(ONE_OF_EACH[0], SIZES, on_gpu)
    grads = [on_gpu(np.ones(array.size, F32)) for array in arrays]
    for options, norms in (({}, 0), ({"max_norm": 1.0}, 1)):
        there.step(grads, **options)
        host_gpu.launches.clear()
        there.step(grads, **options)
        kernels = [launch.kernel for launch in host_gpu.launches if launch.kernel != "fastadam_write"]
        assert sorted(kernels) == ["fastadam_norm"] * norms + ["fastadam_step"] + ["fastadam_step_list"] * 2


def test_skipping_takes_step_counts_on_the_gpu(host_gpu):
    param = on_gpu(np.ones(3, F32))
    optimizer = fastadam.Adam(param)
    with pytest.raises(ValueError, match=r"skip_nonfinite is True.*capturable=True"):
        optimizer.step(on_gpu(np.ones(3, F32)), skip_nonfinite=True)
    assert (on_cpu(param) == 1).all()


def test_a_schedule_is_not_captured(host_gpu):
    """Unless it stands still."""
    param, grad = on_gpu(np.ones(3, F32)), on_gpu(np.ones(3, F32))
    optimizer = fastadam.Adam(param, lr=lambda t: 0.5 if t < 2 else 0.25, capturable=True)
    optimizer.step(grad)
    with host_gpu.capture() as replay:
        optimizer.step(grad)
    replay()
    with host_gpu.capture(), pytest.raises(RuntimeError, match=r"hyperparameter changes while a CUDA graph is captured"):
        optimizer.step(grad)
    optimizer.step(grad)
    assert on_cpu(optimizer.state["step"]) == 3
