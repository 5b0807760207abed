"""Optimizers whose arrays are stored in other formats, as users make, save and change them; test_stored.py has the bits."""

import copy
import io
import pickle

import numpy as np
import pytest
from refusals import F32, refuses

import fastadam
from fastadam import reference
from fastadam.reference import formats

STATE_DTYPES = ["float32", "bfloat16", "8bit"]
SIZE = 300  # three blocks, the last of them short
CHOICES = [
    {"state_dtype": state_dtype, "master": master} for state_dtype in STATE_DTYPES for master in ("split", "float32", None)
]


def halves(seed=0, size=SIZE):
    return formats.to_bfloat16(np.random.default_rng(seed).standard_normal(size).astype(F32))


def wrapped(bits):
    return fastadam.bfloat16(bits)


def of_ml_dtypes(bits):
    return bits.view(pytest.importorskip("ml_dtypes").bfloat16)


def of_torch(bits):
    return pytest.importorskip("torch").from_numpy(bits.view(np.int16)).view(pytest.importorskip("torch").bfloat16)


BROUGHT = {"wrapped": wrapped, "ml_dtypes": of_ml_dtypes, "torch": of_torch}


def trained(steps=3, bits=None, **options):
    bits = halves() if bits is None else bits
    optimizer = fastadam.AdamW(wrapped(bits), lr=0.1, **options)
    for step in range(steps):
        optimizer.step(wrapped(halves(1 + step)))
    return bits, optimizer


def contents(bits, optimizer):
    return [bits, *(np.array(array) for array in optimizer.state.values())]


def assert_equal(actual, expected):
    assert len(actual) == len(expected)
    for one, other in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("param", BROUGHT)
@pytest.mark.parametrize("grad", BROUGHT)
def test_each_way_to_bring_bfloat16_has_the_same_bits(param, grad):
    expected, _ = trained(1)
    bits = halves()
    optimizer = fastadam.AdamW(BROUGHT[param](bits), lr=0.1)
    optimizer.step(BROUGHT[grad](halves(1)))
    np.testing.assert_array_equal(bits, expected)
    assert fastadam.global_norm(BROUGHT[grad](bits)) == reference.global_norm([formats.from_bfloat16(bits)])


@pytest.mark.parametrize("options", CHOICES, ids=str)
def test_the_state_and_what_it_costs(options):
    _, optimizer = trained(0, **options)
    moment, each = {"float32": (F32, 4), "bfloat16": (np.uint16, 2), "8bit": (np.uint8, 1)}[options["state_dtype"]]
    of_master = {"split": {"rest": (np.uint16, (SIZE,))}, "float32": {"master": (F32, (SIZE,))}, None: {}}[options["master"]]
    expected = {}
    for name in ("exp_avg", "exp_avg_sq"):
        expected[name] = moment, (SIZE,)
        if each == 1:
            expected[f"{name}_exponents"] = np.uint8, (3,)
    expected |= of_master
    state = dict(optimizer.state)
    assert state.pop("step") == 0
    assert {name: (array.dtype.type, array.shape) for name, array in state.items()} == expected
    assert optimizer.nbytes == 2 * each * SIZE + 6 * (each == 1) + sum(
        np.dtype(kind).itemsize * SIZE for kind, _ in of_master.values()
    )
    numbers = fastadam.bfloat16(halves()).float32()
    for name, array in state.items():
        np.testing.assert_array_equal(array, numbers if name == "master" else 20 if name.endswith("exponents") else 0)


RESUMED = {
    "pickle": lambda optimizer, _: pickle.loads(pickle.dumps(optimizer)),
    "deepcopy": lambda optimizer, _: copy.deepcopy(optimizer),
    "state dict": lambda optimizer, fresh: (fresh.load_state_dict(optimizer.state_dict()), fresh)[1],
    "file": lambda optimizer, fresh: (fresh.load(saved(optimizer)), fresh)[1],
}


def saved(optimizer):
    file = io.BytesIO()
    optimizer.save(file)
    file.seek(0)
    return file


