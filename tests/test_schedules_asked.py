"""When schedules are asked, what their values may be, and how the current values and the count are read and set."""

import copy
import gc
import pickle
import weakref
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from buffers import assert_same_bits
from refusals import F32, everything, refuses
from variants import KINDS

import fastadam

GRAD = np.ones(3, F32)


class Asked:
    """A schedule that remembers what it was asked for."""

    def __init__(self, value=0.5):
        self.value, self.counts = value, []

    def __call__(self, count):
        self.counts.append(count)
        return self.value


def new(cls=fastadam.Adam, **given):
    return cls(np.ones(3, F32), **given)


def in_a_group_with(schedule):
    optimizer = fastadam.SGD([np.ones(3, F32)])
    optimizer.add_param_group({"params": np.ones(3, F32), "lr": schedule})
    return optimizer


NOT_A_STEP = {
    "made": lambda s: new(fastadam.SGD, lr=s),
    "made with groups": lambda s: fastadam.SGD([{"params": np.ones(3, F32), "lr": s}, {"params": np.ones(3, F32)}]),
    "added": in_a_group_with,
    "set": lambda s: setattr(new(fastadam.SGD), "lr", s),
    "set in a group": lambda s: new(fastadam.SGD).param_groups[0].update(lr=s),
    "another is set": lambda s: setattr(new(fastadam.SGD, lr=s), "weight_decay", 0.5),
    "read": lambda s: (new(fastadam.SGD, lr=s).lr, repr(new(fastadam.SGD, lr=s)), dict(new(lr=s).param_groups[0])),
    "current": lambda s: new(fastadam.SGD, lr=s).param_groups[0].current["lr"],
    "copied": lambda s: copy.deepcopy(new(fastadam.SGD, lr=s)),
    "state dict": lambda s: new(fastadam.SGD, lr=s).load_state_dict(new(fastadam.SGD, lr=s).state_dict()),
    "not strict": lambda s: new(fastadam.SGD, lr=s).load_state_dict(new(fastadam.SGD, lr=s).state_dict(), strict=False),
    "count set": lambda s: setattr(new(fastadam.SGD, lr=s), "step_count", 7),
}


@pytest.mark.parametrize("happens", NOT_A_STEP.values(), ids=NOT_A_STEP)
def test_only_a_step_asks_a_schedule(happens, monkeypatch):
    schedule = Asked()
    monkeypatch.setattr(Asked, "__deepcopy__", lambda self, memo: self, raising=False)
    happens(schedule)
    assert schedule.counts == []


def test_a_pickled_schedule_is_not_asked():
    asked = pickle.loads(pickle.dumps(new(lr=Asked()))).lr
    assert asked.counts == []


def test_a_step_asks_once_however_many_groups_have_the_schedule():
    every, own = Asked(), Asked()
    groups = [{"params": np.ones(3, F32)} for _ in range(4)]
    optimizer = fastadam.SGD([*groups, {"params": np.ones(3, F32), "lr": own}], lr=every, weight_decay=every)
    for t in range(3):
        optimizer.weight_decay, optimizer.param_groups[0]["dampening"] = every, 0.1 * t  # set between steps
        optimizer.step([GRAD] * 5)
    assert every.counts == own.counts == [0, 1, 2]


# Hyperparameters that decide which state there is, and the value that means none. A schedule means that there is state.
DECIDE_STATE = [
    (fastadam.SGD, "momentum", "momentum_buffer", 0.5, 0.0),
    (fastadam.RMSprop, "momentum", "momentum_buffer", 0.5, 0.0),
    (fastadam.RMSprop, "centered", "grad_avg", True, False),
    (fastadam.Adam, "amsgrad", "max_exp_avg_sq", True, False),
    *[(kind.cls, "ema_decay", "ema", 0.5, None) for kind in KINDS.values()],
]


@pytest.mark.parametrize(("cls", "name", "state", "some", "none"), DECIDE_STATE)
def test_a_schedule_of_what_decides_the_state_means_that_there_is_state(cls, name, state, some, none):
    params, copies = np.ones((2, 3), F32)
    optimizer, twin = cls(params, **{name: lambda t: some if t < 2 else none}), cls(copies, **{name: some})
    assert state in optimizer.state
    for _ in range(2):
        optimizer.step(GRAD)
        twin.step(GRAD)
    assert_same_bits(params, copies)
    arrays = [params, *optimizer.state.values()]
    refuses(lambda: optimizer.step(GRAD), ValueError, (f"{name} is {none!r}, which needs the state",), arrays, optimizer)
    assert optimizer.param_groups[0].current[name] == some
    plain = new(cls)
    words = (f"{name} is a schedule, which needs the state", state, "create a new one")
    arrays = [*plain.state.values()]
    refuses(lambda: setattr(plain, name, lambda t: some), ValueError, words, arrays, plain)


