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
