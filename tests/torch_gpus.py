"""PyTorch's tensors on GPUs that are not there: tensors in the CPU's memory that say otherwise, beside the stand-in for GPUs.

Only what fastadam.torch asks of torch about a GPU is replaced (fastadam/torch/tensor_access.py).
"""

import contextlib
import ctypes

import torch
from torch_params import param_with_grad

import fastadam.torch
from fastadam.torch import on_gpu, tensor_access
from fastadam.torch.tensor_access import CPU

STREAM = 0x5150  # torch's current stream of GPU 0; that of the next one has the next address
_FILL = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.py_object, ctypes.c_void_p)
_CUDA = 2  # DLPack's number


class _Device(ctypes.Structure):
    """The beginning of DLPack's DLTensor."""

    _fields_ = [("data", ctypes.c_void_p), ("type", ctypes.c_int32), ("id", ctypes.c_int32)]


class _Table(ctypes.Structure):
    """DLPack's DLPackExchangeAPI."""

    _fields_ = [
        ("version", ctypes.c_uint32 * 2),
        *((name, ctypes.c_void_p) for name in ("older", "allocate", "from_object", "to_object")),
        ("fill", _FILL),
        ("current_stream", ctypes.c_void_p),
    ]


def place(tensor):
    """Where a tensor is: on GPU 0, but for 0-d ones, as torch keeps step counts; by its first dimension on GPU 1 or the CPU."""
    if tensor.ndim == 0:
        return CPU
    return {6: 1, 8: CPU}.get(tensor.shape[0], 0)


def table():
    """torch's table, whose tensors say that they are where `place` says."""
    of_capsule = ctypes.pythonapi.PyCapsule_GetPointer
    of_capsule.argtypes, of_capsule.restype = [ctypes.py_object, ctypes.c_char_p], ctypes.c_void_p
    to_capsule = ctypes.pythonapi.PyCapsule_New
    to_capsule.argtypes, to_capsule.restype = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p], ctypes.py_object
    name = b"dlpack_exchange_api"
    theirs = _Table.from_address(of_capsule(torch.Tensor.__dlpack_c_exchange_api__, name))
    ours = _Table.from_buffer_copy(theirs)

    def fill(tensor, out):
        result = theirs.fill(tensor, out)
        if (device := place(tensor)) != CPU:
            found = _Device.from_address(out)
            found.type, found.id = _CUDA, device
        return result

    ours.fill = _FILL(fill)
    ours.older = None
    capsule = to_capsule(ctypes.addressof(ours), name, None)
    _KEPT.append((ours, ours.fill, fill))
    return capsule


_KEPT = []  # which a capsule does not own


class Gpus:
    """The GPUs, and what they were asked to do."""

    def __init__(self, host_gpu):
        self._host = host_gpu
        self.stream = STREAM
        self.numbers = []  # the tensors that were made there for norms

    @property
    def launches(self):
        return [launch.kernel for launch in self._host.launches]

    @property
    def streams(self):
        """Of each launch the device and the stream."""
        return {(launch.device, launch.stream) for launch in self._host.launches}

    def current_stream(self, device):
        return self.stream + device

    def float64_numbers(self, count, device):
        self.numbers.append(torch.full((count,), float("nan"), dtype=torch.float64))
        return self.numbers[-1]


@contextlib.contextmanager
def installed(host_gpu, monkeypatch, access):
    """Within, tensors are where `place` says."""
    gpus = Gpus(host_gpu)
    monkeypatch.setattr(tensor_access, "TABLE", table() if access == "table" else None)
    monkeypatch.setattr(tensor_access, "device_of", place)
    for name in ("current_stream", "float64_numbers"):
        monkeypatch.setattr(tensor_access, name, getattr(gpus, name))
    on_gpu.missing.cache_clear()
    yield gpus
    on_gpu.missing.cache_clear()


def fail_to_compile(*_):
    """What compiles kernels, where that is impossible."""
    raise RuntimeError("CuPy could not compile")


def on_three_devices():
    """Parameters on GPU 0, the CPU and GPU 1, in two groups that have some of each; and the arrays of NumPy."""
    shapes = [(5,), (8,), (6,), (4,), (8, 2), (6, 3)]
    params = [param_with_grad(float(k), shape) for k, shape in enumerate(shapes)]
    places = [place(param) for param in params]
    assert places == [0, CPU, 1, 0, CPU, 1]
    arrays = [param.detach().numpy().copy().reshape(-1) for param in params]
    groups = [[{"params": some[:4]}, {"params": some[4:], "lr": 0.5}] for some in (params, arrays)]
    return params, fastadam.torch.Adam(groups[0], strict=True), fastadam.Adam(groups[1])
