"""Ctrl-C at any point of a step: the optimizer is as it was before the step or as it is after it, in everything it keeps.

The points are all that the interpreter has, each line and bytecode of a step; and those at which signals of a timer arrive.
"""

import itertools
import signal
import sys
import threading

import numpy as np
import pytest
from buffers import assert_same_bits
from refusals import F32

import fastadam


class Exporter:
    """An array of another library, whose export Python interprets."""

    def __init__(self, array):
        self.array = array

    def __dlpack__(self, **options):
        return self.array.__dlpack__()

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


def decay(t):
    return 0.5 / (t + 1)


def betas(t):
    return 0.5, decay(t)


def average(t):
    return 0.25 + 0.1 * t


def grown(params):
    optimizer = fastadam.Adam(params[:1])
    optimizer.step([np.ones(3, F32)])
    optimizer.add_param_group({"params": params[1:], "lr": decay, "eps": 0.5})
    return optimizer


def grouped(params):
    return fastadam.Adam([{"params": params[:1], "lr": decay}, {"params": params[1:], "ema_decay": average}])


def changed(optimizer):
    optimizer.lr = 0.25
    optimizer.param_groups[0]["weight_decay"] = decay
    return optimizer


# Some releases of 3.12 trace few bytecodes.
POINTS = ("call", "line", "opcode", "return")

# How an optimizer over a list of arrays is made, how a gradient is passed, and the options of a step.
VARIANTS = {
    "plain": (fastadam.Adam, np.array, {}),
    "scheduled": (lambda p: fastadam.Adam(p, lr=decay, betas=betas), np.array, {}),
    "groups": (grouped, np.array, {}),
    "average and norm": (lambda p: fastadam.NAdam(p, lr=decay, ema_decay=0.5), np.array, {"max_norm": 0.5, "grad_scale": 2.0}),
    "skipped": (lambda p: fastadam.AdamW(p, lr=decay), lambda g: g + F32(np.nan), {"skip_nonfinite": True}),
    "exported": (lambda p: fastadam.SGD(p, lr=decay, momentum=0.5), Exporter, {}),
    "set before": (lambda p: changed(fastadam.RMSprop(p)), np.array, {}),
    "added before": (grown, np.array, {}),
}


def made(variant):
    """An optimizer, its parameters, and what takes a step."""
    make, wrap, options = VARIANTS[variant]
    params = [np.arange(3, dtype=F32), np.ones((2, 2), F32)]
    optimizer = make(params)

    def step(t):
        optimizer.step([wrap(np.full_like(param, t - 1.5)) for param in params], **options)

    return optimizer, params, step


def everything(optimizer, params):
    """All that an optimizer keeps, to compare."""
    plain = {
        key: [(name, array.tobytes()) if isinstance(array, np.ndarray) else (name, array) for name, array in value.items()]
        for key, value in optimizer.state_dict()["state"].items()
    }
    values = [dict(group.current) for group in optimizer.param_groups]
    counts = optimizer.step_count, optimizer.skipped_steps, optimizer.state_dict()["step_count"]
    return [param.tobytes() for param in params], plain, values, counts, repr(optimizer)


def interrupted(call, number, *kinds):
    """Call it, and interrupt it at its event of this number, of these kinds of sys.settrace. Returns whether it has so many."""
    left = number + 1

    def trace(frame, event, _):
        nonlocal left
        frame.f_trace_opcodes = "opcode" in kinds
        left -= event in kinds
        if left == 0 and event in kinds:
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
    return left <= 0


@pytest.mark.parametrize("variant", VARIANTS)
def test_an_interrupt_comes_before_a_step_or_after_it(variant):
    optimizer, params, step = made(variant)
    runs = [everything(optimizer, params)]
    for t in range(2):
        step(t)
        runs.append(everything(optimizer, params))
    seen = set()
    for number in itertools.count():
        optimizer, params, step = made(variant)
        if not interrupted(lambda step=step: step(0), number, *POINTS):
            break
        done = runs.index(everything(optimizer, params))
        seen.add(done)
        for t in range(done, 2):
            step(t)
            assert everything(optimizer, params) == runs[t + 1], f"after an interrupt at point {number}"
    assert seen == {0, 1}, "no interrupt before the step, or none after it"


CHANGES = {
    "set for all": lambda optimizer: setattr(optimizer, "eps", 0.25),
    "set in a group": lambda optimizer: optimizer.param_groups[1].update(weight_decay=0.5),
    "added": lambda optimizer: optimizer.add_param_group({"params": [np.ones(4, F32)], "lr": 0.125}),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("variant", ["groups", "added before", "set before"])
def test_an_interrupt_comes_before_a_change_or_after_it(variant, change):
    """And the change can be made again."""

    def run(number):
        optimizer, params, _ = made(variant)
        if variant != "set before":
            optimizer.step([np.ones_like(param) for param in params])
        else:
            optimizer.add_param_group({"params": [np.ones(2, F32)]})
        before = repr(optimizer)
        was = number is not None and interrupted(lambda: CHANGES[change](optimizer), number, *POINTS)
        if number is None or repr(optimizer) == before:
            CHANGES[change](optimizer)
        params = [param for group in optimizer.param_groups for param in group["params"]]
        optimizer.step([np.ones_like(param) for param in params])
        return everything(optimizer, params), was

    wanted, _ = run(None)
    for number in itertools.count():
        found, was = run(number)
        assert found == wanted, f"after an interrupt at point {number}"
        if not was:
            break


@pytest.mark.parametrize("variant", ["scheduled", "added before"])
def test_an_interrupt_leaves_no_lock_taken(variant):
    """Whatever was interrupted, another thread can step."""
    for number in itertools.count():
        optimizer, _, step = made(variant)
        if not interrupted(lambda step=step: step(0), number, *POINTS):
            break
        if number % 7 == 0 or number < 50:
            thread = threading.Thread(target=step, args=(0,), daemon=True)
            thread.start()
            thread.join(60)
            assert not thread.is_alive(), f"after an interrupt at point {number}"
            assert optimizer.step_count > 0


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no interval timers")
def test_a_storm_of_signals():
    asked, count, storms = [], 300, 0
    params, copies = np.ones((2, 2000), F32)
    grad = np.linspace(-1, 1, 2000, dtype=F32)

    def rate(t):
        asked.append(t)
        return 1e-3 / (t + 1)

    optimizer, twin = (
        fastadam.Adam(params, lr=rate, ema_decay=0.5),
        fastadam.Adam(copies, lr=lambda t: 1e-3 / (t + 1), ema_decay=0.5),
    )
    random = np.random.default_rng(0)
    previous = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        while storms < count:
            try:
                signal.setitimer(signal.ITIMER_REAL, random.uniform(1e-6, 2e-4))
                while True:
                    optimizer.step(grad)
            except KeyboardInterrupt:
                storms += 1
            assert optimizer.step_count == optimizer.state["step"]
            assert optimizer.step_count in (asked[-1:] or [0])[0] + np.arange(2)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    assert sorted({*asked}) == [*range(asked[-1] + 1)], "a step was left out"
    for _ in range(optimizer.step_count):
        twin.step(grad)
    assert optimizer.param_groups[0].current["lr"] == twin.param_groups[0].current["lr"]
    assert_same_bits(params, copies)
    for name in ("exp_avg", "exp_avg_sq", "ema"):
        assert_same_bits(optimizer.state[name], twin.state[name], name)
    for name, array in optimizer.state.items():
        assert array.tobytes() == twin.state[name].tobytes(), name