def test_what_is_used_once_takes_no_schedule():
    with pytest.raises(TypeError, match=r"initial_accumulator_value is <function.*expected a real number"):
        new(fastadam.Adagrad, initial_accumulator_value=lambda t: 0.5)


def libraries():
    """Makes 0-d arrays and scalars of libraries."""
    yield pytest.param(lambda value: value, id="python")
    for make in (np.float64, np.float32, np.array, Fraction, Decimal):
        yield pytest.param(make, id=make.__name__)
    yield pytest.param(lambda value: pytest.importorskip("torch").tensor(value, requires_grad=True), id="torch")
    yield pytest.param(lambda value: pytest.importorskip("jax.numpy").asarray(value), id="jax")


@pytest.mark.parametrize("make", [*libraries()])
@pytest.mark.parametrize("scheduled", [False, True])
def test_numbers_of_any_library(make, scheduled):
    given = {"lr": make(0.5), "eps": make(0.25), "betas": (make(0.5), make(0.75)), "ema_decay": make(0.5)}
    given = {name: (lambda t, value=value: value) if scheduled else value for name, value in given.items()}
    params, copies = np.ones((2, 3), F32)
    fastadam.Adam(params, **given).step(GRAD)
    fastadam.Adam(copies, lr=0.5, eps=0.25, betas=(0.5, 0.75), ema_decay=0.5).step(GRAD)
    assert_same_bits(params, copies)


@pytest.mark.parametrize("scheduled", [False, True])
@pytest.mark.parametrize("library", ["numpy", "torch", "jax.numpy"])
def test_truths_and_pairs_of_any_library(library, scheduled):
    module = pytest.importorskip(library)
    make = getattr(module, "tensor", module.asarray)
    given = {"maximize": make(True), "betas": make([0.5, 0.75])}
    params, copies = np.ones((2, 3), F32)
    fastadam.Adam(params, **{k: (lambda t, v=v: v) if scheduled else v for k, v in given.items()}).step(GRAD)
    fastadam.Adam(copies, maximize=True, betas=(0.5, 0.75)).step(GRAD)
    assert_same_bits(params, copies)


BELOW_BY_ROUNDING = [
    0.3 - 0.1 * 3,
    -0.0,
    -1e-300,
    -1e-12,
    np.float64(0.3 - 0.1 * 3),
    np.array(-1e-12),
    F32(0.3) - F32(0.1) * F32(3),
    F32(-1e-6),
    np.array(-1e-7, F32),
]
BELOW = [-0.1, -1.0, -1.1e-12, np.float64(-1e-11), F32(-1.1e-6), np.array(-2e-6, F32), -np.inf, np.nan]


@pytest.mark.parametrize("value", BELOW_BY_ROUNDING, ids=repr)
def test_below_zero_by_rounding_is_zero(value):
    assert value <= 0
    param, copies = np.ones((2, 3), F32)
    given = {"lr": value, "weight_decay": value, "eps": value, "betas": (value, 0.5), "ema_decay": value}
    optimizer = fastadam.Adam(param, **{name: lambda t, value=value: value for name, value in given.items()})
    optimizer.step(GRAD)
    fastadam.Adam(copies, lr=0.0, weight_decay=0.0, eps=0.0, betas=(0.0, 0.5), ema_decay=0.0).step(GRAD)
    assert_same_bits(param, copies)
    current = optimizer.param_groups[0].current
    assert [str(current[name]) for name in ("lr", "weight_decay", "eps", "ema_decay")] == ["0.0"] * 4


@pytest.mark.parametrize("value", BELOW, ids=repr)
@pytest.mark.parametrize("name", ["lr", "eps", "weight_decay", "betas", "ema_decay"])
def test_what_is_below_zero_is_refused(name, value):
    bad = (value, 0.5) if name == "betas" else value
    optimizer = new(ema_decay=0.5)
    setattr(optimizer, name, lambda t: bad)
    refuses(lambda: optimizer.step(GRAD), ValueError, (f"{name}(0)", "expected"), [*optimizer.state.values()], optimizer)


