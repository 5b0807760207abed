"""A step of a rule where arrays are stored in the formats: decode, the rule in float32, encode."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastadam.reference.formats import (
    PARAMETER,
    SIGNED,
    TO_NEAREST,
    Bits,
    Float32,
    dither,
    from_bfloat16,
    from_float16,
    from_log8,
    from_split,
    to_bfloat16_away,
    to_bfloat16_dithered,
    to_log8,
    to_split,
)


@dataclass
class Stored:
    """Elements in the format "float32", "bfloat16", "float16" (gradients alone), "split" (parameters) or "8bit" (states).

    `arrays` are one array of float32, bits of bfloat16 (uint16) or float16; or high and low halves; or codes and exponents.
    """

    format: str
    arrays: tuple[NDArray[Any], ...]
    which: int = PARAMETER  # or SIGNED or SQUARE; of gradients it does not matter

    @classmethod
    def of(cls, format: str, x: Float32, which: int = PARAMETER) -> "Stored":
        """A copy of `x`, rounded to nearest."""
        stored = cls(format, (), which)
        stored.arrays = stored._encoded(x, np.full(x.shape, TO_NEAREST, np.uint32))
        return stored

    def decode(self) -> Any:
        match self.format:
            case "float32":
                return self.arrays[0].copy()
            case "bfloat16":
                return from_bfloat16(self.arrays[0])
            case "float16":
                return from_float16(self.arrays[0])
            case "split":
                return from_split(*self.arrays)
            case "8bit":
                codes, exponents = self.arrays
                return from_log8(codes, exponents, signed=self.which == SIGNED)
        raise ValueError(self.format)

    def encode(self, x: Float32, u: Bits) -> None:
        """Store `x` in place of what there is."""
        for array, encoded in zip(self.arrays, self._encoded(x, u), strict=True):
            array[...] = encoded

    def _encoded(self, x: Float32, u: Bits) -> tuple[NDArray[Any], ...]:
        match self.format:
            case "float32":
                return (x.copy(),)
            case "bfloat16":
                return (to_bfloat16_away(x) if self.which == SIGNED else to_bfloat16_dithered(x, u),)
            case "split":
                return to_split(x)
            case "8bit":
                return to_log8(x, u, signed=self.which == SIGNED)
        raise ValueError(f"a step does not write {self.format}")


def stored_step(
    rule_step: Callable[..., None],
    param: Stored,
    grad: Stored,
    *states: Stored,
    step: int,
    seed: int = 0,
    first: int = 0,
    tensor: int = 0,
    **hyperparameters: Any,
) -> None:
    """`rule_step`, such as `adam_step`, on what is stored. All but `grad` is updated in place.

    The arrays may be a piece of a tensor that begins at its element `first`, a multiple of BLOCK; `tensor` is its number.
    """
    p, g, *decoded = (array.decode() for array in (param, grad, *states))
    rule_step(p, g, *decoded, step=step, **hyperparameters)
    for array, x in zip((param, *states), (p, *decoded), strict=True):
        array.encode(x, dither(seed, step, x.size, array.which, first, tensor).reshape(x.shape))
