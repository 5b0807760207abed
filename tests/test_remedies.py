"""What a refusal says to do is done as it is written, and then the caller's own array is trained.

A copy made within the call would be trained instead and lost, so the advice for what is updated is to rebind first.
"""

import re
import warnings

import numpy as np
import pytest
from refusals import F32

import fastadam
from fastadam.backends.dtypes import dtype_of

REBIND = r"rebind first, (w = [^;:]*), and then pass w: a copy made in the call would be updated in its place$"


def read_only(array):
    array.flags.writeable = False
    return array


def misaligned():
    array = np.ones(17, np.uint8)[1:].view(F32)
    array[...] = 1
    return array


def complex_of_float16(torch):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that it is experimental
        return torch.full((4,), 1 + 2j, dtype=torch.complex64).to(torch.complex32)


def torch_arrays():
    yield "int64", lambda t: t.ones(4, dtype=t.int64)
    yield "every second of a transposed", lambda t: t.ones(2, 8)[:, ::2].T
    yield "grad", lambda t: t.ones(4, requires_grad=True)
    yield "parameter", lambda t: t.nn.Parameter(t.ones(4))
    yield "conjugate", lambda t: t.full((4,), 1 + 2j).conj()
    yield "parameter of a conjugate", lambda t: t.nn.Parameter(t.full((4,), 1 + 2j, dtype=t.complex128).conj())
    yield "complex of float16", complex_of_float16


ARRAYS = {
    "longdouble": lambda: np.ones(4, np.longdouble),
    "big-endian float64": lambda: np.ones(4, ">f8"),
    "int": lambda: np.ones(4, int),
    "bool": lambda: np.ones(4, bool),
    "big-endian": lambda: np.ones(4, ">f4"),
    "complex of long double": lambda: np.full(4, 1 + 2j, np.clongdouble),
    "every-second": lambda: np.ones(8, F32)[::2],
    "every second of a transposed": lambda: np.ones((2, 8), F32)[:, ::2].T,
    "reversed": lambda: np.ones(4, F32)[::-1],
    "misaligned": misaligned,
    "list": lambda: [1.0, 2.0],
    "number": lambda: 1.0,
    "scalar": lambda: F32(1),
    "complex list": lambda: [1 + 2j, 2.0],
    "complex number": lambda: 1 + 2j,
    "complex scalar": lambda: np.complex128(1 + 2j),
    "memoryview": lambda: memoryview(np.ones(4, F32)),
    **{f"torch-{name}": lambda make=make: make(pytest.importorskip("torch")) for name, make in torch_arrays()},
}
TRANSPOSED = {  # which fit, but as gradients of parameters in C order
    "transposed": lambda: np.ones((2, 4), F32).T,
    "torch-transposed": lambda: pytest.importorskip("torch").ones(2, 4).T,
}
HALVES = {  # which fit as gradients
    "float16": lambda: np.ones(4, np.float16),
    "torch-float16": lambda: (torch := pytest.importorskip("torch")).ones(4, dtype=torch.float16),
}
READ_ONLY = {
    "read-only": lambda: read_only(np.ones(4, F32)),
    "broadcast": lambda: np.broadcast_to(F32(1), (1, 4)),
    "frombuffer": lambda: np.frombuffer(np.ones(4, F32).tobytes(), F32),
}


def names():
    import importlib.util

    torch = pytest.importorskip("torch") if importlib.util.find_spec("torch") else None
    return {"numpy": np, "torch": torch}


def refused(call):
    with pytest.raises((TypeError, ValueError)) as raised:
        call()
    return str(raised.value)


def said(call):
    """What an error says, if there is one."""
    try:
        call()
    except (TypeError, ValueError) as error:
        return str(error)
    return ""


def values(array):
    found = np.array(array.tolist() if hasattr(array, "tolist") else array)
    return found if found.dtype.kind == "c" else found.astype(F32)


@pytest.mark.parametrize("make", (ARRAYS | HALVES | READ_ONLY).values(), ids=ARRAYS | HALVES | READ_ONLY)
@pytest.mark.parametrize(
    "container", [lambda w: [w], lambda w: {"w": w}, lambda w: [{"params": [w]}]], ids=["list", "dict", "group"]
)
def test_a_parameter_is_rebound_and_then_trained(make, container):
    scope = {"w": make()} | names()
    message = refused(lambda: fastadam.SGD(container(scope["w"]), lr=0.5))
    exec(re.search(REBIND, message)[1], scope)
    before = values(scope["w"])
    optimizer = fastadam.SGD(container(scope["w"]), lr=0.5)
    (param,) = optimizer.param_groups[0]["params"]
    real, is_complex = dtype_of(param), values(param).dtype.kind == "c"
    grad = np.ones(values(param).shape, np.result_type(real, np.complex64) if is_complex else real)
    optimizer.step({"w": grad} if isinstance(container(0), dict) else [grad])
    np.testing.assert_array_equal(values(scope["w"]), before - 0.5)


