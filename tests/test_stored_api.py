"""Optimizers whose arrays are stored in other formats, as users make and step them; test_stored.py has the bits."""

import numpy as np
import pytest
from halves import CHOICES, SIZE, STATE_DTYPES, assert_equal, contents, halves, trained, wrapped
from refusals import F32, refuses

import fastadam
from fastadam import reference
from fastadam.reference import formats


def of_ml_dtypes(bits):
    return bits.view(pytest.importorskip("ml_dtypes").bfloat16)


def of_torch(bits):
    return pytest.importorskip("torch").from_numpy(bits.view(np.int16)).view(pytest.importorskip("torch").bfloat16)


BROUGHT = {"wrapped": wrapped, "ml_dtypes": of_ml_dtypes, "torch": of_torch}


@pytest.mark.parametrize("param", BROUGHT)
@pytest.mark.parametrize("grad", BROUGHT)
def test_each_way_to_bring_bfloat16_has_the_same_bits(param, grad):
    expected, _ = trained(1)
    bits = halves()
    optimizer = fastadam.AdamW(BROUGHT[param](bits), lr=0.1)
    optimizer.step(BROUGHT[grad](halves(1)))
    np.testing.assert_array_equal(bits, expected)
    assert fastadam.global_norm(BROUGHT[grad](bits)) == reference.global_norm([formats.from_bfloat16(bits)])


ONE = np.ones(4, F32)
REFUSED = {
    "state_dtype": (lambda: fastadam.Adam(ONE, state_dtype="int8"), ValueError, ("state_dtype is 'int8'", "'8bit'")),
    "master": (lambda: fastadam.Adam(ONE, master="float64"), ValueError, ("master is 'float64'", "'split', 'float32' or None")),
    "seed": (lambda: fastadam.Adam(ONE, seed=2**32), ValueError, ("seed is 4294967296", "0 to 4294967295")),
    "negative seed": (lambda: fastadam.Adam(ONE, seed=-1), ValueError, ("seed is -1",)),
    "half a seed": (lambda: fastadam.Adam(ONE, seed=0.5), TypeError, ("seed is 0.5", "an integer")),
    "in a group": (lambda: fastadam.Adam([{"params": ONE, "seed": None}]), TypeError, ("params[0]['seed'] is None",)),
    "float64": (
        lambda: fastadam.Adam(np.ones(4), state_dtype="8bit"),
        ValueError,
        ("params has dtype float64", "leave state_dtype out"),
    ),
    "complex": (
        lambda: fastadam.Adam(np.ones(4, np.complex64), state_dtype="bfloat16"),
        ValueError,
        ("params has dtype complex64",),
    ),
    "amsgrad": (lambda: fastadam.Adam(ONE, amsgrad=True, state_dtype="8bit"), ValueError, ("too coarse for max_exp_avg_sq",)),
    "centered": (lambda: fastadam.RMSprop(ONE, centered=True, state_dtype="8bit"), ValueError, ("too coarse for grad_avg",)),
    "Fortran order": (
        lambda: fastadam.Adam(np.ones((3, 4), F32, order="F"), state_dtype="8bit"),
        ValueError,
        ("params has its dimensions in an order of its own", "numpy.ascontiguousarray(w)"),
    ),
    "float16": (
        lambda: fastadam.Adam(np.ones(4, np.float16)),
        TypeError,
        ("has dtype '<f2' (float16)", "pass master='float32'"),
    ),
    "bare bits": (lambda: fastadam.Adam(halves()), TypeError, ("has dtype '<u2' (uint16)", "pass fastadam.bfloat16(array)")),
    **{
        f"a step of {kind}": (
            lambda make=make: fastadam.adam_step(make(), np.ones(SIZE, F32), np.zeros(SIZE, F32), np.zeros(SIZE, F32), step=1),
            TypeError,
            (f"param has dtype {kind}", "use fastadam.AdamW(param, ...)"),
        )
        for kind, make in {"bfloat16": lambda: wrapped(halves()), "float16": lambda: np.ones(SIZE, np.float16)}.items()
    },
    "bits of int16": (lambda: fastadam.bfloat16(np.ones(4, np.int16)), TypeError, ("bits is of dtype int16", "numpy.uint16")),
    "no bits": (lambda: fastadam.bfloat16([1, 2]), TypeError, ("bits is a list",)),
    "an initial value": (
        lambda: fastadam.Adagrad(ONE, initial_accumulator_value=0.5, state_dtype="bfloat16"),
        ValueError,
        ("state_dtype is 'bfloat16'", "sum would begin with another number than zero"),
    ),
}


