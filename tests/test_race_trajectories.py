"""Paths over surfaces, and what happens inside each step: those of the public optimizers equal the reference, bit for bit."""

import dataclasses
import inspect
import itertools
import math

import numpy as np
import pytest

from fastadam import reference
from fastadam.viz import METHODS, SURFACES, race
from fastadam.viz.trajectory import QUANTITIES, RATES, best_rate, gradient_at, losses, noise_of, trajectory

STEPS = 120
RATE = {"SGD": 1e-3, "momentum": 1e-3, "Nesterov": 1e-3}  # of others 0.1
ADAM = ["Adam", "AMSGrad", "AdamW"]


def reference_step(name, lr, bias_correction):
    """The states of a method, and a function that takes its step with the reference: param, grad, step."""
    param = np.zeros(2, np.float32)
    zeros = [np.zeros_like(param) for _ in range(3)]
    if name not in ADAM:
        call, states, options = {
            "SGD": (reference.sgd_step, [], {}),
            "momentum": (reference.sgd_step, zeros[:1], {"momentum": 0.9}),
            "Nesterov": (reference.sgd_step, zeros[:1], {"momentum": 0.9, "nesterov": True}),
            "AdaGrad": (reference.adagrad_step, zeros[:1], {"eps": 1e-10}),
            "RMSProp": (reference.rmsprop_step, zeros[:1], {"alpha": 0.99, "eps": 1e-8}),
        }[name]
        return states, lambda param, grad, step: call(param, grad, *states, step=step, lr=lr, **options)

    states = zeros if name == "AMSGrad" else zeros[:2]
    decay = {"weight_decay": 0.1, "decoupled_weight_decay": True} if name == "AdamW" else {}

    def step(param, grad, step):
        reference.adam_step(param, grad, *states, step=step, lr=lr, eps=1e-8, bias_correction=bias_correction, **decay)

    return states, step


@pytest.mark.parametrize("surface", SURFACES.values(), ids=lambda surface: surface.name)
@pytest.mark.parametrize(("name", "bias_correction"), [*((name, True) for name in METHODS), *((name, False) for name in ADAM)])
def test_paths_are_those_of_the_reference(surface, name, bias_correction):
    lr = RATE.get(name, 0.1)
    path = trajectory(surface, name, lr, steps=STEPS, seed=3, bias_correction=bias_correction)
    states, step = reference_step(name, lr, bias_correction)
    param = np.array(surface.start, np.float32)
    noise = noise_of(surface, STEPS, 3)
    kept = {"m": 0} if name in ("momentum", "Nesterov") else {"m": 0, "v": 1} if name in ADAM else {"v": 0} if states else {}
    with np.errstate(all="ignore"):
        for t in range(1, STEPS + 1):
            grad = gradient_at(surface, param, noise[t - 1])
            step(param, grad, t)
            assert path.positions[t].tobytes() == param.tobytes()
            assert path.inside["gradient"][t - 1].astype(np.float32).tobytes() == grad.tobytes()
            for quantity, i in kept.items():
                assert path.inside[quantity][t - 1].astype(np.float32).tobytes() == states[i].tobytes()
    assert np.isfinite(path.positions).all()


@pytest.mark.parametrize("bias_correction", [True, False])
@pytest.mark.parametrize("name", METHODS)
def test_a_step_is_the_effective_rate_times_the_corrected_m(name, bias_correction):
    lr = RATE.get(name, 0.1)
    path = trajectory(SURFACES["beale"], name, lr, steps=STEPS, bias_correction=bias_correction)
    before = path.positions[:-1].astype(np.float64)
    expected = -path.inside["effective lr"] * path.inside["corrected m"] - (0.1 * lr * before if name == "AdamW" else 0)
    # A step is the difference of two rounded positions: an ulp of either, and the roundings within the rule.
    error = np.abs(expected - path.inside["step"]) / (np.abs(before) * 2.0**-23 + np.abs(expected) * 2.0**-20 + 1e-30)
    assert error.max() <= 1
    assert tuple(path.inside) == QUANTITIES
    assert all(values.shape == (STEPS, 2) for values in path.inside.values())


def test_bias_correction_makes_moments_of_a_constant_gradient_that_gradient():
    slope = dataclasses.replace(SURFACES["bowl"], value=lambda x, y: 2 * x - y, gradient=lambda x, y: (2.0, -1.0))
    path = trajectory(slope, "Adam", 0.1, steps=50)
    np.testing.assert_allclose(path.inside["corrected m"], np.tile([2, -1], (50, 1)), rtol=1e-5)
    np.testing.assert_allclose(path.inside["corrected v"], np.tile([4, 1], (50, 1)), rtol=1e-5)
    without = trajectory(slope, "Adam", 0.1, steps=50, bias_correction=False)
    np.testing.assert_array_equal(without.inside["corrected m"], without.inside["m"])
    assert abs(without.inside["step"][0, 0]) == pytest.approx(0.1 * 0.1 / math.sqrt(1e-3), rel=1e-3)


