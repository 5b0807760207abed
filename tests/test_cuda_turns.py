"""On a GPU: two uses of an optimizer at once, and Ctrl-C at any point of a step, a change or a load."""

import sys
import threading

import numpy as np
import pytest
from buffers import assert_same_bits
from cuda_exporters import Exporter

import fastadam

F32 = np.float32


class Meanwhile(Exporter):
    """A gradient whose export runs other code first."""

    def __init__(self, array, first):
        super().__init__(array)
        self._first = first

    def __dlpack__(self, **options):
        self._first()
        return super().__dlpack__(**options)

    def exported(self):
        self._first()
        return super().exported()


def made(device, **given):
    param = device.upload(np.linspace(-1, 1, 8, dtype=F32))
    return fastadam.Adam(param, **given), param, device.upload(np.linspace(1, 2, 8, dtype=F32))


USES = {
    "step": lambda optimizer, grad: optimizer.step(grad),
    "set the count": lambda optimizer, grad: setattr(optimizer, "step_count", 7),
    "set a hyperparameter": lambda optimizer, grad: setattr(optimizer, "lr", 0.5),
    "add a group": lambda optimizer, grad: optimizer.add_param_group({"params": grad}),
    "load": lambda optimizer, grad: optimizer.load_state_dict(optimizer.state_dict()),
}


@pytest.mark.parametrize("capturable", [False, True])
@pytest.mark.parametrize("thread", ["same", "other"])
@pytest.mark.parametrize("use", USES)
def test_a_use_within_a_step_is_refused(device, use, thread, capturable):
    optimizer, param, grad = made(device, capturable=capturable)
    twin, copy, _ = made(device, capturable=capturable)
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

    optimizer.step(Meanwhile(grad, first if thread == "same" else from_another))
    twin.step(grad)
    (error,) = errors
    assert ("in the middle of a step" if thread == "same" else "being stepped by another thread") in error
    assert_same_bits(device.download(param), device.download(copy))
    assert optimizer.step_count == optimizer.state_dict()["state"][0]["step"] == 1
    optimizer.step(grad)  # the turn was given back
    assert optimizer.step_count == 2


@pytest.mark.parametrize("scheduled", [False, True])
def test_threads_that_step_one_optimizer_lose_no_count(device, scheduled):
    given = {"lr": (lambda t: 1e-3 / (t + 1)) if scheduled else 1e-3}
    (optimizer, param, grad), (twin, copy, _) = made(device, **given), made(device, **given)
    optimizer.step(grad)  # compiles
    done, refused, start, interval = [0, 0, 0], [], threading.Barrier(3), sys.getswitchinterval()

    def work(i):
        start.wait()
        while sum(done) < 100 and len(refused) < 10_000:
            try:
                optimizer.step(grad)
                done[i] += 1
            except RuntimeError as error:
                refused.append(str(error))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(3)]
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert refused, "no two steps met"
    assert all("thread" in message for message in refused)
    assert optimizer.step_count == optimizer.state["step"] == 1 + sum(done)
    for _ in range(1 + sum(done)):
        twin.step(grad)
    assert_same_bits(device.download(param), device.download(copy))


def decay(t):
    return 0.5 / (t + 1)


def grouped(params, grads, **given):
    """Groups with schedules; the parameters have different step counts."""
    optimizer = fastadam.Adam([{"params": params[:1], "lr": decay}, {"params": params[1:], "ema_decay": 0.5}], **given)
    optimizer.step([grads[0], None, grads[2]], max_norm=0.5)
    return optimizer


def step(optimizer, grads, state):
    optimizer.step(grads, max_norm=0.5)


def set_all(optimizer, grads, state):
    optimizer.weight_decay = 0.125


def load(optimizer, grads, state):
    optimizer.load_state_dict(state, hyperparameters="load")


def everything(device, optimizer, params):
    state = {i: [(name, np.asarray(value).tobytes()) for name, value in each.items()] for i, each in states(optimizer)}
    current = [dict(group.current) for group in optimizer.param_groups]
    counts = optimizer.step_count, optimizer.skipped_steps
    return [device.download(param).tobytes() for param in params], state, current, counts, repr(optimizer)


def states(optimizer):
    return optimizer.state_dict()["state"].items()


def interrupted(call, number):
    """Interrupt `call` at its line of the package of this number. Returns how many there were until then."""
    left = number + 1

    def trace(frame, event, _):
        nonlocal left
        if "fastadam" not in frame.f_globals.get("__name__", ""):  # CuPy's launches are C's; the stand-in's are not
            return None
        left -= event == "line"
        if left == 0:
            raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    except KeyboardInterrupt:
        pass
    finally:
        sys.settrace(before)
    return number + 1 - left


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # of a generator that was interrupted
@pytest.mark.parametrize("capturable", [False, True])
@pytest.mark.parametrize(("use", "every"), [(step, 4), (set_all, 4), (load, 15)])  # at which lines
def test_an_interrupt_comes_before_a_use_or_after_it(device, use, every, capturable):
    """And all goes on as if it had not come."""

    def start():
        params, grads = ([device.upload(np.arange(size, dtype=F32) + k) for size in (3, 5, 1)] for k in (0, 1))
        return grouped(params, grads, capturable=capturable), params, grads

    optimizer, params, grads = start()
    step(optimizer, grads, None)
    saved = optimizer.state_dict()
    saved["param_groups"][0]["eps"] = 0.25
    optimizer, params, grads = start()
    before = everything(device, optimizer, params)
    use(optimizer, grads, saved)
    after = everything(device, optimizer, params)
    step(optimizer, grads, None)
    end = everything(device, optimizer, params)
    assert before != after != end
    optimizer, _, grads = start()
    count = interrupted(lambda: use(optimizer, grads, saved), 10**9)
    seen = set()
    for number in [*range(0, count, every), count - 1]:
        optimizer, params, grads = start()
        interrupted(lambda optimizer=optimizer, grads=grads: use(optimizer, grads, saved), number)
        found = everything(device, optimizer, params)
        assert found in (before, after), f"after an interrupt at point {number}"
        seen.add(found == after)
        if found == before:
            use(optimizer, grads, saved)
        step(optimizer, grads, None)
        assert everything(device, optimizer, params) == end, f"after an interrupt at point {number}"
    assert seen == {False, True}
