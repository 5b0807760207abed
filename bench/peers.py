"""The libraries that fastadam is compared with, called as users call them, on the shared arrays if possible."""

import functools
import logging
import os
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
from answers import BETAS, EPS, LR, WEIGHT_DECAY, thinc_adam
from buffers import Array, Buffers, Data
from contenders import Contender


class Torch(Contender):
    """``torch.optim.AdamW`` over tensors that share the memory of the NumPy arrays."""

    variant: ClassVar[dict[str, bool]]

    def __init__(self, buffers: Buffers, threads: int | None) -> None:
        super().__init__(buffers, threads)
        import torch

        if threads is not None:
            torch.set_num_threads(threads)
        views = {role: [self._view(array) for array in arrays] for role, arrays in buffers.tensors.items()}
        self._params = params = [torch.nn.Parameter(view) for view in views["param"]]
        optimizer = self.optimizer(params)
        for param, grad, m, v in zip(params, views["grad"], views["exp_avg"], views["exp_avg_sq"], strict=True):
            param.grad = grad
            optimizer.state[param] = {"step": self._zero_steps(), "exp_avg": m, "exp_avg_sq": v}
        self.params, self.step = params, optimizer.step

    def product(self, size: int) -> Callable[[], Any]:
        import torch

        a, b, out = (torch.full((size, size), 0.5) for _ in range(3))
        return functools.partial(torch.mm, a, b, out=out)

    def _view(self, array: Array) -> Any:
        """A tensor over the memory of an array."""
        import torch

        return torch.from_numpy(array)

    @classmethod
    def optimizer(cls, params: list[Any]) -> Any:
        """An optimizer of AdamW with the benchmark's options."""
        import torch

        return torch.optim.AdamW(params, lr=LR, betas=BETAS, eps=EPS, weight_decay=WEIGHT_DECAY, **cls.variant)

    def _zero_steps(self) -> Any:
        import torch

        return torch.zeros((), dtype=torch.float32)


class TorchForLoop(Torch):
    name = "torch for-loop"
    variant: ClassVar = {"foreach": False, "fused": False}


class TorchForeach(Torch):
    name = "torch foreach"
    variant: ClassVar = {"foreach": True}


class TorchFused(Torch):
    name = "torch fused"
    variant: ClassVar = {"fused": True}


class DeepSpeed(Torch):
    """``DeepSpeedCPUAdam``, which is a torch optimizer with a C++ step; ``make bench-deepspeed`` builds it."""

    name = "DeepSpeed"

    @classmethod
    def optimizer(cls, params: list[Any]) -> Any:
        os.environ.setdefault("DS_ACCELERATOR", "cpu")  # else it tries to use a GPU
        logging.getLogger("DeepSpeed").setLevel(logging.WARNING)
        from deepspeed.ops.adam import DeepSpeedCPUAdam

        return DeepSpeedCPUAdam(params, lr=LR, betas=BETAS, eps=EPS, weight_decay=WEIGHT_DECAY, adamw_mode=True)

    def _zero_steps(self) -> int:
        return 0


class Optax(Contender):
    """``optax.adamw`` compiled as one function that may reuse the memory of its arguments.

    JAX owns its arrays, so this contender has its own copy of everything, gradients included.
    """

    name = "optax"
    most_tensors = 2_000
    why_not_more = "it compiles one function of all tensors, for minutes"

    def __init__(self, buffers: Buffers, threads: int | None) -> None:
        super().__init__(buffers, threads)
        import jax
        import optax

        self._transformation = optax.adamw(LR, *BETAS, eps=EPS, weight_decay=WEIGHT_DECAY)
        self._ready = jax.block_until_ready

        @functools.partial(jax.jit, donate_argnums=(0, 1))
        def update(params: Any, state: Any, grads: Any) -> Any:
            updates, state = self._transformation.update(grads, state, params)
            return optax.apply_updates(params, updates), state

        self._update = update

    def load(self, data: Data) -> None:
        super().load(data)
        copies = {role: [self._copy(array) for array in arrays] for role, arrays in self._buffers.tensors.items()}
        self._params, self._grads = copies["param"], copies["grad"]
        adam, *others = self._transformation.init(self._params)
        self._state = (adam._replace(mu=copies["exp_avg"], nu=copies["exp_avg_sq"]), *others)

    def _copy(self, array: Array) -> Any:
        import jax.numpy as jnp

        return jnp.array(array)

    def refill(self) -> None:
        """Nothing to do: no other contender writes to these arrays, and with constant gradients the moments stay normal."""

    def step(self) -> None:
        self._queue_step()
        self._ready((self._params, self._state))

    def _queue_step(self) -> None:
        self._params, self._state = self._update(self._params, self._state, self._grads)

    def arrays(self, role: str) -> Sequence[Array]:
        adam = self._state[0]
        return [np.asarray(array) for array in {"param": self._params, "exp_avg": adam.mu, "exp_avg_sq": adam.nu}[role]]


class Thinc(Contender):
    """thinc's ``ops.adam`` with the bias correction that its optimizer applies around it.

    It has no weight decay, uses the gradient as scratch space and leaves zeros there.
    """

    name = "thinc"
    answer = staticmethod(thinc_adam)

    def __init__(self, buffers: Buffers, threads: int | None) -> None:
        super().__init__(buffers, threads)
        self._adam = self._ops().adam
        self._members = [[array.reshape(-1) for array in member] for member in zip(*buffers.tensors.values(), strict=True)]
        self._t = 0

    def _ops(self) -> Any:
        from thinc.backends.numpy_ops import NumpyOps

        return NumpyOps()

    def step(self) -> None:
        self._t += 1
        b1, b2 = BETAS
        lr = LR * (1 - b2**self._t) ** 0.5 / (1 - b1**self._t)
        for member in self._members:
            self._adam(*member, b1, b2, EPS, lr)
