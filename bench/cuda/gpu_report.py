"""The tables of a run on a GPU. They are Markdown, readable as text."""

from typing import Any

from gpu_targets import COPY, WALL, judge
from measurements import GpuResults
from report import duration, missing, sections, table, targets_table, versions

from fastadam.backends.cuda.source import SHAPE


def report(results: GpuResults, with_targets: bool = True) -> str:
    """The report of a run. Leave the targets out for a short run, whose single samples are too few to judge them."""
    parts = [_about(results), *sections(results, None), "## Host time of one step", _host(results)]
    if results.shapes:
        parts += ["## Launch configurations", shapes_table(results)]
    if with_targets:
        parts += ["## Targets", targets_table(judge(results))]
    return "\n\n".join(parts) + "\n"


def machine_in_words(machine: dict[str, Any]) -> str:
    cuda = ", ".join(f"{name} {version}" for name, version in machine["cuda"].items())
    return (
        f"{machine['date']}; compute capability {machine['compute capability']}, {machine['multiprocessors']} multiprocessors, "
        f"{machine['memory'] / 2**30:.0f} GiB, L2 {machine['caches']['L2'] / 2**20:.0f} MiB; driver {machine['driver']}; "
        f"CUDA: {cuda}; host {machine['cpu']}"
    )


def _about(results: GpuResults) -> str:
    lines = [
        f"# AdamW on {results.machine['gpu']}",
        "",
        f"{machine_in_words(results.machine)}.",
        "",
        f"{versions(results.machine)}.",
        "",
        "Times are medians of interleaved samples in one run, of steps in a row, by the GPU's clock (optax: the host's); "
        "ratios are medians of the ratios within a round. GB/s counts 28 bytes per element. The copy is CUDA's own and moves "
        "as many bytes; the memory wall is a kernel with fastadam's loads and stores and no arithmetic; the fast-math build "
        'is fastadam\'s kernel with plain floats and --use_fast_math. "vs" a peer: how many times as fast as the peer fastadam '
        "is. The time of small steps is the host's launch overhead. thinc has no weight decay.",
    ]
    return "\n".join(lines + missing(results))


def _host(results: GpuResults) -> str:
    """The time until the call of a step returns, where measured.

    The memory wall's is the time that CuPy takes to launch a kernel with an argument like a step's.
    """
    walls = set(results.of_kind("wall")) - {WALL}
    contenders = [name for name in results.unique("contender") if name not in walls]
    body = []
    for case in results.unique("case"):
        rows = [results.find(None, case, name) or {} for name in contenders]
        for of, kind in (("", "host"), (", new gradients each step", "host_new")):
            times = [duration(row[f"{kind}_nanoseconds"]) if f"{kind}_nanoseconds" in row else "" for row in rows]
            if any(times):
                body.append([case + of, *times])
    return table(["elements", *("a launch alone" if name == WALL else name for name in contenders)], body)


def shapes_table(results: GpuResults) -> str:
    """The speed of each configuration in percent of the copy's, fastest first."""
    cases = list(dict.fromkeys(row["case"] for row in results.shapes))
    ratios = {(row["contender"], row["case"]): row["times_fastadam"] for row in results.shapes}
    speeds = {
        name: [100 * ratios[COPY, case] / ratios[name, case] for case in cases]
        for name in dict.fromkeys(name for name, _ in ratios)
        if name != COPY
    }
    body = []
    for name in sorted(speeds, key=lambda name: -sum(speeds[name])):
        shape = [str(value) for value in SHAPE] if name == "fastadam" else [part.split()[1] for part in name.split(", ")]
        in_use = "in use" if name == "fastadam" else ""
        body.append([*shape, *(f"{speed:.1f}" for speed in speeds[name]), in_use])
    return table([*SHAPE._fields, *(f"% of copy, {case}" for case in cases), ""], body)
