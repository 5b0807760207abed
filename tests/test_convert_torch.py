"""State converted to and from torch: some steps there and some here end where all steps there do.

Deviations are those of tests/test_torch.py, where they are explained: relative to the largest value that an element had, with
decay rates that are float32 numbers, so that only rounding is left.
"""

import numpy as np
import pytest
from test_torch import PARAM_TOLERANCE, STATE_TOLERANCE, bias_of_decay, rates, torch
from variants import VARIANTS

import fastadam
from fastadam import convert

F32 = np.float32
SIZES, STEPS = [500, 3, 1], 20
TORCH_VARIANTS = [variant for variant in VARIANTS if variant.rule_name != "lion"]

every_torch_variant = pytest.mark.parametrize("variant", TORCH_VARIANTS, ids=str)


def problem():
    """Parameters, and gradients for all steps; the second parameter has none in the first steps, the third never."""
    rng = np.random.default_rng(0)
    sizes = [10.0 ** rng.uniform(-4, 2, size) for size in SIZES]
    grads = [[(size * (rng.standard_normal(size.size) + 0.5)).astype(F32) for size in sizes] for _ in range(2 * STEPS)]
    for t, some in enumerate(grads):
        some[2] = None
        if t < STEPS // 2:
            some[1] = None
    return [rng.standard_normal(size).astype(F32) for size in SIZES], grads


def options_of(variant):
    options = {"lr": 1e-2, "weight_decay": 0.0} | dict(variant.given)
    return options | rates(variant.make(np.zeros(1, F32)), rounded=True)


def groups(params, options):
    """Two groups that differ in their learning rate."""
    return [{"params": params[:1]} | options, {"params": params[1:]} | options | {"lr": 2e-2}]


def here(variant, params):
    options = options_of(variant)
    return variant.kind.cls(groups(params, options))


def in_torch(variant, params):
    parameters = [torch.nn.Parameter(torch.tensor(param)) for param in params]
    cls = getattr(torch.optim, variant.kind.cls.__name__)
    return cls(groups(parameters, options_of(variant)), foreach=False), parameters


def step_torch(optimizer, parameters, grads, largest):
    for some in grads:
        for parameter, grad in zip(parameters, some, strict=True):
            parameter.grad = None if grad is None else torch.tensor(grad)
        optimizer.step()
        for parameter, most in zip(parameters, largest, strict=True):
            arrays = {"param": parameter.detach()} | optimizer.state[parameter]
            for name, value in arrays.items():
                if value is not None:
                    most[name] = np.maximum(most.get(name, 0), np.abs(value.numpy()))


def all_in_torch(variant):
    """Parameters and state after all steps, and the largest that each element was."""
    params, grads = problem()
    optimizer, parameters = in_torch(variant, params)
    largest = [{} for _ in params]
    step_torch(optimizer, parameters, grads, largest)
    return optimizer, parameters, largest


def assert_close(params, states, expected):
    """`states` are mappings from names to arrays."""
    optimizer, parameters, largest = expected
    for i, (param, state, parameter, most) in enumerate(zip(params, states, parameters, largest, strict=True)):
        group = optimizer.param_groups[i > 0]
        decay = group.get("weight_decay", 0) if group.get("decoupled_weight_decay") else 0
        tolerance = PARAM_TOLERANCE + 2 * bias_of_decay(decay)
        assert (np.abs(param - parameter.detach().numpy()) <= tolerance * most["param"]).all(), i
        theirs = {name: value for name, value in optimizer.state[parameter].items() if value is not None}
        for name in theirs.keys() - {"step", "mu_product"}:
            assert (np.abs(state[name] - theirs[name].numpy()) <= STATE_TOLERANCE * most[name]).all(), (i, name)
        if "step" in theirs:
            assert int(state["step"]) == int(theirs["step"])


@every_torch_variant
def test_from_torch_to_here(variant):
    params, grads = problem()
    theirs, parameters = in_torch(variant, params)
    step_torch(theirs, parameters, grads[:STEPS], [{} for _ in params])
    params = [parameter.detach().numpy().copy() for parameter in parameters]
    ours = here(variant, params)
    ours.lr = 7.0  # torch's counts
    convert.from_torch(ours, theirs.state_dict())
    assert [group["lr"] for group in ours.param_groups] == [1e-2, 2e-2]
    assert ours.step_count == (STEPS if variant.rule_name != "sgd" else ours.step_count)
    for some in grads[STEPS:]:
        ours.step(some)
    assert_close(params, ours.state, all_in_torch(variant))


