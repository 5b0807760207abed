"""Arrays of more than 2**31 elements, in the memory of a small machine.

All but the end of each array is the same small piece of memory, mapped repeatedly. The end, beyond element 2**31, has its own
memory, which the tests check.
"""

import ctypes
import mmap
import os
import sys

import numpy as np
import pytest
from buffers import assert_same_bits, random_inputs

import fastadam

CHUNK = 1 << 26  # bytes
MIDDLE = (1 << 33) // CHUNK  # chunks before element 2**31
TAIL = 1000  # elements after it
MAP_FIXED = 0x10

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="maps memory by Linux's rules"),
    pytest.mark.skipif(bool(os.environ.get("FASTADAM_TEST_EMULATOR")), reason="takes hours on an emulated CPU"),
]


class HugeArray:
    """2**31 + TAIL floats; `tail` is the part that is not mapped more than once."""

    def __init__(self):
        libc = ctypes.CDLL(None, use_errno=True)
        libc.mmap.restype = ctypes.c_void_p
        libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_int64]
        libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
        self._libc, self._size = libc, (MIDDLE + 1) * CHUNK
        memory = os.memfd_create("chunk")
        os.ftruncate(memory, CHUNK)
        read_write, shared = mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_SHARED | MAP_FIXED
        self._address = libc.mmap(None, self._size, read_write, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)
        for i in range(MIDDLE):
            assert libc.mmap(self._address + i * CHUNK, CHUNK, read_write, shared, memory, 0) == self._address + i * CHUNK
        os.close(memory)
        self.array = np.ctypeslib.as_array((ctypes.c_float * (2**31 + TAIL)).from_address(self._address))
        self.tail = self.array[2**31 :]

    def free(self):
        del self.array, self.tail
        self._libc.munmap(self._address, self._size)


@pytest.fixture
def huge_arrays():
    arrays = [HugeArray() for _ in range(4)]
    yield arrays
    for array in arrays:
        array.free()


def test_more_than_two_to_the_31_elements(huge_arrays):
    inputs = random_inputs(TAIL, 2, special=0)
    for huge, values in zip(huge_arrays, inputs, strict=True):
        assert huge.array.size > 2**31
        huge.tail[:] = values
    fastadam.adam_step(*(huge.array for huge in huge_arrays), step=1, num_threads=3)
    fastadam.reference.adam_step(*inputs, step=1)
    for huge, expected in zip(huge_arrays, inputs, strict=True):
        assert_same_bits(huge.tail, expected)


def test_norm_of_more_than_two_to_the_31_elements():
    huge, tail = HugeArray(), random_inputs(TAIL, 0, special=0)[0]  # zeros before the tail, which fill whole chunks
    huge.tail[:] = tail
    norm = fastadam.global_norm(huge.array, num_threads=3)
    huge.free()
    assert norm == fastadam.reference.global_norm([tail])