@pytest.mark.parametrize("options", CHOICES, ids=str)
@pytest.mark.parametrize("way", RESUMED)
def test_a_resumed_run_has_the_same_bits(way, options):
    options = options | {"seed": 7}
    expected = contents(*trained(5, **options))
    bits, optimizer = trained(3, **options)
    fresh = fastadam.AdamW(wrapped(bits.copy()), lr=0.1, **options)
    resumed = RESUMED[way](optimizer, fresh)
    param = resumed.param_groups[0]["params"][0]
    for step in (3, 4):
        resumed.step(wrapped(halves(1 + step)))
    assert_equal(contents(param.bits, resumed), expected)


def test_a_copy_has_a_state_of_its_own():
    bits, optimizer = trained(state_dtype="8bit")
    duplicate = copy.copy(optimizer)
    before = contents(bits, optimizer)[1:]
    duplicate.step(wrapped(halves(9)))
    assert_equal(contents(bits, optimizer)[1:], before)


@pytest.mark.parametrize("options", [{"state_dtype": "bfloat16"}, {"master": "float32"}, {"seed": 3}], ids=str)
def test_a_checkpoint_of_other_formats_is_refused(options):
    bits, optimizer = trained(**options)
    there = optimizer.state_dict()
    (name, value), *_ = options.items()
    assert there["param_groups"][0][name] == value
    bits, other = trained()
    words = ("state_dict does not fit", f"param_groups[0][{name!r}] is {value!r}", f"make the optimizer with {name}={value!r}")
    for more in ({}, {"hyperparameters": "load"}):
        refuses(lambda more=more: other.load_state_dict(there, **more), ValueError, words, [bits], other)


def test_a_file_says_nothing_of_formats_that_are_not_chosen():
    optimizer = fastadam.AdamW(np.ones(3, F32))
    assert not {"state_dtype", "master", "seed"} & {*optimizer.state_dict()["param_groups"][0]}
    assert {"state_dtype", "master", "seed"} <= {*optimizer.param_groups[0]}


def given(options):
    _, optimizer = trained(0, **options)
    return {name: array.copy() for name, array in optimizer.state.items() if name != "step"}


@pytest.mark.parametrize("options", CHOICES, ids=str)
def test_the_callers_memory_holds_the_state(options):
    expected = contents(*trained(2, **options))
    memory = given(options)
    bits, optimizer = trained(2, **options, state=memory)
    assert_equal(contents(bits, optimizer), expected)
    for name, array in memory.items():
        assert np.shares_memory(array, optimizer.state[name])


def read_only(array):
    array.flags.writeable = False
    return array


BAD_STATES = {
    "exp_avg of float32": ("exp_avg", lambda a: a.astype(F32), TypeError, ("has dtype float32", "expected uint8")),
    "exponents too few": ("exp_avg_exponents", lambda a: a[:2].copy(), ValueError, ("has shape (2,)", "expected (3,)")),
    "exponents with gaps": ("exp_avg_exponents", lambda a: np.repeat(a, 2)[::2], ValueError, ("without gaps",)),
    "another shape": ("exp_avg", lambda a: a[:5].copy(), ValueError, ("has shape (5,)", "expected (300,)")),
    "read-only": ("exp_avg_sq", read_only, ValueError, ("is read-only",)),
    "rest of int16": ("rest", lambda a: a.view(np.int16), TypeError, ("has dtype int16", "expected uint16")),
}


@pytest.mark.parametrize(("name", "change", "error", "words"), BAD_STATES.values(), ids=BAD_STATES)
def test_memory_that_does_not_fit_is_refused(name, change, error, words):
    memory = given({"state_dtype": "8bit"})
    memory[name] = change(memory[name])
    bits = halves()
    make = lambda: fastadam.AdamW(wrapped(bits), state_dtype="8bit", state=memory)  # noqa: E731
    refuses(make, error, (f"state[{name!r}]", *words), [bits])


def test_memory_that_overlaps_is_refused():
    memory = given({"state_dtype": "8bit"})
    memory["exp_avg_sq_exponents"] = memory["exp_avg_exponents"]
    with pytest.raises(ValueError, match=r"state\['exp_avg\w*_exponents'\] shares memory with state\['exp_avg\w*_exponents'\]"):
        fastadam.AdamW(wrapped(halves()), state_dtype="8bit", state=memory)


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
