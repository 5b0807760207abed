"""Times functions by interleaved samples: one of each per round, so that a slow moment of the machine affects all of them."""

import math
import statistics
from collections.abc import Callable, Mapping
from time import perf_counter

SAMPLE_SECONDS = 2e-3  # the shortest sample, so that the clock's resolution does not matter
FEWEST_ROUNDS = 3
Step = Callable[[], object]


class Times:
    """Samples of some functions, in seconds per call: one of each function in each round."""

    def __init__(self, samples: Mapping[str, list[float]]) -> None:
        self._samples = samples

    def median(self, name: str) -> float:
        """Seconds per call."""
        return statistics.median(self._samples[name])

    def ratio(self, name: str, to: str) -> float:
        """How many times as long it takes as `to`: the median over the rounds."""
        return statistics.median(self._ratios(name, to))

    def spread(self, name: str, to: str) -> float:
        """Half the distance between the quartiles of that ratio over the rounds."""
        ratios = self._ratios(name, to)
        low, _, high = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else ratios * 3
        return (high - low) / 2

    def _ratios(self, name: str, to: str) -> list[float]:
        return [a / b for a, b in zip(self._samples[name], self._samples[to], strict=True)]


def interleave(steps: Mapping[str, Step], seconds: float, report: Callable[[float], object] = float) -> Times:
    """Take samples of all `steps` in turn, for about `seconds`. Calls `report` with the seconds so far."""
    calls = {name: _calls(step) for name, step in steps.items()}
    samples: dict[str, list[float]] = {name: [] for name in steps}
    start, rounds = perf_counter(), 0
    while rounds < FEWEST_ROUNDS or perf_counter() < start + seconds:
        report(perf_counter() - start)
        rounds += 1
        # In reverse order every other round, since the time of a sample depends on the one before it.
        for name in list(steps)[:: 1 if rounds % 2 else -1]:
            step = steps[name]
            _time(step, calls[name] // 2)  # the others left their own data in the caches and their own threads awake
            samples[name].append(_time(step, calls[name]))
    return Times(samples)


def _calls(step: Step) -> int:
    """How many calls make a sample. The first call is a warm-up: memory may be unused, and threads may sleep."""
    if _time(step, 1) > 10 * SAMPLE_SECONDS:
        return 1
    return math.ceil(SAMPLE_SECONDS / max(_time(step, 1), 1e-9))


def _time(step: Step, calls: int) -> float:
    """Seconds per call, from `calls` calls in a row."""
    start = perf_counter()
    for _ in range(calls):
        step()
    return (perf_counter() - start) / max(calls, 1)
