"""Times contenders by interleaved samples: one of each per round, so that a slow moment of the machine affects all of them."""

import gc
import math
import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import perf_counter

from contenders import Contender

# thinc zeroes the gradients, and moments decay as 0.9**steps: after more steps without a refill they would be subnormal.
MOST_STEPS = 512
LONG_STEP_SECONDS = 0.05  # larger cases are not warmed up: they go through DRAM anyway
FEWEST_ROUNDS, MOST_ROUNDS = 15, 201  # the budget decides within these limits


@dataclass
class Series:
    """The samples of one contender."""

    contender: Contender
    steps: int  # in each sample
    stride: int  # takes part in every stride-th round, if it is slow
    cost: float  # seconds a sample takes, its preparation included
    samples: dict[int, float] = field(default_factory=dict)  # round -> nanoseconds of one step

    @property
    def median(self) -> float:
        return statistics.median(self.samples.values())

    @property
    def quartiles(self) -> list[float]:
        return statistics.quantiles([*self.samples.values()] * 2, n=4)[::2]

    def over(self, other: "Series") -> float:
        """The ratio of its time to that of `other`: the median over the rounds with both."""
        rounds = self.samples.keys() & other.samples.keys()
        return statistics.median(self.samples[r] / other.samples[r] for r in rounds)


def interleave(contenders: Sequence[Contender], budget: float) -> list[Series]:
    """Samples of all contenders, taken in about `budget` seconds; without a budget, one round."""
    gc.collect()
    gc.disable()
    try:
        all_series = [_calibrate(contender) for contender in contenders]
        peers = [series for series in all_series if series.contender.kind == "peer"]
        others = [series for series in all_series if series.contender.kind != "peer"]
        fast = statistics.median(series.cost for series in others)
        for series in peers:
            series.stride = min(max(round(series.cost / (2 * fast)), 1), 5)
        round_cost = sum(series.cost / series.stride for series in all_series)
        rounds = min(max(math.ceil(budget / round_cost), FEWEST_ROUNDS), MOST_ROUNDS)
        rounds = rounds if budget else 1
        order = random.Random(1)
        for r in range(rounds):
            # Shuffled, since the time of a sample depends on the one before it. The walls stay next to fastadam: the less time
            # between two samples, the more exact their ratio.
            for series in order.sample(others, len(others)) + order.sample(peers, len(peers)):
                if r % series.stride == 0:
                    series.samples[r] = _sample(series.contender, series.steps)
    finally:
        gc.enable()
    return all_series


def _calibrate(contender: Contender) -> Series:
    """How many steps a sample needs, and how long it takes. Also warms up: compilation, first use of memory, thread pools."""
    steps = 1
    for _ in range(3):
        steps = min(max(math.ceil(contender.sample_seconds * 1e9 / _sample(contender, steps)), 1), MOST_STEPS)
    start = perf_counter()
    _sample(contender, steps)
    return Series(contender, steps, 1, perf_counter() - start)


def _sample(contender: Contender, steps: int) -> float:
    """Nanoseconds per step, from `steps` steps in a row."""
    contender.refill()
    # The others left their own data in the caches and their own threads awake.
    before = contender.time(1)
    if before < LONG_STEP_SECONDS * 1e9:
        contender.time(steps // 4)
        return contender.time(steps)
    return before
