"""Processes and threads: fork, spawn, several Python threads, signals, the GIL, and limits on OpenMP."""

import multiprocessing
import os
import signal
import sys
import threading
import time

import numpy as np
import pytest
from buffers import assert_same_bits
from training import reference_trained, trained

import fastadam

has_openmp = pytest.mark.skipif(fastadam.build_info()["openmp"] == "none", reason="this build has no OpenMP")
has_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork()")


@has_fork
def test_forked_child_steps(run_python):
    """A parallel step before the fork starts worker threads, which the child does not inherit."""
    output = run_python(
        """
import os, sys
import numpy as np
import fastadam

def parallel_step():
    param = np.ones(1_000_003, np.float32)
    fastadam.Adam(param).step(np.ones_like(param), num_threads=4)
    return param

expected = parallel_step()
child = os.fork()
if child == 0:
    same = np.array_equal(parallel_step(), expected)
    grandchild = os.fork()
    if grandchild == 0:
        os._exit(0 if same and np.array_equal(parallel_step(), expected) else 1)
    os._exit(os.waitstatus_to_exitcode(os.waitpid(grandchild, 0)[1]))
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), np.array_equal(parallel_step(), expected))
""",
        timeout=60,
    )
    assert output == "0 True"


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_child_process_gives_the_same_bits(method, run_python):
    """The parent is a fresh process: this one may hold libraries that warn of forks, or hang after them."""
    path = os.pathsep.join([os.path.dirname(__file__), *filter(None, [os.environ.get("PYTHONPATH")])])
    program = f"""
import multiprocessing
from training import send_trained, trained

expected = trained()
context = multiprocessing.get_context({method!r})
receiver, sender = context.Pipe(duplex=False)
process = context.Process(target=send_trained, args=(sender,))
process.start()
assert receiver.poll(60), "the child hangs"
print(receiver.recv().tobytes() == expected.tobytes(), end=" ")
process.join(60)
print(process.exitcode)
"""
    assert run_python(program, PYTHONPATH=path) == "True 0"


def test_python_threads_step_different_optimizers_at_once():
    count = 4
    results = [None] * count
    start = threading.Barrier(count)

    def work(i):
        start.wait()
        results[i] = trained(steps=10, seed=i)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i, result in enumerate(results):
        assert_same_bits(result, reference_trained(steps=10, seed=i))


def test_gil_is_released_while_the_kernel_runs():
    ticks, stop = 0, threading.Event()

    def tick():
        nonlocal ticks
        while not stop.is_set():
            ticks += 1
            time.sleep(0)

    param = np.ones(1 << 24, np.float32)
    grad = np.ones_like(param)
    optimizer = fastadam.Adam(param)
    interval = sys.getswitchinterval()
    # Now only a thread that gives the GIL up lets another run.
    sys.setswitchinterval(100)
    thread = threading.Thread(target=tick)
    thread.start()
    try:
        before = ticks
        optimizer.step(grad, num_threads=1)
        during = ticks - before
    finally:
        stop.set()
        thread.join()
        sys.setswitchinterval(interval)
    assert during > 1


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no interval timers")
def test_interrupt_never_stops_a_step_half_way():
    param = np.ones(1 << 21, np.float32)
    grad = np.linspace(-1, 1, param.size, dtype=np.float32)
    expected, m, v = param.copy(), np.zeros_like(param), np.zeros_like(param)
    optimizer = fastadam.Adam(param)
    previous = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):  # noqa: PT012, the interrupt may come at any line
            signal.setitimer(signal.ITIMER_REAL, 0.01)
            while True:
                optimizer.step(grad)
    finally:
        signal.signal(signal.SIGALRM, previous)
    steps = int(optimizer.state["step"])
    assert steps > 0
    for t in range(1, steps + 1):
        fastadam.reference.adam_step(expected, grad, m, v, step=t)
    assert_same_bits(param, expected)
    assert_same_bits(optimizer.state["exp_avg_sq"], v)


THREADS_STARTED = """
import os
import numpy as np
import fastadam
from threadpoolctl import threadpool_limits

def started(step):
    before = len(os.listdir("/proc/self/task"))
    step()
    return len(os.listdir("/proc/self/task")) - before

param = np.ones(1_000_000, np.float32)
grad = np.ones_like(param)
optimizer = fastadam.Adam(param)
"""
linux = pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="counts threads through Linux's /proc")


@linux
@has_openmp
def test_num_threads_is_the_number_of_threads(run_python):
    program = THREADS_STARTED + "print(started(lambda: optimizer.step(grad, num_threads=3)))"
    assert run_python(program, FASTADAM_NUM_THREADS="1") == "2"
    program = THREADS_STARTED + "print(started(lambda: fastadam.global_norm(grad, num_threads=3)))"
    assert run_python(program, FASTADAM_NUM_THREADS="1") == "2"
    program = THREADS_STARTED + "print(started(lambda: optimizer.step(grad)))"
    assert run_python(program, FASTADAM_NUM_THREADS="4") == "3"


@linux
@has_openmp
def test_small_step_is_serial(run_python):
    program = THREADS_STARTED + "print(started(lambda: fastadam.Adam(param[:1000]).step(grad[:1000], num_threads=4)))"
    assert run_python(program) == "0"


@linux
@has_openmp
def test_threadpoolctl_limit_is_respected(run_python):
    program = (
        THREADS_STARTED
        + """
with threadpool_limits(1):
    print(fastadam.get_num_threads(), started(lambda: optimizer.step(grad)), end=" ")
print(fastadam.get_num_threads(), started(lambda: optimizer.step(grad)))
"""
    )
    assert run_python(program, FASTADAM_NUM_THREADS="2", OMP_NUM_THREADS="2") == "1 0 2 1"


@has_openmp
def test_steps_beside_torch_under_load(run_python):
    """Both with OpenMP threads of their own, in two Python threads, and by turns in each: nothing hangs, and no bit changes."""
    pytest.importorskip("torch", reason="torch is not installed")
    program = """
import threading
import numpy as np
import torch
import fastadam

torch.set_num_threads(2)
matrix = torch.ones(300, 300) / 300

def work(results):
    param, product, grads = np.ones(300_001, np.float32), matrix, []
    optimizer = fastadam.Adam(param)
    for _ in range(50):
        product = product @ matrix
        grads.append(float(product[0, 0]))
        optimizer.step(np.full_like(param, grads[-1]), num_threads=2)
        torch.from_numpy(param).mul_(0.5)
    results.append((param, grads))

results = []
threads = [threading.Thread(target=work, args=(results,)) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
for param, grads in results:
    expected, m, v = np.ones_like(param), *np.zeros((2, param.size), np.float32)
    for step, grad in enumerate(grads, 1):
        fastadam.reference.adam_step(expected, np.full_like(expected, grad), m, v, step=step)
        expected *= np.float32(0.5)
    print(np.array_equal(param, expected))
"""
    assert run_python(program).split() == ["True", "True"]
