"""Steps that can be captured into a CUDA graph: step counts and scalars live on the device and advance there."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastadam import _native
from fastadam.cuda.gpu import gpu
from fastadam.cuda.tensors import COEFFICIENT_BYTES, SHAPE, Argument, List, Tensors, _launch, write


class CapturableTensors(Tensors):
    """As :class:`Tensors`, but all that changes from step to step is in the device's memory."""

    _uses_list = True

    def __init__(self, params: Sequence[Any], states: Sequence[Sequence[Any]]) -> None:
        super().__init__(params, states)
        ...
