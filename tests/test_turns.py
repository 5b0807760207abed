"""Two uses of one optimizer at once: one of them takes place, the other raises an error and changes nothing.

The tests hold with the GIL and without it (free-threaded builds of Python).
"""

import contextlib
import itertools
import sys
import threading

import numpy as np
import pytest
from buffers import assert_same_bits
from refusals import F32

import fastadam

SIZE = 100_000


class Exporter:
    """A gradient whose export runs other code first."""

    def __init__(self, array, first):
        self.array, self.first = array, first

    def __dlpack__(self, **options):
        self.first()
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


def made(size=8, **given):
    param = np.linspace(-1, 1, size, dtype=F32)
    return fastadam.Adam(param, **given), param, np.linspace(1, 2, size, dtype=F32)


# What code that a step calls, or another thread, may not do meanwhile.
USES = {
    "step": lambda optimizer, grad: optimizer.step(grad),
    "set the count": lambda optimizer, grad: setattr(optimizer, "step_count", 7),
}


@pytest.mark.parametrize("thread", ["same", "other"])
@pytest.mark.parametrize("use", ["step", "set the count"])
def test_a_use_within_a_step_is_refused(use, thread):
    optimizer, param, grad = made()
    twin, copy, _ = made()
    errors = []

    def first():
        try:
            USES[use](optimizer, grad)
        except RuntimeError as error:
            errors.append(str(error))

    def from_another():
        other = threading.Thread(target=first)
        other.start()
        other.join()

    optimizer.step(Exporter(grad, first if thread == "same" else from_another))
    twin.step(grad)
    (error,) = errors
    assert ("in the middle of a step" if thread == "same" else "being stepped by another thread") in error
    assert_same_bits(param, copy)
    assert optimizer.step_count == optimizer.state["step"] == 1
    optimizer.step(grad)  # the turn was given back
    assert optimizer.step_count == 2


@pytest.mark.parametrize("use", ["step", "set the count"])
def test_a_use_within_a_schedule_is_refused(use):
    optimizer, _, grad = made()
    within = []

    def rate(t):
        if not within:
            within.append(t)
            USES[use](optimizer, grad)
        return 0.5

    optimizer.lr = rate
    with pytest.raises(RuntimeError, match="while the schedules of this step were asked"):
        optimizer.step(grad)
    assert optimizer.state["step"] == (use == "step")
    assert optimizer.step_count == (1 if use == "step" else 7)
    optimizer.step(grad)
    assert optimizer.step_count == (2 if use == "step" else 8)


@pytest.mark.parametrize("scheduled", [False, True])
def test_threads_that_step_one_optimizer_lose_no_count(scheduled):
    """As many steps are counted as calls returned, and the values are those of so many steps in a row."""

    def rate(t):
        return 1e-3 / (t + 1)

    optimizer, param, grad = made(SIZE, lr=rate if scheduled else 1e-3)
    twin, copy, _ = made(SIZE, lr=rate if scheduled else 1e-3)
    count, done, refused = 4, [0] * 4, []
    start = threading.Barrier(count)

    def work(i):
        start.wait()
        while sum(done) < 200 and len(refused) < 100_000:
            try:
                optimizer.step(grad, num_threads=1)
                done[i] += 1
            except RuntimeError as error:
                refused.append(str(error))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert optimizer.step_count == optimizer.state["step"] == sum(done) > 0
    assert refused, "no two steps met"
    assert all("thread" in message for message in refused)
    for _ in range(sum(done)):
        twin.step(grad)
    assert_same_bits(param, copy)
    for name, array in optimizer.state.items():
        assert array.tobytes() == twin.state[name].tobytes(), name


def test_threads_that_step_their_own_optimizers_share_nothing():
    """Also while each sets its hyperparameters, and none is refused."""
    count, results, start = 4, {}, threading.Barrier(4)

    def work(i):
        optimizer, param, grad = made(1000, lr=lambda t: 0.1 / (t + 1))
        start.wait()
        for t in range(100):
            optimizer.weight_decay = 0.01 * t
            optimizer.step(grad, max_norm=1.0)
        results[i] = param

    threads = [threading.Thread(target=work, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    work_alone = dict(results)
    start = threading.Barrier(1)
    work(0)
    assert len(work_alone) == count
    for param in work_alone.values():
        assert_same_bits(param, results[0])


@pytest.fixture
def frequent_switches():
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def add_group(optimizer, i):
    optimizer.add_param_group({"params": np.zeros(4, F32)})


def set_in_group(optimizer, i):
    optimizer.param_groups[0]["weight_decay"] = i * 2.0**-20


def set_for_all(optimizer, i):
    optimizer.weight_decay = i * 2.0**-20


CHANGES = {"add a group": add_group, "set in a group": set_in_group, "set for all": set_for_all}


def race(change, scheduled):
    param, grad = np.zeros(3000, F32), np.ones(3000, F32)
    optimizer = fastadam.SGD([param], lr=(lambda t: 1.0) if scheduled else 1.0)
    done, changes, errors, numbers = [0, 0], [0, 0], [], itertools.count(1)
    end = threading.Event()

    def step(me):
        while not end.is_set():
            with contextlib.suppress(RuntimeError, ValueError):  # ValueError: a group was added since
                optimizer.step([grad] + [None] * (len(optimizer.param_groups) - 1), num_threads=1)
                done[me] += 1

    def alter(me):
        tries = 0
        while changes[me] < 20 and tries < 100_000:
            tries += 1
            with contextlib.suppress(RuntimeError):
                change(optimizer, next(numbers))
                changes[me] += 1

    def watched(work, me):
        try:
            work(me)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=watched, args=(work, me)) for work in (step, alter) for me in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads[2:]:
        thread.join()
    end.set()
    for thread in threads[:2]:
        thread.join()
    assert not errors
    assert optimizer.step_count == optimizer.state[0]["step"] == sum(done)
    if change is add_group:
        assert len(optimizer.param_groups) == len(optimizer.state) == 1 + sum(changes)
        assert (param == -sum(done)).all()
    last = optimizer.param_groups[0]["weight_decay"]
    copy = param.copy()
    fastadam.SGD([copy], lr=1.0, weight_decay=last).step([grad])
    optimizer.step([grad] + [None] * (len(optimizer.param_groups) - 1))
    assert_same_bits(param, copy)
    return sum(changes)


@pytest.mark.usefixtures("frequent_switches")
@pytest.mark.parametrize("scheduled", [False, True])
@pytest.mark.parametrize("change", CHANGES)
def test_changes_while_other_threads_step_lose_nothing(change, scheduled):
    """Two threads step, two make changes; each call that returned has been done, and no other."""
    assert sum(race(CHANGES[change], scheduled) for _ in range(3)) > 40
