"""What tests share that run on a GPU alone."""

import gc

import cuda_device
import pytest
from gpu import arrays


@pytest.fixture
def device():
    return cuda_device.Real()


@pytest.fixture
def cupy():
    return arrays.library()


@pytest.fixture
def torch():
    """PyTorch, with CUDA."""
    torch = pytest.importorskip("torch", reason="needs PyTorch")
    if not torch.cuda.is_available():
        pytest.skip("needs PyTorch with CUDA")
    return torch


@pytest.fixture
def stream(cupy):
    """A stream that waits for no other, not even for the default one."""
    return cupy.cuda.Stream(non_blocking=True)


@pytest.fixture
def spin():
    """Keeps the current stream busy for so many seconds."""
    arrays.spin(0)
    return arrays.spin


@pytest.fixture
def room_for(cupy):
    """Skips a test for which a GPU's memory is too small; frees what the test used."""

    def expect(size):
        cupy.get_default_memory_pool().free_all_blocks()
        free, total = cupy.cuda.runtime.memGetInfo()
        if free < size:
            pytest.skip(f"needs {size / 1e9:.1f} GB of a GPU's memory, of which {free / 1e9:.1f} of {total / 1e9:.1f} are free")

    yield expect
    gc.collect()
    cupy.get_default_memory_pool().free_all_blocks()