@pytest.mark.parametrize("name", ADAM)
def test_steps_without_bias_correction_are_longer_by_what_the_guide_says(name):
    slope = dataclasses.replace(SURFACES["bowl"], value=lambda x, y: 2 * x - y, gradient=lambda x, y: (2.0, -1.0))
    corrected, without = (trajectory(slope, name, 0.1, steps=200, bias_correction=choice).inside for choice in (True, False))
    ratio = (without["effective lr"] * without["corrected m"] / corrected["effective lr"] / corrected["corrected m"])[:, 0]
    assert round(ratio[0], 1) == 3.2
    assert ratio.argmax() + 1 == 12
    assert round(ratio.max(), 1) == 6.6


@pytest.mark.parametrize("name", METHODS)
def test_quantities_are_what_the_guide_says(name):
    inside = trajectory(SURFACES["noisy-bowl"], name, 0.01, steps=40).inside
    gradient, m, v = inside["gradient"], inside["m"], inside["v"]
    sums, averages = np.zeros((2, 2)), np.zeros((2, 2))
    beta2 = 0.99 if name == "RMSProp" else 0.999
    for t, g in enumerate(gradient):
        sums = [0.9 * sums[0] + g, sums[1] + g * g]
        averages = [0.9 * averages[0] + 0.1 * g, beta2 * averages[1] + (1 - beta2) * g * g]
        expected_m = sums[0] if name in ("momentum", "Nesterov") else averages[0] if name in ADAM else g
        is_plain = name in ("SGD", "momentum", "Nesterov")
        expected_v = np.ones(2) if is_plain else sums[1] if name == "AdaGrad" else averages[1]
        np.testing.assert_allclose(m[t], expected_m, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(v[t], expected_v, rtol=1e-4)
        corrected_m, corrected_v = expected_m, v[: t + 1].max(axis=0) if name == "AMSGrad" else expected_v
        if name == "Nesterov":
            corrected_m = g + 0.9 * expected_m
        if name in ADAM:
            corrected_m, corrected_v = corrected_m / (1 - 0.9 ** (t + 1)), corrected_v / (1 - 0.999 ** (t + 1))
        np.testing.assert_allclose(inside["corrected m"][t], corrected_m, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(inside["corrected v"][t], corrected_v, rtol=1e-4)
        effective = 0.01 if is_plain else 0.01 / np.sqrt(corrected_v)
        np.testing.assert_allclose(inside["effective lr"][t], np.broadcast_to(effective, 2), rtol=1e-4)


@pytest.mark.parametrize("name", ["momentum", "Nesterov", *ADAM])
def test_oscillations_cancel_in_m_and_trends_accumulate(name):
    signs = itertools.cycle((1.0, -1.0))
    slope = dataclasses.replace(SURFACES["bowl"], value=lambda x, y: y, gradient=lambda x, y: (next(signs), 1.0))
    oscillating, steady = np.abs(trajectory(slope, name, 0.1, steps=100).inside["m"][-1])
    assert steady > 15 * oscillating


@pytest.mark.parametrize("name", METHODS)
def test_options_are_the_defaults_but_for_momentum_and_weight_decay(name):
    method = METHODS[name]
    defaults = {key: option.default for key, option in inspect.signature(method.optimizer).parameters.items()}
    others = {key: value for key, value in method.options.items() if defaults[key] != value}
    assert others == {
        "momentum": {"momentum": 0.9},
        "Nesterov": {"momentum": 0.9, "nesterov": True},
        "AMSGrad": {"amsgrad": True},
        "AdamW": {"weight_decay": 0.1},
    }.get(name, {})


def test_noise_is_the_same_for_all_and_follows_the_seed():
    surface = SURFACES["noisy-bowl"]
    first = [trajectory(surface, name, 0.01, steps=3, seed=1).inside["gradient"][0] for name in METHODS]
    assert len({gradient.tobytes() for gradient in first}) == 1
    assert trajectory(surface, "SGD", 0.01, steps=3, seed=2).inside["gradient"][0].tobytes() != first[0].tobytes()
    again = trajectory(surface, "SGD", 0.01, steps=3, seed=1)
    assert again.inside["gradient"][0].tobytes() == first[0].tobytes()


def test_best_rate_has_the_lowest_mean_loss():
    assert RATES == (1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
    surface = SURFACES["ravine"]
    means = {lr: trajectory(surface, "momentum", lr, steps=60).values[1:].mean() for lr in RATES}
    assert best_rate(surface, "momentum", steps=60) == min(means, key=lambda lr: means[lr] if means[lr] < 1e300 else math.inf)


def test_a_path_that_diverges_ends_in_nan_and_is_no_error():
    path = trajectory(SURFACES["rosenbrock"], "SGD", 1.0, steps=30)
    assert np.isfinite(path.positions[1]).all()
    assert not np.isfinite(path.positions[-1]).any()
    assert not np.isfinite(path.values[-1])


def test_functions_may_be_of_pythons_math():
    """Which raises where NumPy returns infinity or NaN, and takes no arrays."""

    def steep(x, y):
        return math.exp(x * x) + math.sqrt(y)

    def slope(x, y):
        return 2 * x * math.exp(x * x), 0.5 / math.sqrt(y)

    result = race(steep, slope, start=(2, 1), steps=20, optimizers=["SGD", "Adam"], lr={"SGD": 5.0})
    assert not np.isfinite(result.trajectories["SGD"].values[-1])
    assert result.trajectories["Adam"].values[5] < steep(2, 1)
    assert result.surface.name == "steep"
    assert np.isnan(losses(result.surface, [[100.0, 1.0], [0.0, -1.0]])).all()


def test_race_finds_rates_and_keeps_those_that_are_given():
    result = race("bowl", optimizers=["Adam", "sgd"], lr={"sgd": 0.007}, steps=40, start=(-9, 0.5))
    assert list(result.trajectories) == ["Adam", "SGD"]
    assert result.rates["SGD"] == 0.007
    assert result.rates["Adam"] in RATES
    assert result.trajectories["Adam"].positions[0].tolist() == [-9, 0.5]
    (left, _), _ = result.surface.region
    assert left < -9
    assert race("bowl", lr=0.01, steps=1).rates == dict.fromkeys(METHODS, 0.01)


def test_region_of_an_own_function_has_the_paths_that_go_down():
    result = race(lambda x, y: (x - 30) ** 2 + y**2, lambda x, y: (2 * (x - 30), 2 * y), minima=[(30, 0)], title="Far away")
    (left, right), (bottom, top) = result.surface.region
    assert left < 0
    assert right > 30
    assert bottom < 0 < top
    assert result.surface.title == "Far away"


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"function": "rosenbrok"}, ValueError, "function is 'rosenbrok'; expected one of rosenbrock, beale, .*noisy-bowl, or"),
        ({"gradient": abs}, ValueError, "gradient is given with the function 'bowl'"),
        ({"function": 3, "gradient": abs}, TypeError, r"function is 3; expected function\(x, y\)"),
        ({"function": max}, TypeError, r"gradient is None; expected gradient\(x, y\) of your function"),
        (
            {"function": max, "gradient": max},
            ValueError,
            r"gradient returned .*0.0.* at \(0.0, 0.0\); expected a pair",
        ),
        ({"start": (0, math.nan)}, ValueError, r"start\[1\] is nan; expected a finite number"),
        ({"start": 4}, TypeError, "start is 4; expected a pair of numbers"),
        (
            {"function": lambda x, y: math.inf, "gradient": lambda x, y: (0, 0)},
            ValueError,
            r"start is \(0.0, 0.0\), where the function is inf",
        ),
        ({"steps": 0}, ValueError, "steps is 0; expected at least 1"),
        ({"steps": 1.5}, TypeError, "steps is 1.5; expected an integer"),
        ({"optimizers": ["Adan"]}, ValueError, "optimizers has 'Adan'; expected names among SGD, .*AdamW"),
        ({"optimizers": []}, ValueError, "optimizers is empty"),
        ({"lr": 0}, ValueError, "lr is 0; expected a learning rate above 0"),
        ({"lr": {"Adam": -1}}, ValueError, r"lr\['Adam'\] is -1; expected a learning rate above 0"),
        ({"lr": {"Adam": 1}, "optimizers": "SGD"}, ValueError, "lr has 'Adam', which does not take part; expected .* SGD"),
        ({"seed": -1}, ValueError, "seed is -1; expected an integer of at least 0"),
        ({"bias_correction": 1}, TypeError, "bias_correction is 1; expected True or False"),
        ({"noise": -1}, ValueError, "noise is -1; expected a finite number >= 0"),
        ({"region": ((0, 1), (1, 0))}, ValueError, r"region is .*; expected \(\(least x, greatest x\)"),
        ({"region": 1}, ValueError, "region is 1; expected"),
        ({"minima": [1]}, TypeError, "minima is 1; expected a pair"),
        ({"output": "race.txt"}, ValueError, "output is 'race.txt'; expected a name that ends in .html, .gif"),
    ],
)
def test_wrong_arguments_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        race(**({"function": "bowl"} | arguments))
