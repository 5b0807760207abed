"""How busy a machine is with other work, as Linux counts it."""

import os
from time import perf_counter, process_time

IDLE, IOWAIT, STEAL = 3, 4, 7  # places in the line "cpu" of /proc/stat
COUNTED = 8  # those after it are part of the first two


class Load:
    """What others use of the CPUs from its creation on; on other systems than Linux, None."""

    def __init__(self) -> None:
        self._start, self._own, self._before = perf_counter(), process_time(), _counts()

    @property
    def seconds(self) -> float:
        """The time since then."""
        return perf_counter() - self._start

    def cpus_of_others(self) -> float | None:
        """The number of CPUs that other processes have used, on average."""
        if (spent := self._spent()) is None:
            return None
        busy = sum(spent) - spent[IDLE] - spent[IOWAIT] - spent[STEAL]
        return max(0.0, (busy - (process_time() - self._own)) / self.seconds)

    def cpus_stolen(self) -> float | None:
        """The number of CPUs that this virtual machine wanted and did not get, on average."""
        return None if (spent := self._spent()) is None else spent[STEAL] / self.seconds

    def _spent(self) -> list[float] | None:
        after = _counts()
        if self._before is None or after is None:
            return None
        return [end - start for start, end in zip(self._before, after, strict=True)]


def _counts() -> list[float] | None:
    """Seconds of all CPUs in each of the kernel's kinds of work and idleness."""
    try:
        with open("/proc/stat") as file:
            name, *ticks = file.readline().split()
        return [int(count) / os.sysconf("SC_CLK_TCK") for count in ticks[:COUNTED]] if name == "cpu" else None
    except (OSError, ValueError):
        return None
