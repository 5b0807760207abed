"""Each hyperparameter of each class: which check it has, and that values set between steps are used.

What the checks refuse is in test_checks.py. A refusal changes nothing, and steps go on as if it had not happened.
"""

import inspect

import numpy as np
import pytest
from refusals import F32, everything, refuses
from variants import KINDS

import fastadam

NOT_BELOW_ZERO = (-1.0, ValueError, "expected a finite number >= 0")
A_BOOL = (1, TypeError, "expected True or False")
# A value that does not fit, and what the check of the hyperparameter says of it, which no other check would.
BAD = {
    **dict.fromkeys(("lr", "eps", "weight_decay", "momentum", "lr_decay"), NOT_BELOW_ZERO),
    **dict.fromkeys(("initial_accumulator_value", "momentum_decay"), NOT_BELOW_ZERO),
    **dict.fromkeys(("maximize", "amsgrad", "nesterov", "centered", "decoupled_weight_decay", "capturable"), A_BOOL),
    **dict.fromkeys(("bias_correction", "cautious_weight_decay"), A_BOOL),
    "dampening": (float("inf"), ValueError, "expected a finite number"),
    "alpha": (1.0, ValueError, "expected a number in [0, 1)"),
    "ema_decay": (1.0, ValueError, "expected a number in [0, 1)"),
    "betas": ((0.9, 0.99, 0.999), TypeError, "expected a pair of numbers in [0, 1)"),
}
FIXED = {"initial_accumulator_value", "capturable"}  # chosen for good when an optimizer is made
# With which each of the values below makes a difference.
AT_FIRST = {"weight_decay": 0.1, "momentum": 0.9, "ema_decay": 0.5}
WITH_CAUTION = {"decoupled_weight_decay": True, "maximize": True}  # parameters and gradients are positive
ENOUGH = 6  # steps: RAdam's first ones have no eps
OTHER = {
    "lr": 0.5,
    "betas": (0.5, 0.5),
    "alpha": 0.5,
    "eps": 0.25,
    "weight_decay": 0.25,
    "momentum": 0.5,
    "dampening": -0.5,
    "nesterov": True,
    "maximize": True,
    "lr_decay": 0.5,
    "momentum_decay": 100.0,
    "decoupled_weight_decay": True,
    "bias_correction": False,
    "cautious_weight_decay": True,
    "ema_decay": 0.25,
}
assert OTHER.keys() == BAD.keys() - FIXED - {"amsgrad", "centered"}  # which take another state

every_class = pytest.mark.parametrize("cls", [kind.cls for kind in KINDS.values()], ids=lambda cls: cls.__name__)


def names(cls):
    return [
        name for name in inspect.signature(cls).parameters if name not in {"params", "state", "state_dtype", "master", "seed"}
    ]


HYPERPARAMETERS = [(kind.cls, name) for kind in KINDS.values() for name in names(kind.cls)]


def trained(cls, steps=1, **options):
    """An optimizer of three parameters that has taken some steps, its parameters and good gradients."""
    rng = np.random.default_rng(0)
    params, grads = [[rng.random(6, F32) for _ in range(3)] for _ in range(2)]
    optimizer = cls(params, **options)
    for _ in range(steps):
        optimizer.step(grads)
    return optimizer, params, grads


def refuses_to_set(name, value, error, words, cls, **options):
    """The refusal changes nothing, and steps go on as if it had not happened."""
    optimizer, params, grads = trained(cls, **options)
    twin, twin_params, _ = trained(cls, **options)
    refuses(lambda: setattr(optimizer, name, value), error, words, everything(optimizer, params), optimizer)
    optimizer.step(grads)
    twin.step(grads)
    np.testing.assert_array_equal(params, twin_params)


@pytest.mark.parametrize(("cls", "name"), HYPERPARAMETERS)
def test_a_hyperparameter_is_checked(cls, name):
    value, error, words = BAD[name]
    param = np.ones(6, F32)
    refuses(lambda: cls(param, **{name: value}), error, (f"{name} is {value!r}", words), [param])
    if name not in FIXED:
        refuses_to_set(name, value, error, (f"{name} is {value!r}", words), cls)


