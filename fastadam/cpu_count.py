"""The number of CPUs this process may use: its affinity, and the quota of its Linux control groups, which containers set.

`AT_IMPORT` is their number when this module was imported, which the package does before it loads OpenMP. With OMP_PROC_BIND or
GOMP_CPU_AFFINITY in the environment, that binds the main thread to one of them, and its affinity no longer says how many there
are.
"""

import itertools
import math
import os
from collections.abc import Iterator
from typing import TypeAlias

StrPath: TypeAlias = str | os.PathLike[str]  # os.path, because importing pathlib is slow


def usable_cpus() -> int:
    """CPUs that this process may use; at least 1."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, math.ceil(min(affinity, cgroup_quota())))


def cgroup_quota(membership: StrPath = "/proc/self/cgroup", root: StrPath = "/sys/fs/cgroup") -> float:
    """The smallest quota, in CPUs, of this process's control groups (versions 1 and 2); infinity if there is none."""
    try:
        lines = _read(membership).splitlines()
    except OSError:
        return math.inf
    return min((quota for line in lines for quota in _quotas(line, root)), default=math.inf)


def _quotas(line: str, root: StrPath) -> Iterator[float]:
    """Quotas along the path of one line ``id:controllers:path``; a parent's quota limits its children too."""
    _, _, rest = line.partition(":")
    controllers, _, path = rest.partition(":")
    if controllers and "cpu" not in controllers.split(","):
        return
    mount = os.path.join(root, "cpu") if controllers else os.fspath(root)
    yield from map(_read_quota, itertools.accumulate(filter(None, path.split("/")), os.path.join, initial=mount))


def _read_quota(group: str) -> float:
    try:
        if os.path.exists(unified := os.path.join(group, "cpu.max")):
            quota, period = _read(unified).split()
        else:
            quota, period = (_read(os.path.join(group, name)) for name in ("cpu.cfs_quota_us", "cpu.cfs_period_us"))
        return int(quota) / int(period) if int(quota) > 0 else math.inf
    except (OSError, ValueError, ZeroDivisionError):  # no such group here, or "max": no quota
        return math.inf


def _read(path: StrPath) -> str:
    with open(path) as file:
        return file.read()


AT_IMPORT = usable_cpus()
