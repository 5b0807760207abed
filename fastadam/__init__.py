"""The Adam family of optimizers as fused kernels for float32 arrays, bit-identical on every backend."""

from typing import TYPE_CHECKING

# Counts the CPUs, before the native module loads OpenMP, which may bind this thread to one of them.
from fastadam import cpu_count as cpu_count

try:
    from fastadam._native import __version__
except ModuleNotFoundError as error:
    raise ImportError(
        "fastadam's compiled module is missing. If this is a source tree (and not the installed package), run Python from "
        "another folder, or install with 'pip install -e .'"
    ) from error

from fastadam._native import c_api
from fastadam.backends.cuda import warmup
from fastadam.flat import flatten
from fastadam.half import bfloat16
from fastadam.norm import global_norm
from fastadam.norm_parts import combined_norm, norm_part
from fastadam.optimizers.adagrad import Adagrad
from fastadam.optimizers.adam import Adam, AdamW
from fastadam.optimizers.adam_step import adam_step
from fastadam.optimizers.adamax import Adamax
from fastadam.optimizers.adopt import ADOPT
from fastadam.optimizers.base import Optimizer
from fastadam.optimizers.lion import Lion
from fastadam.optimizers.nadam import NAdam
from fastadam.optimizers.radam import RAdam
from fastadam.optimizers.rmsprop import RMSprop
from fastadam.optimizers.sgd import SGD
from fastadam.runtime import (
    active_isa,
    available_isas,
    build_info,
    get_include,
    get_num_threads,
    set_num_threads,
)

__all__ = [
    "ADOPT",
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Lion",
    "NAdam",
    "Optimizer",
    "RAdam",
    "RMSprop",
    "__version__",
    "active_isa",
    "adam_step",
    "available_isas",
    "bfloat16",
    "build_info",
    "c_api",
    "combined_norm",
    "convert",
    "flatten",
    "get_include",
    "get_num_threads",
    "global_norm",
    "norm_part",
    "reference",
    "set_num_threads",
    "viz",
    "warmup",
]


def _name_what_is_public() -> None:
    """Give public names the module that users import them from, so that pickles and pages do not depend on our layout."""
    for name in __all__:
        if callable(value := globals().get(name)):
            value.__module__ = "fastadam"


_name_what_is_public()

if TYPE_CHECKING:
    from fastadam import convert, reference, viz
    from fastadam import typing as typing
else:
    # Imported on first use, because few programs need these and `import fastadam` should be quick.
    def __getattr__(name):
        if name not in ("convert", "reference", "viz"):
            from fastadam.optimizers.unknown_names import same_name

            words = "" if name.startswith("_") else same_name(name, __all__)
            raise AttributeError(f"module 'fastadam' has no attribute {name!r}{words}")
        from importlib import import_module

        return import_module(f"fastadam.{name}")

    def __dir__():
        return __all__