@pytest.mark.parametrize(("make", "error", "words"), REFUSED.values(), ids=REFUSED)
def test_what_does_not_fit_is_refused(make, error, words):
    refuses(make, error, words, [ONE])


@pytest.mark.parametrize(("name", "value"), [("state_dtype", "8bit"), ("master", None), ("seed", 1)])
def test_formats_are_fixed(name, value):
    bits, optimizer = trained()
    words = (name, "cannot be set", "create a new optimizer")
    refuses(lambda: setattr(optimizer, name, value), ValueError, words, [bits], optimizer)
    refuses(lambda: optimizer.param_groups[0].update({name: value}), ValueError, words, [bits], optimizer)


def test_groups_differ():
    """Each parameter has the bits of an optimizer of its own with its number, which the dither has."""
    bits, alone = halves(), halves()
    first, grad = np.ones(SIZE, F32), wrapped(halves(1))
    optimizer = fastadam.AdamW([{"params": first, "state_dtype": "8bit"}, {"params": wrapped(bits), "master": None}], lr=0.1)
    assert [group["state_dtype"] for group in optimizer.param_groups] == ["8bit", "float32"]
    optimizer.step([grad, grad])
    tensors = (seed := 0) + 0x632BE5AB * 1 % 2**32  # that of the second tensor, as a seed
    fastadam.AdamW(wrapped(alone), master=None, lr=0.1, seed=tensors + seed).step(grad)
    np.testing.assert_array_equal(bits, alone)
    optimizer.add_param_group({"params": np.ones(3, F32), "state_dtype": "bfloat16"})
    optimizer.step([grad, None, np.ones(3, F32)])
    assert optimizer.state[2]["exp_avg"].dtype == np.uint16


@pytest.mark.parametrize("options", CHOICES, ids=str)
def test_skipped_steps_and_named_elements(options):
    bits, optimizer = trained(**options)
    grad = halves(1)
    grad[5] = 0x7F80
    words = ("grads is not finite: it has inf at [5]", "nothing was changed")
    refuses(lambda: optimizer.step(wrapped(grad), skip_nonfinite="raise"), FloatingPointError, words, [bits], optimizer)
    before = contents(bits, optimizer)
    assert optimizer.step(wrapped(grad), skip_nonfinite=True) == np.inf
    assert_equal(contents(bits, optimizer), before)


@pytest.mark.parametrize("state_dtype", STATE_DTYPES)
def test_state_is_decoded_for_torch(state_dtype):
    torch = pytest.importorskip("torch")
    params = np.ones(SIZE, F32)
    optimizer = fastadam.AdamW(params, lr=0.1, state_dtype=state_dtype, betas=(0.5, 0.5))
    optimizer.step(np.linspace(-1, 1, SIZE, dtype=F32))
    theirs = fastadam.convert.to_torch(optimizer)["state"][0]
    state = optimizer.state
    for name, which in (("exp_avg", formats.SIGNED), ("exp_avg_sq", formats.SQUARE)):
        arrays = [state[name], *([state[f"{name}_exponents"]] if state_dtype == "8bit" else [])]
        np.testing.assert_array_equal(theirs[name], reference.Stored(state_dtype, tuple(arrays), which).decode())
    torch.optim.AdamW([torch.nn.Parameter(torch.ones(SIZE))]).load_state_dict(fastadam.convert.to_torch(optimizer))
    if state_dtype != "float32":
        with pytest.raises(ValueError, match="does not fit"):
            fastadam.convert.from_torch(optimizer, fastadam.convert.to_torch(optimizer))
