"""Two hundred steps of every rule, compared with torch (Lion: optax), with groups, schedules and missing gradients.

tests/test_torch.py and tests/test_optax.py have the tolerances and where the deviations come from; decay rates are float32
numbers here, so that only rounding is left.
"""

import numpy as np
import pytest
from test_torch import PARAM_TOLERANCE, STATE_TOLERANCE, bias_of_decay, rates, torch
from variants import ONE_OF_EACH

F32 = np.float32
STEPS, SIZES = 200, [300, 7, 1, 40]
TORCH = [variant for variant in ONE_OF_EACH if variant.is_in_torch]


def first_schedule(step):
    """Up, and down again."""
    return 2e-2 * min((step + 1) / 20, (STEPS - step) / STEPS)


def second_schedule(step):
    return 1e-2 * 0.99**step


def problem():
    """Parameters, and gradients of sizes from 1e-4 to 1e2 around which each element's scatter; every fifth is missing."""
    rng = np.random.default_rng(0)
    sizes = [10.0 ** rng.uniform(-4, 2, size) for size in SIZES]
    grads = [[(size * (rng.standard_normal(size.size) + 0.5)).astype(F32) for size in sizes] for _ in range(STEPS)]
    for t, some in enumerate(grads):
        for i in range(len(some)):
            if (t + i) % 5 == 0:
                some[i] = None
    return [rng.standard_normal(size).astype(F32) for size in SIZES], grads


def groups(params, options, schedules):
    second = {} if "betas" not in options else {"betas": (0.5, 0.75)}  # which are float32 numbers
    return [{"params": params[:2], "lr": schedules[0]} | options, {"params": params[2:], "lr": schedules[1]} | options | second]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize("variant", TORCH, ids=str)
def test_groups_schedules_and_missing_gradients_beside_torch(variant, dtype):
    options = {"weight_decay": 0.0} | dict(variant.given)
    options |= rates(variant.make(np.zeros(1, F32)), rounded=True)
    params, grads = problem()
    parameters = [torch.nn.Parameter(torch.tensor(param, dtype=dtype)) for param in params]
    ours = variant.kind.cls(groups(params, options, [first_schedule, second_schedule]))
    theirs = getattr(torch.optim, variant.kind.cls.__name__)(groups(parameters, options, [1.0, 1.0]), foreach=False)
    scheduler = torch.optim.lr_scheduler.LambdaLR(theirs, [first_schedule, second_schedule])
    largest = [{} for _ in params]
    for some in grads:
        ours.step(some)
        for parameter, grad in zip(parameters, some, strict=True):
            parameter.grad = None if grad is None else torch.tensor(grad, dtype=dtype)
        theirs.step()
        scheduler.step()
        for parameter, most in zip(parameters, largest, strict=True):
            for name, value in ({"param": parameter.detach()} | theirs.state[parameter]).items():
                most[name] = np.maximum(most.get(name, 0), np.abs(value.numpy().astype(np.float64)))

    decoupled = variant.rule_name == "adamw" or "decoupled_weight_decay" in options
    tolerance = PARAM_TOLERANCE + 2 * decoupled * bias_of_decay(options["weight_decay"])
    for param, state, parameter, most in zip(params, ours.state, parameters, largest, strict=True):
        assert (np.abs(param - parameter.detach().numpy()) <= tolerance * most["param"]).all()
        assert state["step"] == STEPS - STEPS // 5
        expected = theirs.state[parameter]
        assert int(expected.get("step", state["step"])) == state["step"]
        for name in state.keys() - {"step"}:
            assert (np.abs(state[name] - expected[name].numpy()) <= STATE_TOLERANCE * most[name]).all(), name


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_groups_schedules_and_missing_gradients_beside_optax(weight_decay):
    """optax has neither groups nor missing gradients: each parameter has a transformation of its own."""
    optax = pytest.importorskip("optax", reason="optax is not installed")
    lion = next(variant for variant in ONE_OF_EACH if variant.rule_name == "lion")
    betas = float(F32(0.9)), float(F32(0.99))
    params, grads = problem()
    expected = [param.copy() for param in params]
    taken = [[t for t, some in enumerate(grads) if some[i] is not None] for i in range(len(params))]
    schedules = [first_schedule, first_schedule, second_schedule, second_schedule]
    # Each of them counts the steps that it takes.
    theirs = [
        optax.lion(lambda count, s=schedule, t=steps: s(t[int(count)]), *betas, weight_decay=weight_decay)
        for schedule, steps in zip(schedules, taken, strict=True)
    ]
    states = [each.init(param) for each, param in zip(theirs, expected, strict=True)]
    ours = lion.kind.cls(groups(params, {"weight_decay": weight_decay}, [first_schedule, second_schedule]), betas=betas)
    for some in grads:
        ours.step(some)
        for i, grad in enumerate(some):
            if grad is not None:
                updates, states[i] = theirs[i].update(grad, states[i], expected[i])
                expected[i] = np.asarray(optax.apply_updates(expected[i], updates))
    for param, state, wanted, their in zip(params, ours.state, expected, states, strict=True):
        # All steps have one size; twice the largest deviation seen, which is that of the decay.
        np.testing.assert_allclose(param, wanted, rtol=0, atol=8e-6 if weight_decay else 0)
        moment = np.asarray(their[0].mu)
        assert (np.abs(state["exp_avg"] - moment) <= STATE_TOLERANCE * np.abs(moment).max()).all()
