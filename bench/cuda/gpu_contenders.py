"""fastadam and its peers on a GPU, on shared arrays, and a copy, which measures the memory's speed."""

import functools
import itertools
from collections.abc import Sequence
from time import perf_counter_ns
from typing import Any

import cupy
from answers import BETAS, LR, WEIGHT_DECAY, cpu_adamw, same
from buffers import Array, Buffers, Data, fill
from clock import OnGpu
from contenders import Fastadam, as_given, corrected
from peers import Optax, Thinc, Torch, TorchForeach, TorchFused
from results import BYTES_PER_ELEMENT


class FastadamOnGpu(OnGpu, Fastadam):
    answer = staticmethod(cpu_adamw)

    def renew(self) -> None:
        """See :meth:`OnGpu.renew`."""
        step: Any = self.step
        self.step = functools.partial(step.func, as_given([grad.copy() for grad in self._buffers.tensors["grad"]]))


class Copy(OnGpu):
    """CUDA's own copy within the GPU's memory, which reads and writes as many bytes in total as Adam."""

    name = "copy"
    kind = "wall"
    answer = staticmethod(same)

    def __init__(self, buffers: Buffers, threads: int | None) -> None:
        super().__init__(buffers, threads)
        floats = sum(array.size for array in buffers.tensors["param"]) * BYTES_PER_ELEMENT // 2 // 4
        self._from, self._to = (cupy.empty(floats, cupy.float32) for _ in range(2))
        self.step = functools.partial(self._to.data.copy_from_device_async, self._from.data, self._from.nbytes)

    def load(self, data: Data) -> None:
        fill(self._from, data["param"])

    def refill(self) -> None:
        """Nothing to do: the time of a copy does not depend on the values."""

    def arrays(self, role: str) -> Sequence[Array]:
        return [self._to]


class TorchOnGpu(OnGpu, Torch):
    """PyTorch's tensors over the memory of CuPy's arrays; both use the default stream."""

    def __init__(self, buffers: Buffers, threads: int | None) -> None:
        import torch

        if not torch.cuda.is_available():
            raise ImportError("this PyTorch cannot use the GPU")
        super().__init__(buffers, threads)

    def _view(self, array: Array) -> Any:
        import torch

        return torch.from_dlpack(array)

    def renew(self) -> None:
        """See :meth:`OnGpu.renew`."""
        for param in self._params:
            param.grad = param.grad.clone()


class TorchFusedOnGpu(TorchOnGpu, TorchFused):
    def _zero_steps(self) -> Any:
        return super()._zero_steps().cuda()


class TorchForeachOnGpu(TorchOnGpu, TorchForeach):
    pass


class OptaxOnGpu(OnGpu, Optax):
    """JAX has its own streams, so the host's clock times it, from the first call until all work is done."""

    def __init__(self, buffers: Buffers, threads: int | None) -> None:
        import jax

        if jax.default_backend() != "gpu":
            raise ImportError("this JAX cannot use the GPU")
        super().__init__(buffers, threads)
        self.step = self._queue_step

    def _copy(self, array: Array) -> Any:
        return super()._copy(cupy.asnumpy(array))

    def time(self, steps: int) -> float:
        self.finish()
        start = perf_counter_ns()
        for _ in itertools.repeat(None, steps):
            self._queue_step()
        self.finish()
        return (perf_counter_ns() - start) / max(steps, 1)

    def finish(self) -> None:
        self._ready((self._params, self._state))


class CupyElementwise(OnGpu):
    """AdamW as written with CuPy alone: one kernel for each tensor."""

    name = "CuPy elementwise"

    def __init__(self, buffers: Buffers, threads: int | None) -> None:
        super().__init__(buffers, threads)
        self._kernel = cupy.ElementwiseKernel(
            "float32 g, float32 b1, float32 b2, float32 a, float32 e, float32 d",
            "float32 p, float32 m, float32 v",
            "m = b1 * m + (1 - b1) * g; v = b2 * v + (1 - b2) * g * g; p = d * p - a * m / (sqrt(v) + e)",
            "adamw",
        )
        self._members = list(zip(*buffers.tensors.values(), strict=True))
        self._t = 0

    def step(self) -> None:
        self._t += 1
        scalars = (*BETAS, *corrected(self._t), 1 - LR * WEIGHT_DECAY)
        for p, g, m, v in self._members:
            self._kernel(g, *scalars, p, m, v)


class ThincOnGpu(OnGpu, Thinc):
    def _ops(self) -> Any:
        from thinc.backends.cupy_ops import CupyOps
        from thinc.compat import has_cupy_gpu

        if not has_cupy_gpu:
            raise ImportError("this thinc cannot use the GPU")
        return CupyOps()
