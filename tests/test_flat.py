"""flatten(): one aligned buffer, and views of it that are what was given."""

import os
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from refusals import F32

import fastadam

SHAPES = [(2, 3), (), (0, 5), (7,), (1, 1, 4)]


def random_arrays(shapes=SHAPES):
    rng = np.random.default_rng(0)
    return [rng.standard_normal(shape).astype(F32) for shape in shapes]


def concatenated(arrays):
    return np.concatenate([array.reshape(-1) for array in arrays])


@pytest.mark.parametrize("count", range(1, 40))
def test_the_buffer_is_aligned_and_has_no_gaps(count):
    arrays = random_arrays([(k,) for k in range(count)])
    flat, views = fastadam.flatten(arrays)
    assert flat.size == 0 or flat.ctypes.data % 64 == 0
    assert flat.flags.c_contiguous
    assert flat.shape == (sum(range(count)),)
    np.testing.assert_array_equal(flat, concatenated(arrays))
    for view, array in zip(views, arrays, strict=True):
        np.testing.assert_array_equal(view, array)


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda arrays: arrays, tuple),
        (tuple, tuple),
        (iter, tuple),
        (lambda arrays: dict(zip("abcde", arrays, strict=True)), dict),
        (lambda arrays: arrays[0], np.ndarray),
    ],
)
def test_views_have_the_structure_and_share_the_memory(make, kind):
    arrays = random_arrays()
    flat, views = fastadam.flatten(make(arrays))
    assert isinstance(views, kind)
    members = [views] if kind is np.ndarray else [*views.values()] if kind is dict else views
    for view, array in zip(members, arrays, strict=kind is not np.ndarray):
        assert view.shape == array.shape
        np.testing.assert_array_equal(view, array)
        assert view.size == 0 or np.shares_memory(view, flat)
    flat += 1
    np.testing.assert_array_equal(members[0], arrays[0] + 1)
    assert not any(np.shares_memory(flat, array) for array in arrays)


def test_any_layout_will_do():
    array = np.arange(12, dtype=F32).reshape(3, 4)
    flat, (transposed, strided, backwards) = fastadam.flatten([array.T, array[:, ::2], array[::-1]])
    np.testing.assert_array_equal(transposed, array.T)
    np.testing.assert_array_equal(strided, array[:, ::2])
    np.testing.assert_array_equal(backwards, array[::-1])
    assert flat.size == 12 + 6 + 12


def test_an_optimizer_of_the_buffer_gives_the_bits_of_one_of_the_arrays():
    arrays, grads = random_arrays(), random_arrays()
    flat, views = fastadam.flatten(arrays)
    fastadam.AdamW(arrays).step(grads)
    fastadam.AdamW(flat).step(fastadam.flatten(grads)[0])
    for view, array in zip(views, arrays, strict=True):
        np.testing.assert_array_equal(view, array)


@pytest.mark.parametrize(
    ("bad", "error", "words"),
    [
        (np.ones(3), TypeError, r"arrays\[1\] has dtype '<f8' \(float64\); expected float32"),
        (np.ones(3, np.dtype(F32).newbyteorder()), TypeError, r"arrays\[1\] has dtype '>f4'.*expected float32, .* in native"),
        ([1.0], TypeError, r"arrays\[1\] is a list; expected a numpy.ndarray"),
        (None, TypeError, r"arrays\[1\] is a NoneType; expected a numpy.ndarray"),
    ],
)
def test_what_does_not_fit_is_refused(bad, error, words):
    with pytest.raises(error, match=words):
        fastadam.flatten([np.ones(2, F32), bad])
    with pytest.raises(error, match=words.replace(r"\[1\]", r"\['b'\]")):
        fastadam.flatten({"a": np.ones(2, F32), "b": bad})


@pytest.mark.parametrize("empty", [[], (), {}])
def test_nothing_is_refused(empty):
    with pytest.raises(ValueError, match=r"arrays is an empty .*expected at least one"):
        fastadam.flatten(empty)


def test_torch_tensors():
    torch = pytest.importorskip("torch")
    flat, (view,) = fastadam.flatten([torch.arange(6.0).reshape(2, 3)])
    assert isinstance(flat, np.ndarray)
    np.testing.assert_array_equal(view, np.arange(6).reshape(2, 3))


