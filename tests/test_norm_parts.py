"""The norm of gradients that are spread over processes: the bits of the norm of the whole, or a sentence that says why not."""

import itertools
import math
import random

import numpy as np
import pytest
from refusals import F32, refuses

import fastadam
from fastadam import combined_norm, global_norm, norm_part
from fastadam.reference.gradients import CHUNK

pytest.importorskip("hypothesis", reason="hypothesis is not installed")
from hypothesis import given, settings
from hypothesis import strategies as st

sizes_of_one = st.one_of(
    st.integers(0, 70), st.builds(lambda k, d: max(k * CHUNK + d, 0), st.integers(0, 6), st.integers(-33, 33))
)
some_sizes = st.lists(sizes_of_one, min_size=1, max_size=6)


def parts_of(grads, spans, **options):
    """The parts of processes, each of which has a span of each gradient."""
    sizes = [grad.size for grad in grads]
    for each in spans:
        shards = [grad[begin:end] if begin < end else None for grad, (begin, end) in zip(grads, each, strict=True)]
        yield norm_part(shards, sizes=sizes, begins=[begin for begin, _ in each], **options)


def spans_of(sizes, cuts, together):
    """Of the gradients in a row, cut at these fractions of all, or of each gradient by itself; empty spans among them."""
    if not together:
        edges = [[0, *(int(cut * size) for cut in cuts), size] for size in sizes]
        return [[(edge[k], edge[k + 1]) for edge in edges] for k in range(len(cuts) + 1)]
    starts = [0, *itertools.accumulate(sizes)]
    edges = [0, *(int(cut * starts[-1]) for cut in cuts), starts[-1]]
    return [
        [tuple(min(max(edge - start, 0), size) for edge in span) for start, size in zip(starts, sizes, strict=False)]
        for span in itertools.pairwise(edges)
    ]


def some_grads(sizes, dtype="float32", magnitude=1.0):
    rng = np.random.default_rng(sum(sizes))
    return [(rng.uniform(0.1, 1, size) * magnitude).astype(dtype) for size in sizes]


@given(
    some_sizes,
    st.lists(st.floats(0, 1), max_size=12).map(sorted),
    st.booleans(),
    st.sampled_from(["float32", "float64"]),
    st.randoms(use_true_random=False),
)
@settings(deadline=None, derandomize=True, max_examples=300)
def test_any_cuts_in_any_order_give_the_bits_of_the_whole(sizes, cuts, together, dtype, order):
    grads = some_grads(sizes, dtype)
    parts = [*parts_of(grads, spans_of(sizes, cuts, together))]
    order.shuffle(parts)
    assert combined_norm(parts) == global_norm(grads)


@pytest.mark.parametrize("cuts", [[1 / 3], [0.2, 0.4, 0.4, 0.999999], [k / 50 for k in range(1, 50)]], ids=len)
@pytest.mark.parametrize("size", [CHUNK * CHUNK, CHUNK * CHUNK + 1, 3 * CHUNK * CHUNK + 77])
def test_a_part_of_a_large_array_is_small(cuts, size, isa, eager_threads):
    """Large enough for three levels of sums. Of the lowest two, a part has one chunk at most that begins elsewhere."""
    grad = some_grads([size])[0]
    expected = global_norm(grad)
    for threads in (1, 3):
        parts = [*parts_of([grad], spans_of([size], cuts, True), num_threads=threads)]
        assert combined_norm(parts) == expected
        assert max(map(len, parts)) < 36_000


def test_one_process_with_all_needs_little():
    grads = some_grads([CHUNK * 70 + 5] * 3)
    (part,) = parts_of(grads, spans_of([grad.size for grad in grads], [], True))
    assert len(part) < 400
    assert combined_norm([part]) == global_norm(grads)


def test_parts_are_taken_as_arrays_of_bytes_and_from_iterators():
    grads = some_grads([5000, 3])
    parts = [*parts_of(grads, spans_of([5000, 3], [0.3, 0.6], True))]
    for convert in (bytearray, memoryview, lambda part: np.frombuffer(part, np.uint8)):
        assert combined_norm(map(convert, parts)) == global_norm(grads)


def test_structures_that_arguments_may_have():
    a, b = some_grads([6, 9])
    expected = global_norm([a, b])
    shards = [([a, None], [0, 0]), ([None, b[:1]], [0, 0]), ([None, b[1:]], [0, 1])]
    for structure in (
        tuple,
        iter,
        lambda pair: {"a": pair[0], "b": pair[1]},
        lambda pair: {"x": [pair[0]], "y": {"z": pair[1]}},
    ):
        sizes = [structure([6, np.int64(9)]) for _ in shards]
        parts = [
            norm_part(structure(grads), sizes=each, begins=structure(begins))
            for (grads, begins), each in zip(shards, sizes, strict=True)
        ]
        assert combined_norm(parts) == expected
    square = b.reshape(3, 3)
    assert combined_norm([norm_part(square[:2], sizes=9, begins=0), norm_part(square[2:], sizes=9, begins=6)]) == global_norm(b)


