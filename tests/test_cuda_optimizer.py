"""The optimizers on GPU arrays, their launches run by the CPU: the reference's bits, and the launches that CuPy would get."""

import numpy as np
import pytest
from buffers import assert_same_bits, random_inputs
from variants import ONE_OF_EACH, VARIANTS, hyperparameters

import fastadam
from fastadam.backends.cuda.launch import MOST_WORDS, STRUCTS
from fastadam.backends.cuda.source import SHAPE
from fastadam.backends.cuda.tensors import Tensors
from fastadam.optimizers.base import AS_GIVEN

pytest.importorskip("cupy", reason="needs CuPy, though no GPU: pip install cupy-cuda13x")
from cuda_host import on_cpu, on_gpu

F32 = np.float32
SIZES = [3, 0, 64, 1, 257, SHAPE.chunk + 5, 2 * SHAPE.chunk]


def as_numpy(array):
    return array if isinstance(array, np.ndarray) else on_cpu(array)


def train(variant, arrays, steps, upload, sizes, **more):
    """Steps an optimizer on the same gradients each time it is called with the same sizes."""
    optimizer = variant.make(arrays, lr=0.01, **more)
    rng = np.random.default_rng(7)
    for _ in range(steps):
        optimizer.step([upload(rng.standard_normal(size).astype(F32)) for size in sizes])
    return optimizer


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
@pytest.mark.parametrize("capturable", [False, True])
@pytest.mark.parametrize("sizes", [[1003], SIZES], ids=["one", "list"])
def test_optimizer_equals_the_cpu_backend(host_gpu, variant, capturable, sizes):
    rng = np.random.default_rng(1)
    params = [rng.standard_normal(size).astype(F32) for size in sizes]
    arrays = [on_gpu(param, offset=k) for k, param in enumerate(params)]
    on_device = train(variant, arrays, 5, on_gpu, sizes, capturable=capturable)
    on_host = train(variant, params, 5, np.asarray, sizes)
    for array, param, state, expected in zip(arrays, params, on_device.state, on_host.state, strict=True):
        assert_same_bits(on_cpu(array), param)
        for name in state:
            assert state[name].shape == expected[name].shape
            assert as_numpy(state[name]).tobytes() == expected[name].tobytes(), name


@pytest.mark.parametrize("variant", ONE_OF_EACH, ids=str)
def test_one_step_equals_the_reference(host_gpu, variant):
    """Sizes, alignments (each array its own), special values, step numbers and hyperparameters."""
    for k, size in enumerate([0, 1, 2, 3, 4, 5, 7, 31, 130, 1000, SHAPE.chunk - 1, SHAPE.chunk + 1]):
        changed, step = hyperparameters(variant, k)
        expected = random_inputs(size, changed.states, seed=size)
        arrays = [on_gpu(array, offset=(j * k) % 5) for j, array in enumerate(expected)]
        changed.reference(*expected, step=step)
        param, grad, *states = arrays
        Tensors([param], [states], [1], [changed.rule], [step - 1]).step([grad], AS_GIVEN)
        for actual, wanted in zip(arrays, expected, strict=True):
            assert_same_bits(on_cpu(actual), wanted, f"size {size}, {changed}, step {step}")


def test_stateless_step_equals_the_reference(host_gpu):
    expected = random_inputs(1000, 3)
    arrays = [on_gpu(array) for array in expected]
    fastadam.adam_step(*arrays, step=9, weight_decay=0.1)
    fastadam.reference.adam_step(*expected, step=9, weight_decay=0.1)
    for actual, wanted in zip(arrays, expected, strict=True):
        assert_same_bits(on_cpu(actual), wanted)


def test_a_step_of_one_tensor_is_one_launch_with_all_it_needs(host_gpu):
    param, grad = on_gpu(np.ones(3 * SHAPE.chunk - 1, F32)), on_gpu(np.ones(3 * SHAPE.chunk - 1, F32))
    optimizer = fastadam.Adam(param, lr=0.5, weight_decay=0.25)
    for step in (1, 2):
        optimizer.step(grad)
        (launch,) = host_gpu.launches
        host_gpu.launches.clear()
        assert (launch.kernel, launch.device, launch.grid, launch.block) == ("fastadam_step", 0, (3,), (SHAPE.block,))
        argument = launch.argument.reshape(1).view(STRUCTS["StepArguments"])[0]
        tensor, gradients, state = argument["tensor"], argument["gradients"], optimizer.state
        assert (tensor["param"], tensor["grad"], tensor["size"]) == (param.data.ptr, grad.data.ptr, param.size)
        assert [*tensor["state"]] == [state["exp_avg"].data.ptr, state["exp_avg_sq"].data.ptr, 0, 0, 0]
        assert gradients.tolist() == (0, (1, np.inf), 1)
        k2 = 1 - float(F32(0.999)) ** step
        step_size = 0.5 * np.sqrt(k2) / (1 - float(F32(0.9)) ** step)
        expected = [0.9, 0.999, F32(1) - F32(0.9), F32(1) - F32(0.999), step_size, 1e-8 * np.sqrt(k2), 1, 0.25]
        coefficients = argument["coefficients"]["rule"]["bytes"][:32].view(F32)
        np.testing.assert_array_equal(coefficients, np.array(expected, F32))


