"""State converted to and from torch: some steps there and some here end where all steps there do.

Deviations are those of tests/test_torch.py, where they are explained: relative to the largest value that an element had, with
decay rates that are float32 numbers, so that only rounding is left.
"""

import math
import tracemalloc

import numpy as np
import pytest
from test_torch import PARAM_TOLERANCE, STATE_TOLERANCE, bias_of_decay, rates, torch
from variants import VARIANTS

import fastadam
from fastadam import convert
from fastadam.state.torch_moments import mu_product

F32 = np.float32
SIZES, STEPS = [500, 3, 1], 20
TORCH_VARIANTS = [variant for variant in VARIANTS if variant.is_in_torch]

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
        (
            torch.optim.SGD,
            3,
            {"momentum": 0.9},
            r"has \['momentum', 'dampening', 'nesterov'\] and has no \['betas', 'eps', 'amsgrad'\], so it is of another",
        ),
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


OF_TORCH = ["SGD", "Adagrad", "RMSprop", "Adam", "AdamW", "Adamax", "NAdam", "RAdam", "Adadelta", "ASGD", "Rprop"]


def after_a_step(name, dtype=torch.float32, steps=1, **options):
    parameter = torch.nn.Parameter(torch.ones(3, dtype=dtype))
    optimizer = getattr(torch.optim, name)([parameter], **{"lr": 0.125} | options)
    for t in range(steps):
        parameter.grad = torch.full((3,), t + 0.5, dtype=dtype)
        optimizer.step()
    return optimizer


def unchanged_by(ours, given, error, words):
    before = repr(ours), ours.state_dict()
    with pytest.raises(error, match=words):
        convert.from_torch(ours, given)
    np.testing.assert_equal((repr(ours), ours.state_dict()), before)


@pytest.mark.parametrize("name", OF_TORCH[:8])
@pytest.mark.parametrize("steps", [0, 1])
def test_the_state_of_another_optimizer_is_refused(name, steps):
    """Even before its first step, where it has no state but its hyperparameters."""
    ours = getattr(fastadam, name)([np.ones(3, F32)], lr=0.5)
    for other in OF_TORCH:
        given = after_a_step(other, steps=steps).state_dict()
        if other == name:
            convert.from_torch(ours, given)
            assert ours.lr == 0.125
        else:
            unchanged_by(ours, given, ValueError, rf"expected the state of torch\.optim\.{name}$")


NOT_A_STATE = {
    "nothing": (
        lambda: {},
        ValueError,
        r"keys \[\], without 'state'.*expected what torch\.optim\.Adam\(\.\.\.\)\.state_dict\(\)",
    ),
    "None": (lambda: None, TypeError, "is a NoneType; expected what torch"),
    "a checkpoint": (
        lambda: {"model": {}, "optimizer": after_a_step("Adam").state_dict()},
        ValueError,
        r"keys \['model', 'optimizer'\].*pass state_dict\['optimizer'\]",
    ),
    "a module": (lambda: torch.nn.Linear(2, 2), TypeError, "is a Linear"),
    "a state of fastadam": (
        lambda: fastadam.Adam([np.ones(3, F32)]).state_dict(),
        ValueError,
        "one of fastadam.*load_state_dict",
    ),
    "state a list": (lambda: {"state": [], "param_groups": []}, ValueError, "not a mapping from numbers"),
    "groups a mapping": (lambda: {"state": {}, "param_groups": {}}, ValueError, "not a list of mappings with 'params'"),
    "no groups": (
        lambda: {"state": {}, "param_groups": []},
        ValueError,
        r"groups of \[\] parameters; expected groups of \[1\]",
    ),
    "two groups": (
        lambda: {"state": {}, "param_groups": [{"params": [0]}, {"params": [1]}]},
        ValueError,
        r"parameter groups of \[1, 1\] parameters; expected groups of \[1\]",
    ),
    "moments beyond float32": (
        lambda: with_moments(torch.full((3,), 1e300, dtype=torch.float64)),
        ValueError,
        r"\['state'\]\[0\]\['exp_avg'\] has numbers beyond float32",
    ),
    "moments of 8 bits": (
        lambda: with_moments(torch.ones(3, dtype=torch.uint8)),
        ValueError,
        "has dtype uint8; expected floating",
    ),
    "complex moments": (lambda: with_moments(torch.ones(3, dtype=torch.complex64)), ValueError, "has dtype complex64"),
    "masked moments": (
        lambda: with_moments(np.ma.masked_array(np.ones(3, F32), [True, False, False])),
        ValueError,
        r"\['exp_avg'\] is a masked array",
    ),
    "a step that is no number": (lambda: with_moments(torch.ones(3), step=torch.ones(2)), ValueError, r"\['step'\] is tensor"),
}


def with_moments(moments, **others):
    given = after_a_step("Adam").state_dict()
    given["state"][0] |= {"exp_avg": moments} | others
    return given


@pytest.mark.parametrize("case", NOT_A_STATE)
def test_what_is_no_state_of_torch_is_refused(case):
    make, error, words = NOT_A_STATE[case]
    unchanged_by(fastadam.Adam([np.ones(3, F32)]), make(), error, words)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64"])