MAGNITUDES = [1e-320, 1e-300, 1e-170, 1e-140, 1.0, 1e140, 1e170, 1e300]


@pytest.mark.parametrize("magnitude", MAGNITUDES)
@pytest.mark.parametrize("other", [0.0, 1e-310, 1.0, 1e155, math.inf, math.nan])
def test_float64_whose_squares_overflow_or_underflow(magnitude, other, isa, eager_threads):
    """The shards of one process may be of another magnitude than those of others, which cannot know."""
    grads = some_grads([CHUNK * 3 + 100, 40], "float64", magnitude)
    grads[0][CHUNK * 2 :] *= other / magnitude if other < math.inf else 1
    grads[1][7] = other if not math.isfinite(other) else grads[1][7]
    spans = spans_of([grad.size for grad in grads], [0.3, 0.66, 0.999], True)
    asked = []

    def again(scale):
        asked.append(scale)
        return parts_of(grads, spans, scale=scale)

    expected = global_norm(grads)
    np.testing.assert_equal(combined_norm(parts_of(grads, spans), again=again), expected)
    assert len(asked) <= 1
    if asked:
        with pytest.raises(OverflowError, match=r"overflow or underflow.*pass again="):
            combined_norm(parts_of(grads, spans))
    else:
        np.testing.assert_equal(combined_norm(parts_of(grads, spans)), expected)


def test_norms_that_need_no_second_round_ask_for_none():
    for dtype, value in (("float64", 0.0), ("float64", math.inf), ("float32", 1e-45), ("float32", 3e38), ("float64", 1e120)):
        grad = np.full(5000, value, dtype)
        assert combined_norm(parts_of([grad], spans_of([5000], [0.5], True))) == global_norm(grad)


def test_caller_that_flushes_subnormals_gets_the_same_bits(isa, flush_to_zero):
    grad = np.full(70_001, 1e-40, F32)
    with flush_to_zero():
        norm = combined_norm(parts_of([grad], spans_of([grad.size], [0.3, 0.7], True)))
    assert norm == global_norm(grad)


GRADS = some_grads([CHUNK * 2 + 100, 5])
SIZES = [grad.size for grad in GRADS]
FIRST, SECOND, THIRD = parts_of(GRADS, spans_of(SIZES, [0.25, 0.7], True))
(OTHER,) = parts_of(GRADS[:1], [[(0, SIZES[0])]])
(SCALED,) = parts_of(GRADS, [[(0, SIZES[0]), (0, 5)]], scale=2.0)


@pytest.mark.parametrize(
    ("parts", "error", "words"),
    [
        ([], ValueError, "parts is empty; expected the part of each process"),
        ([SECOND, THIRD], ValueError, "no part has element 0 of chunk 0 of 4 "),
        ([FIRST, THIRD], ValueError, "no part has element 1050 of chunk 0 of 4 "),
        ([FIRST, SECOND], ValueError, "no part has element 892 of chunk 1 of 4 .*; expected the parts of all processes"),
        ([FIRST, SECOND, THIRD, SECOND], ValueError, r"parts\[1\] and parts\[3\] both have element 1050 of chunk 0 of 4 "),
        ([FIRST, OTHER], ValueError, r"parts\[1\] was made with other sizes than parts\[0\]; expected parts of one whole"),
        ([FIRST, SCALED], ValueError, r"parts\[1\] was made with scale 2; expected 1"),
        ([FIRST, b""], ValueError, r"parts\[1\] is cut off; expected what norm_part returned, unchanged"),
        ([FIRST, b"x" * 100], ValueError, r"parts\[1\] is no part of a norm, or of another version, or of a machine"),
        ([FIRST + b"12345678"], ValueError, r"parts\[0\] has more bytes than a part"),
        ([FIRST, "part"], TypeError, r"parts\[1\] is a str; expected the bytes that norm_part returned, or an array of them"),
        ([FIRST, np.zeros((4, 4))[:, ::2]], TypeError, r"parts\[1\] is a ndarray; expected the bytes"),
        (FIRST, TypeError, "parts is a bytes; expected a list of the parts of all processes"),
        (None, TypeError, "parts is a NoneType; expected a list"),
    ],
)
def test_parts_that_are_no_whole_are_refused(parts, error, words):
    with pytest.raises(error, match=words):
        combined_norm(parts)


def test_a_second_round_is_checked_too():
    grads = some_grads([50], "float64", 1e200)
    parts = [*parts_of(grads, [[(0, 50)]])]
    for again, words in (
        (lambda _: [], "is empty"),
        (lambda _: None, r"again\(.*\) is a NoneType"),
        (lambda _: parts, r"parts\[0\] was made with scale 1; expected .*e-"),
    ):
        with pytest.raises((TypeError, ValueError), match=words):
            combined_norm(parts, again=again)