def test_a_step_of_a_list_is_one_launch(host_gpu):
    """The gradients' addresses are written when they change, and only then; all else is in the first launch's tables."""
    sizes = [5, SHAPE.chunk + 1, 0, 2]
    params, grads, others = ([on_gpu(np.ones(size, F32)) for size in sizes] for _ in range(3))
    optimizer = fastadam.Adam(params)
    kernels = []
    for which in (grads, grads, others, others, grads):
        optimizer.step(which)
        kernels.append([launch.kernel for launch in host_gpu.launches])
        host_gpu.launches.clear()
    fresh, same = ["fastadam_write", "fastadam_step_list"], ["fastadam_step_list"]
    assert kernels == [fresh, same, fresh, same, fresh]

    optimizer.step(others)
    write, step = host_gpu.launches
    assert (write.grid, write.block, step.grid, step.block) == ((1,), (SHAPE.block,), (4,), (SHAPE.block,))
    written = write.argument.reshape(1).view(STRUCTS["WriteArguments"])[0]
    argument = step.argument.reshape(1).view(STRUCTS["StepListArguments"])[0]
    assert (written["destination"], written["count"]) == (argument["list"]["grads"], 4)
    assert [*written["words"][:4]] == [grad.data.ptr for grad in others]
    assert argument["list"]["chunk_count"] == 4
    assert argument["coefficients"]["rule"]["bytes"][:4].view(F32) == F32(0.9)


def test_more_gradients_than_one_launch_can_write(host_gpu):
    count = 2 * MOST_WORDS + 1
    params = [on_gpu(np.full(1, k, F32)) for k in range(count)]
    fastadam.Adam(params, lr=0.5).step([on_gpu(np.full(1, 1, F32)) for _ in range(count)])
    assert [launch.kernel for launch in host_gpu.launches] == ["fastadam_write"] * 3 + ["fastadam_step_list"]
    assert [on_cpu(param)[0] for param in params] == [k - 0.5 for k in range(count)]


def test_step_counts_may_differ_between_tensors(host_gpu):
    """One launch for each count, which leaves the others' tensors alone."""
    counts = [0, 7, 7, 999]
    params = [on_gpu(np.ones(5, F32)) for _ in counts]
    optimizer = fastadam.Adam(params)
    for state, count in zip(optimizer.state, counts, strict=True):
        state["step"][...] = count
    grads = [on_gpu(np.full(5, 0.25, F32)) for _ in counts]
    optimizer.step(grads)
    assert [launch.kernel for launch in host_gpu.launches] == ["fastadam_write", "fastadam_step_list"] * 3
    for param, state, count in zip(params, optimizer.state, counts, strict=True):
        assert state["step"] == count + 1
        expected, *moments = np.ones(5, F32), np.zeros(5, F32), np.zeros(5, F32)
        fastadam.reference.adam_step(expected, np.full(5, 0.25, F32), *moments, step=count + 1)
        assert_same_bits(on_cpu(param), expected)
    host_gpu.launches.clear()
    optimizer.step(grads)
    assert [launch.kernel for launch in host_gpu.launches] == ["fastadam_step_list"] * 3, "addresses were written again"


def test_training_moves_between_the_cpu_and_the_gpu(host_gpu):
    """State is carried by copying its arrays; what follows has the same bits."""
    rng = np.random.default_rng(0)
    start = rng.standard_normal(777).astype(F32)
    grads = [rng.standard_normal(777).astype(F32) for _ in range(9)]
    always, moving, array = start.copy(), start.copy(), on_gpu(start)
    staying, on_host, on_device = (fastadam.AdamW(param, amsgrad=True) for param in (always, moving, array))
    for grad in grads:
        staying.step(grad)

    def carry(source, target):
        for name, array in source.items():
            as_numpy(target[name])[...] = as_numpy(array)

    for grad in grads[:3]:
        on_host.step(grad)
    carry({"param": moving, **on_host.state}, {"param": array, **on_device.state})
    for grad in grads[3:6]:
        on_device.step(on_gpu(grad))
    carry({"param": array, **on_device.state}, {"param": moving, **on_host.state})
    for grad in grads[6:]:
        on_host.step(grad)
    assert_same_bits(moving, always)
    assert on_host.state["step"] == 9


def test_gradients_may_be_freed_and_their_addresses_used_again(host_gpu):
    """What was checked of a gradient is not believed of another object."""
    params = [on_gpu(np.ones(4, F32)) for _ in range(2)]
    optimizer = fastadam.Adam(params)
    grads = [on_gpu(np.ones(4, F32)) for _ in params]
    optimizer.step(grads)
    wrong = grads[0].reshape(2, 2)  # the same memory
    with pytest.raises(ValueError, match=r"grads\[0\] has shape \(2, 2\); expected \(4,\)"):
        optimizer.step([wrong, grads[1]])


def test_warmup_compiles_what_an_optimizer_needs_or_everything(host_gpu):
    optimizer = fastadam.Adam(on_gpu(np.ones(4, F32), device=1))
    fastadam.warmup(optimizer)
    assert [device for _, device in host_gpu.compiled] == [1, 1]  # the norm's, and
    assert {"-DFASTADAM_RULE=Adam", "-DFASTADAM_FLAGS=0"} <= set(host_gpu.compiled[1][0])
    optimizer.step(on_gpu(np.ones(4, F32), device=1), max_norm=1.0)
    assert len(host_gpu.compiled) == 2, "the step compiled again"
    host_gpu.compiled.clear()
    fastadam.warmup()
    assert len(host_gpu.compiled) == sum(fastadam._native.cuda_variants().values()) + 1
    with pytest.raises(ValueError, match="not on a GPU"):
        fastadam.warmup(fastadam.Adam(np.ones(3, F32)))
