"""Optimizers on a device keep the bits of their twins on the CPU: over lists, many steps, and carried back and forth."""

import numpy as np
import pytest
from buffers import assert_same_bits
from cuda_device import Host
from twins import LIST, ONE, Twins, set_step
from variants import VARIANTS

import fastadam
from fastadam.backends.cuda import functions
from fastadam.backends.cuda.launch import MOST_WORDS

F32 = np.float32
MANY = [1] * (2 * MOST_WORDS + 1)  # more than one launch can write the addresses of
SIZES = pytest.mark.parametrize("sizes", [ONE, LIST], ids=["one", "list"])
CAPTURABLE = pytest.mark.parametrize("capturable", [False, True], ids=["eager", "capturable"])


@SIZES
@CAPTURABLE
@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_optimizers_equal_the_cpu(device, variant, capturable, sizes):
    twins = Twins(device, sizes, variant.make, capturable=capturable, lr=0.01)
    for times in (1, 6):  # RAdam's first steps are of another kind
        twins.steps(times)
        twins.assert_same()


@CAPTURABLE
def test_thousands_of_steps(device, capturable):
    twins = Twins(device, [103 if isinstance(device, Host) else 5003], capturable=capturable)
    last = 1000 if isinstance(device, Host) else 10_000
    grads = [twins.random_grads() for _ in range(16)]
    on_gpu = [twins.upload(some) for some in grads]
    for t in range(1, last + 1):
        twins.cpu.step(grads[t % 16])
        twins.gpu.step(on_gpu[t % 16])
        if t in (1, 10, 100, 1000, 10_000):
            twins.assert_same(f"after {t} steps")


@pytest.mark.parametrize("sizes", [ONE, LIST, MANY], ids=["one", "list", "many"])
@CAPTURABLE
def test_gradients_that_alternate_or_change_in_place(device, sizes, capturable):
    twins = Twins(device, sizes, capturable=capturable)
    grads = [twins.random_grads() for _ in range(2)]
    on_gpu = [twins.upload(some) for some in grads]
    for t in (0, 0, 1, 0, 1, 1, 0):  # the same objects with the same contents
        twins.cpu.step(grads[t])
        twins.gpu.step(on_gpu[t])
    twins.assert_same("after gradients that alternate")
    for _ in range(3):  # the same objects with other contents
        changed = twins.random_grads()
        for grad, values in zip(on_gpu[0], changed, strict=True):
            device.write(grad, values)
        twins.cpu.step(changed)
        twins.gpu.step(on_gpu[0])
    twins.assert_same("after gradients that changed in place")
    twins.steps(3)  # objects that are made and freed, at the addresses of the ones before
    mixed = [*on_gpu[0][:1], *on_gpu[1][1:]]
    twins.cpu.step([*changed[:1], *grads[1][1:]])
    twins.gpu.step(mixed)
    twins.assert_same("after gradients of both sets")


def test_one_gradient_for_tensors_of_one_shape(device):
    """Gradients may share memory with each other."""
    twins = Twins(device, [257] * 3)
    grad = twins.random_grads()[0]
    shared = device.upload(grad)
    twins.cpu.step([grad] * 3)
    twins.gpu.step([shared] * 3)
    twins.assert_same()


@SIZES
@CAPTURABLE
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_norm_that_is_known(device, dtype, sizes, capturable):
    """Between norms that are found, from the same tables."""
    twins = Twins(device, sizes, capturable=capturable, dtype=dtype)
    for norm in (None, 1e3, None, 1e-3, np.nan):
        grads = twins.random_grads()
        options = {"norm": norm, "max_norm": 0.5, "grad_scale": 0.25}
        found = twins.gpu.step(twins.upload(grads), **options)
        np.testing.assert_equal(float(device.download(found)), twins.cpu.step(grads, **options))
        twins.assert_same(f"with {norm}")
    with pytest.raises(TypeError, match="norm is an array on a GPU; expected a number that the CPU knows; pass float"):
        twins.gpu.step(twins.upload(grads), norm=found)


def test_a_norm_that_is_known_skips_on_the_device(device):
    twins = Twins(device, LIST, capturable=True)
    for norm in (np.inf, 1.0, np.nan, None):
        grads = twins.random_grads()
        for optimizer, given in ((twins.cpu, grads), (twins.gpu, twins.upload(grads))):
            optimizer.step(given, norm=norm, skip_nonfinite=True)
        twins.assert_same(f"with {norm}")
    assert twins.gpu.skipped_steps == twins.cpu.skipped_steps == 2