@pytest.mark.parametrize(("cls", "name"), [(cls, name) for cls, name in HYPERPARAMETERS if name in OTHER])
def test_what_is_set_between_steps_is_used(cls, name):
    """The next step is that of an optimizer which was made with it and has the same state; and not the one of before."""
    options = AT_FIRST | (WITH_CAUTION if name == "cautious_weight_decay" else {})
    at_first = {option: value for option, value in options.items() if option in names(cls)}
    (changed, params, grads), (unchanged, others, _) = [trained(cls, ENOUGH, **at_first) for _ in range(2)]
    copies = [param.copy() for param in params]
    made = cls(copies, **at_first | {name: OTHER[name]})
    for state, copy in zip(changed.state, made.state, strict=True):
        for key, array in state.items():
            copy[key][...] = array
    setattr(changed, name, OTHER[name])
    for optimizer in (changed, made, unchanged):
        optimizer.step(grads)
    for array, wanted in zip(everything(changed, params), everything(made, copies), strict=True):
        np.testing.assert_array_equal(array, wanted)
    before = everything(unchanged, others)
    assert any((array != old).any() for array, old in zip(everything(changed, params), before, strict=True))


@every_class
def test_an_unknown_keyword_is_refused(cls):
    refuses(lambda: cls(np.ones(6, F32), learning_rate=0.1), TypeError, ("learning_rate",), [])


@every_class
def test_what_fits_is_kept(cls):
    """The refusals above are of values, not of names: each can be set, to what it is."""
    optimizer, *_ = trained(cls)
    for name in set(names(cls)) - FIXED:
        before = getattr(optimizer, name)
        setattr(optimizer, name, before)
        assert getattr(optimizer, name) == before
        assert f"\n    {name}: {before!r}\n" in repr(optimizer)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_nesterov_takes_a_momentum_and_no_dampening(momentum):
    options = {"momentum": momentum, "dampening": 0.5 if momentum else 0.0}
    words = ("nesterov is True", "momentum", "dampening", "expected a momentum above 0 and no dampening")
    refuses(lambda: fastadam.SGD(np.ones(6, F32), nesterov=True, **options), ValueError, words, [])
    refuses_to_set("nesterov", True, ValueError, words, fastadam.SGD, **options)


@pytest.mark.parametrize(("name", "value"), [("momentum", 0.0), ("dampening", 0.5), ("dampening", -0.5)])
def test_what_nesterov_needs_cannot_be_taken_away(name, value):
    words = ("nesterov is True", "expected a momentum above 0 and no dampening")
    refuses_to_set(name, value, ValueError, words, fastadam.SGD, momentum=0.9, nesterov=True)


@pytest.mark.parametrize(
    ("cls", "options", "name", "value", "states"),
    [
        (fastadam.SGD, {}, "momentum", 0.9, ("momentum_buffer", "none")),
        (fastadam.SGD, {"momentum": 0.9}, "momentum", 0.0, ("none", "momentum_buffer")),
        (fastadam.RMSprop, {}, "momentum", 0.9, ("square_avg, momentum_buffer", "square_avg")),
        (fastadam.RMSprop, {"momentum": 0.9}, "momentum", 0.0, ("square_avg", "square_avg, momentum_buffer")),
        (fastadam.RMSprop, {}, "centered", True, ("square_avg, grad_avg", "square_avg")),
        (fastadam.RMSprop, {"centered": True}, "centered", False, ("square_avg", "square_avg, grad_avg")),
        (fastadam.Adam, {}, "amsgrad", True, ("exp_avg, exp_avg_sq, max_exp_avg_sq", "exp_avg, exp_avg_sq")),
        (fastadam.Lion, {}, "ema_decay", 0.99, ("exp_avg, ema", "exp_avg")),
        (fastadam.Lion, {"ema_decay": 0.99}, "ema_decay", None, ("exp_avg", "exp_avg, ema")),
    ],
)
def test_what_takes_another_state_cannot_be_set_later(cls, options, name, value, states):
    words = (f"{name} is {value!r}, which needs the state {states[0]};", f"was created with {states[1]}; create a new one")
    refuses_to_set(name, value, ValueError, words, cls, **options)


@pytest.mark.parametrize("cls", [fastadam.SGD, fastadam.RMSprop])
def test_a_momentum_can_become_another(cls):
    optimizer, _, grads = trained(cls, momentum=0.9)
    optimizer.momentum = 0.5
    before = optimizer.state[0]["momentum_buffer"].copy()
    optimizer.step([np.zeros_like(grad) for grad in grads])
    np.testing.assert_array_equal(optimizer.state[0]["momentum_buffer"], F32(0.5) * before)


def test_initial_accumulator_value_is_what_the_sum_starts_from():
    optimizer = fastadam.Adagrad([np.ones((2, 3), F32), np.ones((), F32)], initial_accumulator_value=0.25)
    for state in optimizer.state:
        assert (state["sum"] == 0.25).all()
    optimizer.lr = 0.5  # which leaves it alone
    assert (optimizer.state[0]["sum"] == 0.25).all()
