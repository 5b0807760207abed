"""Steps of arrays that are stored in other formats have the bits of the reference, on every instruction set and thread."""

import itertools

import numpy as np
import pytest
from buffers import GUARD_SIZE, assert_same_bits, random_inputs
from variants import VARIANTS, hyperparameters

import fastadam
from fastadam import _native, reference
from fastadam._native import StepOptions
from fastadam.backends import cpu
from fastadam.reference import formats
from fastadam.reference.stored import Stored

STATE_DTYPES = ["float32", "bfloat16", "8bit"]
PARAMS = {  # how a parameter is stored: its type, and the optimizer's master
    "float32": ("float32", "split"),
    "split": ("bfloat16", "split"),
    "dithered": ("bfloat16", None),
    "bfloat16 of float32": ("bfloat16", "float32"),
    "float16 of float32": ("float16", "float32"),
}
GRADS = ["float32", "bfloat16", "float16"]
PARALLEL = 2 * _native.grain() + 77
SIZES = [0, 1, 2, 31, 127, 128, 129, 300, 1000, 2049]
TOO_COARSE = ("amsgrad", "centered")


class Guarded:
    """A copy of an array between guards, at an address that vectors are not aligned to."""

    def __init__(self, array, offset):
        self.room = np.full(array.size + 2 * GUARD_SIZE + offset, 0xA5, array.dtype)
        self.slice = slice(GUARD_SIZE + offset, GUARD_SIZE + offset + array.size)
        self.array = self.room[self.slice]
        self.array[...] = array

    def assert_untouched(self):
        outside = np.delete(self.room, np.arange(self.slice.start, self.slice.stop))
        assert (outside == outside.dtype.type(0xA5)).all()


def stored_grad(grad, kind):
    if kind == "bfloat16":
        return fastadam.bfloat16(formats.to_bfloat16(grad))
    return formats.to_float16(grad) if kind == "float16" else grad


def piece(array, where):
    return fastadam.bfloat16(array.bits[where]) if isinstance(array, fastadam.bfloat16) else array[where]


def number(array):
    return formats.from_bfloat16(array.bits) if isinstance(array, fastadam.bfloat16) else array.astype(np.float32)


class Case:
    """A tensor before a step, and after that of the reference."""

    def __init__(self, variant, state_dtype, param, grad, size, k, ema, seed=12345, tensor=0):
        changed, self.step = hyperparameters(variant, k)
        changed = changed.averaged if ema else changed
        self.kind, self.master = PARAMS[param]
        self.rule = (
            changed.make(np.zeros(1, np.float32), state_dtype=state_dtype, master=self.master, seed=seed)
            ._groups[0]
            .hyperparameters.rule
        )
        p, g, *states = random_inputs(size, changed.states, seed=size + k)
        averages = [states.pop()] if ema else []
        names = [name for name, _ in self.rule.states]
        which = [formats.SIGNED if name in formats.SIGNED_STATES else formats.SQUARE for name in names]
        self.states = [Stored.of(state_dtype, x, each) for x, each in zip(states, which, strict=True)]
        self.averages = [Stored.of("float32", x) for x in averages]
        self.param = Stored.of({"split": "split", "dithered": "bfloat16"}.get(param, "float32"), p)
        self.copy = np.zeros(size, np.float16 if self.kind == "float16" else np.uint16)
        self.grad = stored_grad(g, grad)
        self._before = [[array.copy() for array in stored.arrays] for stored in self.all]
        self._take(changed, seed, tensor)

    @property
    def all(self):
        return [self.param, *self.states, *self.averages]

    def _take(self, changed, seed, tensor):
        decoded = [stored.decode() for stored in self.all]
        changed.reference(decoded[0], number(self.grad), *decoded[1:], step=self.step)
        for stored, x in zip(self.all, decoded, strict=True):
            stored.encode(x, formats.dither(seed, self.step, x.size, stored.which, tensor=tensor))
        if self.master == "float32":
            self.copy = formats.to_float16(decoded[0]) if self.kind == "float16" else formats.to_bfloat16(decoded[0])

    def arrays(self, offset):
        """Guarded copies of what there was before: the parameter's, those of the states, and what they are to become."""
        before = [[Guarded(array, offset + i) for i, array in enumerate(arrays)] for arrays in self._before]
        param, *states = before
        after = [stored.arrays for stored in self.all]
        if self.master == "float32" and self.kind != "float32":
            return [Guarded(np.zeros_like(self.copy), offset)], [*states, param], [(self.copy,), *after[1:], after[0]]
        if self.kind == "bfloat16" and self.master == "split":
            return param[:1], [*states, param[1:]], [after[0][:1], *after[1:], after[0][1:]]
        return param, states, after