@pytest.mark.parametrize("name", ["param", "exp_avg", "exp_avg_sq"])
@pytest.mark.parametrize("make", READ_ONLY.values(), ids=READ_ONLY)
def test_so_are_the_arrays_of_a_stateless_step(name, make):
    arrays = {each: np.ones(make().shape, F32) for each in ("param", "grad", "exp_avg", "exp_avg_sq")}
    scope = {"w": make()} | names()
    message = refused(lambda: fastadam.adam_step(**arrays | {name: scope["w"]}, step=1))
    exec(re.search(REBIND, message)[1], scope)
    fastadam.adam_step(**arrays | {name: scope["w"]}, step=1, lr=0.5, betas=(0.5, 0.25))
    assert name != "param" or (scope["w"] != 1).all()


@pytest.mark.parametrize("make", (ARRAYS | TRANSPOSED).values(), ids=ARRAYS | TRANSPOSED)
def test_a_gradient_is_copied_in_the_call(make):
    scope = {"g": make()} | names()
    if isinstance(scope["g"], np.generic):
        return  # which is fine
    shape, is_complex = np.shape(values(scope["g"])), values(scope["g"]).dtype.kind == "c"
    for kind in [F32] * (not (is_complex and isinstance(scope["g"], list))) + [np.complex64] * is_complex:
        grad, param = scope["g"], np.ones(shape, kind)
        optimizer = fastadam.SGD([param], lr=0.5)
        message = refused(lambda grad=grad, optimizer=optimizer: optimizer.step([grad]))
        for _ in range(2):  # the second says that a part is wanted, if the first says how to get at a conjugate
            assert "rebind" not in message
            grad = eval(re.search(r"pass ([^;]*) for a gradient g$", message)[1], scope | {"g": grad})
            if not (message := said(lambda grad=grad, optimizer=optimizer: optimizer.step([grad]))):
                break
        assert not message
        assert (param != 1).all()
        assert kind == F32 or (param.imag != 0).any()


@pytest.mark.parametrize("make", ARRAYS.values(), ids=ARRAYS)
def test_what_is_copied_anyway_can_be_made_in_the_call(make):
    """flatten copies, and global_norm only reads."""
    for call in (fastadam.flatten, fastadam.global_norm):
        assert "rebind" not in said(lambda call=call: call([np.ones(2, F32), make()]))


def test_jax_arrays_are_immutable():
    jnp = pytest.importorskip("jax.numpy")
    for dtype in (jnp.float32, jnp.bfloat16, jnp.int32, jnp.complex64):
        scope = {"w": jnp.ones(3, dtype)} | names()
        message = refused(lambda scope=scope: fastadam.SGD({"w": scope["w"]}, lr=0.5))
        assert "JAX arrays are immutable and cannot be updated in place" in message
        exec(re.search(r"keep a NumPy array, (w = .*?), make the optimizer over it", message)[1], scope)
        grad = jnp.ones(3, dtype if dtype == jnp.complex64 else jnp.float32)  # which is fine
        fastadam.SGD({"w": scope["w"]}, lr=0.5).step({"w": grad})
        assert (scope["w"] == 0.5).all()
        assert np.iscomplexobj(scope["w"]) == jnp.iscomplexobj(grad)


def test_tied_weights_are_passed_once():
    w = np.ones(4, F32)
    for params in ([w, w], {"embedding": w, "head": w}, [{"params": w}, {"params": w}], [w, w[:]], {"a": [w], "b": {"c": w}}):
        message = refused(lambda params=params: fastadam.Adam(params))
        assert "(tied weights) once, with the sum of its gradients" in message
        assert ".copy()" not in message


def test_a_gradient_that_is_a_parameter_is_copied():
    w = np.ones(4, F32)
    optimizer = fastadam.SGD(w, lr=0.5)
    message = refused(lambda: optimizer.step(w))
    optimizer.step(eval(re.search(r"a copy of the gradient, (.*)$", message)[1], {"g": w}))
    assert (w == 0.5).all()


def test_no_message_has_a_traceback_or_a_path():
    torch = pytest.importorskip("torch")
    message = refused(lambda: fastadam.Adam(torch.ones(3, requires_grad=True)))
    assert "\n" not in message
    assert ".py" not in message


SCALARS = [F32(2), np.array([2, 2], F32).sum(), np.array(2, F32)[()]]


@pytest.mark.parametrize("scalar", SCALARS)
@pytest.mark.parametrize("scheduled", [False, True])
def test_a_scalar_is_the_gradient_of_a_0_d_parameter(scalar, scheduled):
    lr = (lambda t: 0.25) if scheduled else 0.25
    for wrap in (lambda x: x, lambda x: [x], lambda x: {"b": x}, lambda x: {"a": [x, {}]}):
        optimizer = fastadam.SGD(wrap(np.array(1, F32)), lr=lr)
        optimizer.step(wrap(scalar))
        (param,) = optimizer.param_groups[0]["params"]
        assert param == 1 - 0.25 * scalar
        assert optimizer.step_count == 1


@pytest.mark.parametrize(
    ("scalar", "shape", "words"),
    [
        (np.float64(1), (), "grads[1] has dtype '<f8'"),
        (np.int64(1), (), "grads[1] has dtype '<i8'"),
        (F32(1), (1,), "grads[1] is a float32"),
        (1.0, (), "grads[1] is a float"),
    ],
)
def test_other_scalars_are_no_gradients(scalar, shape, words):
    params = [np.ones((), F32), np.ones(shape, F32)]
    optimizer = fastadam.SGD(params)
    message = refused(lambda: optimizer.step([F32(1), scalar]))
    assert words in message
    assert all((param == 1).all() for param in params)
