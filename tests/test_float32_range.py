"""Numbers that are finite in float64 and not in float32 are refused, wherever a hyperparameter or a scale may be given."""

import c_interface
import numpy as np
import pytest
from buffers import assert_same_bits
from c_interface import INVALID, api, options_of
from refusals import F32, everything, refuses, trained
from variants import KINDS, ONE_OF_EACH

import fastadam
from fastadam.optimizers import checks

# From the point halfway between the largest float32 and 2**128, which rounds to infinity, to the largest float64.
TOO_LARGE = [2.0**128 - 2.0**103, 1e39, np.float64(1e39), 1e300, 10**300, 1.7976931348623157e308]
LARGEST = float(np.nextafter(TOO_LARGE[0], 0))
WORDS = "expected a number that is finite in float32"
NAMES = [
    (kind, name)
    for kind in KINDS
    for name, declared in KINDS[kind].cls._declared.items()
    if declared.check in (checks.non_negative, checks.real)
]


def shown(value):
    """A value as an optimizer keeps it: numbers of other libraries become Python's."""
    return value.item() if isinstance(value, np.generic) else value


def set_attribute(optimizer, name, value):
    setattr(optimizer, name, value)


def set_in_group(optimizer, name, value):
    optimizer.param_groups[0][name] = value


def add_group(optimizer, name, value):
    optimizer.add_param_group({"params": np.ones(3, F32), name: value})


def load(optimizer, name, value):
    state = optimizer.state_dict()
    state["param_groups"][0][name] = value
    optimizer.load_state_dict(state, hyperparameters="load")


def make(optimizer, name, value):
    type(optimizer)(np.ones(3, F32), **{name: value})


def made(kind, **given):
    params = [np.ones(3, F32)]
    optimizer = KINDS[kind].cls(params, **given)
    optimizer.step([np.ones(3, F32)])
    return optimizer, params


@pytest.mark.parametrize("way", [make, set_attribute, set_in_group, add_group, load])
@pytest.mark.parametrize(("kind", "name"), NAMES)
def test_a_hyperparameter_that_float32_has_no_number_for_is_refused(kind, name, way):
    optimizer, params = made(kind)
    for value in TOO_LARGE:
        words, arrays = (name, f"is {shown(value)!r}; ", WORDS), everything(optimizer, params)
        refuses(lambda value=value: way(optimizer, name, value), ValueError, words, arrays, optimizer)


@pytest.mark.parametrize(("kind", "name"), [each for each in NAMES if each[1] != "initial_accumulator_value"])
def test_a_schedule_that_leaves_float32_is_refused(kind, name):
    current = [0.5]
    optimizer, params = made(kind, **{name: lambda t: current[0]})
    for value in TOO_LARGE:
        current[0] = value
        words, arrays = (f"{name}(1) is {shown(value)!r}", WORDS), everything(optimizer, params)
        refuses(lambda: optimizer.step([np.ones(3, F32)]), ValueError, words, arrays, optimizer)
        assert optimizer.step_count == 1


@pytest.mark.parametrize("name", ["lr", "eps", "weight_decay"])
def test_adam_step_refuses_it(name):
    arrays = np.ones((4, 3), F32)
    for value in TOO_LARGE:
        words = (f"{name} is {value!r}", WORDS)
        refuses(lambda value=value: fastadam.adam_step(*arrays, step=1, **{name: value}), ValueError, words, arrays)


@pytest.mark.parametrize("value", TOO_LARGE)
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("more", [{}, {"clip_value": 1.0}, {"max_norm": 1.0, "skip_nonfinite": True}], ids=str)
def test_a_scale_that_float32_has_no_number_for_is_refused(value, sign, more):
    optimizer, params, grads = trained()
    words, arrays = (f"grad_scale is {sign * value!r}", WORDS), everything(optimizer, params)
    refuses(lambda: optimizer.step(grads, grad_scale=sign * value, **more), ValueError, words, arrays, optimizer)


@pytest.mark.parametrize("variant", ONE_OF_EACH, ids=str)
def test_c_refuses_it(variant):
    """What is set later is refused too, and the rule keeps what it had."""
    options = options_of(variant.changed(nesterov=False) if variant.rule_name == "sgd" else variant)
    rule = c_interface.Rule(variant.rule.name, options)
    for _, name in [each for each in NAMES if each[0] == variant.rule_name and each[1] in options]:
        for value in map(float, TOO_LARGE):
            message = f"{name} is {value:.15g}; {WORDS}"
            with pytest.raises(ValueError, match="finite in float32") as refused:
                c_interface.Rule(variant.rule.name, options | {name: value})
            assert message in str(refused.value)
            assert rule.set(name, value) == INVALID
            assert message in api.error().decode()


@pytest.mark.parametrize("name", ["lr", "eps", "weight_decay", "grad_scale"])
def test_the_largest_number_is_a_float32(name):
    """It is not infinity times zero: nothing becomes NaN."""
    param, grad = np.ones((2, 3), F32)
    options = {"grad_scale": LARGEST} if name == "grad_scale" else {}
    fastadam.Adam(param, **({} if options else {name: LARGEST})).step(0 * grad, **options)
    assert not np.isnan(param).any()
    param = np.ones(3, F32)
    fastadam.SGD(param, lr=LARGEST if name == "lr" else 0.0).step(grad * F32(2**-100))
    assert_same_bits(param, np.full(3, 1 - np.finfo(F32).max * F32(2**-100) if name == "lr" else 1, F32))
