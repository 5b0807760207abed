"""What runs and on how many threads: instruction sets, thread counts, and what this build is made of.

The environment is read once, when the package is imported: ``FASTADAM_ISA`` forces an instruction set,
``FASTADAM_NUM_THREADS`` (else ``OMP_NUM_THREADS``, else the number of usable CPUs) sets the thread count.
"""

import operator
import os
from collections.abc import Mapping
from typing import Any, SupportsIndex

from fastadam import _native
from fastadam.cpu_count import usable_cpus


def thread_count(name: str, value: SupportsIndex) -> int:
    """`value` as a number of threads, or an error that speaks of `name`."""
    try:
        count = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} is {value!r}; expected an integer of at least 1") from None
    if not 1 <= count < 2**16:
        raise ValueError(f"{name} is {count}; expected an integer from 1 to 65535")
    return count


def default_num_threads(environ: Mapping[str, str]) -> int:
    """The thread count that the environment and the machine suggest."""
    if text := environ.get("FASTADAM_NUM_THREADS"):
        if not text.strip().isdecimal():
            raise ValueError(f"FASTADAM_NUM_THREADS is {text!r}; expected an integer of at least 1, or unset it")
        return thread_count("FASTADAM_NUM_THREADS", int(text))
    # A list is one number for each level of nesting. What OpenMP cannot read it ignores, and so is it here.
    outermost = environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    if outermost.isdecimal() and 1 <= int(outermost) < 2**16:
        return int(outermost)
    return usable_cpus()


def set_num_threads(num_threads: SupportsIndex) -> None:
    """Set how many threads a step uses unless its ``num_threads`` says otherwise.

    Parameters
    ----------
    num_threads : int
        At least 1. Holds for the whole process. Small steps use fewer. The result of a step never depends on it.

    Raises
    ------
    TypeError, ValueError
        If it is not an integer from 1 to 65535.
    """
    _native.set_default_threads(thread_count("num_threads", num_threads))


def get_num_threads() -> int:
    """How many threads a large step uses when called now, from this thread.

    This is what :func:`set_num_threads` or the environment asked for, or fewer: a limit set on OpenMP (by threadpoolctl,
    for one) is respected, and a forked child or a build without OpenMP uses 1.
    """
    return _native.effective_threads()


def available_isas() -> list[str]:
    """The instruction sets of this build that this machine supports, best first."""
    return _native.available_isas()


def active_isa() -> str:
    """The instruction set that steps use: the best available one, or the one that ``FASTADAM_ISA`` forced."""
    return _native.active_isa()


def build_info() -> dict[str, Any]:
    """How this build was made.

    Returns
    -------
    dict
        ``version``, ``compiler``, ``openmp`` (the version and the library that is loaded, or ``"none"``), ``isas`` (all
        that were compiled, best first) and ``rules``.
    """
    return _native.build_info()


def get_include() -> str:
    """The folder of ``fastadam.h``, the C interface, for the compiler of an extension module.

    CMake's ``find_package(fastadam)`` has it too, as a part of the target ``fastadam::headers``. There is nothing to link: the
    functions are reached through the capsule ``fastadam.c_api`` when the module runs.
    """
    return os.path.join(os.path.dirname(_native.__file__), "include")


if isa := os.environ.get("FASTADAM_ISA"):
    _native.set_isa(isa)
_native.set_default_threads(default_num_threads(os.environ))
