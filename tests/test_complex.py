"""Complex arrays are the pairs of their real and imaginary parts, on the CPU and on a device; their state is complex too."""

import io
import pickle

import cuda_device
import numpy as np
import pytest
from buffers import assert_same_bits, random_values
from variants import ONE_OF_EACH, of_both_types

import fastadam
from fastadam import reference


class Cpu:
    """In place of a device (cuda_device.py)."""

    upload = staticmethod(np.array)
    download = staticmethod(np.asarray)


@pytest.fixture(params=["cpu", "host", pytest.param("gpu", marks=pytest.mark.gpu)])
def device_or_cpu(request):
    if request.param == "cpu":
        return Cpu()
    return cuda_device.Real() if request.param == "gpu" else cuda_device.Host(request.getfixturevalue("host_gpu"))


COMPLEX = {"float32": np.complex64, "float64": np.complex128}
every_rule = pytest.mark.parametrize("variant", of_both_types(ONE_OF_EACH), ids=str)
every_type = pytest.mark.parametrize("dtype", COMPLEX.values())
SHAPES = [(5, 3), (), (0, 4), (2001,)]


def complex_values(rng, shape, dtype):
    real = np.dtype(dtype).char.lower()
    return np.frombuffer(random_values(rng, 2 * int(np.prod(shape)), dtype=np.dtype(real).name).tobytes(), dtype).reshape(shape)


def pairs(array):
    """The same memory as real numbers."""
    return np.ascontiguousarray(array).reshape(-1).view(array.real.dtype)


def state_of(optimizer, i):
    return dict(optimizer._members.states[i])


@every_rule
def test_every_rule_steps_the_pairs(device_or_cpu, variant):
    """With every option of a step, averages, missing gradients and a state that is complex."""
    rng, dtype = np.random.default_rng(0), COMPLEX[variant.dtype]
    values = [complex_values(rng, shape, dtype) for shape in SHAPES]
    arrays, real = [device_or_cpu.upload(value) for value in values], [pairs(value).copy() for value in values]
    optimizer, twin = variant.make(arrays, ema_decay=0.75), variant.make(real, ema_decay=0.75)
    for t, options in enumerate(({}, {"max_norm": 0.5}, {"grad_scale": -0.5, "clip_value": 0.25}, {"max_norm": 1e9})):
        grads = [complex_values(rng, shape, dtype) for shape in SHAPES]
        grads = [np.where(np.isfinite(grad), grad, dtype(1)) for grad in grads]
        given = [None if i == t else device_or_cpu.upload(grad) for i, grad in enumerate(grads)]
        norm = optimizer.step(given, **options)
        expected = twin.step([None if i == t else pairs(grad) for i, grad in enumerate(grads)], **options)
        assert norm is expected is None or device_or_cpu.download(norm) == expected
    for i, array in enumerate(arrays):
        assert_same_bits(pairs(device_or_cpu.download(array)), real[i], f"in params[{i}]")
        for name, state in state_of(optimizer, i).items():
            assert (state.dtype, state.shape) == (dtype, SHAPES[i])
            assert_same_bits(pairs(device_or_cpu.download(state)), state_of(twin, i)[name].reshape(-1), name)


def test_initial_values_are_of_both_parts(device_or_cpu):
    optimizer = fastadam.Adagrad(device_or_cpu.upload(np.ones(3, np.complex64)), initial_accumulator_value=0.5)
    assert (device_or_cpu.download(optimizer.state["sum"]) == 0.5 + 0.5j).all()


@every_type
@pytest.mark.parametrize("capturable", [False, True])
def test_real_and_complex_parameters_of_one_precision(device, dtype, capturable):
    real = np.dtype(dtype).type(0).real.dtype
    params = [np.full(4, 1 + 2j, dtype), np.ones(5, real)]
    arrays, twins = [device.upload(param) for param in params], [param.copy() for param in params]
    optimizer, twin = fastadam.AdamW(arrays, capturable=capturable), fastadam.AdamW(twins)
    for _ in range(3):
        grads = [np.full(4, 0.5 - 0.25j, dtype), np.full(5, 0.125, real)]
        optimizer.step([device.upload(grad) for grad in grads], max_norm=0.5)
        twin.step(grads, max_norm=0.5)
    for array, expected in zip(arrays, twins, strict=True):
        assert_same_bits(pairs(device.download(array)), pairs(expected))


def test_the_norm_and_one_buffer(device_or_cpu):
    values = {"a": np.array([3 + 4j], np.complex64), "b": np.full((2, 2), 6j, np.complex64)}
    arrays = {name: device_or_cpu.upload(value) for name, value in values.items()}
    assert device_or_cpu.download(fastadam.global_norm(arrays)) == 13
    assert reference.global_norm([pairs(value) for value in values.values()]) == 13
    flat, views = fastadam.flatten(arrays)
    assert flat.dtype == np.complex64
    for name, value in values.items():
        np.testing.assert_array_equal(device_or_cpu.download(views[name]), value)


@every_type
@pytest.mark.parametrize("way", ["file", "dict", "pickle"])
def test_a_resumed_run_has_the_same_bits(dtype, way):
    def made(start=None):
        param = np.full(5, 1 - 1j, dtype) if start is None else start.copy()
        return param, fastadam.NAdam({"w": param}, ema_decay=0.5)

    param, optimizer = made()
    grads = [np.full(5, k * (0.5 + 1j), dtype) for k in range(6)]
    for grad in grads[:3]:
        optimizer.step({"w": grad})
    if way == "pickle":
        other, resumed = pickle.loads(pickle.dumps((param, optimizer)))
    else:
        other, resumed = made(param)
        if way == "file":
            file = io.BytesIO()
            optimizer.save(file)
            file.seek(0)
            resumed.load(file)
        else:
            resumed.load_state_dict(optimizer.state_dict())
    for grad in grads[3:]:
        optimizer.step({"w": grad})
        resumed.step({"w": grad})
    assert_same_bits(pairs(other), pairs(param))


