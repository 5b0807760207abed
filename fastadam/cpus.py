"""How many CPUs this process may use: its affinity, and the quota of its Linux control groups (containers set one)."""

import math
import os
from collections.abc import Iterator
from pathlib import Path


def usable_cpus() -> int:
    """CPUs that this process may use; at least 1."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, math.ceil(min(affinity, cgroup_quota())))


def cgroup_quota(
    membership: Path = Path("/proc/self/cgroup"),
    root: Path = Path("/sys/fs/cgroup"),
) -> float:
    """The smallest CPU quota, in CPUs, of this process's control groups (versions 1 and 2); infinity where there is none."""
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return math.inf
    return min(quota for line in lines for quota in _quotas(line, root))


def _quotas(line: str, root: Path) -> Iterator[float]:
    """Quotas along the path of one line ``id:controllers:path``; a parent's quota binds its children too."""
    yield math.inf
    _, _, rest = line.partition(":")
    controllers, _, path = rest.partition(":")
    if controllers and "cpu" not in controllers.split(","):
        return
    mount = root / "cpu" if controllers else root
    group = mount / path.lstrip("/")
    while group.is_relative_to(mount):
        yield _read_quota(group)
        group = group.parent


def _read_quota(group: Path) -> float:
    try:
        if (unified := group / "cpu.max").exists():
            quota, period = unified.read_text().split()
        else:
            quota = (group / "cpu.cfs_quota_us").read_text()
            period = (group / "cpu.cfs_period_us").read_text()
        return int(quota) / int(period) if int(quota) > 0 else math.inf
    except (OSError, ValueError, ZeroDivisionError):  # no such group here, or "max": no quota
        return math.inf
