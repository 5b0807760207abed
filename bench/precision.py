"""AdamW in float64: beside fastadam's own float32, the walls of 8-byte elements, and the peers that step float64."""

from collections.abc import Sequence

import numpy as np
from buffers import Buffers
from cases import Case, select
from contenders import Contender, DividerWall, Fastadam, MemoryWall, NumpyExpression
from peers import TorchForeach, TorchFused

DTYPE = np.float64


MOST_IN_CACHE = 1_000_000  # elements up to which a case asks for the divider's own ratio


class Float32(Fastadam):
    """The same values and step in float32, which need half of the memory, their own."""

    name = "fastadam, float32"
    kind = "narrow"

    def __init__(self, buffers: Buffers, threads: int | None) -> None:
        super().__init__(Buffers(buffers.shapes), threads)


class Float32Divider(DividerWall):
    """Likewise, without all other arithmetic."""

    name = "divider wall, float32"
    kind = "narrow"

    def __init__(self, buffers: Buffers, threads: int | None) -> None:
        super().__init__(Buffers(buffers.shapes), threads)


def plan(short: bool) -> list[tuple[Case, Sequence[type[Contender]]]]:
    """Which contenders are compared with which."""
    kinds = [MemoryWall, Fastadam, Float32, DividerWall, TorchFused, TorchForeach, NumpyExpression]
    cases = [case for case in select(None, short) if not case.product]
    return [(case, [*kinds, Float32Divider] if case.elements <= MOST_IN_CACHE else kinds) for case in cases]