@every_torch_variant
def test_from_here_to_torch(variant):
    params, grads = problem()
    ours = here(variant, params)
    for some in grads[:STEPS]:
        ours.step(some)
    theirs, parameters = in_torch(variant, params)
    theirs.param_groups[0]["lr"] = 7.0  # ours counts
    theirs.load_state_dict(convert.to_torch(ours))
    step_torch(theirs, parameters, grads[STEPS:], [{} for _ in params])
    states = [{"step": 0} | theirs.state[parameter] for parameter in parameters]
    states = [{name: np.asarray(value) for name, value in state.items() if value is not None} for state in states]
    assert_close([parameter.detach().numpy() for parameter in parameters], states, all_in_torch(variant))


@every_torch_variant
def test_there_and_back_changes_no_bit(variant):
    params, grads = problem()
    ours = here(variant, params)
    for some in grads[:STEPS]:
        ours.step(some)
    theirs, _ = in_torch(variant, params)
    theirs.load_state_dict(convert.to_torch(ours))
    back = here(variant, params := [param.copy() for param in params])
    convert.from_torch(back, theirs.state_dict())
    for state, other in zip(ours.state, back.state, strict=True):
        for name in state.keys() - ({"step"} if variant.rule_name == "sgd" else set()):
            np.testing.assert_array_equal(state[name], other[name], name)


def test_nadam_s_product_is_torch_s():
    theirs, parameters = in_torch(next(v for v in VARIANTS if v.rule_name == "nadam"), [np.ones(2, F32)] * 2)
    step_torch(theirs, parameters, [[np.ones(2, F32)] * 2] * 7, [{}, {}])
    expected = theirs.state[parameters[0]]["mu_product"]
    ours = fastadam.NAdam([np.ones(2, F32)] * 1, **{"betas": theirs.param_groups[0]["betas"]})
    for _ in range(7):
        ours.step([np.ones(2, F32)])
    found = convert.to_torch(ours)["state"][0]["mu_product"]
    assert found.dtype == expected.dtype == torch.float32
    assert abs(found / expected - 1) < 7 * 2.0**-23  # torch rounds it in each step


def test_schedules_and_averages():
    """A schedule becomes its value; an average, which torch does not have, starts from the parameters."""
    params = [np.full(3, 2, F32)]
    ours = fastadam.Adam(params, lr=lambda t: 0.5 / (t + 1), ema_decay=0.5)
    ours.step([np.ones(3, F32)])
    converted = convert.to_torch(ours)
    assert converted["param_groups"][0]["lr"] == 0.25
    assert set(converted["state"][0]) == {"step", "exp_avg", "exp_avg_sq"}
    theirs = torch.optim.Adam([torch.nn.Parameter(torch.tensor(params[0]))])
    theirs.load_state_dict(converted)
    convert.from_torch(ours, theirs.state_dict())
    np.testing.assert_array_equal(ours.state[0]["ema"], params[0])


def test_a_torch_state_dict_that_does_not_fit_is_refused():
    def torch_state(cls, size=3, **options):
        parameter = torch.nn.Parameter(torch.ones(size))
        optimizer = cls([parameter], **options)
        parameter.grad = torch.ones(size)
        optimizer.step()
        return optimizer.state_dict()

    for cls, size, options, words in [
        (torch.optim.AdamW, 3, {}, r"decoupled_weight_decay=True.*expected the state of torch\.optim\.Adam$"),
        (torch.optim.Adam, 4, {}, r"state\[0\]\['exp_avg'\] has shape \(4,\); expected \(3,\)"),
        (torch.optim.SGD, 3, {"momentum": 0.9}, r"state\[0\] has \['momentum_buffer'\]"),
        (torch.optim.Adam, 3, {"amsgrad": True}, r"max_exp_avg_sq"),
    ]:
        ours = fastadam.Adam([np.ones(3, F32)])
        ours.step([np.ones(3, F32)])
        before = ours.state_dict()
        with pytest.raises(ValueError, match=words):
            convert.from_torch(ours, torch_state(cls, size, **options))
        np.testing.assert_equal(ours.state_dict(), before)
    with pytest.raises(ValueError, match="parameter groups"):
        convert.from_torch(
            fastadam.Adam([{"params": np.ones(3, F32)}, {"params": np.ones(3, F32)}]), torch_state(torch.optim.Adam)
        )


def test_lion_is_not_in_torch():
    with pytest.raises(TypeError, match=r"fastadam\.Lion, which torch\.optim does not have"):
        convert.to_torch(fastadam.Lion(np.ones(3, F32)))
