"""``python -m fastadam bench``: the speed of AdamW on this machine, compared with NumPy and with the memory."""

import argparse
import functools
import os
from collections.abc import Callable
from time import perf_counter
from typing import Any

import fastadam
from fastadam.commands.cases import Case
from fastadam.commands.load import Load
from fastadam.commands.text import Progress, duration, progress, table, three_digits
from fastadam.commands.timing import Step, interleave
from fastadam.commands.wall import BYTES_PER_ELEMENT, memory_wall
from fastadam.cpu_count import usable_cpus

LARGE = 30_000_000  # elements, beyond the caches
STILL_LARGE = 3_000_000  # elements of that case at the least, however slow the machine is
LARGE_SHARE = 6  # its time relative to other cases: its steps take long, and a median needs samples
BYTES_NEEDED = 40  # per element: parameter, gradient, moments, the check, temporaries of NumPy's expression
PROBE = 300_000  # elements by which it is judged how large LARGE may be
HEAD = ["elements", "threads", "time", "GB/s", "vs NumPy", "% of memory wall"]
BUSY = 0.1  # CPUs that others use, from which times suffer
NUMPY_STEPS = 10  # of the largest buffer that fit into the time, for each number of threads


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure everything; a row for each case and number of threads."""
    all_threads = arguments.threads or list(dict.fromkeys([1, fastadam.get_num_threads()]))
    _expect_possible(all_threads)
    load = Load()
    most = PROBE * arguments.seconds / (NUMPY_STEPS * len(all_threads) * seconds_of_numpy(PROBE))
    large = min(LARGE, free_memory() // 2 // BYTES_NEEDED, max(STILL_LARGE, int(most // STILL_LARGE) * STILL_LARGE))
    shapes = [(1_000, 1, False), (100_000, 1, False), (256, 1_000, False), (large, 1, True)]
    seconds = arguments.seconds / len(all_threads) / (len(shapes) - 1 + LARGE_SHARE)
    progress(f"fastadam {fastadam.__version__}, {fastadam.active_isa()}: AdamW on float32, about {arguments.seconds:g} s")
    rows, done = [], 0.0
    with Progress(arguments.seconds) as bar:
        for size, tensors, is_large in shapes:
            case, share = Case(size, tensors), seconds * (LARGE_SHARE if is_large else 1)
            case.check(all_threads[-1])
            for threads in all_threads:
                report = functools.partial(bar.show, what=f"{case.name} elements on {_of(threads)}", before=done)
                rows.append(measure(case, threads, share, with_wall=is_large, report=report))
                done += share
    return {
        "version": fastadam.__version__,
        "isa": fastadam.active_isa(),
        "seconds": load.seconds,
        "cpus_of_others": load.cpus_of_others(),
        "cpus_stolen": load.cpus_stolen(),
        "rows": rows,
    }


def seconds_of_numpy(size: int) -> float:
    """How long one step of NumPy's expression takes on `size` elements."""
    case = Case(size)
    start = perf_counter()
    case.step_of_numpy()
    return perf_counter() - start


def measure(case: Case, threads: int, seconds: float, with_wall: bool, report: Callable[[float], object]) -> dict[str, Any]:
    """A row: medians of interleaved samples."""
    steps: dict[str, Step] = {"fastadam": functools.partial(case.step, threads), "numpy": case.step_of_numpy}
    if with_wall:
        # Next to fastadam: the less time between two samples, the more exact their ratio.
        steps = {"wall": memory_wall(case.arrays[0], threads), **steps}
    times = interleave(steps, seconds, report)
    taken = times.median("fastadam")
    return {
        "case": case.name,
        "tensors": case.tensors,
        "elements": case.elements,
        "threads": threads,
        "seconds_per_step": taken,
        "gigabytes_per_second": BYTES_PER_ELEMENT * case.elements / taken / 1e9,
        "times_faster_than_numpy": times.ratio("numpy", "fastadam"),
        "percent_of_memory_wall": 100 * times.ratio("wall", "fastadam") if with_wall else None,
        "spread_of_percent": 100 * times.spread("wall", "fastadam") if with_wall else None,
    }


def text(result: dict[str, Any]) -> str:
    """A table of the rows, and whether other programs disturbed it."""
    body = [
        [
            row["case"],
            str(row["threads"]),
            duration(row["seconds_per_step"]),
            three_digits(row["gigabytes_per_second"]),
            three_digits(row["times_faster_than_numpy"]),
            "" if row["percent_of_memory_wall"] is None else _percent(row),
        ]
        for row in result["rows"]
    ]
    lines = [table(HEAD, body), f"\nmeasured in {result['seconds']:.0f} s"]
    for key, who in (("cpus_of_others", "Other programs"), ("cpus_stolen", "Other virtual machines")):
        if (used := result[key]) is not None and used >= BUSY:
            lines.append(
                f"{who} used {used:.1f} CPUs meanwhile: the times are too long. Run it again when the machine is idle."
            )
    return "\n".join(lines)


def free_memory() -> int:
    """Bytes that can be allocated without swapping, as far as the system says; else enough for every case."""
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # no sysconf, or none of this name
        return 2 * LARGE * BYTES_NEEDED


def _expect_possible(all_threads: list[int]) -> None:
    """Exit if there are fewer CPUs, or OpenMP would use fewer threads than requested, since the table would be wrong."""
    before, cpus = fastadam.get_num_threads(), usable_cpus()
    for threads in all_threads:
        if threads > cpus:
            raise SystemExit(f"--threads is {threads}; expected at most {cpus}, the number of CPUs that this process may use")
        fastadam.set_num_threads(threads)
        if (possible := fastadam.get_num_threads()) != threads:
            raise SystemExit(f"--threads is {threads}; expected at most {possible}, the limit of OpenMP here")
    fastadam.set_num_threads(before)


def _percent(row: dict[str, Any]) -> str:
    return f"{row['percent_of_memory_wall']:.0f} ± {row['spread_of_percent']:.0f}"


def _of(threads: int) -> str:
    return "1 thread" if threads == 1 else f"{threads} threads"