def test_state_is_converted_between_precisions_and_not_between_kinds():
    wide = fastadam.Adam(np.ones(3, np.complex128))
    wide.step(np.full(3, 0.5j))
    narrow = fastadam.Adam(np.ones(3, np.complex64))
    with pytest.raises(ValueError, match=r"has dtype complex128; expected complex64, or pass dtype='convert'"):
        narrow.load_state_dict(wide.state_dict())
    narrow.load_state_dict(wide.state_dict(), dtype="convert")
    np.testing.assert_array_equal(narrow.state["exp_avg"], wide.state["exp_avg"].astype(np.complex64))
    real = fastadam.Adam(np.ones(3))
    with pytest.raises(ValueError, match=r"has dtype complex128; expected float64$"):
        real.load_state_dict(wide.state_dict(), dtype="convert")


@pytest.mark.parametrize(
    ("param", "grad", "words"),
    [
        (np.complex64, np.float32, r"grads has dtype '<f4' \(float32\); expected complex64, the dtype of params,.*astype"),
        (np.float32, np.complex64, r"grads has dtype '<c8' \(complex64\); expected float32, the dtype of params,.*g\.real"),
        (np.complex64, np.complex128, r"grads has dtype '<c16' \(complex128\); expected .*pass g\.astype\(numpy\.complex64\)"),
    ],
)
def test_gradients_of_another_kind_are_refused(device_or_cpu, param, grad, words):
    array = device_or_cpu.upload(np.ones(3, param))
    optimizer = fastadam.Adam(array)
    with pytest.raises(TypeError, match=words):
        optimizer.step(device_or_cpu.upload(np.ones(3, grad)))
    assert (device_or_cpu.download(array) == 1).all()


OTHERS = ["float16", "longdouble", "clongdouble", "int64", "bool", "object"]


@pytest.mark.parametrize("dtype", OTHERS)
def test_what_is_neither_is_refused(dtype):
    with pytest.raises(
        TypeError, match=r"has dtype .*; expected float32, float64, complex64 or complex128.*rebind first, w = w\.ast"
    ):
        fastadam.Adam(np.ones(3, dtype))
    with pytest.raises(TypeError, match=r"grads has dtype .*; expected float64, the dtype of params,.*pass g\."):
        fastadam.Adam(np.ones(3)).step(np.ones(3, dtype))


def test_the_first_element_that_is_not_finite_is_named():
    grad = np.ones((2, 3), np.complex64)
    grad[1, 0] = complex(1, np.nan)
    with pytest.raises(FloatingPointError, match=r"it has \(1\+nanj\) at \[1, 0\]"):
        fastadam.SGD(np.ones((2, 3), np.complex64)).step(grad, skip_nonfinite="raise")


@pytest.mark.parametrize("order", [(1, 0, 2), (2, 1, 0)])
def test_dimensions_in_any_order(order):
    values = np.arange(24, dtype=np.complex64).reshape(2, 3, 4) * (1 + 1j)
    param, twin = values.copy().transpose(order).copy(order="K"), values.copy()
    param = np.empty(np.transpose(values, order).shape, np.complex64).transpose(np.argsort(order))
    param[...] = values
    grads = np.full(values.shape, 0.5 - 1j, np.complex64)
    given = np.empty_like(param)
    given[...] = grads
    fastadam.Adam(param).step(given)
    fastadam.Adam(twin).step(grads)
    np.testing.assert_array_equal(param, twin)


def test_groups_grow_and_a_stateless_step():
    first, second = np.ones(3, np.complex64), np.ones(2, np.complex64)
    optimizer = fastadam.SGD([first], lr=0.5)
    optimizer.add_param_group({"params": [second]})
    with pytest.raises(ValueError, match=r"overlap|shares memory|is already"):
        optimizer.add_param_group({"params": [first[1:]]})
    optimizer.step([np.full(3, 1j, np.complex64), np.full(2, 1j, np.complex64)])
    np.testing.assert_array_equal(second, np.full(2, 1 - 0.5j))
    arrays, twins = ([np.full(3, 1 + 1j, np.complex64) for _ in range(4)] for _ in range(2))
    fastadam.adam_step(*arrays, step=2)
    reference.adam_step(*map(pairs, twins), step=2)
    reals = [pairs(np.full(3, 1 + 1j, np.complex64)).copy() for _ in range(4)]
    reference.adam_step(*reals, step=2)
    for array, real in zip(arrays, reals, strict=True):
        assert_same_bits(pairs(array), real)


def test_state_of_torch():
    torch = pytest.importorskip("torch", reason="torch is not installed")
    theirs = torch.nn.Parameter(torch.full((3,), 1 + 2j))
    optimizer = torch.optim.Adam([theirs], lr=0.1)
    param = theirs.detach().numpy().copy()
    ours = fastadam.Adam(param, lr=0.1)
    for k in range(4):
        theirs.grad = torch.full((3,), 0.5 - 1j * k)
        optimizer.step()
        if k == 1:
            fastadam.convert.from_torch(ours, optimizer.state_dict())
            param[...] = theirs.detach().numpy()
        elif k > 1:
            ours.step(theirs.grad.numpy())
    np.testing.assert_allclose(param, theirs.detach().numpy(), rtol=1e-5)
    back = fastadam.convert.to_torch(ours)["state"][0]["exp_avg"]
    assert back.dtype == torch.complex64
