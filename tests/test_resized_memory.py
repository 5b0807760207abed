"""NumPy memory that was resized, freed or given another meaning under an optimizer is refused; nothing is written."""

import mmap

import numpy as np
import pytest
from refusals import F32

import fastadam

# NumPy 2.5 advises against setting them, and does it.
pytestmark = pytest.mark.filterwarnings("ignore:Setting the (dtype|shape):DeprecationWarning")

SIZE = 4096
MOVED = "no longer has the memory it had"


def alone():
    array = np.ones(SIZE, F32)
    return array, array


def view():
    base = np.ones(3 * SIZE, F32)
    return base[SIZE : 2 * SIZE], base


def view_of_view():
    base = np.ones(3 * SIZE, F32)
    return base.view(np.uint8)[4 * SIZE :].view(F32)[:SIZE].reshape(2, -1), base


class Other(np.ndarray):
    pass


def view_of_another_class():
    base = np.ones(2 * SIZE, F32).view(Other)
    return np.asarray(base)[:SIZE], base.base


def as_double():
    base = np.full(SIZE, np.float64(0x3F8000003F800000 / 2**52), np.float64)  # any bits
    base.view(F32)[:] = 1
    return base.view(F32)[:SIZE], base


MADE = [alone, view, view_of_view, view_of_another_class, as_double]


def resized(to):
    return lambda array, owner: owner.resize(int(to * owner.size), refcheck=False)


def retyped(array, owner):
    array.dtype = np.int32


def narrowed(array, owner):
    array.dtype = np.float16


CHANGES = {
    "freed": (resized(0), MOVED),
    "cut off": (resized(0.2), MOVED),
    "moved": (resized(4096), MOVED),  # by so much that it does not fit in its place
    "of another type": (retyped, "has dtype"),
    "of a smaller type": (narrowed, "has dtype"),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("made", MADE)
def test_a_changed_parameter_is_refused(made, change):
    array, owner = made()
    other = np.ones(5, F32)
    optimizer = fastadam.Adam([other, array])
    grads = [np.ones(5, F32), np.ones(array.shape, F32)]
    optimizer.step(grads)
    before = other.copy()
    act, words = CHANGES[change]
    act(array, owner)
    for _ in range(2):
        with pytest.raises((ValueError, TypeError), match=rf"params\[1\] {words}"):
            optimizer.step(grads)
    assert (other == before).all()
    assert optimizer.step_count == 1


@pytest.mark.parametrize("part", ["itself", "its base"])
def test_changed_state_is_refused(part):
    param = np.ones(SIZE, F32)
    optimizer = fastadam.Adam(param)
    state = optimizer.state["exp_avg_sq"]
    if part == "itself":
        state.dtype = np.int32
    else:
        base = state
        while base.base is not None:
            base = base.base
        base.resize(0, refcheck=False)
    with pytest.raises((ValueError, TypeError), match=r"state\['exp_avg_sq'\] (has dtype|no longer has the memory)"):
        optimizer.step(np.ones(SIZE, F32))
    assert (param == 1).all()
    assert optimizer.step_count == 0


def test_a_shape_set_in_place_is_that_of_gradients_from_then_on():
    param = np.ones(6, F32)
    optimizer = fastadam.SGD(param, lr=0.5)
    param.shape = (2, 3)
    with pytest.raises(ValueError, match=r"grads has shape \(6,\); expected \(2, 3\)"):
        optimizer.step(np.ones(6, F32))
    optimizer.step(np.ones((2, 3), F32))
    assert (param == 0.5).all()


def test_a_base_that_grows_in_its_place_or_holds_more_is_used():
    base = np.ones(3 * SIZE, F32)
    optimizer = fastadam.SGD(base[:SIZE], lr=0.5)
    base.shape = (3, SIZE)
    optimizer.step(np.ones(SIZE, F32))
    assert (base[0] == 0.5).all()
    assert (base[1:] == 1).all()


def test_memory_that_is_not_numpys_keeps_itself():
    """What holds it refuses to be resized while there are arrays over it."""
    for holder in (bytearray(4 * SIZE), mmap.mmap(-1, 4 * SIZE)):
        param = np.frombuffer(holder, F32)
        optimizer = fastadam.SGD(param, lr=0.5)
        with pytest.raises(BufferError):
            holder.resize(0) if isinstance(holder, mmap.mmap) else holder.clear()
        optimizer.step(np.ones(SIZE, F32))
        assert (param == -0.5).all()
        del optimizer, param
