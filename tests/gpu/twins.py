"""The same optimizer twice, on the CPU and on a GPU, which are to stay equal bit for bit."""

import numpy as np
from buffers import assert_same_bits
from gpu.arrays import to_cpu, to_gpu

import fastadam

ONE = [20_011]  # more than two chunks, and elements left over
LIST = [3, 0, 64, 1, 257, 8192, 20_011]


class Twins:
    """Optimizers over tensors of the sizes `sizes`, whose parameters begin as random numbers."""

    def __init__(self, sizes, optimizer_class=fastadam.Adam, *, capturable=False, device=0, **options):
        self._rng = np.random.default_rng(0)
        self.params = [self._rng.standard_normal(size).astype(np.float32) for size in sizes]
        self.on_gpu = [to_gpu(param, i % 4, device) for i, param in enumerate(self.params)]
        self.cpu = optimizer_class(self.params, **options)
        self.gpu = optimizer_class(self.on_gpu, capturable=capturable, **options)

    def random_grads(self):
        """Gradients of very different magnitudes."""
        return [
            (self._rng.standard_normal(param.shape) * 10.0 ** self._rng.integers(-6, 3, param.shape)).astype(np.float32)
            for param in self.params
        ]

    def step(self, times=1):
        """Steps of both, each with new gradients."""
        for _ in range(times):
            grads = self.random_grads()
            self.cpu.step(grads)
            self.gpu.step([to_gpu(grad) for grad in grads])

    def assert_same(self, context=""):
        """Parameters and all state are equal."""
        for i, (param, twin) in enumerate(zip(self.params, self.on_gpu, strict=True)):
            assert_same_bits(to_cpu(twin), param, f"in params[{i}] {context}")
        for i, (state, twin) in enumerate(zip(self.cpu.state, self.gpu.state, strict=True)):
            assert step_count(twin) == int(state["step"]), f"steps of {i} {context}"
            for name in [name for name in state if name != "step"]:
                assert_same_bits(to_cpu(twin[name]), state[name], f"in {name} of {i} {context}")


def step_count(state):
    """The number of steps taken, wherever it is kept."""
    count = state["step"]
    return int(count if isinstance(count, np.ndarray) else to_cpu(count))
