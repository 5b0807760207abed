"""Arrays whose dimensions have any order in memory: stepped where they are, with the bits of C-contiguous twins.

What does not fill its memory, or has another order than its parameter, is refused. Steps on GPUs: test_cuda_layouts.py.
"""

import copy
import io
import pickle
import re

import numpy as np
import pytest
from buffers import assert_same_bits
from refusals import F32, refuses
from variants import KINDS

import fastadam
from fastadam import reference


def strided(shape, strides, values):
    """An array with these strides, counted in elements."""
    reach = 1 + sum((n - 1) * step for n, step in zip(shape, strides, strict=True)) if np.prod(shape) else 1
    array = np.lib.stride_tricks.as_strided(np.zeros(reach, F32), shape, [4 * step for step in strides])
    array[...] = values
    return array


# The shape, and the strides in elements. Those of dimensions of size 1, and of arrays without elements, mean nothing.
C_ORDER = {
    "C": ((3, 4), (4, 1)),
    "size 1": ((3, 1, 4), (4, 77, 1)),
    "size 1 first": ((1, 5), (1, 1)),
    "0-d": ((), ()),
    "empty": ((0, 3), (1, 5)),
}
OTHERS = {
    "Fortran": ((3, 4), (1, 3)),
    "Fortran, 3-d": ((2, 3, 4), (1, 2, 6)),
    "transposed, 3-d": ((4, 2, 3), (1, 12, 4)),
    "channels last": ((2, 3, 4, 5), (60, 1, 15, 3)),
    "Fortran, size 1": ((3, 1, 4), (1, 50, 3)),
    "Fortran, large": ((70, 90), (1, 70)),
}
DENSE = C_ORDER | OTHERS
NOT_DENSE = {
    "every second row": ((3, 4), (8, 1)),
    "every second": ((6,), (2,)),
    "a gap between columns": ((3, 4), (1, 4)),
    "repeated": ((3, 4), (0, 1)),
    "overlapping": ((3, 4), (2, 1)),
}

every_layout = pytest.mark.parametrize("layout", DENSE.values(), ids=DENSE)
every_other = pytest.mark.parametrize("layout", OTHERS.values(), ids=OTHERS)


