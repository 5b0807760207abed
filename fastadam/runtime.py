"""Instruction sets, thread counts and information about this build.

The environment is read once, at import: ``FASTADAM_ISA`` forces an instruction set. ``FASTADAM_NUM_THREADS``, or else
``OMP_NUM_THREADS``, or else the number of usable CPUs is the number of threads. ``FASTADAM_PREFETCH`` is how many elements
ahead large steps prefetch, instead of what suits this CPU.
"""

import os
import sys
from itertools import pairwise
from typing import Any, SupportsIndex

from fastadam import _native
from fastadam.cpu_count import AT_IMPORT
from fastadam.plain_numbers import to_int


def thread_count(name: str, value: SupportsIndex) -> int:
    """`value` as a number of threads; errors name it `name`."""
    try:
        count = to_int(value)
    except TypeError:
        raise TypeError(f"{name} is {value!r}; expected an integer of at least 1") from None
    if not 1 <= count < 2**16:
        raise ValueError(f"{name} is {count}; expected an integer from 1 to 65535")
    return count


def set_num_threads(num_threads: SupportsIndex) -> None:
    """Set the number of threads for steps that are called without ``num_threads``.

    Parameters
    ----------
    num_threads : int
        At least 1. Applies to the whole process. Small steps use fewer. It never affects the result of a step.

    Raises
    ------
    TypeError, ValueError
        If it is not an integer from 1 to 65535.
    """
    _native.set_default_threads(thread_count("num_threads", num_threads))


def get_num_threads() -> int:
    """How many threads a large step would use now, in this thread.

    This is the number set by :func:`set_num_threads` or the environment, or less: limits of OpenMP, such as OMP_THREAD_LIMIT
    and those set by threadpoolctl, apply, and a forked child or a build without OpenMP uses 1.
    """
    return _native.effective_threads()


def available_isas() -> list[str]:
    """The instruction sets of this build that this machine supports, best first."""
    return _native.available_isas()


def active_isa() -> str:
    """The instruction set that steps use: the best available one, or the one set by ``FASTADAM_ISA``."""
    return _native.active_isa()


def build_info() -> dict[str, Any]:
    """Information about this build.

    Returns
    -------
    dict
        ``version``, ``compiler``, ``openmp`` (its version and the loaded library, or ``"none"``), ``isas`` (all compiled
        instruction sets, best first) and ``rules``.
    """
    return _native.build_info()


def get_include() -> str:
    """The folder of ``fastadam.h``, the C interface, to compile extension modules with.

    In CMake, ``find_package(fastadam)`` provides it as the target ``fastadam::headers``. There is nothing to link: a module
    gets the functions at run time from the capsule ``fastadam.c_api``.
    """
    return os.path.join(os.path.dirname(_native.__file__), "include")


def _is_command_line() -> bool:
    """Whether this import is that of the command ``fastadam`` or ``python -m fastadam``."""
    script = os.path.basename(sys.argv[0]) if getattr(sys, "argv", None) else ""
    return script.removesuffix(".exe") == "fastadam" or (script == "-m" and ("-m", "fastadam") in pairwise(sys.orig_argv))


try:
    _native.apply_environment(AT_IMPORT)
except ValueError as error:
    if _is_command_line():  # whose users have no use for a traceback
        raise SystemExit(f"fastadam: error: {error}") from None
    raise
