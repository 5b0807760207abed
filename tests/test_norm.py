"""The global norm: the bits of the reference whatever computes it, its error, what it accepts and what it refuses."""

import math
import sys
import threading
from types import SimpleNamespace

import numpy as np
import pytest
from buffers import SPECIAL, Guarded, random_values
from refusals import BAD_GRADS, F32, read_only, refuses

import fastadam
from fastadam import _native, reference
from fastadam.reference.gradients import CHUNK, LANES

THREADS = [1, 2, 3, 8]
SERIAL_BELOW = 2 * _native.grain()
U = 2.0**-53  # the unit roundoff of float64
EDGES = [edge + d for edge in (LANES, 2 * LANES, CHUNK, 2 * CHUNK, 5 * CHUNK) for d in (-1, 0, 1)]

# Sizes of arrays whose norm is taken together.
LISTS = [
    *[[size] for size in (0, 1, 2, 7, 15, 16, 17, *EDGES)],
    [],
    [0, 0],
    [0, 5, 0, CHUNK, CHUNK + 1, 31, CHUNK - 1, 0],
    [1] * (CHUNK - 1),
    [1] * CHUNK,
    [1] * (CHUNK + 1),  # whose sums fill more than one chunk
    [3] * 5000,
    [3, SERIAL_BELOW - 3],
    [SERIAL_BELOW, 100, SERIAL_BELOW + 1],
]


def finite_values(rng, size, dtype):
    """Of all magnitudes that there are."""
    values = random_values(rng, size, dtype=dtype)
    return np.where(np.isfinite(values), values, F32(3.4e38) if dtype == "float32" else 1.7e308)


def some_grads(sizes, seed=0, dtype="float32"):
    rng = np.random.default_rng(seed)
    return [finite_values(rng, size, dtype) for size in sizes]


def same_bits(actual, expected):
    return np.float64(actual).tobytes() == np.float64(expected).tobytes()


@pytest.mark.parametrize("sizes", LISTS, ids=lambda sizes: f"{len(sizes)}-arrays-{sum(sizes)}")
def test_norm_equals_the_reference(sizes, isa, eager_threads):
    for dtype, size_of_largest in (("float32", 1), ("float64", 1), ("float64", 1e-160)):
        grads = [grad * grad.dtype.type(size_of_largest) for grad in some_grads(sizes, dtype=dtype)]
        expected = reference.global_norm(grads)
        for offset in range(0, 16, 5):
            guarded = Guarded(grads, offset)
            for threads in THREADS:
                assert same_bits(_native.global_norm(guarded.arrays, threads), expected), (offset, threads, dtype)


@pytest.mark.parametrize("magnitude", [1e-320, 1e-300, 1e-170, 1e-140, 1.0, 1e140, 1e170, 1e300])
def test_norm_of_float64_whose_squares_overflow_or_underflow(magnitude, isa, eager_threads):
    rng = np.random.default_rng(0)
    grads = [rng.uniform(0.1, 1, size) * magnitude for size in (3, CHUNK + 1, 0, 7000)]
    expected = reference.global_norm(grads)
    for threads in THREADS:
        assert same_bits(fastadam.global_norm(grads, num_threads=threads), expected)
    exact = math.isqrt(sum(in_units(x) ** 2 for grad in grads for x in grad.tolist()) << 200)
    # Two rounds of 68 additions; squares, the root and, of subnormal norms, the division are rounded too.
    assert abs((in_units(expected) << 100) - exact) <= max(70 * exact >> 53, 2**99)


