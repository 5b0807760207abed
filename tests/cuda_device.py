"""What tests of the CUDA backend run on: the stand-in for GPUs (cuda_host.py), and a GPU (gpu/arrays.py).

A test that takes the fixture `device` is written once and runs on both.
"""

import numpy as np
from buffers import GUARD, GUARD_SIZE
from gpu import arrays

from fastadam.at_once import at_once

ALIGNMENT = 16  # bytes that the kernels move at once


class Host:
    """GPUs that are not there: arrays over the CPU's memory, kernels run by the CPU."""

    count = 2
    large = 3000  # elements of what is large here

    def __init__(self, gpu):
        self._gpu = gpu

    def upload(self, values, offset=0, device=0):
        """A copy on a device, `offset` elements after an aligned address."""
        import cuda_host

        return cuda_host.on_gpu(values, device, offset)

    def download(self, array):
        """A copy in the CPU's memory, made after all that its device has been asked to do."""
        return self._gpu.to_host(array)

    def write(self, array, values):
        """Overwrite a contiguous array on a device with values of its shape and dtype."""
        at_once([self._gpu.assignment(array, values)])

    def capture(self):
        """What is launched within becomes a graph, and is not done. Gives a function that replays it."""
        return self._gpu.capture()


class Real:
    """The GPUs of this machine."""

    large = 1_000_003
    upload = staticmethod(arrays.to_gpu)
    download = staticmethod(arrays.to_cpu)
    write = staticmethod(arrays.write)
    capture = staticmethod(arrays.captured)

    @property
    def count(self):
        return arrays.device_count()


class Guarded:
    """Copies of arrays on a device, each as many elements after an aligned address as `offsets` says, with guards between."""

    def __init__(self, device, arrays, offsets):
        places = []
        end, width = 0, ALIGNMENT // arrays[0].itemsize
        for array, offset in zip(arrays, offsets, strict=False):
            start = -(-(end + GUARD_SIZE) // width) * width + offset
            end = start + array.size
            places.append(slice(start, end))
        room = np.full(end + GUARD_SIZE, GUARD, arrays[0].dtype)
        for array, place in zip(arrays, places, strict=True):
            room[place] = array.reshape(-1)
        self._device, self._places = device, places
        self._room = device.upload(room)
        self.arrays = [self._room[place].reshape(array.shape) for array, place in zip(arrays, places, strict=True)]

    def contents(self):
        """The arrays as they are now, on the CPU, once it is clear that the guards are what they were."""
        room = self._device.download(self._room)
        contents = [room[place].copy().reshape(a.shape) for a, place in zip(self.arrays, self._places, strict=True)]
        for place in self._places:
            room[place] = GUARD
        np.testing.assert_array_equal(room, room.dtype.type(GUARD))
        return contents
