"""``python bench/cutoff.py``: the number of elements from which a second thread pays off, the basis of the default grain.

OpenMP's threads stay awake for a moment after each region. Steps in a row find them awake; after a pause, as between the steps
of a training loop, they have to be woken up. Both are measured.
"""

import random
import statistics
from time import perf_counter_ns

import numpy as np

import fastadam
from fastadam import _native

SIZES = [2**k for k in range(10, 21)]
ROUNDS = 300
PAUSE_SECONDS = 0.02  # longer than OpenMP's threads stay awake after a region


def main() -> None:
    threads = fastadam.get_num_threads()
    default = _native.grain()
    _native.set_grain(1)
    print(f"1 against {threads} threads; grain {default}: serial below {threads * default} elements with {threads} threads\n")
    print(f"{'elements':>9} {'a thread':>9}   {'in a row':^27}   {'after a pause':^27}")
    columns = f"{'1':>8} {threads:>8} {'ratio':>8}"
    print(f"{'':>9} {'':>9}   {columns}    {columns}")
    for size in SIZES:
        in_a_row = medians(size, threads, steps=20, pause=0.0)
        paused = medians(size, threads, steps=1, pause=PAUSE_SECONDS)
        cells = "   ".join(f"{one:>8.2f} {many:>8.2f} {one / many:>8.2f} " for one, many in (in_a_row, paused))
        print(f"{size:>9} {size // threads:>9}   {cells}")
    print("\nTimes in µs. A ratio above 1 means that the threads pay.")


def medians(size: int, threads: int, *, steps: int, pause: float) -> tuple[float, float]:
    """Microseconds of a step on one thread and on all, sampled in turns."""
    generator = np.random.default_rng(1)
    param, grad = generator.random((2, size), dtype=np.float32)
    optimizer = fastadam.AdamW(param)
    samples: dict[int, list[float]] = {1: [], threads: []}
    order = random.Random(1)
    for _ in range(ROUNDS if not pause else ROUNDS // 4):
        for count in order.sample([1, threads], 2):
            optimizer.step(grad, num_threads=count)  # warms up the caches, and wakes the threads if they are to be awake
            until = perf_counter_ns() + pause * 1e9
            while perf_counter_ns() < until:  # this thread stays busy, as in a training loop
                pass
            start = perf_counter_ns()
            for _ in range(steps):
                optimizer.step(grad, num_threads=count)
            samples[count].append((perf_counter_ns() - start) / steps / 1e3)
    return statistics.median(samples[1]), statistics.median(samples[threads])


if __name__ == "__main__":
    main()
