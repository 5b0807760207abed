"""Variants of the kernels of csrc/cuda: without strict arithmetic, without any arithmetic, and in other shapes."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from answers import BETAS, EPS, LR, WEIGHT_DECAY, cpu_adamw, memory_wall
from buffers import TIMED, Buffers
from clock import OnGpu

from fastadam import _native
from fastadam.backends.cuda import launch, source
from fastadam.backends.cuda.cupy_runtime import gpu
from fastadam.backends.cuda.source import SHAPE, Shape

ROOT = Path(__file__).parents[2]
WALLS = [ROOT / "csrc" / "rules" / "memory_wall.hpp", ROOT / "bench" / "walls.hpp"]
STRICT = re.compile(r"(?<=// cuda/real.hpp\n).*?(?=\n#else\n\n#if defined\(_MSC_VER\))", re.DOTALL)
# In place of csrc/cuda/real.hpp: types whose arithmetic the compiler's flags control.
PLAIN = """\
#define FASTADAM_INLINE __device__ __forceinline__
namespace fastadam {
namespace {
#if defined(FASTADAM_FLOAT64)
using Real = double;
#else
using Real = float;
#endif
using Real64 = double;
FASTADAM_INLINE float absolute(float x) { return fabsf(x); }
FASTADAM_INLINE double absolute(double x) { return fabs(x); }
FASTADAM_INLINE float square_root(float x) { return sqrtf(x); }
FASTADAM_INLINE double square_root(double x) { return sqrt(x); }
}  // namespace
}  // namespace fastadam
"""


def replaced(pattern: str | re.Pattern[str], replacement: str, text: str) -> str:
    text, count = re.subn(pattern, lambda _: replacement, text)
    if count != 1:
        raise RuntimeError(f"{pattern} is in the kernels' text {count} times; expected it once")
    return text


def plain_text() -> str:
    """The kernels with plain float arithmetic."""
    return replaced(STRICT, PLAIN, source.text())


def walls_text() -> str:
    """The same with the rules of bench/walls.hpp."""
    rules = "".join(re.sub(r"#pragma once|#include .*", "", path.read_text()) for path in WALLS)
    return replaced("#include FASTADAM_EXTRA_RULES", rules, plain_text())


class Variant(OnGpu):
    """AdamW with its own kernels, launched like fastadam's."""

    kind = "wall"
    shape: ClassVar[Shape] = SHAPE
    rule: ClassVar[str] = "Adam"
    options: ClassVar[tuple[str, ...]] = ()

    def __init__(self, buffers: Buffers, threads: int | None) -> None:
        super().__init__(buffers, threads)
        options = (*source.options(self.rule, 0, shape=self.shape), *self.options)
        step, step_list, write = gpu().compile(self.text(), options, ("fastadam_step", "fastadam_step_list", "fastadam_write"))
        members = [[array.data.ptr for array in member] for member in zip(*buffers.tensors.values(), strict=True)]
        sizes = [array.size for array in buffers.tensors["param"]]
        tensors = launch.records([([p, m, v], size) for (p, _, m, v), size in zip(members, sizes, strict=True)])
        tensors["grad"] = [g for _, g, _, _ in members]
        betas = dict(zip(("beta1", "beta2"), BETAS, strict=True))
        self._rule = _native.Rule(
            "adam", {"lr": LR, "eps": EPS, "weight_decay": WEIGHT_DECAY, **betas, "decoupled_weight_decay": True}
        )
        gradients = _native.cuda_gradients(_native.StepOptions(), self._rule, 0)
        if len(tensors) == 1:
            self._kernel, self._blocks = step, -(-sizes[0] // self.shape.chunk)
            self._argument = launch.Argument("StepArguments", tensor=tensors[0], gradients=gradients)
        else:
            with shaped(self.shape):
                self._tables = launch.Tables(tensors)
                self._tables.grads.set([g for _, g, _, _ in members], write)
            self._kernel, self._blocks = step_list, self._tables.blocks
            self._argument = launch.Argument("StepListArguments", list=self._tables.list, gradients=gradients)
        self._t = 0

    def text(self) -> str:
        return source.text()

    def step(self) -> None:
        self._t += 1
        self._argument.set("coefficients", _native.cuda_coefficients(self._rule, self._t))
        self._kernel((self._blocks,), (self.shape.block,), (self._argument.by_value,))


@contextlib.contextmanager
def shaped(shape: Shape) -> Iterator[None]:
    """Within this context, tables and launches are for kernels of this shape."""
    launch.SHAPE = shape
    try:
        yield
    finally:
        launch.SHAPE = SHAPE


class FastMath(Variant):
    """The same formula, which the compiler may contract, flush and approximate."""

    name = "fast-math build"
    options = ("--use_fast_math",)

    def text(self) -> str:
        return plain_text()


class MemoryWall(Variant):
    """The same loads and stores, no arithmetic."""

    name = "memory wall"
    rule = "Wall"
    options = ("-DFASTADAM_EXTRA_RULES",)
    answer = staticmethod(memory_wall)
    checked = TIMED

    def text(self) -> str:
        return walls_text()


def in_shape(shape: Shape) -> type[Variant]:
    """fastadam's kernels in a given shape."""
    name = ", ".join(f"{field} {value}" for field, value in shape._asdict().items())
    return type("InShape", (Variant,), {"name": name, "kind": "shape", "shape": shape, "answer": staticmethod(cpu_adamw)})