def in_units(x):
    """A float64 number as a multiple of the smallest one, 2**-1074."""
    numerator, denominator = x.as_integer_ratio()
    return numerator * (2**1074 // denominator)


def test_a_norm_beyond_float64_is_infinite():
    grad = np.full(4, 1.7e308)
    for norm in (fastadam.global_norm(grad), reference.global_norm([grad])):
        assert norm == math.inf
    for bad, expected in ((math.inf, math.inf), (math.nan, math.nan)):
        grad[2] = bad
        for norm in (fastadam.global_norm(grad), reference.global_norm([grad])):
            np.testing.assert_equal(norm, expected)
    assert fastadam.global_norm(np.full(4, 5e-324)) == 1e-323


def test_norm_of_a_large_array_equals_the_reference(isa):
    """Large enough for three rounds of sums."""
    grads = some_grads([CHUNK * CHUNK + 1, 77])
    expected = reference.global_norm(grads)
    for threads in THREADS:
        assert same_bits(_native.global_norm(grads, threads), expected), threads


@pytest.mark.parametrize("where", [0, 31, CHUNK - 1, CHUNK, 2 * CHUNK + 6])
def test_values_around_an_array_and_within_it(isa, where):
    """Nothing beside an array is read, and every element of it is."""
    zeros = np.zeros(2 * CHUNK + 7, F32)
    for value in (3.0, 1e-45, 3.4e38):
        zeros[where] = value
        guarded = Guarded([zeros], 3)  # whose guards are not zero
        assert _native.global_norm(guarded.arrays, 1) == float(F32(value))


@pytest.mark.parametrize("where", [0, 40, CHUNK, 2 * CHUNK + 6])
@pytest.mark.parametrize("threads", [1, 3])
def test_non_finite_elements_make_the_norm_so(isa, eager_threads, where, threads):
    for value, other, expected in (
        (math.inf, 1, math.inf),
        (-math.inf, 1, math.inf),
        (math.nan, 1, math.nan),
        (math.inf, math.nan, math.nan),
    ):
        grads = some_grads([5, 2 * CHUNK + 7])
        grads[1][where], grads[0][2] = value, other
        for norm in (_native.global_norm(grads, threads), reference.global_norm(grads)):
            np.testing.assert_equal(norm, expected)


def exact_norm(grads):
    """The norm as an integer, in units of 2**-449, rounded down: 300 bits below the smallest that is not zero."""
    squares = (int(x * 2.0**149) ** 2 for grad in grads for x in grad.astype(np.float64).tolist())
    return math.isqrt(sum(squares) << 600)


def relative_error(norm, exact):
    numerator, denominator = norm.as_integer_ratio()
    return abs((numerator << 449) - exact * denominator) / (exact * denominator)


@pytest.mark.parametrize(("sizes", "rounds"), [([1], 1), ([100], 1), ([CHUNK], 1), ([50_000, 3], 2), ([20] * (CHUNK + 1), 3)])
@pytest.mark.parametrize("kind", ["alike", "of all magnitudes"])
def test_error_is_within_the_bound(sizes, rounds, kind):
    """68 rounded additions a round, of which the root halves the relative error; and its own rounding."""
    rng = np.random.default_rng(1)
    grads = [rng.uniform(0.5, 1, size).astype(F32) for size in sizes] if kind == "alike" else some_grads(sizes, 1)
    assert relative_error(fastadam.global_norm(grads), exact_norm(grads)) <= (34 * rounds + 1) * U


def test_error_can_come_close_to_the_bound():
    """In each lane a one, to which 63 squares are added that are just too small to change it."""
    grad = np.full(CHUNK, 2.0**-26.51, F32)
    grad[:LANES] = 1
    norm = fastadam.global_norm(grad)
    assert norm == math.sqrt(LANES)
    assert 30 * U <= relative_error(norm, exact_norm([grad])) <= 35 * U


def test_norm_of_special_values():
    finite = SPECIAL[np.isfinite(SPECIAL)]
    assert relative_error(fastadam.global_norm(finite), exact_norm([finite])) <= 35 * U
    assert fastadam.global_norm(np.full(100, 1e-45, F32)) == 10 * float(F32(1e-45))  # squares of subnormals are not lost
    assert fastadam.global_norm(np.full(100, 3e38, F32)) == 10 * float(F32(3e38))  # more than a float32 could hold


def test_structures_that_grads_may_have():
    a, b = some_grads([6, 9])
    expected = reference.global_norm([a, b])
    for grads in (
        [a, b],
        (a, b),
        {"a": a, "b": b},
        [a.reshape(2, 3), b.reshape(3, 1, 3)],
        [None, a, None, b, None],
        {"a": a, "b": b, "c": None},
        [SimpleNamespace(__dlpack__=a.__dlpack__, __dlpack_device__=a.__dlpack_device__), b],
        [read_only(a.copy()), read_only(b.copy())],
    ):
        norm = fastadam.global_norm(grads)
        assert type(norm) is float
        assert same_bits(norm, expected)
    overlapping = [b, b, b[3:]]
    assert same_bits(fastadam.global_norm(overlapping), reference.global_norm(overlapping))
    assert same_bits(fastadam.global_norm(a.reshape(2, 3)), reference.global_norm([a]))
    assert fastadam.global_norm(np.array(-3, F32)) == 3.0


@pytest.mark.parametrize("grads", [[], (), {}, None, [None], {"a": None}, np.zeros(0, F32), [np.zeros((3, 0), F32), None]])
def test_norm_of_no_elements_is_zero(grads):
    norm = fastadam.global_norm(grads)
    assert same_bits(norm, 0.0)
    assert type(norm) is float


@pytest.mark.parametrize(("make", "error", "words"), BAD_GRADS)
def test_an_array_that_does_not_fit_is_refused(make, error, words):
    good = np.ones(6, F32)
    for name, grads in (("grads[1]", [good, make()]), ("grads['bias']", {"weight": good, "bias": make(), "x": None})):
        refuses(lambda grads=grads: fastadam.global_norm(grads), error, (name, *words), [good])
    if not isinstance(make(), list):
        refuses(lambda: fastadam.global_norm(make()), error, ("grads", *words), [])


def test_what_is_no_structure_of_arrays_is_refused():
    for grads in (1.0, 1, "weights"):
        words = (f"grads is a {type(grads).__name__}", "expected a numpy.ndarray")
        refuses(lambda grads=grads: fastadam.global_norm(grads), TypeError, words, [])
    for threads, error in ((0, ValueError), (1.5, TypeError), ("2", TypeError)):
        words = (f"num_threads is {threads!r}", "expected an integer")
        refuses(lambda threads=threads: fastadam.global_norm([], num_threads=threads), error, words, [])


@pytest.mark.parametrize("threads", [1, 2])
def test_caller_that_flushes_subnormals_gets_the_same_bits(isa, eager_threads, threads, flush_to_zero):
    grad = np.full(70_001, 1e-40, F32)
    expected = reference.global_norm([grad])
    with flush_to_zero():
        norm = fastadam.global_norm(grad, num_threads=threads)
    assert same_bits(norm, expected)


def test_python_threads_take_norms_of_the_same_gradients_at_once(eager_threads):
    grads = some_grads([100_003, 5, CHUNK])
    expected = reference.global_norm(grads)
    results = []

    def work(threads):
        results.extend(fastadam.global_norm(grads, num_threads=threads) for _ in range(20))

    workers = [threading.Thread(target=work, args=(count,)) for count in THREADS]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    finally:
        sys.setswitchinterval(interval)
    assert len(results) == 20 * len(THREADS)
    assert all(same_bits(result, expected) for result in results)
