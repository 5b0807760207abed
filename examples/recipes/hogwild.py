"""Hogwild: processes train the same parameters in shared memory, without locks. Each has its own Adam and its own moments."""

import multiprocessing
from multiprocessing.shared_memory import SharedMemory

import numpy as np

import fastadam

SIZE, WORKERS, STEPS = 50, 2, 1000
TRUTH = np.linspace(-1, 1, SIZE, dtype=np.float32)


def work(name, seed, start):
    memory = SharedMemory(name)
    train(np.ndarray(SIZE, np.float32, memory.buf), seed, start)
    memory.close()  # after train, since memory cannot be closed while an optimizer or an array uses it


def train(params, seed, start):
    rng = np.random.default_rng(seed)
    optimizer = fastadam.Adam(params, lr=lambda step: 0.02 * (1 - step / STEPS))
    start.wait()  # so that they train at the same time
    for _ in range(STEPS):
        # Each example has a few features. Adam's moments still move all elements: a worker may undo what another just did.
        columns = rng.integers(SIZE, size=8)
        gradient = np.zeros(SIZE, np.float32)
        gradient[columns] = params[columns] - TRUTH[columns] + 0.1 * rng.standard_normal(8, dtype=np.float32)
        optimizer.step(gradient)  # a float32 is written whole, so each is always somebody's


def main():
    context = multiprocessing.get_context("spawn")  # forked children would train with one thread each
    memory = SharedMemory(create=True, size=4 * SIZE)
    try:
        params = np.ndarray(SIZE, np.float32, memory.buf)
        params[...] = 0
        start = context.Barrier(WORKERS, timeout=60)  # none waits forever for one that failed
        workers = [context.Process(target=work, args=(memory.name, seed, start)) for seed in range(WORKERS)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert all(worker.exitcode == 0 for worker in workers)
        error = float(np.abs(params - TRUTH).max())
        del params
    finally:
        memory.close()
        memory.unlink()
    assert error < 0.1
    print(f"{WORKERS} processes of {STEPS} steps each: largest error below 0.1")


if __name__ == "__main__":
    main()
