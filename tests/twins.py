"""The same optimizer twice, on the CPU and on a device, which are to stay equal bit for bit.

The CPU's has the bits of the reference (test_parity.py, test_gradients.py and others).
"""

import numpy as np
from buffers import assert_same_bits

import fastadam

ONE = [20_011]  # more than two chunks, and elements left over
LIST = [3, 0, 64, 1, 257, 8192, 20_011]
# Of groups, whose options differ in what a step computes: to maximize and to decay choose other kernels, and an average is
# one more state.
OPTIONS = [{}, {"lr": 0.5, "maximize": False, "weight_decay": 0.0}, {"weight_decay": 0.25, "ema_decay": 0.9}]


class Twins:
    """Optimizers over tensors of the sizes `sizes` (lists of sizes are groups), whose parameters begin as random numbers."""

    def __init__(self, device, sizes, make=fastadam.Adam, *, capturable=False, number=0, dtype="float32", **options):
        """`number` is that of the GPU."""
        self.device, self._number, self._rng = device, number, np.random.default_rng(0)
        groups = sizes if isinstance(sizes[0], list) else [sizes]
        self.params = [self._rng.standard_normal(size).astype(dtype) for group in groups for size in group]
        self.on_gpu = [device.upload(param, i % 4, number) for i, param in enumerate(self.params)]
        given = [params if groups is not sizes else grouped(params, sizes) for params in (self.params, self.on_gpu)]
        self.cpu, self.gpu = make(given[0], **options), make(given[1], capturable=capturable, **options)

    def random_grads(self):
        """Gradients of very different magnitudes."""
        rng, sizes, dtype = self._rng, [param.size for param in self.params], self.params[0].dtype
        return [np.ldexp(rng.standard_normal(size, dtype), rng.integers(-20, 10, size, np.int32)) for size in sizes]

    def upload(self, grads):
        return [None if grad is None else self.device.upload(grad, device=self._number) for grad in grads]

    def step(self, grads=None, **options):
        """A step of both, with new gradients unless some are given; their norms are equal."""
        grads = self.random_grads() if grads is None else grads
        self.expect_norm(self.gpu.step(self.upload(grads), **options), self.cpu.step(grads, **options))

    def steps(self, times):
        for _ in range(times):
            self.step()

    def expect_norm(self, norm, wanted):
        """What a step on the device returned, beside what one on the CPU did."""
        if wanted is None:
            assert norm is None
        else:
            assert (norm.shape, norm.dtype) == ((), np.float64)
            np.testing.assert_array_equal(self.device.download(norm), wanted)

    def assert_same(self, context=""):
        """Parameters and all state are equal."""
        for i, (param, twin) in enumerate(zip(self.params, self.on_gpu, strict=True)):
            assert_same_bits(self.device.download(twin), param, f"in params[{i}] {context}")
        for i, (state, twin) in enumerate(zip(self.cpu.state, self.gpu.state, strict=True)):
            assert twin.keys() == state.keys()
            assert self.step_count(twin) == int(state["step"]), f"steps of {i} {context}"
            for name in [name for name in state if name != "step"]:
                assert twin[name].shape == state[name].shape
                assert_same_bits(self.device.download(twin[name]), state[name], f"in {name} of {i} {context}")

    def step_count(self, state):
        """The number of steps taken, wherever it is kept."""
        count = state["step"]
        return int(count if isinstance(count, np.ndarray) else self.device.download(count))


def grouped(params, sizes):
    """Parameters as an optimizer takes them."""
    starts = np.cumsum([0, *map(len, sizes)])
    return [{"params": params[a:b], **some} for a, b, some in zip(starts, starts[1:], OPTIONS, strict=False)]


def set_step(device, state, count):
    """Set a step count, wherever it is kept."""
    if isinstance(state["step"], np.ndarray):
        state["step"][...] = count
    else:
        device.write(state["step"], np.array(count, np.int64))
