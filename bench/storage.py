"""AdamW on arrays of 16 and 8 bits: beside fastadam's own float32, and the peers that step them."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
from answers import BETAS, EPS, LR, WEIGHT_DECAY
from buffers import TIMED, Array, Buffers, Data, fill
from cases import Case, one_buffer
from contenders import Contender, Fastadam, MemoryWall
from peers import Torch

import fastadam
from fastadam import reference
from fastadam.reference import formats

SIZES = (100_000, 24_000_000)  # in the caches of a core, and in DRAM
SHORT_SIZES = (1_000, 30_001)
CHECKED_ELEMENTS = 80 * 128  # at both ends, against the reference, whose rounding depends on the place of an element
SEED = 1
SMALL = 2.0**-10


class Stored(Contender):
    """fastadam on arrays of its own, which are stored otherwise."""

    kind = "storage"
    bytes_per_element: ClassVar[float]
    param: ClassVar[str] = "float32"  # or "bfloat16", "split"
    grad: ClassVar[str] = "float32"  # or "bfloat16"
    state_dtype: ClassVar[str] = "float32"

    def __init__(self, buffers: Buffers, threads: int | None) -> None:
        super().__init__(buffers, threads)
        (shape,) = buffers.shapes
        self._param, self._grad = (np.zeros(shape, _DTYPES[kind]) for kind in (self.param, self.grad))
        master = "split" if self.param == "split" else None
        self._optimizer = fastadam.AdamW(
            _array(self._param),
            lr=LR,
            betas=BETAS,
            eps=EPS,
            weight_decay=WEIGHT_DECAY,
            state_dtype=self.state_dtype,
            master=master,
            seed=SEED,
        )
        if threads is not None:
            fastadam.set_num_threads(threads)
        grads = _array(self._grad)
        self.step: Callable[[], Any] = lambda: self._optimizer.step(grads)

    def load(self, data: Data) -> None:
        for array, role in ((self._param, "param"), (self._grad, "grad")):
            values = data[role]
            fill(array, values if array.dtype == np.float32 else formats.to_bfloat16_away(values))
        state = self._optimizer.state
        for name, array in state.items():
            if name in ("exp_avg", "exp_avg_sq"):
                which = formats.SIGNED if name == "exp_avg" else formats.SQUARE
                tile = reference.Stored.of(self.state_dtype, np.full(128, data[name].mean(), np.float32), which).arrays
                array.reshape(-1)[...] = tile[0][0]
                if len(tile) > 1:
                    state[f"{name}_exponents"][...] = tile[1][0]
        if "rest" in state:
            fill(state["rest"].reshape(-1), formats.to_split(data["param"])[1])
        state["step"][...] = 0

    def answer(self, data: Data, steps: int) -> Any:
        """Nothing for the arrays that others share: its own are compared here, bit for bit, with the reference."""
        self.load(data)
        ends = [slice(0, CHECKED_ELEMENTS), slice(max(self._param.size - CHECKED_ELEMENTS, 0) // 128 * 128, None)]
        expected = [self._expected(piece, steps) for piece in ends]
        for _ in range(steps):
            self.step()
        for piece, wanted in zip(ends, expected, strict=True):
            for array, values in zip(self._pieces(piece), wanted, strict=True):
                np.testing.assert_array_equal(array, values)
        return {}

    def _pieces(self, piece: slice) -> list[Array]:
        """What a step updates of the parameter and the states, as the reference has them."""
        state, blocks = self._optimizer.state, slice(piece.start // 128, None if piece.stop is None else -(-piece.stop // 128))
        return [
            array.reshape(-1)[blocks if name.endswith("_exponents") else piece]
            for name, array in {"param": self._param, **state}.items()
            if name != "step"
        ]

    def _expected(self, piece: slice, steps: int) -> list[Array]:
        param, *arrays = [array.copy() for array in self._pieces(piece)]
        rest = [arrays.pop()] if self.param == "split" else []
        each = len(arrays) // 2
        stored = [
            reference.Stored(self.param, (param, *rest)),
            reference.Stored(self.grad, (self._grad.reshape(-1)[piece],)),
            reference.Stored(self.state_dtype, tuple(arrays[:each]), formats.SIGNED),
            reference.Stored(self.state_dtype, tuple(arrays[each:]), formats.SQUARE),
        ]
        options = {"lr": LR, "betas": BETAS, "eps": EPS, "weight_decay": WEIGHT_DECAY, "decoupled_weight_decay": True}
        for t in range(1, steps + 1):
            reference.stored_step(reference.adam_step, *stored, step=t, seed=SEED, first=piece.start, **options)
        return [param, *arrays, *rest]


class Halves(Stored):
    name, bytes_per_element = "bf16 throughout", 14
    param, grad, state_dtype = "bfloat16", "bfloat16", "bfloat16"


class Split(Stored):
    name, bytes_per_element = "bf16, split master", 18
    param, grad, state_dtype = "split", "bfloat16", "bfloat16"


class EightBits(Stored):
    name, bytes_per_element = "8-bit states", 16
    state_dtype = "8bit"


class HalvesAndEightBits(Stored):
    name, bytes_per_element = "bf16, 8-bit states", 10
    param, grad, state_dtype = "bfloat16", "bfloat16", "8bit"


class HalfGradient(Stored):
    name, bytes_per_element = "bf16 gradient", 26
    grad = "bfloat16"


class TorchFusedHalves(Torch):
    """The peer whose parameters, gradients and moments are all bfloat16, on tensors of its own."""

    name = "torch fused, bf16"
    variant: ClassVar = {"fused": True}
    checked = TIMED

    def _view(self, array: Array) -> Any:
        import torch

        return torch.zeros(array.shape, dtype=torch.bfloat16)

    def load(self, data: Data) -> None:
        import torch

        with torch.no_grad():
            for param, state in zip(self.params, self._states, strict=True):
                for tensor, role in ((param, "param"), (param.grad, "grad"), (state["exp_avg"], "exp_avg")):
                    tensor.fill_(float(data[role].mean()))
                state["exp_avg_sq"].fill_(float(data["exp_avg_sq"].mean()))

    def __init__(self, buffers: Buffers, threads: int | None) -> None:
        super().__init__(buffers, threads)
        optimizer = self.step.__self__  # type: ignore[attr-defined]
        self._states = [optimizer.state[param] for param in self.params]

    def answer(self, data: Data, steps: int) -> Any:
        """Its first step, from where a bfloat16 is fine enough to see one, within the rounding of that type."""
        import torch

        self.load(data)
        for param in self.params:
            param.data.fill_(SMALL)
        self.step()
        m, v, g = (float(data[role].mean()) for role in ("exp_avg", "exp_avg_sq", "grad"))
        (b1, b2), t = BETAS, steps + 1  # it has counted the steps before
        m, v = (b1 * m + (1 - b1) * g) / (1 - b1**t), (b2 * v + (1 - b2) * g * g) / (1 - b2**t)
        expected = SMALL * (1 - LR * WEIGHT_DECAY) - LR * m / (v**0.5 + EPS)
        for param in self.params:
            torch.testing.assert_close(param.float(), torch.full_like(param, expected, dtype=torch.float32), rtol=2**-6, atol=0)
        return {}


def _array(array: Array) -> Any:
    return fastadam.bfloat16(array) if array.dtype == np.uint16 else array


_DTYPES = {"float32": np.float32, "bfloat16": np.uint16, "split": np.uint16}
STORAGE: list[type[Stored]] = [Halves, Split, EightBits, HalvesAndEightBits, HalfGradient]


def plan(short: bool) -> list[tuple[Case, Sequence[type[Contender]]]]:
    """Which contenders are compared with which."""
    kinds = [MemoryWall, Fastadam, *STORAGE, TorchFusedHalves]
    return [(one_buffer(size), kinds) for size in (SHORT_SIZES if short else SIZES)]
