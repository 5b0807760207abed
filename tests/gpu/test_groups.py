"""Groups, missing gradients, transforms, norms, skipped steps and averages on a GPU: the bits of the CPU."""

import copy
import pickle

import numpy as np
import pytest
from buffers import assert_same_bits, random_values
from gpu.arrays import captured, to_cpu, to_gpu, write
from grouping import both, random_arrays
from variants import ONE_OF_EACH

import fastadam
from fastadam import reference

pytestmark = pytest.mark.gpu

F32 = np.float32
SIZES = [[5, 0, 300, 70_001], [9], [1, 2, 3_000_000]]
every_rule = pytest.mark.parametrize("variant", ONE_OF_EACH, ids=str)


def upload(grads):
    return [None if grad is None else to_gpu(grad) for grad in grads]


def assert_same(here, params, there, arrays):
    for array, param, state, wanted in zip(arrays, params, there.state, here.state, strict=True):
        assert_same_bits(to_cpu(array), param)
        assert int(state["step"]) == wanted["step"]
        for name in state.keys() - {"step"}:
            assert_same_bits(to_cpu(state[name]), wanted[name], name)


@every_rule
@pytest.mark.parametrize("capturable", [False, True], ids=["eager", "capturable"])
def test_steps_of_groups(variant, capturable):
    here, params, there, arrays = both(variant, SIZES, to_gpu, capturable=capturable)
    rng = np.random.default_rng(4)
    for t in range(6):
        grads = [None if t and (t + i) % 3 == 0 else grad for i, grad in enumerate(random_arrays(rng, SIZES))]
        options = {"grad_scale": 0.5, "clip_value": 0.4, "max_norm": [1.0, 1e9, None][t % 3]}
        here.param_groups[1]["lr"] = there.param_groups[1]["lr"] = 0.1 / (t + 1)
        wanted, norm = here.step(grads, **options), there.step(upload(grads), **options)
        assert norm is None if wanted is None else to_cpu(norm).tobytes() == np.float64(wanted).tobytes()
    assert_same(here, params, there, arrays)


@every_rule
def test_replays_with_norm_and_skips(variant):
    here, params, there, arrays = both(variant, SIZES, to_gpu, capturable=True)
    rng = np.random.default_rng(5)
    buffers = upload(random_arrays(rng, SIZES))
    with captured() as replay:
        norm = there.step(buffers, max_norm=1.0, skip_nonfinite=True)
    for t in range(6):
        grads = random_arrays(rng, SIZES)
        grads[3][7] = np.nan if t % 2 else 0.5
        if t == 2:
            there.step(upload(grads), max_norm=1.0, skip_nonfinite=True)
        else:
            for buffer, grad in zip(buffers, grads, strict=True):
                write(buffer, grad)
            replay()
        np.testing.assert_array_equal(to_cpu(norm), here.step(grads, max_norm=1.0, skip_nonfinite=True))
    assert there.skipped_steps == here.skipped_steps == 3
    assert_same(here, params, there, arrays)


@pytest.mark.parametrize("sizes", [[1], [2047, 2048, 2049], [3] * 5000, [10_000_019, 5]], ids=len)
def test_global_norm(sizes):
    rng = np.random.default_rng(0)
    grads = [random_values(rng, size) for size in sizes]
    grads = [np.where(np.isfinite(grad), grad, F32(1e30)) for grad in grads]
    on_gpu = [to_gpu(grad, offset=k % 4) for k, grad in enumerate(grads)]
    for _ in range(3):
        assert to_cpu(fastadam.global_norm(on_gpu)).tobytes() == np.float64(reference.global_norm(grads)).tobytes()


def test_flatten_and_state_that_moves(tmp_path):
    arrays = random_arrays(np.random.default_rng(0), SIZES)
    flat, views = fastadam.flatten([to_gpu(array) for array in arrays])
    assert flat.data.ptr % 64 == 0
    np.testing.assert_array_equal(to_cpu(flat), np.concatenate(arrays))
    here, there = fastadam.Adam(np.concatenate(arrays)), fastadam.Adam(flat)
    grad = np.concatenate(random_arrays(np.random.default_rng(1), SIZES))
    there.step(to_gpu(grad))
    there.save(tmp_path / "state")
    here.load(tmp_path / "state")
    assert_same_bits(here.state["exp_avg"], to_cpu(there.state["exp_avg"]))
    there.load_state_dict(here.state_dict())
    assert_same_bits(here.state["exp_avg_sq"], to_cpu(there.state["exp_avg_sq"]))
    assert to_cpu(views[2]).shape == arrays[2].shape


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda both: pickle.loads(pickle.dumps(both))], ids=["copy", "pickle"])
@pytest.mark.parametrize("capturable", [False, True], ids=["eager", "capturable"])
def test_copies_and_pickles(duplicate, capturable):
    here, params, there, arrays = both(ONE_OF_EACH[0], SIZES, to_gpu, capturable=capturable)
    for t in range(4):
        if t == 2:
            there, arrays = duplicate((there, arrays))
        grads = random_arrays(np.random.default_rng(t), SIZES)
        here.step(grads)
        there.step(upload(grads))
    assert_same(here, params, there, arrays)
