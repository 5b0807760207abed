"""State saved and restored as a dict, a file, a copy or a pickle: going on gives the bits of an uninterrupted run."""

import copy
import pickle
from pathlib import Path

import numpy as np
import pytest
from buffers import assert_same_bits
from refusals import F32, everything
from resuming import SIZES, STEPS, make, trained
from variants import ONE_OF_EACH, VARIANTS

import fastadam


def assert_same(optimizer, params, other, other_params):
    assert repr(optimizer) == repr(other)
    assert (optimizer.step_count, optimizer.skipped_steps) == (other.step_count, other.skipped_steps)
    for a, b in zip(everything(optimizer, params), everything(other, other_params), strict=True):
        assert_same_bits(a, b) if a.dtype == F32 else np.testing.assert_array_equal(a, b)


def through_dict(optimizer, variant, params, folder):
    other = make(variant, params)
    other.load_state_dict(optimizer.state_dict())
    return other


def through_file(optimizer, variant, params, folder):
    other = make(variant, params)
    optimizer.save(folder / "state")
    other.load(folder / "state")
    return other


def through_torch_like_dict(optimizer, variant, params, folder):
    """With other hyperparameters, which the state dict brings."""
    other = make(variant, params, maximize=True, lr=7.0)
    other.load_state_dict(optimizer.state_dict(), hyperparameters="load")
    return other


@pytest.mark.parametrize("through", [through_dict, through_file, through_torch_like_dict])
@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_going_on_gives_the_bits_of_never_having_stopped(variant, through, tmp_path):
    stopped, params, grads = trained(variant)
    stopped.step([np.full(size, np.nan, F32) for size in SIZES], skip_nonfinite=True)
    copies = [param.copy() for param in params]
    resumed = through(stopped, variant, copies, tmp_path)
    assert_same(resumed, copies, stopped, params)
    for some in grads:
        stopped.step(some)
        resumed.step(some)
    assert_same(resumed, copies, stopped, params)


def copied(optimizer, params):
    return copy.deepcopy((optimizer, params))


def pickled(optimizer, params):
    return pickle.loads(pickle.dumps((optimizer, params)))


@pytest.mark.parametrize("duplicate", [copied, pickled])
@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_copies_and_pickles_go_on_by_themselves(variant, duplicate):
    """With the parameters, which stay the optimizer's where both are copied together."""
    optimizer, params, grads = trained(variant)
    other, other_params = duplicate(optimizer, params)
    assert_same(other, other_params, optimizer, params)
    for some in grads:
        other.step(some)
    assert optimizer.step_count == STEPS
    for some in grads:
        optimizer.step(some)
    assert_same(other, other_params, optimizer, params)
    other.add_param_group({"params": np.ones(2, F32)})


def test_a_copy_keeps_schedules_and_defaults():
    optimizer = fastadam.Adam({"w": np.ones(3, F32)}, lr=lambda t: 0.5 / (t + 1), eps=0.25)
    optimizer.eps = 0.125
    other = copy.deepcopy(optimizer)
    other.add_param_group({"params": {"b": np.ones(2, F32)}})
    assert [group["eps"] for group in other.param_groups] == [0.125, 0.125]
    assert all(callable(group["lr"]) for group in other.param_groups)
    assert len(optimizer.param_groups) == 1


RESUME = """
import sys; sys.path.insert(0, {tests!r})
import numpy as np, resuming as t, refusals
from variants import ONE_OF_EACH
for i, variant in enumerate(ONE_OF_EACH):
    _, _, grads = t.problem(variant)
    params = [np.array(a) for a in np.load(f"{folder}/params{{i}}.npz").values()]
    optimizer = t.make(variant, params)
    optimizer.load(f"{folder}/state{{i}}")
    for some in grads[t.STEPS:]:
        optimizer.step(some)
    np.savez(f"{folder}/after{{i}}.npz", *refusals.everything(optimizer, params))
print("done")
"""


def test_a_new_process_goes_on_with_the_same_bits(tmp_path, run_python):
    for i, variant in enumerate(ONE_OF_EACH):
        optimizer, params, _ = trained(variant)
        np.savez(tmp_path / f"params{i}.npz", *params)
        optimizer.save(tmp_path / f"state{i}")
    assert run_python(RESUME.format(tests=str(Path(__file__).parent), folder=tmp_path)) == "done"
    for i, variant in enumerate(ONE_OF_EACH):
        optimizer, params, grads = trained(variant)
        for some in grads:
            optimizer.step(some)
        with np.load(tmp_path / f"after{i}.npz") as after:
            for a, b in zip(everything(optimizer, params), after.values(), strict=True):
                assert a.tobytes() == b.tobytes(), variant


@pytest.mark.parametrize("variant", ONE_OF_EACH, ids=str)
@pytest.mark.parametrize("capturable", [False, True])
def test_state_moves_between_devices(variant, capturable, device, tmp_path):
    def step_on_gpu(optimizer, grads):
        optimizer.step([None if grad is None else device.upload(grad) for grad in grads])

    here, params, grads = trained(variant)
    here.save(tmp_path / "cpu")
    arrays = [device.upload(param) for param in params]
    there = make(variant, arrays, capturable=capturable)
    there.load(tmp_path / "cpu")
    for some in grads[:2]:
        here.step(some)
        step_on_gpu(there, some)
    there.save(tmp_path / "gpu")
    copies = [device.download(array) for array in arrays]
    back = make(variant, copies)
    back.load(tmp_path / "gpu")
    assert_same(back, copies, here, params)
    assert (tmp_path / "gpu").read_bytes() == (here.save(tmp_path / "cpu"), (tmp_path / "cpu").read_bytes())[1]
