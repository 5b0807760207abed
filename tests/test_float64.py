"""Optimizers of float64 arrays: every use that knows a type, and what happens where two types meet."""

import copy
import io
import json
import pickle

import numpy as np
import pytest
from buffers import assert_same_bits
from refusals import refuses
from variants import ONE_OF_EACH, of_both_types

import fastadam

F32, F64 = np.float32, np.float64
FLOAT64 = [variant for variant in of_both_types(ONE_OF_EACH) if variant.dtype == "float64"]
every_rule = pytest.mark.parametrize("variant", FLOAT64, ids=str)
ARRAYS = ("param", "grad", "exp_avg", "exp_avg_sq", "max_exp_avg_sq")


def trained(variant, steps=3, seed=0, dtype=F64, **more):
    rng = np.random.default_rng(seed)
    params = {"w": rng.standard_normal((4, 5)).astype(dtype), "b": rng.standard_normal(3).astype(dtype)}
    optimizer = variant.make(params, **more)
    for _ in range(steps):
        optimizer.step({name: rng.standard_normal(param.shape).astype(dtype) for name, param in params.items()})
    return optimizer, params


def arrays_of(optimizer):
    return [array for state in optimizer.state.values() for name, array in state.items() if name != "step"]


@every_rule
def test_the_state_is_float64(variant):
    optimizer, params = trained(variant, ema_decay=0.9)
    assert {array.dtype for array in arrays_of(optimizer)} == {np.dtype(F64)}
    assert {param.dtype for param in params.values()} == {np.dtype(F64)}


@every_rule
@pytest.mark.parametrize("way", ["file", "dict", "json", "pickle", "copy"])
def test_a_resumed_run_has_the_same_bits(variant, way):
    optimizer, params = trained(variant, ema_decay=0.9)
    if way in ("pickle", "copy"):
        both = params, optimizer
        params, resumed = pickle.loads(pickle.dumps(both)) if way == "pickle" else copy.deepcopy(both)
    else:
        params = {name: param.copy() for name, param in params.items()}
        resumed = variant.make(params, ema_decay=0.9)
        if way == "file":
            file = io.BytesIO()
            optimizer.save(file)
            file.seek(0)
            resumed.load(file)
        else:
            state = optimizer.state_dict()
            if way == "json":  # which makes text of numbers
                state["state"] = {str(number): arrays for number, arrays in state["state"].items()}
            resumed.load_state_dict(state)
    assert json.dumps(resumed.state_dict()["param_groups"]) == json.dumps(optimizer.state_dict()["param_groups"])
    rng = np.random.default_rng(9)
    grads = {name: rng.standard_normal(param.shape) for name, param in params.items()}
    optimizer.step(grads)
    resumed.step(grads)
    for mine, theirs in zip(arrays_of(resumed), arrays_of(optimizer), strict=True):
        assert_same_bits(mine, theirs)


@every_rule
@pytest.mark.parametrize("there", [F32, F64])
@pytest.mark.parametrize("way", ["file", "dict"])
def test_a_checkpoint_of_the_other_type_needs_a_word(variant, there, way):
    here = F64 if there is F32 else F32
    source, _ = trained(variant, dtype=there, ema_decay=0.9)
    target, _ = trained(variant, dtype=here, ema_decay=0.9, seed=1)
    file = io.BytesIO()
    source.save(file)

    def load(**more):
        if way == "dict":
            return target.load_state_dict(source.state_dict(), **more)
        file.seek(0)
        return target.load(file, **more)

    words = (f"has dtype {np.dtype(there)}; expected {np.dtype(here)}, or pass dtype='convert'",)
    refuses(load, ValueError, words, arrays_of(target), target)
    load(dtype="convert")
    for mine, theirs in zip(arrays_of(target), arrays_of(source), strict=True):
        assert_same_bits(mine, theirs.astype(here))


def test_what_float32_cannot_hold_is_not_converted():
    source, _ = trained(FLOAT64[0])
    arrays_of(source)[0][0, 0] = 1e300
    target, _ = trained(FLOAT64[0], dtype=F32, seed=1)
    words = ("has numbers beyond float32",)
    load = lambda: target.load_state_dict(source.state_dict(), dtype="convert")  # noqa: E731
    refuses(load, ValueError, words, arrays_of(target), target)
    with pytest.raises(ValueError, match="dtype is 'float32'; expected 'same' or 'convert'"):
        target.load_state_dict(source.state_dict(), dtype="float32")


@pytest.mark.parametrize("other", [F32, F64])
@pytest.mark.parametrize("name", ARRAYS)
def test_a_stateless_step_takes_one_type(name, other):
    rest = F64 if other is F32 else F32
    arrays = {each: np.ones(6, other if each == name else rest) for each in ARRAYS}
    expected = np.dtype(arrays["param"].dtype)
    words = ("has dtype", f"expected {expected}, the dtype of param, in native byte order", f"astype(numpy.{expected})")
    refuses(lambda: fastadam.adam_step(**arrays, step=1), TypeError, words, arrays.values())


@pytest.mark.parametrize("first", [F32, F64])
def test_an_optimizer_takes_one_type(first):
    other = F64 if first is F32 else F32
    good, bad = np.ones(6, first), np.ones(6, other)
    names = np.dtype(other).name, np.dtype(first).name
    words = (f"({names[0]})", f"expected {names[1]}, the dtype of ", f"astype(numpy.{names[1]})")
    for call in (
        lambda: fastadam.Adam([good, bad]),
        lambda: fastadam.Adam([{"params": [good]}, {"params": [bad]}]),
        lambda: fastadam.Adam([good]).step([bad]),
        lambda: fastadam.Adam([good]).add_param_group({"params": [bad]}),
        lambda: fastadam.flatten([good, bad]),
        lambda: fastadam.global_norm([good, bad]),
    ):
        refuses(call, TypeError, words, [good, bad])


