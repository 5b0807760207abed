"""One hash for one long run of every rule: by the reference, on each instruction set, on other machines, without Python."""

import itertools
import shutil
import subprocess

import c_interface
import numpy as np
import pytest
from c_interface import OK, options_of
from vector_cases import CHAPTERS, SHA256, cases, digest, reference_results

import fastadam
from fastadam.backends import cpu
from fastadam.optimizers.base import AS_GIVEN

pytestmark = pytest.mark.xdist_group("native_build")  # which is made once


every_chapter = pytest.mark.parametrize(("chapter", "dtype"), SHA256)


def test_every_variant_has_a_hash():
    assert {*SHA256} == {*itertools.product(CHAPTERS, c_interface.DTYPES)}


@every_chapter
def test_reference_has_the_hash(chapter, dtype):
    assert digest(reference_results(chapter, dtype)) == SHA256[chapter, dtype]


@every_chapter
def test_each_instruction_set_has_the_hash(isa, eager_threads, chapter, dtype):
    def results():
        for case, threads in zip(cases(chapter, dtype), itertools.cycle([1, 2, 3]), strict=False):
            param, *states = case.arrays
            tensors = cpu.tensors([param], [states], [1], [case.variant.rule], [case.first_step - 1])
            for _, grad in case.steps():
                tensors.step([grad], AS_GIVEN, threads)
            yield case.arrays, cpu.global_norm([case.grads], threads)

    assert digest(results()) == SHA256[chapter, dtype]


@pytest.mark.parametrize("chapter", CHAPTERS)
@pytest.mark.parametrize("described_as", [None, *c_interface.DTYPES])
def test_the_c_interface_has_the_hash(eager_threads, chapter, described_as):
    dtype, describes = described_as or "float32", described_as is not None

    def results():
        for case, threads in zip(cases(chapter, dtype), itertools.cycle([1, 2, 3]), strict=False):
            rule = c_interface.Rule(case.variant.rule.name, options_of(case.variant), described_as)
            for step, grad in case.steps():
                assert rule.step(case.arrays[0], grad, *case.arrays[1:], step=step, threads=threads) == OK
            yield case.arrays, c_interface.global_norm([case.grads], threads, describes)

    assert digest(results()) == SHA256[chapter, dtype]


@pytest.mark.parametrize(
    ("machine", "emulator", "isa_there"),
    [
        ("x86_64", [], fastadam.available_isas()[0]),
        ("x86_64", ["qemu-x86_64", "-cpu", "Nehalem"], "x86-64"),  # an Intel CPU of 2008, without AVX
        ("aarch64", ["qemu-aarch64", "-L", "/usr/aarch64-linux-gnu"], "aarch64"),
    ],
    ids=["x86_64", "x86_64-without-avx", "aarch64"],
)
@every_chapter
def test_program_without_python_has_the_hash(native_build, machine, emulator, isa_there, chapter, dtype):
    if emulator and not shutil.which(emulator[0]):
        pytest.skip(f"needs {emulator[0]}")
    stdin = b"".join(case.as_bytes() for case in cases(chapter, dtype))
    result = subprocess.run([*emulator, native_build(machine).folder / "apply"], input=stdin, capture_output=True)
    assert result.returncode == 0, result.stderr.decode()
    assert result.stderr.decode() == f"fastadam {fastadam.__version__}, {isa_there}\n"
    answers = memoryview(result.stdout)

    def take(count, kind):
        nonlocal answers
        size = count * np.dtype(kind).itemsize
        values, answers = np.frombuffer(answers[:size], kind), answers[size:]
        return values

    def results():
        for case in cases(chapter, dtype):
            yield [take(array.size, dtype) for array in case.arrays], take(1, np.float64)[0]
        assert not answers

    assert digest(results()) == SHA256[chapter, dtype]
