"""Arrays on a GPU for tests: there and back, and the few other things that the tests ask of CuPy.

CuPy is imported when the first test wants it, so that these tests can be collected, and be skipped, without it.
"""

import contextlib
import functools
import importlib.util
import warnings

import numpy as np

from fastadam.backends import layouts

# Keeps a stream busy without touching memory. The timer counts nanoseconds.
_SPIN = r"""
extern "C" __global__ void spin(unsigned long long nanoseconds) {
  unsigned long long start, now;
  asm volatile("mov.u64 %0, %globaltimer;" : "=l"(start));
  do {
    asm volatile("mov.u64 %0, %globaltimer;" : "=l"(now));
  } while (now - start < nanoseconds);
}
"""


@functools.cache
def missing():
    """What a test on a GPU lacks here, in words; None if there is all."""
    if importlib.util.find_spec("cupy") is None:
        return "CuPy is not installed"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of toolkits that it has not found; what is needed will be asked for
            cupy = library()
    except ImportError as error:
        return f"CuPy cannot be imported ({error})"
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        return f"there is no driver or GPU that CuPy {cupy.__version__} can use ({error})"
    return None if count else "there is no GPU"


def library():
    """CuPy."""
    import cupy

    return cupy


def device_count():
    return library().cuda.runtime.getDeviceCount()


def to_gpu(values, offset=0, device=0):
    """A copy on a device, `offset` elements after an aligned address, which every stream may use.

    Its dimensions have the same order in memory.
    """
    cupy = library()
    values = np.asarray(values)
    with cupy.cuda.Device(device):
        array = layouts.shaped(cupy.empty(values.size + offset, values.dtype)[offset:], values)
        write(layouts.in_order(array), values.transpose(layouts.axes(array.shape, array.strides)))
    return array


def to_cpu(array):
    """A copy in the CPU's memory, made after all that its device has been asked to do."""
    cupy = library()
    with array.device:
        cupy.cuda.runtime.deviceSynchronize()
        return cupy.asnumpy(array)


def write(array, values):
    """Overwrite a contiguous array on a GPU with values of its shape and dtype."""
    cupy = library()
    with array.device:
        array.set(np.asarray(values))
        cupy.cuda.get_current_stream().synchronize()


def copy(target, source):
    """Queue a copy between arrays of one device on the current stream."""
    target.data.copy_from_device_async(source.data, source.nbytes)


@functools.cache
def _spin_kernel():
    return library().RawKernel(_SPIN, "spin")


def spin(seconds):
    """Keep the current stream busy for so long; returns at once, if a first call with 0 has compiled it."""
    _spin_kernel()((1,), (1,), (np.uint64(seconds * 1e9),))


@contextlib.contextmanager
def captured():
    """What is queued within becomes a CUDA graph, and is not done.

    Gives a function that replays it, after all that the device has been asked to do before, and waits for it.
    """
    cupy = library()
    stream = cupy.cuda.Stream(non_blocking=True)
    graphs = []

    def replay():
        cupy.cuda.runtime.deviceSynchronize()
        graphs[0].launch(stream)
        stream.synchronize()

    with stream:
        stream.begin_capture()
        try:
            yield replay
        finally:
            graphs.append(stream.end_capture())
