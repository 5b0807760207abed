"""Memory that another library's array gave up, or moved, is refused at the next step; nothing is written."""

import numpy as np
import pytest

import fastadam

torch = pytest.importorskip("torch", reason="torch is not installed")
SIZE = 5000
MOVED = "no longer has the memory it had"


def replace_data(tensor):
    tensor.data = torch.ones(SIZE)


def set_other(tensor):
    tensor.set_(torch.ones(SIZE))


def change_type_and_back(tensor):
    double = tensor.data.double()
    single = double.float()  # made while the old memory is in use, so that it cannot be at the same address
    tensor.data = double
    tensor.data = single


def grow(tensor):
    tensor.resize_(2 * SIZE)


def free(tensor):
    tensor.untyped_storage().resize_(0)


def widen(tensor):
    tensor.data = tensor.data.double()


CHANGES = [(change, MOVED) for change in (replace_data, set_other, change_type_and_back, grow, free)] + [(widen, "has dtype")]


@pytest.mark.parametrize(("change", "words"), CHANGES)
@pytest.mark.parametrize("during_export", [False, True])
def test_a_tensor_that_moved_is_refused(change, words, during_export):
    tensor, other = torch.ones(SIZE), np.ones(SIZE, np.float32)
    optimizer = fastadam.SGD({"other": other, "tensor": tensor}, lr=1.0)
    grad = np.ones(SIZE, np.float32)

    class ChangesWhenExported:
        def __dlpack_device__(self):
            return grad.__dlpack_device__()

        def __dlpack__(self, **options):
            change(tensor)
            return grad.__dlpack__(**options)

    if not during_export:
        change(tensor)
    with pytest.raises((ValueError, TypeError), match=rf"params\['tensor'\] {words}"):
        optimizer.step({"other": grad, "tensor": ChangesWhenExported() if during_export else grad})
    assert (other == 1).all()
    if change is not free:
        assert (tensor[:SIZE] == 1).all()
    assert optimizer.step_count == 0


def test_what_an_array_says_of_itself_counts_and_not_its_export():
    """An export of memory that is gone may have the address it had."""
    memory = np.ones(SIZE, np.float32)

    class Array:
        dtype, moved = "float32", 0
        __dlpack__, __dlpack_device__ = memory.__dlpack__, memory.__dlpack_device__
        shape = memory.shape

        def data_ptr(self):
            return memory.ctypes.data + self.moved

        def numel(self):
            return SIZE

    array = Array()
    optimizer = fastadam.SGD({"array": array}, lr=1.0)
    optimizer.step({"array": memory.copy()})
    array.moved = 4
    with pytest.raises(ValueError, match=rf"params\['array'\] {MOVED}"):
        optimizer.step({"array": memory.copy()})
    assert (memory == 0).all()
