"""The state of optimizers whose arrays are stored in other formats: what it costs, and how it is saved and given."""

import copy
import io
import pickle

import numpy as np
import pytest
from halves import CHOICES, SIZE, assert_equal, contents, halves, trained, wrapped
from refusals import F32, refuses

import fastadam


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