@pytest.mark.parametrize("dtype", [np.longdouble, ">f8", int, object, np.clongdouble])
def test_other_types_are_refused(dtype):
    array = np.ones(4, dtype)
    words = (f"has dtype {array.dtype.str!r}", "expected float32, float64, complex64 or complex128 in native byte order")
    refuses(lambda: fastadam.Adam(array), TypeError, words, [array])
    refuses(lambda: fastadam.Adam(np.ones(4)).step(array), TypeError, ("expected float64, the dtype of params",), [array])


def test_numbers_beyond_float32_are_fine():
    for given in ({"lr": 1e39}, {"betas": (0.9, 1 - 2.0**-53)}, {"ema_decay": 1 - 2.0**-53}, {"weight_decay": 1e300}):
        fastadam.Adam(np.ones(2), **given)
        refuses(lambda given=given: fastadam.Adam(np.ones(2, F32), **given), ValueError, ("float32",), [])
        groups = [{"params": [np.ones(2)], **given}]
        fastadam.Adam(groups)
        optimizer = fastadam.Adam(np.ones(2), **({} if "ema_decay" not in given else {"ema_decay": 0.5}))
        for name, value in given.items():
            setattr(optimizer, name, value)
            assert getattr(optimizer, name) == value
    fastadam.SGD(np.ones(2), momentum=0.5, dampening=-1e300)
    fastadam.SGD(np.ones(2), lr=lambda t: 1e40).step(np.zeros(2))
    param = np.zeros(2)
    fastadam.SGD(param, lr=1.0).step(np.full(2, 1e-40), grad_scale=1e40)
    np.testing.assert_array_equal(param, -1.0)


def test_a_norm_beyond_float64_is_not_finite():
    optimizer = fastadam.SGD([np.ones(2), np.ones(2)], lr=1.0)
    grads = [np.full(2, 1.7e308)] * 2
    assert optimizer.step(grads, skip_nonfinite=True) == np.inf
    assert optimizer.skipped_steps == 1
    refuses(
        lambda: optimizer.step(grads, skip_nonfinite="raise"),
        FloatingPointError,
        ("the norm of the gradients is above 1.8e308",),
        optimizer._members.params,
        optimizer,
    )


def test_views_of_a_flat_buffer_are_float64():
    flat, views = fastadam.flatten({"w": np.ones((2, 3)), "b": np.zeros(4)})
    assert flat.dtype == F64
    assert flat.ctypes.data % 64 == 0
    fastadam.SGD(flat, lr=0.5).step(np.ones(10))
    np.testing.assert_array_equal(views["w"], 0.5)


def test_tensors_of_torch():
    torch = pytest.importorskip("torch", reason="torch is not installed")
    tensor, array = torch.ones(5, dtype=torch.float64), np.ones(5)
    optimizers = fastadam.Adam([tensor]), fastadam.Adam([array])
    for optimizer, make in zip(optimizers, (torch.arange, np.arange), strict=True):
        optimizer.step([make(5.0, dtype=torch.float64 if make is torch.arange else F64)])
    assert_same_bits(tensor.numpy(), array)
    with pytest.raises(TypeError, match=r"grads\[0\] has dtype torch.float32; expected float64, .*pass g.double\(\)"):
        optimizers[0].step([torch.ones(5)])


@pytest.mark.parametrize("amsgrad", [False, True])
def test_state_moves_to_torch_and_back_without_a_change(amsgrad):
    """torch's float64 has our decay rates, so nothing is scaled; a step of ours and of torch's then agree to some ulp."""
    torch = pytest.importorskip("torch", reason="torch is not installed")
    array = np.linspace(-1, 1, 7)
    tensor = torch.nn.Parameter(torch.from_numpy(array.copy()))
    ours, theirs = fastadam.Adam([array], amsgrad=amsgrad), torch.optim.Adam([tensor], amsgrad=amsgrad)
    rng = np.random.default_rng(0)

    def step():
        grad = rng.standard_normal(7)
        tensor.grad = torch.from_numpy(grad)
        ours.step([grad])
        theirs.step()

    for _ in range(3):
        step()
    before = [array.copy() for array in ours.state[0].values()]
    fastadam.convert.from_torch(ours, fastadam.convert.to_torch(ours))
    for mine, was in zip(ours.state[0].values(), before, strict=True):
        np.testing.assert_array_equal(mine, was)
    theirs.load_state_dict(fastadam.convert.to_torch(ours))
    step()
    np.testing.assert_allclose(tensor.detach().numpy(), array, rtol=1e-14, atol=1e-16)
    fastadam.convert.from_torch(ours, theirs.state_dict())
    assert ours.state[0]["exp_avg"].dtype == F64


def test_a_fit_goes_on_where_float32_stops():
    """An exponential decay, fitted by Adam whose steps shrink: the residual is that of float64."""
    x = np.linspace(0, 4, 50)
    target = 2.5 * np.exp(-1.3 * x) + 0.5

    def fit(dtype):
        params = np.array([1.0, 1.0, 0.0], dtype)
        optimizer = fastadam.Adam(params, betas=(0.9, 0.99))
        for t in range(8000):
            optimizer.lr = 0.1 * 0.997**t
            a, b, c = params
            e = np.exp(-b * x.astype(dtype))
            rest = a * e + c - target.astype(dtype)
            grad = np.array([(rest * e).mean(), (rest * -a * x.astype(dtype) * e).mean(), rest.mean()], dtype)
            optimizer.step(grad)
        return np.abs(params - [2.5, 1.3, 0.5]).max()

    assert fit(F32) > 1e-8
    assert fit(F64) < 1e-14