def as_param(array, kind):
    return fastadam.bfloat16(array) if kind == "bfloat16" else array


def assert_stored_parity(cases, threads, offset=0, options=None):
    params, states, expected = zip(*(case.arrays(offset) for case in cases), strict=True)
    native = cpu.tensors(
        [as_param(param[0].array, case.kind) for case, param in zip(cases, params, strict=True)],
        [[guarded.array for arrays in each for guarded in arrays] for each in states],
        [1] * len(cases),
        [case.rule for case in cases],
        [case.step - 1 for case in cases],
    )
    norm = native.step([case.grad for case in cases], options or StepOptions(), threads)
    for param, state, wanted in zip(params, states, expected, strict=True):
        actual = [guarded for arrays in (param, *state) for guarded in arrays]
        for guarded, each in zip(actual, [array for arrays in wanted for array in arrays], strict=True):
            assert_same_bits(guarded.array, each) if each.dtype.kind == "f" else np.testing.assert_array_equal(
                guarded.array, each
            )
            guarded.assert_untouched()
    return norm


def cases_of(variant):
    """Every way to store states and parameters, with gradients, sizes, options and averages in turn."""
    for k, (state_dtype, param) in enumerate(itertools.product(STATE_DTYPES, PARAMS)):
        if state_dtype == "8bit" and any(dict(variant.given).get(name) for name in TOO_COARSE):
            continue
        for j, grad in enumerate(GRADS):
            n = 3 * k + j
            yield Case(variant, state_dtype, param, grad, SIZES[n % len(SIZES)], n, ema=n % 2 == 0)


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_every_rule_and_format_on_every_instruction_set(isa, variant):
    for k, case in enumerate(cases_of(variant)):
        assert_stored_parity([case], threads=1, offset=k % 16)


@pytest.mark.parametrize("state_dtype", STATE_DTYPES)
@pytest.mark.parametrize("param", PARAMS)
def test_threads_and_splits(isa, state_dtype, param):
    adam = VARIANTS[0]
    case = Case(adam, state_dtype, param, "bfloat16", PARALLEL, 3, ema=True)
    for threads in (1, 2, 3, 8):
        assert_stored_parity([case], threads, offset=threads)


@pytest.mark.parametrize("state_dtype", STATE_DTYPES)
def test_several_tensors_each_with_a_number(state_dtype):
    """Of different formats, in groups; one of the last has its number in the dither, whatever the sizes before it."""
    cases = [
        Case(VARIANTS[0], state_dtype, param, grad, size, 1, ema=False, tensor=tensor)
        for tensor, (param, grad, size) in enumerate(zip(PARAMS, itertools.cycle(GRADS), (300, 1, 0, 129, 2049), strict=False))
    ]
    for threads in (1, 2):
        assert_stored_parity(cases, threads)


@pytest.mark.parametrize("grad", ["bfloat16", "float16"])
def test_the_norm_is_that_of_the_numbers(isa, grad):
    rng = np.random.default_rng(0)
    for size in (1, 100, 2048, 5000, PARALLEL):
        stored = stored_grad(rng.standard_normal(size).astype(np.float32), grad)
        expected = reference.global_norm([number(stored)])
        assert fastadam.global_norm(stored) == expected
        pieces = [piece(stored, slice(0, size // 3)), piece(stored, slice(size // 3, size))]
        parts = [fastadam.norm_part(each, sizes=size, begins=k * (size // 3)) for k, each in enumerate(pieces)]
        assert fastadam.combined_norm(parts) == expected
        params = np.zeros(size, np.float32)
        optimizer = fastadam.SGD(params, lr=1.0)
        assert optimizer.step(stored, max_norm=np.inf) == expected
        np.testing.assert_array_equal(params, -number(stored))


@pytest.mark.parametrize("is_square", [False, True])
def test_codes_are_decoded(isa, is_square):
    codes = np.arange(2 * 128, dtype=np.uint8).reshape(2, 128)
    for exponent in (20, 21, 100, 127, 251, 252):
        exponents = np.full(2, exponent, np.uint8)
        assert_same_bits(
            _native.from_8_bits(codes, exponents, is_square), formats.from_log8(codes, exponents, signed=not is_square)
        )