def values(shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(F32)


def everything_of(optimizer):
    """The arrays of an optimizer of one parameter."""
    return [*optimizer._members.params, *optimizer.state.values()]


def pair(layout, seed=0):
    """Equal values with the strides of a layout and in C order."""
    shape, strides = layout
    return strided(shape, strides, values(shape, seed)), values(shape, seed)


def train(optimizer, layouts, steps=3, **options):
    for t in range(steps):
        optimizer.step([strided(*layout, values(layout[0], 7 + t)) for layout in layouts], **options)


def assert_same(optimizer, twin):
    """All that two optimizers own has the same elements, by index."""
    for array, other in zip(owned(optimizer), owned(twin), strict=True):
        assert array.shape == other.shape
        assert_same_bits(np.ascontiguousarray(array), np.ascontiguousarray(other))


def owned(optimizer):
    members = optimizer._members
    return [*members.params, *(array for state in members.states for array in state.values())]


def plain(layout):
    """The same shape in C order."""
    return layout[0], [int(np.prod(layout[0][d + 1 :])) for d in range(len(layout[0]))]


@every_layout
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_each_order_has_the_bits_of_c_order(kind, layout):
    (param, other), layouts = pair(layout), [layout, C_ORDER["C"]]
    optimizer = kind.cls([param, values((3, 4))], ema_decay=0.5)
    twin = kind.cls([other, values((3, 4))], ema_decay=0.5)
    for options in ({}, {"clip_value": 0.5, "grad_scale": 0.5, "num_threads": 2}):
        train(optimizer, layouts, **options)
        train(twin, [plain(layout), C_ORDER["C"]], **options)
    assert_same(optimizer, twin)
    for array in list(optimizer.state[0].values())[1:]:
        steps = zip(param.shape, param.strides, array.strides, strict=True)
        assert param.size == 0 or all(n == 1 or step == expected for n, step, expected in steps)


@every_other
def test_a_stateless_step(layout):
    arrays, copies = zip(*(pair(layout, seed) for seed in range(4)), strict=True)
    for moments in (arrays[3], copies[3]):
        np.abs(moments, out=moments)
    fastadam.adam_step(*arrays, step=3, lr=0.5)
    fastadam.adam_step(*copies, step=3, lr=0.5)
    for array, other in zip(arrays, copies, strict=True):
        assert_same_bits(np.ascontiguousarray(array), other)


@pytest.mark.parametrize("layout", NOT_DENSE.values(), ids=NOT_DENSE)
@pytest.mark.parametrize("backwards", [False, True])
def test_what_does_not_fill_its_memory_is_refused(layout, backwards):
    array = strided(*layout, 1)
    if backwards:
        array = values((6,))[::-1] if array.ndim == 1 else np.asfortranarray(values((3, 4)))[:, ::-1]
    words = ("params does not fill its memory without gaps", f"strides {array.strides}", "numpy.ascontiguousarray(w)")
    refuses(lambda: fastadam.Adam(array), ValueError, words, [array])
    with pytest.raises(ValueError, match=r"grads does not fill its memory .*pass numpy.ascontiguousarray\(g\)"):
        fastadam.global_norm(array)
    param = np.ones(array.shape, F32)
    optimizer = fastadam.Adam(param)
    words = ("grads is laid out otherwise than params", f"strides {array.strides}", f"expected the strides {param.strides}")
    refuses(lambda: optimizer.step(array), ValueError, words, everything_of(optimizer), optimizer)


@every_other
@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_a_gradient_in_another_order_is_copied_by_the_caller(layout, library):
    (param, other), grad = pair(layout), values(layout[0], 1)
    optimizer, twin = fastadam.Adam(param), fastadam.Adam(other)
    scope = {"numpy": np, "torch": pytest.importorskip("torch") if library == "torch" else None}
    scope["g"] = scope["torch"].from_numpy(grad) if library == "torch" else grad
    before = [array.tobytes() for array in everything_of(optimizer)]
    with pytest.raises(ValueError, match="grads is laid out otherwise than params") as refused:
        optimizer.step(scope["g"])
    assert [array.tobytes() for array in everything_of(optimizer)] == before
    optimizer.step(eval(re.search(r"pass ([^;]*) for a gradient g$", str(refused.value))[1], scope))
    twin.step(grad)
    assert_same(optimizer, twin)


def test_state_in_another_order_is_refused():
    param, grad, exp_avg, exp_avg_sq = np.asfortranarray(values((3, 4))), *(np.asfortranarray(values((3, 4))) for _ in range(3))
    arrays = [param, grad, np.ascontiguousarray(exp_avg), exp_avg_sq]
    words = ("exp_avg is laid out otherwise than param", "expected the strides (4, 12)", "rebind first, w = ")
    refuses(lambda: fastadam.adam_step(*arrays, step=1), ValueError, words, arrays)


def test_shapes_are_refused_as_shapes():
    optimizer = fastadam.Adam(np.asfortranarray(values((3, 4))))
    for shape in [(4, 3), (12,), (3, 4, 1)]:
        words = (f"grads has shape {shape}", "expected (3, 4)")
        refuses(lambda shape=shape: optimizer.step(np.ones(shape, F32)), ValueError, words, everything_of(optimizer))


@every_layout
def test_the_norm_sums_in_the_order_of_memory(layout):
    array, _ = pair(layout)
    in_memory = array.ravel(order="K")
    expected = reference.global_norm([in_memory])
    assert fastadam.global_norm(array) == fastadam.global_norm(in_memory) == reference.global_norm([array]) == expected
    optimizer = fastadam.SGD(array.copy(order="K"))
    assert optimizer.step(array, max_norm=0.5) == expected


@every_other
def test_the_first_that_is_not_finite_is_named_by_its_index(layout):
    param, grad = strided(*layout, 1), strided(*layout, 1)
    index = (*(n - 1 for n in param.shape[:-1]), 0)
    grad[index] = np.nan
    with pytest.raises(FloatingPointError, match=rf"it has nan at \{str([*index])[:-1]}\]"):
        fastadam.Adam(param).step(grad, skip_nonfinite="raise")


def saved(optimizer):
    file = io.BytesIO()
    optimizer.save(file)
    return file.getvalue()


@every_layout
def test_files_and_state_dicts_hold_elements_by_index(layout):
    (param, other), layouts = pair(layout), (layout, plain(layout))
    first, second = fastadam.Adam([param], ema_decay=0.5), fastadam.Adam([other], ema_decay=0.5)
    train(first, layouts[:1])
    train(second, layouts[1:])
    assert saved(first) == saved(second)
    for source, target_layout in ((second, layout), (first, plain(layout))):
        for load in ("load", "load_state_dict"):
            target = fastadam.Adam([strided(*target_layout, source._members.params[0])], ema_decay=0.5)
            getattr(target, load)(io.BytesIO(saved(source)) if load == "load" else source.state_dict())
            assert_same(target, source)
            train(target, [target_layout], 1)
            fresh = copy.deepcopy(source)
            train(fresh, [layout if source is first else plain(layout)], 1)
            assert_same(target, fresh)


@every_layout
@pytest.mark.parametrize("how", [copy.copy, copy.deepcopy, lambda each: pickle.loads(pickle.dumps(each))])
def test_copies_go_on(layout, how):
    param, other = pair(layout)
    optimizer, twin = fastadam.Adam([param]), fastadam.Adam([other])
    train(optimizer, [layout])
    train(twin, [plain(layout)], 4)
    copied = how(optimizer)
    (own,) = copied._members.params
    grad = own.copy(order="K")  # a pickle keeps Fortran's order, but no other than those two
    grad[...] = values(layout[0], 10)
    copied.step([grad])
    assert_same(copied, twin) if how is not copy.copy else assert_same_bits(np.ascontiguousarray(param), other)


@every_layout
def test_groups_flat_buffers_and_added_parameters(layout):
    (param, other), (added, added_other) = pair(layout), pair(layout, 1)
    optimizer, twin = (fastadam.AdamW([{"params": [p], "lr": 0.5}, {"params": [values((3, 4))]}]) for p in (param, other))
    optimizer.add_param_group({"params": [added]})
    twin.add_param_group({"params": [added_other]})
    train(optimizer, [layout, C_ORDER["C"], layout], max_norm=1e9)
    train(twin, [plain(layout), C_ORDER["C"], plain(layout)], max_norm=1e9)
    assert_same(optimizer, twin)
    flat, view = fastadam.flatten(param)
    assert_same_bits(view, other)
    assert_same_bits(flat, other.reshape(-1))