def test_an_optimizer_that_its_schedule_knows_is_freed():
    optimizer = new()
    optimizer.lr = lambda t, optimizer=optimizer: 0.5 / (optimizer.step_count + 1)
    optimizer.step(GRAD)
    alive = weakref.ref(optimizer)
    del optimizer
    gc.collect()
    assert alive() is None


def test_a_schedule_may_read_the_values_and_set_others():
    read = []

    def rate(t):
        read.append(optimizer.param_groups[0].current["lr"])
        if t == 1:
            optimizer.eps = 0.5  # for the steps that follow
        return 0.5 / (t + 1)

    params, copies = np.ones((2, 3), F32)
    optimizer, twin = fastadam.Adam(params, lr=rate), fastadam.Adam(copies)
    for t in range(4):
        optimizer.step(GRAD)
        twin.lr, twin.eps = 0.5 / (t + 1), 0.5 if t > 1 else 1e-8
        twin.step(GRAD)
    assert_same_bits(params, copies)
    assert read[:2] == [None, 0.5]
    assert optimizer.param_groups[0].current["lr"] == 0.125


def test_a_decay_that_ends_below_zero_by_rounding():
    param = np.ones(3, F32)
    optimizer = fastadam.SGD(param, lr=lambda t: 0.3 - 0.1 * t)
    for _ in range(4):
        optimizer.step(GRAD)
    with pytest.raises(ValueError, match=r"lr\(4\) is -0\.1"):
        optimizer.step(GRAD)


def test_current_values_are_what_the_last_step_used():
    optimizer = fastadam.Adam([{"params": np.ones(3, F32), "lr": lambda t: 0.5 / (t + 1)}, {"params": np.ones(3, F32)}])
    first, second = (group.current for group in optimizer.param_groups)
    assert (first["lr"], second["lr"], first["betas"]) == (None, 1e-3, (0.9, 0.999))
    assert [*first] == [*optimizer.param_groups[0]][1:]
    with pytest.raises(TypeError):
        first["lr"] = 1.0
    for t in range(3):
        optimizer.step([GRAD, GRAD])
        assert optimizer.param_groups[0].current["lr"] == 0.5 / (t + 1)
        optimizer.eps = 0.5  # keeps it
        assert optimizer.param_groups[0].current["lr"] == 0.5 / (t + 1)
    optimizer.lr = 0.25
    assert [group.current["lr"] for group in optimizer.param_groups] == [0.25, 0.25]
    assert type(optimizer.param_groups[0].current["lr"]) is float


@pytest.mark.parametrize("bad", [[np.ones(2, F32)], [None, None], [np.ones(3)]])
def test_a_refused_step_changes_no_current_value(bad):
    params = [np.ones(3, F32)]
    optimizer = fastadam.Adam(params, lr=lambda t: 0.5 / (t + 1), weight_decay=lambda t: 0.5 * (t == 1))
    optimizer.step([GRAD])
    twin = copy.deepcopy(optimizer)
    before = dict(optimizer.param_groups[0].current)
    refuses(lambda: optimizer.step(bad), (TypeError, ValueError), (), everything(optimizer, params), optimizer)
    assert dict(optimizer.param_groups[0].current) == before
    optimizer.param_groups[0]["lr"], twin.lr = 0.5, 0.5
    optimizer.step([GRAD])
    twin.step([GRAD])
    for name, array in optimizer.state[0].items():
        assert array.tobytes() == twin.state[0][name].tobytes(), name


def test_a_run_is_resumed_from_moments_and_a_count():
    def made(param):
        return fastadam.AdamW(param, lr=lambda t: 0.5 / (t + 1))

    param, rest = np.ones(3, F32), np.ones(3, F32)
    optimizer = made(param)
    for _ in range(5):
        optimizer.step(GRAD)
    resumed = made(rest)
    rest[...] = param
    for name, array in optimizer.state.items():
        resumed.state[name][...] = array
    resumed.step_count = np.int64(optimizer.step_count)
    assert type(resumed.step_count) is int
    optimizer.step(GRAD)
    resumed.step(GRAD)
    assert_same_bits(param, rest)
    assert resumed.step_count == 6


@pytest.mark.parametrize(("count", "error"), [(-1, ValueError), (2**63 - 1, ValueError), (1.0, TypeError), ("1", TypeError)])
def test_a_count_that_does_not_fit(count, error):
    optimizer = new()
    refuses(lambda: setattr(optimizer, "step_count", count), error, ("step_count is", "expected"), [], optimizer)
    assert optimizer.step_count == 0