def test_moments_of_other_precisions_are_converted(dtype):
    moments = torch.tensor([0.5, -1.25, 2.0**-14], dtype=getattr(torch, dtype))
    ours = fastadam.Adam([np.ones(3, F32)], betas=(0.5, 0.75))
    given = with_moments(moments)
    given["param_groups"][0]["betas"] = (0.5, 0.75)
    convert.from_torch(ours, given)
    np.testing.assert_array_equal(ours.state[0]["exp_avg"], np.array([0.5, -1.25, 2.0**-14], F32))


def test_the_optimizer_itself_is_accepted_and_a_schedule_stays():
    def schedule(t):
        return 0.5 / (t + 1)

    theirs = after_a_step("Adam", steps=3)
    ours, same = (fastadam.Adam([np.ones(3, F32)], lr=schedule) for _ in range(2))
    convert.from_torch(ours, theirs)
    convert.from_torch(same, theirs.state_dict())
    np.testing.assert_equal(ours.state_dict(), same.state_dict())
    assert (ours.step_count, ours.lr) == (3, schedule)


def test_the_count_of_sgd_s_steps_stays():
    """torch keeps none."""
    theirs = after_a_step("SGD", momentum=0.5, steps=3)
    ours = fastadam.SGD([np.ones(3, F32)], lr=1.0, momentum=0.5)
    ours.step_count = 3
    convert.from_torch(ours, theirs)
    assert ours.step_count == 3
    np.testing.assert_array_equal(ours.state[0]["momentum_buffer"], theirs.state_dict()["state"][0]["momentum_buffer"])


@pytest.mark.parametrize("name", ["Adam", "AdamW", "NAdam", "RAdam", "Adamax"])
@pytest.mark.parametrize("betas", [(0.9, 0.99999), (0.99999, 0.999), (0.9, 0.999)])
@pytest.mark.parametrize("steps", [8, 300])
def test_moments_are_scaled_to_the_other_s_decay_rates(name, betas, steps):
    """The next update has float32's precision, with torch in float64 as the judge of both ways."""
    if name == "NAdam":
        betas = (0.9, betas[1])  # its first moment is corrected by another product
    if name == "RAdam":
        betas = (betas[0], 1 - 2.0**-10)  # its rectification depends much on the last digits of this rate
    options = {"betas": betas, "eps": 1e-12, "weight_decay": 0.0, "lr": 1.0}
    grad = np.full(3, 0.75, F32)

    def judge():
        return after_a_step(name, torch.float64, steps, **options)

    def update(theirs):
        (parameter,) = theirs.param_groups[0]["params"]
        parameter.data[...] = 0
        parameter.grad = torch.tensor(grad, dtype=torch.float64)
        theirs.step()
        return parameter.detach().numpy()

    param = np.zeros(3, F32)
    ours = getattr(fastadam, name)([param], **options)
    convert.from_torch(ours, judge())
    expected = update(judge())
    back = judge()
    back.load_state_dict(convert.to_torch(ours))
    ours.step([grad])
    assert (np.abs(param / expected - 1) < 1e-6).all()
    assert (np.abs(update(back) / expected - 1) < 1e-6).all()


def test_nadam_s_product_takes_bounded_time_and_memory():
    for step, beta1, decay in [(2**62, 1 - 2.0**-24, 4e-3), (2**62, 0.9, 4e-3), (2**40, 0.9999, 0.0), (2**62, 0.0, 4e-3)]:
        tracemalloc.start()
        assert mu_product(beta1, decay, step) < 1e-45  # zero in float32
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
        tracemalloc.stop()
    # The factors whose decay counts, and beta1 to the power of the rest.
    step, beta1, decay = 2**24, 1 - 1e-7, 10.0
    expected = math.prod(1 - 0.5 * 0.96 ** (i * decay) for i in range(1, 1000)) * beta1**step
    assert abs(mu_product(beta1, decay, step) / expected - 1) < 1e-9


def test_what_torch_s_adam_does_not_have_is_refused():
    optimizer = fastadam.Adam([{"params": [np.ones(3, F32)]}, {"params": [np.ones(3, F32)], "bias_correction": False}])
    words = "optimizer has bias_correction=False, which torch.optim.Adam does not have; expected True"
    with pytest.raises(ValueError, match=words):
        convert.to_torch(optimizer)


def test_moments_that_are_not_corrected_are_not_scaled():
    parameter = torch.nn.Parameter(torch.ones(3))
    theirs = torch.optim.Adam([parameter])
    parameter.grad = torch.full((3,), 0.3)
    theirs.step()
    moments = theirs.state[parameter]["exp_avg_sq"].numpy()
    for corrects in (True, False):
        ours = fastadam.Adam([np.ones(3, F32)], bias_correction=corrects)
        convert.from_torch(ours, theirs)
        assert ours.bias_correction is corrects
        assert np.array_equal(ours.state[0]["exp_avg_sq"], moments) is not corrects


def test_lion_is_not_in_torch():
    with pytest.raises(TypeError, match=r"fastadam\.Lion, which torch\.optim does not have"):
        convert.to_torch(fastadam.Lion(np.ones(3, F32)))
