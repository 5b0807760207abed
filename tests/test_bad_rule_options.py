"""Bad hyperparameters are refused by every rule's optimizer, when it is made and later, and change nothing.

What Adam's own take is in test_bad_options.py.
"""

import inspect

import numpy as np
import pytest
from refusals import F32, everything, refuses
from variants import KINDS

import fastadam

NAN, INF = float("nan"), float("inf")
NUMBERS = ("lr", "eps", "weight_decay", "momentum", "lr_decay", "initial_accumulator_value", "momentum_decay")
FLAGS = ("maximize", "amsgrad", "nesterov", "centered", "decoupled_weight_decay", "capturable")

NOT_A_NUMBER = ("expected a real number", TypeError, ["0.1", b"0.1", None, 1j, [0.1]])
BELOW_ZERO_OR_NOT_FINITE = ("expected a finite number >= 0", ValueError, [-1.0, -1e-300, NAN, INF, -INF])
NOT_A_BOOL = ("expected True or False", TypeError, [0, 1, None, "yes"])
# What is said of values that do not fit, and such values; a parameter must be in this table, or the tests cannot be collected.
BAD_VALUES = {
    **dict.fromkeys(NUMBERS, (BELOW_ZERO_OR_NOT_FINITE, NOT_A_NUMBER)),
    **dict.fromkeys(FLAGS, (NOT_A_BOOL,)),
    "dampening": [("expected a finite number", ValueError, [NAN, INF, -INF]), NOT_A_NUMBER],
    "alpha": [
        ("expected a number in [0, 1)", ValueError, [1.0, 1, 1.5, -0.1, -1e-300, NAN, INF]),
        ("rounds to 1 in float32; expected at most 0.99999994", ValueError, [1 - 2.0**-25]),
        NOT_A_NUMBER,
    ],
    "ema_decay": [
        ("expected a number in [0, 1)", ValueError, [1.0, 1, 1.5, -0.1, NAN, INF]),
        ("rounds to 1 in float32; expected at most 0.99999994", ValueError, [1 - 2.0**-25]),
        ("expected a real number", TypeError, ["0.1", b"0.1", 1j, [0.1]]),
    ],
    "betas": [
        ("expected a number in [0, 1)", ValueError, [(1.0, 0.9), (0.9, 1), (-0.1, 0.9), (0.9, NAN), (INF, 0.9)]),
        ("rounds to 1 in float32; expected at most 0.99999994", ValueError, [(0.9, 1 - 2.0**-25)]),
        ("expected a pair of numbers in [0, 1)", TypeError, [0.9, (0.9,), (0.9, 0.99, 0.999), None, "ab"]),
        ("expected a real number", TypeError, [("0.9", 0.99), (0.9, None)]),
    ],
}
FIXED = {"initial_accumulator_value", "capturable"}  # chosen for good when an optimizer is made

every_class = pytest.mark.parametrize("cls", [kind.cls for kind in KINDS.values()], ids=lambda cls: cls.__name__)


def names(cls):
    return [name for name in inspect.signature(cls).parameters if name != "params"]


def cases():
    for cls in (kind.cls for kind in KINDS.values()):
        for name in names(cls):
            for words, error, values in BAD_VALUES[name]:
                for value in values:
                    yield pytest.param(cls, name, value, error, words, id=f"{cls.__name__}-{name}-{value}")


def trained(cls, **options):
    """An optimizer of three parameters that has taken a step, its parameters and good gradients."""
    rng = np.random.default_rng(0)
    params, grads = [[rng.random(6, F32) for _ in range(3)] for _ in range(2)]
    optimizer = cls(params, **options)
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


@pytest.mark.parametrize(("cls", "name", "value", "error", "words"), [*cases()])
def test_a_bad_hyperparameter_is_refused(cls, name, value, error, words):
    param = np.ones(6, F32)
    words = (name, "is ", words)
    refuses(lambda: cls(param, **{name: value}), error, words, [param])
    if name not in FIXED:
        refuses_to_set(name, value, error, words, cls)


@every_class
def test_a_number_too_large_for_a_float_is_refused(cls):
    for name in {*NUMBERS, "dampening", "alpha"}.intersection(names(cls)):
        refuses(lambda name=name: cls(np.ones(6, F32), **{name: 10**400}), ValueError, (name, "too large for a float"), [])


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
