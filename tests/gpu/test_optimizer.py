"""Optimizers on a GPU keep the bits of their twins on the CPU: over lists, thousands of steps, and carried back and forth."""

import numpy as np
import pytest
from gpu.arrays import to_cpu, to_gpu, write
from gpu.twins import LIST, ONE, Twins
from variants import VARIANTS

import fastadam

pytestmark = pytest.mark.gpu

SIZES = pytest.mark.parametrize("sizes", [ONE, LIST], ids=["one", "list"])
CAPTURABLE = pytest.mark.parametrize("capturable", [False, True], ids=["eager", "capturable"])


@SIZES
@CAPTURABLE
@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_optimizers_equal_the_cpu(variant, capturable, sizes):
    twins = Twins(sizes, variant.make, capturable=capturable, lr=0.01)
    for _ in range(4):
        twins.step(times=5)
        twins.assert_same()


@CAPTURABLE
def test_ten_thousand_steps(capturable):
    twins = Twins([5003], capturable=capturable)
    grads = [twins.random_grads() for _ in range(16)]
    on_gpu = [[to_gpu(grad) for grad in some] for some in grads]
    for t in range(1, 10_001):
        twins.cpu.step(grads[t % 16])
        twins.gpu.step(on_gpu[t % 16])
        if t in (1, 10, 100, 1000, 10_000):
            twins.assert_same(f"after {t} steps")


@SIZES
@CAPTURABLE
def test_gradients_that_alternate_or_change_in_place(sizes, capturable):
    twins = Twins(sizes, capturable=capturable)
    grads = [twins.random_grads() for _ in range(2)]
    on_gpu = [[to_gpu(grad) for grad in some] for some in grads]
    for t in (0, 0, 1, 0, 1, 1, 0):  # the same objects with the same contents
        twins.cpu.step(grads[t])
        twins.gpu.step(on_gpu[t])
    twins.assert_same("after gradients that alternate")
    for _ in range(3):  # the same objects with other contents
        changed = twins.random_grads()
        for grad, values in zip(on_gpu[0], changed, strict=True):
            write(grad, values)
        twins.cpu.step(changed)
        twins.gpu.step(on_gpu[0])
    twins.assert_same("after gradients that changed in place")
    twins.step(times=3)  # objects that are made and freed, at the addresses of the ones before
    mixed = [*on_gpu[0][:1], *on_gpu[1][1:]]
    twins.cpu.step([*changed[:1], *grads[1][1:]])
    twins.gpu.step(mixed)
    twins.assert_same("after gradients of both sets")


def test_one_gradient_for_tensors_of_one_shape():
    """Gradients may share memory with each other."""
    twins = Twins([257] * 3)
    grad = twins.random_grads()[0]
    shared = to_gpu(grad)
    twins.cpu.step([grad] * 3)
    twins.gpu.step([shared] * 3)
    twins.assert_same()


@SIZES
@CAPTURABLE
def test_hyperparameters_changed_between_steps(sizes, capturable):
    twins = Twins(sizes, fastadam.AdamW, capturable=capturable)
    for name, value in [("lr", 0.5), ("betas", (0.5, 0.9)), ("eps", 1e-3), ("weight_decay", 0.0), ("maximize", True)]:
        for optimizer in (twins.cpu, twins.gpu):
            setattr(optimizer, name, value)
        twins.step(times=2)
        twins.assert_same(f"after {name} was set")


@CAPTURABLE
def test_step_counts_that_differ(capturable):
    """Each tensor's coefficients are those of its own count, computed on the host or on the device."""
    counts = [0, 7, 7, 999, 10**6, 2**40, 2**62]
    twins = Twins([5] * len(counts), capturable=capturable)
    for on_cpu, on_gpu, count in zip(twins.cpu.state, twins.gpu.state, counts, strict=True):
        on_cpu["step"][...] = count
        set_step(on_gpu, count)
    twins.step(times=3)
    twins.assert_same()


@CAPTURABLE
@SIZES
@pytest.mark.parametrize("amsgrad", [False, True])
def test_training_moves_from_the_cpu_to_the_gpu_and_back(amsgrad, sizes, capturable):
    there = Twins(sizes, fastadam.AdamW, capturable=capturable, amsgrad=amsgrad, lr=0.01)
    alone = Twins(sizes, fastadam.AdamW, amsgrad=amsgrad, lr=0.01).cpu  # stays on the CPU, with parameters of its own
    for _ in range(7):
        grads = there.random_grads()
        there.cpu.step(grads)
        alone.step(grads)
    copy_state(there.params, there.cpu, there.on_gpu, there.gpu, write)
    for _ in range(7):
        grads = there.random_grads()
        there.gpu.step([to_gpu(grad) for grad in grads])
        alone.step(grads)
    copy_state(there.on_gpu, there.gpu, there.params, there.cpu, lambda array, values: np.copyto(array, to_cpu(values)))
    for _ in range(7):
        grads = there.random_grads()
        there.cpu.step(grads)
        there.gpu.step([to_gpu(grad) for grad in grads])
        alone.step(grads)
    there.assert_same()
    for state, expected in zip(there.cpu.state, alone.state, strict=True):
        for name in expected:
            np.testing.assert_array_equal(state[name], expected[name], name)


def copy_state(params, optimizer, other_params, other, write):
    """Everything that a step depends on, from one optimizer into another."""
    for array, values in zip(other_params, params, strict=True):
        write(array, values)
    for state, values in zip(other.state, optimizer.state, strict=True):
        for name in [name for name in state if name != "step"]:
            write(state[name], values[name])
        set_step(state, values["step"])


def set_step(state, count):
    """Set a step count, wherever it is kept."""
    count = np.array(count if isinstance(count, int | np.ndarray) else to_cpu(count), np.int64)
    if isinstance(state["step"], np.ndarray):
        state["step"][...] = count
    else:
        write(state["step"], count)


@SIZES
def test_a_refused_step_changes_nothing(sizes):
    twins = Twins(sizes)
    twins.step()
    grads = [to_gpu(grad) for grad in twins.random_grads()]
    grads[-1] = to_gpu(np.ones(3, np.float32))
    with pytest.raises(ValueError, match=rf"grads\[{len(sizes) - 1}\] has shape \(3,\); expected"):
        twins.gpu.step(grads)
    twins.assert_same()
    twins.step()
    twins.assert_same()


def test_an_optimizer_has_the_state_of_its_parameters(cupy):
    param = to_gpu(np.ones((3, 5), np.float32), offset=1)
    state = fastadam.Adam(param, amsgrad=True).state
    assert list(state) == ["step", "exp_avg", "exp_avg_sq", "max_exp_avg_sq"]
    for name in ("exp_avg", "exp_avg_sq", "max_exp_avg_sq"):
        assert isinstance(state[name], cupy.ndarray)
        assert state[name].shape == param.shape
        assert state[name].data.ptr % 16 == param.data.ptr % 16
