"""Run with the library of faults.cpp preloaded: fails the 1st, 2nd, ... event of a kind in an operation, until it has no more.

After each failure nothing may have changed, nothing is left allocated, and the same operation then succeeds.
"""

import ctypes
import gc
import itertools
import os
import shutil
import sys
import tempfile
import threading

import fault_operations
from fault_operations import plain

library = ctypes.PyDLL(os.environ["LD_PRELOAD"])
library.faults_install()
call = library.faults_call
call.restype = ctypes.py_object
call.argtypes = [ctypes.py_object, ctypes.c_int, ctypes.c_long, ctypes.c_int, ctypes.POINTER(ctypes.c_long)]
live = library.faults_live
live.restype = ctypes.c_long
events = ctypes.c_long()

MOST_ATTEMPTS = 100

# What an operation may raise that lacks something. Where Python's own allocations fail, CPython, NumPy and pybind11 raise some
# errors of other types, and CPython leaks some objects.
ERRORS = {"python": Exception, "native": MemoryError, "thread": (), "file": OSError}


def attempt(case, kind, n, persists):
    """Whether the operation raised an error, its text, and what it returned."""

    def run():
        try:
            return None, call(case.call, fault_operations.KINDS.index(kind), n, persists, events)
        except BaseException as error:
            return error, None

    if kind != "thread":
        return run()
    results = []
    thread = threading.Thread(target=lambda: results.append(run()))
    thread.start()
    thread.join()
    return results[0]


def leaks(case, kind, n, persists):
    """How many allocations an attempt that fails leaves, however often it is made: caches of freed objects fill up before."""
    least = sys.maxsize
    for _ in range(MOST_ATTEMPTS):
        gc.collect()
        before = live()
        is_raised = attempt(case, kind, n, persists)[0] is not None
        gc.collect()
        least = min(least, live() - before)
        if least <= 0 or not is_raised:  # what is cached may do instead of what is allocated
            return 0
    return least


def explore(make, kind, persists, stride):
    """Yields what went wrong, and returns how many failures were tried."""
    folders = []

    def fresh():
        folders.append(tempfile.mkdtemp())
        return make(folders[-1])

    case = fresh()
    before = case.look()
    result = case.call()
    after = plain(result), case.look()
    del result
    for n in itertools.count(1, stride):
        case = fresh()
        assert case.look() == before
        error, result = attempt(case, kind, n, persists)
        reached = events.value >= n
        if error is None:
            if (plain(result), case.look()) != after:
                yield n, "it returned, and did something else"
        else:
            if not isinstance(error, ERRORS[kind]):
                yield n, f"{type(error).__name__}: {error}"
            if case.look() != before:
                yield n, "something has changed"
            error = None
            if (plain(case.call()), case.look()) != after:
                yield n, "it did something else when it was tried again"
            if kind == "native" and (left := leaks(fresh(), kind, n, persists)):
                yield n, f"it leaves {left} allocations"
        for folder in folders:
            shutil.rmtree(folder)
        folders.clear()
        if not reached:
            return (n - 1) // stride


def main(kind, stride, only=""):
    gc.disable()
    failed = False
    for name, make in fault_operations.operations(kind).items():
        if only not in name:
            continue
        # Without any memory Python cannot even remove a file, or say that a load ended half-way.
        for persists in (False,) if kind == "python" else (False, True):
            print(name, "and all that follow" if persists else "alone", end=": ", flush=True)
            gc.collect()
            gc.freeze()
            count = yield_from(explore(make, kind, persists, int(stride)), problems := [])
            print(count, *problems[:20], sep="\n  " if problems else " ", flush=True)
            failed = failed or bool(problems)
    sys.exit(failed)


def yield_from(generator, into):
    """What a generator returns; what it yields goes into a list."""
    while True:
        try:
            into.append(next(generator))
        except StopIteration as end:
            return end.value


main(*sys.argv[1:])
