"""What bench/cuda measures, run once on the stand-in for GPUs: each contender of ours gives the right answer.

A program of its own, since modules of bench have the names of some of tests.
"""

import buffers
import numpy as np
from answers import expect
from buffers import TIMED, ZERO, Buffers
from cuda_host import HostGpu, installed, on_cpu, on_gpu
from gpu_contenders import FastadamOnGpu
from gpu_report import report
from measurements import GpuResults
from shapes import SHORT_SHAPES
from variants import FastMath, MemoryWall, in_shape

SHAPES = {"one": ((3001,),), "list": ((64,), (32, 96), (16,))}


class Library:
    """In CuPy's place."""

    @staticmethod
    def empty(size, dtype):
        return on_gpu(np.full(size, 0.5, dtype))


def main():
    fill = buffers.fill
    buffers.fill = lambda flat, tile: fill(on_cpu(flat), tile)
    with installed(HostGpu()):
        for shapes in SHAPES.values():
            for kind in (FastadamOnGpu, FastMath, MemoryWall, *map(in_shape, SHORT_SHAPES)):
                contender = kind(Buffers(shapes, Library), None)
                contender.load(kind.checked)
                for _ in range(2):
                    contender.step()
                expect(kind.name, lambda role, c=contender: map(on_cpu, c.arrays(role)), contender.answer(kind.checked, 2))
                for contender.timed in (ZERO, TIMED):
                    contender.refill()
                    assert on_cpu(contender.arrays("grad")[0])[0] == contender.timed["grad"][0]
    row = {"threads": None, "case": "1e3", "tensors": 1, "elements": 1000, "samples": 1, "steps_per_sample": 1}
    row |= {"nanoseconds": 1e4, "quartiles": [1e4, 1e4], "times_fastadam": 1.0}
    row |= {f"{kind}_{name}": 1e4 for kind in ("host", "host_new") for name in ("nanoseconds", "quartiles")}
    machine = {"date": "", "gpu": "", "compute capability": "", "multiprocessors": 1, "memory": 1, "caches": {"L2": 1}}
    machine |= {"driver": "", "cuda": {}, "cpu": "", "versions": {}}
    rows = [row | {"contender": name, "kind": kind} for name, kind in (("fastadam", "ours"), ("copy", "wall"))]
    text = report(GpuResults(machine, rows, {}))
    assert "1e3, new gradients each step" in text
    assert "µs of the host, new gradients" in text
    print("measured")


if __name__ == "__main__":
    main()
