"""What tests on a GPU share: they are skipped where there is none, and say what is missing."""

import gc

import pytest
from gpu import arrays


def pytest_runtest_setup(item):
    if reason := arrays.missing():
        pytest.skip(f"needs a GPU: {reason}")


@pytest.fixture
def cupy():
    return arrays.library()


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
def second_gpu():
    """The number of a GPU that is not the current one."""
    if arrays.device_count() < 2:
        pytest.skip("needs two GPUs")
    return 1


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
