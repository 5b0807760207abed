"""The Adam family of optimizers as one fused kernel over float32 buffers, bit for bit the same on every backend."""

from fastadam import reference
from fastadam._native import __version__
from fastadam.adam import Adam, AdamW, adam_step
from fastadam.runtime import (
    active_isa,
    available_isas,
    build_info,
    get_num_threads,
    set_num_threads,
)

__all__ = [
    "Adam",
    "AdamW",
    "__version__",
    "active_isa",
    "adam_step",
    "available_isas",
    "build_info",
    "get_num_threads",
    "reference",
    "set_num_threads",
]
