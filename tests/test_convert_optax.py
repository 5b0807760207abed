"""State converted to and from optax: some steps there and some here end where all steps there do.

The deviations are roundings, as in tests/test_torch.py: decay rates are float32 numbers.
"""

import numpy as np
import pytest

import fastadam
from fastadam import convert

optax = pytest.importorskip("optax", reason="optax is not installed")

F32 = np.float32
SIZES, STEPS = {"w": 500, "b": 3}, 20
STATE_TOLERANCE = 8e-6  # that of tests/test_torch.py, of the largest gradient, or its square


def optax_problem():
    """Parameters, and gradients of sizes from 1e-4 to 1e2 around which each element's scatter."""
    rng = np.random.default_rng(0)
    sizes = {name: 10.0 ** rng.uniform(-4, 2, size) for name, size in SIZES.items()}
    params = {name: rng.standard_normal(size).astype(F32) for name, size in SIZES.items()}
    draw = lambda size: (size * (rng.standard_normal(size.size) + 0.5)).astype(F32)  # noqa: E731
    return params, [{name: draw(size) for name, size in sizes.items()} for _ in range(2 * STEPS)]


def optax_training(grads, params, transformation, state):
    for some in grads:
        updates, state = transformation.update(some, state, params)
        params = optax.apply_updates(params, updates)
    return {name: np.array(param) for name, param in params.items()}, state


@pytest.mark.parametrize("cls", [fastadam.Adam, fastadam.AdamW])
@pytest.mark.parametrize("direction", ["to here", "to optax"])
def test_optax(cls, direction):
    betas = (float(F32(0.9)), float(F32(0.999)))
    transformation = {fastadam.Adam: optax.adam(1e-2, *betas), fastadam.AdamW: optax.adamw(1e-2, *betas, weight_decay=1e-2)}[
        cls
    ]
    start, grads = optax_problem()
    expected, last = optax_training(grads, start, transformation, transformation.init(start))
    if direction == "to here":
        params, state = optax_training(grads[:STEPS], start, transformation, transformation.init(start))
        ours = cls(params, lr=1e-2, betas=betas)
        convert.from_optax(ours, state[0])
        for some in grads[STEPS:]:
            ours.step(some)
        moments = {name: (ours.state[name]["exp_avg"], ours.state[name]["exp_avg_sq"]) for name in params}
        assert ours.step_count == 2 * STEPS
    else:
        params = {name: param.copy() for name, param in start.items()}
        ours = cls(params, lr=1e-2, betas=betas)
        for some in grads[:STEPS]:
            ours.step(some)
        state = (convert.to_optax(ours), *transformation.init(start)[1:])
        params, state = optax_training(grads[STEPS:], params, transformation, state)
        moments = {name: (np.asarray(state[0].mu[name]), np.asarray(state[0].nu[name])) for name in params}
        assert int(state[0].count) == 2 * STEPS
    for name in start:
        np.testing.assert_allclose(
            params[name], expected[name], rtol=0, atol=5e-6
        )  # twice the largest seen; parameters are up to 4
        largest = np.max([np.abs(some[name]) for some in grads], axis=0)
        assert (np.abs(moments[name][0] - last[0].mu[name]) <= STATE_TOLERANCE * largest).all()
        assert (np.abs(moments[name][1] - last[0].nu[name]) <= STATE_TOLERANCE * largest**2).all()


def test_optax_and_back_changes_no_bit():
    params, grads = optax_problem()
    for given, some in [(params, grads[0]), ([*params.values()], [*grads[0].values()]), (params["w"], grads[0]["w"])]:
        ours = fastadam.Adam(given, ema_decay=0.5)
        ours.step(some)
        other = fastadam.Adam(given, ema_decay=0.5)
        convert.from_optax(other, convert.to_optax(ours))
        before, after = ours.state_dict()["state"], other.state_dict()["state"]
        for i, state in before.items():
            for name in ("step", "exp_avg", "exp_avg_sq"):
                np.testing.assert_array_equal(after[i][name], state[name])
            np.testing.assert_array_equal(after[i]["ema"], [*params.values()][i])


def test_optax_with_a_nested_structure():
    jax = pytest.importorskip("jax")
    nested = {"layer": {"w": np.ones((2, 3), F32), "b": np.zeros(3, F32)}, "scale": np.ones((), F32)}
    ours = fastadam.Adam(jax.tree.leaves(nested))
    ours.step([np.full(np.shape(leaf), k, F32) for k, leaf in enumerate(jax.tree.leaves(nested))])
    state = convert.to_optax(ours, nested)
    assert jax.tree.structure(state.mu) == jax.tree.structure(nested)
    assert state.mu["layer"]["w"].shape == (2, 3)
    other = fastadam.Adam(jax.tree.leaves(nested))
    convert.from_optax(other, state)
    np.testing.assert_equal(other.state_dict()["state"], ours.state_dict()["state"])


def test_state_that_is_not_optax_s_is_refused():
    params = [np.ones(3, F32), np.ones(2, F32)]
    with pytest.raises(TypeError, match=r"optimizer is a fastadam\.Lion.*expected Adam or AdamW"):
        convert.to_optax(fastadam.Lion(params))
    with pytest.raises(TypeError, match=r"amsgrad"):
        convert.to_optax(fastadam.Adam(params, amsgrad=True))
    ours = fastadam.Adam(params)
    ours.step([params[0].copy(), None])
    with pytest.raises(ValueError, match=r"parameters at steps \[0, 1\]; expected one count"):
        convert.to_optax(ours)
    with pytest.raises(TypeError, match=r"state is a tuple; expected an optax.ScaleByAdamState"):
        convert.from_optax(ours, optax.adam(0.1).init(params))
    mask, labels = {"a": True, "b": False}, {"a": "adam", "b": "sgd"}
    tree = {"a": params[0], "b": params[1]}
    for transformation, words in [
        (optax.adam(0.1), r"; pass state\[0\], of"),
        (optax.chain(optax.clip(1.0), optax.adamw(0.1)), r"; pass state\[1\]\[0\], of"),
        (optax.masked(optax.adam(0.1), mask), r"; pass state\.inner_state\[0\], of"),
        (
            optax.multi_transform({"adam": optax.adam(0.1), "sgd": optax.sgd(0.1)}, labels),
            r"; pass state\.inner_states\['adam'\]\.inner_state\[0\], of",
        ),
        (optax.sgd(0.1), r"expected an optax\.ScaleByAdamState$"),
    ]:
        with pytest.raises(TypeError, match=words):
            convert.from_optax(fastadam.Adam(tree), transformation.init(tree))
    masked = optax.masked(optax.scale_by_adam(), mask).init(tree).inner_state
    for other in (fastadam.Adam(tree), fastadam.Adam(params)):
        with pytest.raises(ValueError, match=r"masked parameters.*optimizer over the others alone"):
            convert.from_optax(other, masked)
    with pytest.raises(ValueError, match=r"state\[1\]\['exp_avg'\] has shape \(3,\); expected \(2,\)"):
        convert.from_optax(ours, optax.scale_by_adam().init([np.ones(3, F32)] * 2))
    assert [int(state["step"]) for state in ours.state] == [1, 0]