def test_a_damaged_part_is_refused_or_has_other_numbers():
    """Any bytes but the numbers themselves are checked, and nothing beyond the bytes is read."""
    rng, whole = random.Random(0), [FIRST, SECOND, THIRD]
    for length in range(0, len(SECOND), 7):
        with pytest.raises(ValueError, match=r"parts\[1\] is cut off"):
            combined_norm([FIRST, SECOND[:length], THIRD])
    refused = 0
    for _ in range(3000):
        which = rng.randrange(3)
        damaged = bytearray(whole[which])
        for _ in range(rng.randint(1, 3)):
            damaged[rng.randrange(len(damaged) if rng.random() < 0.5 else 80)] = rng.choice(
                [0, 1, 127, 128, 255, rng.randrange(256)]
            )
        try:
            combined_norm([*whole[:which], bytes(damaged), *whole[which + 1 :]])
        except (ValueError, OverflowError):
            refused += 1
    assert refused > 1000


@pytest.mark.parametrize(
    ("changed", "error", "words"),
    [
        (
            {"begins": [0, 2]},
            ValueError,
            ("begins[1] is 2", "grads[1] has 3 elements", "sizes[1] is 4", "expected elements of"),
        ),
        ({"begins": [0, 5]}, ValueError, ("begins[1] is 5", "sizes[1] is 4")),
        ({"begins": [0, -1]}, ValueError, ("begins[1] is -1", "expected 0 to 2**55 - 1")),
        ({"begins": [0, 2**63]}, ValueError, ("begins[1] is 9223372036854775808", "expected 0 to 2**55 - 1")),
        ({"begins": [0, 1.0]}, TypeError, ("begins[1] is 1.0", "expected an integer")),
        ({"begins": [0]}, ValueError, ("begins has 1 members, but grads has 2",)),
        ({"sizes": {"a": 5}}, TypeError, ("sizes is a dict, but grads is a sequence",)),
        ({"sizes": [2**54, 2**54]}, ValueError, ("sizes add up to", "expected fewer than 2**55 elements")),
        ({"scale": 3.0}, ValueError, ("scale is 3.0", "expected a power of two")),
        ({"scale": math.inf}, ValueError, ("scale is inf", "expected a power of two")),
        ({"scale": 0}, ValueError, ("scale is 0", "expected a number > 0")),
        ({"num_threads": 0}, ValueError, ("num_threads is 0",)),
        (
            {"grads": [np.ones(5, F32), np.ones(3)]},
            TypeError,
            ("grads[1] has dtype", "expected float32, the dtype of grads[0]"),
        ),
        ({"grads": [np.ones(5, F32), np.ones(6, F32)[::2]]}, ValueError, ("grads[1]", "does not fill its memory")),
        ({"grads": [np.ones(5, F32), [1.0] * 3]}, TypeError, ("grads[1] is a list", "expected a numpy.ndarray")),
        ({"grads": [np.ones(5, F32), np.ones(2, np.complex64)]}, TypeError, ("grads[1] is complex", "g.view(g.real.dtype)")),
        ({"grads": []}, ValueError, ("grads is an empty list",)),
    ],
    ids=str,
)
def test_what_a_part_cannot_be_made_of_is_refused(changed, error, words):
    fits = {"grads": [np.ones(5, F32), np.ones(3, F32)], "sizes": [5, 4], "begins": [0, 1]}
    norm_part(fits["grads"], sizes=fits["sizes"], begins=fits["begins"])
    arguments = fits | changed
    refuses(lambda: norm_part(arguments.pop("grads"), **arguments), error, words, [])


def test_complex_gradients_have_parts_by_their_views():
    grad = (np.arange(5000) + 1j).astype(np.complex64)
    pairs = [grad[begin:end].view(grad.real.dtype) for begin, end in ((0, 1001), (1001, 5000))]
    parts = [norm_part(pair, sizes=10_000, begins=begin) for pair, begin in zip(pairs, (0, 2002), strict=True)]
    assert combined_norm(parts) == global_norm(grad)


def test_arrays_on_a_gpu_are_refused(device):
    grad = device.upload(np.ones(5, F32))
    with pytest.raises(ValueError, match=r"grads\[0\] is on a GPU; expected arrays in the CPU's memory.*cupy.asnumpy"):
        norm_part([grad], sizes=[5], begins=[0])


def test_shards_step_as_the_whole_does():
    """Each process clips by the norm of all."""
    rng = np.random.default_rng(0)
    whole = [rng.standard_normal(size).astype(F32) for size in SIZES]
    shards = [array.copy() for array in whole]
    fastadam.AdamW(whole).step(GRADS, max_norm=0.1)
    parts = [FIRST, SECOND, THIRD]
    for spans in spans_of(SIZES, [0.25, 0.7], True):
        cut = [slice(*span) for span in spans]
        optimizer = fastadam.AdamW([array[each] for array, each in zip(shards, cut, strict=True)])
        norm = optimizer.step(
            [grad[each] for grad, each in zip(GRADS, cut, strict=True)], norm=combined_norm(parts), max_norm=0.1
        )
        assert norm == global_norm(GRADS)
    for shard, array in zip(shards, whole, strict=True):
        assert shard.tobytes() == array.tobytes()