@SIZES
@CAPTURABLE
def test_hyperparameters_changed_between_steps(device, sizes, capturable):
    twins = Twins(device, sizes, fastadam.AdamW, capturable=capturable)
    for name, value in [("lr", 0.5), ("betas", (0.5, 0.9)), ("eps", 1e-3), ("weight_decay", 0.0), ("maximize", True)]:
        for optimizer in (twins.cpu, twins.gpu):
            setattr(optimizer, name, value)
        twins.steps(2)
        twins.assert_same(f"after {name} was set")


@CAPTURABLE
def test_step_counts_that_differ(device, capturable):
    """Each tensor's coefficients are those of its own count, computed on the host or on the device."""
    counts = [0, 7, 7, 999, 10**6, 2**40, 2**62]
    twins = Twins(device, [5] * len(counts), capturable=capturable)
    for states in (twins.cpu.state, twins.gpu.state):
        for state, count in zip(states, counts, strict=True):
            set_step(device, state, count)
    twins.steps(3)
    twins.assert_same()


@CAPTURABLE
@SIZES
@pytest.mark.parametrize("amsgrad", [False, True])
def test_training_moves_from_the_cpu_to_the_device_and_back(device, amsgrad, sizes, capturable):
    there = Twins(device, sizes, fastadam.AdamW, capturable=capturable, amsgrad=amsgrad, lr=0.01)
    alone = Twins(device, sizes, fastadam.AdamW, amsgrad=amsgrad, lr=0.01).cpu  # stays, with parameters of its own
    for optimizer in (there.cpu, there.gpu, there.cpu):
        for _ in range(7):
            grads = there.random_grads()
            optimizer.step(there.upload(grads) if optimizer is there.gpu else grads)
            alone.step(grads)
        if optimizer is there.cpu:
            copy_state(there.params, there.cpu, there.on_gpu, there.gpu, device, device.write)
        else:
            copy_state(there.on_gpu, there.gpu, there.params, there.cpu, device, np.copyto)
    there.assert_same()
    for state, expected in zip(there.cpu.state, alone.state, strict=True):
        for name in expected:
            np.testing.assert_array_equal(state[name], expected[name], name)


def copy_state(params, optimizer, other_params, other, device, write):
    """Everything that a step depends on, from one optimizer into another."""

    def values(array):
        return array if isinstance(array, np.ndarray) else device.download(array)

    for array, param in zip(other_params, params, strict=True):
        write(array, values(param))
    for state, source in zip(other.state, optimizer.state, strict=True):
        for name in [name for name in state if name != "step"]:
            write(state[name], values(source[name]))
        set_step(device, state, values(source["step"]))


@SIZES
def test_a_refused_step_changes_nothing(device, sizes):
    twins = Twins(device, sizes)
    twins.step()
    grads = twins.upload(twins.random_grads())
    grads[-1] = device.upload(np.ones(3, F32))
    with pytest.raises(ValueError, match=rf"grads\[{len(sizes) - 1}\] has shape \(3,\); expected"):
        twins.gpu.step(grads)
    twins.assert_same()
    twins.step()
    twins.assert_same()


def test_what_was_checked_of_a_gradient_is_not_believed_of_another_object(device):
    twins = Twins(device, [4, 4])
    grads = twins.upload(twins.random_grads())
    twins.gpu.step(grads)
    wrong = grads[0].reshape(2, 2)  # the same memory
    with pytest.raises(ValueError, match=r"grads\[0\] has shape \(2, 2\); expected \(4,\)"):
        twins.gpu.step([wrong, grads[1]])


@pytest.mark.parametrize("offset", range(5))
def test_state_lies_as_its_parameter_does(device, offset):
    """And begins as the rule says, of which every way is asked for here: with a number, or as a copy of the parameter."""
    values = np.arange(15, dtype=F32).reshape(3, 5)
    param = device.upload(values, offset)
    state = fastadam.Adam(param, amsgrad=True).state
    assert list(state) == ["step", "exp_avg", "exp_avg_sq", "max_exp_avg_sq"]
    zero, half, copy = made = functions.full_like(param, [0.0, 0.5, None])
    for array in (*made, *(state[name] for name in list(state)[1:])):
        assert type(array) is type(param)
        assert array.shape == param.shape
        assert array.data.ptr % 16 == param.data.ptr % 16
    device.write(param, values + 1)  # which the copy does not follow
    for array, wanted in ((zero, 0 * values), (half, 0 * values + F32(0.5)), (copy, values)):
        assert_same_bits(device.download(array), wanted)
