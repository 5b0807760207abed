"""The end of the process, whatever threads are doing: it exits as if they were not there, and prints nothing."""

import pytest

START = """
import atexit, sys, threading, time
import numpy as np
import fastadam

class Exporter:
    def __init__(self, array):
        self.array = array
    def __dlpack__(self, **options):
        return [self.array for _ in range(1000)][-1].__dlpack__(**options)
    def __dlpack_device__(self):
        return self.array.__dlpack_device__()

def stepping(size, make=fastadam.Adam, wrap=lambda array: array, **options):
    param, grad = np.ones((2, size), np.float32)
    optimizer, grad = make(param), wrap(grad)
    return lambda: optimizer.step(grad, **options)

def for_ever(call):
    while True:
        call()
"""
# What daemon threads do for ever, while the main one ends.
FOR_EVER = {
    "large": "stepping(1 << 20)",
    "large in a team": "stepping(1 << 20, num_threads=2)",
    "small": "stepping(8)",
    "scheduled": "stepping(8, lambda p: fastadam.SGD(p, lr=lambda t: 0.5))",
    "exported": "stepping(8, wrap=Exporter)",
    "list of its own": "stepping(8, lambda p: fastadam.SGD([p]), wrap=lambda g: Sequence([g]))",
    "norm": "lambda: fastadam.global_norm(large)",
    "norm of exported": "lambda: fastadam.global_norm(Exporter(large))",
    "stateless": "lambda: fastadam.adam_step(*np.ones((4, 1 << 16), np.float32), step=1)",
    "made": "lambda: stepping(8, lambda p: fastadam.Adam(Exporter(p)))",
}
DAEMONS = (
    START
    + """
import collections.abc

class Sequence(collections.abc.Sequence):
    def __init__(self, members):
        self.members = members
    def __len__(self):
        return len(self.members)
    def __getitem__(self, i):
        return self.members[i]

large = np.ones(1 << 20, np.float32)
for call in [%s]:
    threading.Thread(target=for_ever, args=(call,), daemon=True).start()
time.sleep(0.1)
%s
"""
)


@pytest.mark.parametrize("what", FOR_EVER)
def test_daemon_threads_do_not_outlive_the_process(what, run_python):
    result = run_python(DAEMONS % (f"{FOR_EVER[what]}, {FOR_EVER[what]}", ""), check=False)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize(
    ("end", "status"), [("sys.exit(3)", 3), ("raise SystemExit", 0), ("atexit.register(time.sleep, 0.05)", 0)]
)
def test_every_way_to_end(end, status, run_python):
    result = run_python(DAEMONS % (", ".join(FOR_EVER.values()), end), check=False)
    assert (result.returncode, result.stderr) == (status, "")


def test_steps_at_the_end_are_taken(run_python):
    """By functions that run at exit, and by a thread that the interpreter waits for."""
    program = (
        START
        + """
param, grad = np.ones((2, 1 << 20), np.float32)
optimizer = fastadam.SGD(param, lr=0.5)

def last():
    optimizer.step(grad, num_threads=2)
    print(optimizer.step_count, param[-1])

def wait_and_step():
    threading.main_thread().join()
    for _ in range(2):
        optimizer.step(grad, num_threads=2)

atexit.register(last)
threading.Thread(target=wait_and_step).start()
threading.Thread(target=for_ever, args=(stepping(1 << 20),), daemon=True).start()
"""
    )
    result = run_python(program, check=False)
    assert (result.returncode, result.stdout, result.stderr) == (0, "3 -0.5\n", "")
