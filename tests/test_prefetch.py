"""How far ahead large steps prefetch: chosen by the CPU's vendor or the environment, and never seen in a result."""

import os
from pathlib import Path

import pytest
from buffers import Guarded, assert_same_bits, random_inputs
from variants import ONE_OF_EACH

from fastadam import _native
from fastadam._native import StepOptions
from fastadam.backends import cpu

PRINT = "import fastadam; print(fastadam._native.prefetch_distance())"
SIZE = (1 << 18) + 35  # from 2**18 elements on; not whole blocks
OFFSET = 3


@pytest.fixture
def set_prefetch():
    """Sets the distance until the end of the test."""
    before = _native.prefetch_distance()
    yield _native.set_prefetch_distance
    _native.set_prefetch_distance(before)


@pytest.mark.parametrize("variant", [variant.averaged for variant in ONE_OF_EACH], ids=str)
def test_no_bit_depends_on_it(variant, isa, set_prefetch):
    inputs = random_inputs(SIZE, variant.states)
    results = []
    for distance in (0, 64, 512, 1000):
        set_prefetch(distance)
        guarded = Guarded(inputs, OFFSET)
        param, grad, *states = guarded.arrays
        cpu.tensors([param], [states], [1], [variant.rule], [2]).step([grad], StepOptions(), 1)
        guarded.assert_guards_untouched()
        results.append([array.copy() for array in guarded.arrays])
    for found in results[1:]:
        for array, expected in zip(found, results[0], strict=True):
            assert_same_bits(array, expected)


@pytest.mark.skipif("FASTADAM_TEST_EMULATOR" in os.environ, reason="Linux tells of the real CPU")
def test_intel_prefetches_and_others_do_not(run_python):
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.exists():
        pytest.skip("compares with /proc/cpuinfo of Linux")
    expected = "512" if "GenuineIntel" in cpuinfo.read_text() else "0"
    assert run_python(PRINT, FASTADAM_PREFETCH=None) == expected
    assert run_python(PRINT, FASTADAM_PREFETCH="") == expected


@pytest.mark.parametrize("text", ["0", "256", " 1048576 "])
def test_the_environment_sets_it(run_python, text):
    assert run_python(PRINT, FASTADAM_PREFETCH=text) == text.strip()


@pytest.mark.parametrize("text", ["-1", "1048577", "far", "1.5", "+1", " ", "\u00b2"])
def test_other_text_is_refused(run_python, text):
    result = run_python(PRINT, check=False, FASTADAM_PREFETCH=text)
    shown = text if text.isascii() else "??"
    assert f"FASTADAM_PREFETCH is '{shown}'; expected an integer from 0 to 1048576, or unset it" in result.stderr
