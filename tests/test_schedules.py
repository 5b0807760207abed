"""Hyperparameters that are functions of the number of steps so far: users' own, and optax's as they are."""

import itertools

import numpy as np
import pytest
from buffers import assert_same_bits
from refusals import F32, everything, refuses
from variants import KINDS

import fastadam

SCHEDULES = {
    "lr": lambda t: 0.1 / (t + 1),
    "betas": lambda t: (0.9 - 0.1 * (t % 2), 0.99),
    "eps": lambda t: 10.0 ** -(t + 1),
    "weight_decay": lambda t: 0.1 * (t % 2),  # comes and goes, and with it the term
    "maximize": lambda t: t % 3 == 2,
    "momentum": lambda t: 0.5 + 0.1 * t,
    "dampening": lambda t: 0.1 * t,
    "lr_decay": lambda t: 0.01 * t,
    "alpha": lambda t: 0.9 + 0.01 * t,
    "momentum_decay": lambda t: 0.01 * t,
    "decoupled_weight_decay": lambda t: t % 2 == 0,
    "ema_decay": lambda t: 0.5 + 0.05 * t,
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_gives_the_bits_of_values_set_by_hand(name):
    kinds = [kind for kind in KINDS.values() if name in kind.cls._chosen]
    assert kinds
    for kind in kinds:
        schedule, rng = SCHEDULES[name], np.random.default_rng(0)
        param = rng.standard_normal(100).astype(F32)
        copy = param.copy()
        asked = []
        scheduled = kind.cls(param, **{name: lambda t, s=schedule, asked=asked: asked.append(t) or s(t)})
        by_hand = kind.cls(copy, **{name: schedule(0)})
        assert callable(getattr(scheduled, name))
        for t in range(6):
            grad = rng.standard_normal(100).astype(F32)
            scheduled.step(grad)
            setattr(by_hand, name, schedule(t))
            by_hand.step(grad)
        assert asked == [*range(6)]
        assert_same_bits(param, copy, kind.cls.__name__)


def test_a_schedule_that_stays_the_same_does_not_hold_another_up():
    param, copy = np.ones((2, 5), F32)
    scheduled = fastadam.Adam(param, lr=SCHEDULES["lr"], eps=lambda t: 1e-3, weight_decay=SCHEDULES["weight_decay"])
    by_hand = fastadam.Adam(copy, eps=1e-3)
    for t in range(4):
        grad = np.full(5, t + 1, F32)
        by_hand.lr, by_hand.weight_decay = SCHEDULES["lr"](t), SCHEDULES["weight_decay"](t)
        scheduled.step(grad)
        by_hand.step(grad)
    assert_same_bits(param, copy)


def test_schedules_of_groups_and_set_later():
    params, copies = np.ones((2, 3, 5), F32)
    optimizer = fastadam.Adam(
        [{"params": params[0], "lr": SCHEDULES["lr"]}, {"params": params[1]}, {"params": params[2]}], lr=0.5
    )
    by_hand = fastadam.Adam([{"params": copy} for copy in copies], lr=0.5)
    optimizer.param_groups[1]["weight_decay"] = SCHEDULES["weight_decay"]
    rng = np.random.default_rng(0)
    for t in range(5):
        if t == 3:
            optimizer.param_groups[2]["lr"] = SCHEDULES["lr"]
        by_hand.param_groups[0]["lr"] = SCHEDULES["lr"](t)
        by_hand.param_groups[1]["weight_decay"] = SCHEDULES["weight_decay"](t)
        by_hand.param_groups[2]["lr"] = 0.5 if t < 3 else SCHEDULES["lr"](t)
        grads = [*rng.standard_normal((3, 5)).astype(F32)]
        optimizer.step(grads)
        by_hand.step(grads)
    assert_same_bits(params, copies)


def test_a_schedule_counts_calls_of_step():
    """Also those that a parameter had no gradient in, and those that were skipped; not those that were refused."""
    asked = []
    optimizer = fastadam.Adam([np.ones(2, F32), np.ones(2, F32)], lr=lambda t: asked.append(t) or 0.1)
    good, bad = [np.ones(2, F32), None], [np.full(2, np.inf, F32), None]
    optimizer.step(good)
    with pytest.raises(ValueError, match="members"):
        optimizer.step(good[:1])
    optimizer.step(good)
    optimizer.step(bad, skip_nonfinite=True)
    optimizer.step(good)
    assert [t for t, _ in itertools.groupby(asked)] == [0, 1, 2, 3]
    assert optimizer.step_count == 4
    assert [int(state["step"]) for state in optimizer.state] == [3, 0]


@pytest.mark.parametrize(
    ("value", "error", "words"),
    [
        (float("nan"), ValueError, ("lr(2) is nan", "finite number >= 0")),
        (-1.0, ValueError, ("lr(2) is -1.0", "finite number >= 0")),
        ("0.1", TypeError, ("lr(2) is '0.1'", "expected a real number")),
        (None, TypeError, ("lr(2) is None", "expected a real number")),
        (np.ones(2), TypeError, ("lr(2) is ", "expected a real number")),
        (lambda t: 0.1, TypeError, ("lr(2) is <function", "expected a real number")),
    ],
)
def test_a_schedule_that_returns_what_does_not_fit_changes_nothing(value, error, words):
    params = [np.ones(3, F32), np.ones(2, F32)]
    optimizer = fastadam.Adam([{"params": params[0]}, {"params": params[1], "lr": lambda t: value if t == 2 else 0.1}])
    grads = [np.ones(3, F32), np.ones(2, F32)]
    optimizer.step(grads)
    optimizer.step(grads)
    for _ in range(2):
        refuses(lambda: optimizer.step(grads), error, words, everything(optimizer, params), optimizer)
    assert optimizer.step_count == 2


def test_a_schedule_cannot_take_another_state():
    param = np.ones(3, F32)
    optimizer = fastadam.SGD(param, momentum=lambda t: 0.9 if t < 2 else 0.0)
    optimizer.step(param.copy())
    optimizer.step(param.copy())
    before = param.copy()
    with pytest.raises(ValueError, match=r"momentum is 0.0.*needs the state none; .* with momentum_buffer"):
        optimizer.step(param.copy())
    assert_same_bits(param, before)


def test_values_of_schedules_have_to_go_together():
    param = np.ones(3, np.float32)
    optimizer = fastadam.SGD(param, momentum=0.5, nesterov=True, dampening=lambda step: 0.0 if step == 0 else 0.5)
    optimizer.step(np.ones_like(param))
    expected = param.copy()
    with pytest.raises(ValueError, match=r"nesterov is True with momentum 0\.5 and dampening 0\.5"):
        optimizer.step(np.ones_like(param))
    np.testing.assert_array_equal(param, expected)
    assert optimizer.step_count == 1


def test_a_stateless_step_takes_no_schedule():
    with pytest.raises(TypeError, match=r"lr is <function.*expected a real number"):
        fastadam.adam_step(*np.ones((4, 3), F32), step=1, lr=lambda t: 0.1)


def test_optax_schedules_work_as_they_are():
    optax = pytest.importorskip("optax", reason="optax is not installed")
    schedule = optax.warmup_cosine_decay_schedule(0.0, 0.1, warmup_steps=3, decay_steps=10)
    param, copy = np.ones((2, 50), F32)
    scheduled, by_hand = fastadam.AdamW(param, lr=schedule), fastadam.AdamW(copy, lr=0.0)
    rng = np.random.default_rng(0)
    for t in range(12):
        grad = rng.standard_normal(50).astype(F32)
        scheduled.step(grad)
        by_hand.lr = float(schedule(t))
        by_hand.step(grad)
    assert (param != 1).all()
    assert_same_bits(param, copy)