def test_on_a_gpu(device):
    arrays = random_arrays()
    flat, views = fastadam.flatten([device.upload(array, offset=k) for k, array in enumerate(arrays)])
    assert flat.data.ptr % 64 == 0
    np.testing.assert_array_equal(device.download(flat), concatenated(arrays))
    for view, array in zip(views, arrays, strict=True):
        np.testing.assert_array_equal(device.download(view), array)
    assert views[3].data.ptr == flat.data.ptr + 4 * 7
    with pytest.raises(ValueError, match=r"arrays\[1\] is in the CPU's memory, but arrays\[0\] is on GPU 0"):
        fastadam.flatten([device.upload(np.ones(2, F32)), np.ones(2, F32)])
    with pytest.raises(TypeError, match=r"arrays\[0\] has dtype '<f2'"):
        fastadam.flatten([device.upload(np.ones(2, np.float16))])


@pytest.mark.skipif(sys.platform != "linux", reason="reads how Linux maps the memory")
@pytest.mark.skipif("FASTADAM_TEST_EMULATOR" in os.environ, reason="an emulator need not pass advice on")
@pytest.mark.skipif(os.environ.get("NUMPY_MADVISE_HUGEPAGE") == "0", reason="huge pages are turned off")
def test_a_large_buffer_is_advised_to_have_huge_pages():
    flat, _ = fastadam.flatten([np.ones(4_000_000, F32)])
    middle = flat.ctypes.data + flat.nbytes // 2
    for mapping in re.split(r"\n(?=[0-9a-f]+-[0-9a-f]+ )", Path("/proc/self/smaps").read_text()):
        begin, end = (int(address, 16) for address in mapping.split(" ")[0].split("-"))
        if begin <= middle < end:
            flags = re.search(r"^VmFlags:(.*)$", mapping, re.MULTILINE)
            assert flags is None or "hg" in flags[1].split()  # some kernels do not say
            return
    raise AssertionError("the buffer is not mapped")


def test_masked_arrays_are_refused():
    values = np.ma.masked_array(np.ones(3, np.float32), [True, False, False])
    with pytest.raises(TypeError, match=r"arrays\['b'\] is a masked array.*expected an array without a mask"):
        fastadam.flatten({"a": np.ones(3, np.float32), "b": values})


class OnlyDLPack:
    """An array with nothing but its export."""

    def __init__(self, values):
        self._values = values

    def __dlpack_device__(self):
        return self._values.__dlpack_device__()

    def __dlpack__(self, **options):
        return self._values.__dlpack__(**options)


def test_arrays_with_nothing_but_dlpack():
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    flat, views = fastadam.flatten([OnlyDLPack(values)])
    assert views[0].shape == (2, 3)
    assert np.shares_memory(views[0], flat)
    assert np.array_equal(views[0], values)
    fastadam.SGD(OnlyDLPack(values), lr=1.0).step(OnlyDLPack(views[0]))
    assert not values.any()
    assert fastadam.global_norm([OnlyDLPack(flat)]) == np.sqrt(55.0)


@pytest.mark.parametrize(
    ("bad", "error", "words"),
    [
        (np.zeros(6, np.float64), TypeError, "has dtype '<f8'"),
        (np.zeros(5, np.float32), ValueError, r"has shape \(5,\); expected \(6,\)"),
        (np.zeros(12, np.float32)[::2], ValueError, r"shape \(6,\), strides \(8,\)"),
    ],
)
def test_refusals_of_arrays_with_nothing_but_dlpack_say_what_was_found(bad, error, words):
    with pytest.raises(error, match=words):
        fastadam.SGD(OnlyDLPack(np.zeros(6, np.float32)), lr=1.0).step(OnlyDLPack(bad))


def test_a_gradient_with_nothing_but_dlpack_that_is_not_finite_is_found():
    optimizer = fastadam.SGD(np.zeros((2, 3), np.float32), lr=1.0)
    bad = np.array([[0, 0, 0], [0, np.nan, 0]], np.float32)
    with pytest.raises(FloatingPointError, match=r"nan at \[1, 1\]"):
        optimizer.step(OnlyDLPack(bad), skip_nonfinite="raise")
