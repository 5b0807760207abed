"""The consumer for JAX: bits of the reference under its transformations, what it refuses, and the recipe that shows it."""

import functools
import importlib
import sys

import numpy as np
import pytest
from buffers import assert_same_bits
from consumer_builds import build, python_path
from recipe_programs import RECIPES, check_recipe

from fastadam import reference

pytestmark = pytest.mark.xdist_group("consumers")

jax = pytest.importorskip("jax", minversion="0.5")
jnp = jax.numpy
SHAPES = {"w": [(3, 4), (1000,), (0,)], "b": ()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return build("jax", tmp_path_factory.mktemp("jax")).parent


@pytest.fixture(scope="module")
def jax_adam(folder):
    sys.path.append(str(folder))
    yield importlib.import_module("jax_adam")
    sys.path.remove(str(folder))


def make(rng, shapes=None):
    return jax.tree.map(
        lambda shape: rng.standard_normal(shape).astype(np.float32), shapes or SHAPES, is_leaf=lambda x: isinstance(x, tuple)
    )


def expected(params, grads, rates, **options):
    """Parameters, first and second moments after a step for each of the gradients and learning rates."""
    leaves, structure = jax.tree.flatten(params)
    trained = [(leaf.copy(), np.zeros_like(leaf), np.zeros_like(leaf)) for leaf in leaves]
    for step, (grad, lr) in enumerate(zip(grads, rates, strict=True), 1):
        for (param, exp_avg, exp_avg_sq), g in zip(trained, structure.flatten_up_to(grad), strict=True):
            reference.adam_step(param, g, exp_avg, exp_avg_sq, step=step, lr=lr, **options)
    return [structure.unflatten(arrays) for arrays in zip(*trained, strict=True)]


def assert_same_trees(actual, wanted):
    for one, other in zip(jax.tree.leaves(actual), jax.tree.leaves(wanted), strict=True):
        assert_same_bits(np.asarray(one), other)


@pytest.mark.parametrize("donated", [(), (0, 2)], ids=["kept", "donated"])
@pytest.mark.parametrize(
    "options",
    [{}, {"weight_decay": 0.1}, {"weight_decay": 0.1, "decoupled_weight_decay": True}, {"eps": 1e-3, "betas": (0.5, 0.75)}],
    ids=str,
)
def test_every_option_has_the_bits_of_the_reference(jax_adam, options, donated):
    rng = np.random.default_rng(0)
    params, grads = make(rng), [make(rng) for _ in range(4)]
    b1, b2 = options.get("betas", (0.9, 0.999))
    adam = jax_adam.Adam(0.1, b1, b2, **{name: value for name, value in options.items() if name != "betas"})
    trained, state = jax.tree.map(jnp.array, params), adam.init(params)
    first = jax.tree.leaves(trained)[1]
    before = np.array(first)
    step = jax.jit(adam.apply, donate_argnums=donated)
    for grad in grads:
        trained, state = step(trained, grad, state)
    assert_same_trees((trained, state.mu, state.nu), expected(params, grads, [0.1] * 4, **options))
    assert int(state.count) == 4
    assert first.is_deleted() == bool(donated)
    if not donated:
        assert_same_bits(np.asarray(first), before)


@pytest.mark.parametrize("jit", [jax.jit, lambda function: function], ids=["jit", "eager"])
def test_schedules(jax_adam, jit):
    rng = np.random.default_rng(0)
    params, grads = make(rng), [make(rng) for _ in range(4)]
    adam = jax_adam.Adam(lambda count: 0.5 / (count + 1.0))
    trained, state = params, adam.init(params)
    for grad in grads:
        trained, state = jit(adam.apply)(trained, grad, state)
    rates = [float(np.float32(0.5) / np.float32(i)) for i in range(1, 5)]
    assert_same_trees((trained, state.mu, state.nu), expected(params, grads, rates))


@pytest.mark.parametrize("batch", [(3,), (2, 3)], ids=str)
def test_vmap_over_models_and_learning_rates(jax_adam, batch):
    rng = np.random.default_rng(0)
    params, grads = rng.standard_normal((2, *batch, 20)).astype(np.float32)
    rates = rng.random(batch).astype(np.float32)

    def train(param, grad, lr):
        adam = jax_adam.Adam(lambda count: lr)
        state = adam.init(param)
        for _ in range(3):
            param, state = adam.apply(param, grad, state)
        return param

    trained = jax.jit(functools.reduce(lambda function, _: jax.vmap(function), batch, train))(params, grads, rates)
    for at in np.ndindex(batch):
        wanted, _, _ = expected(params[at], [grads[at]] * 3, [float(rates[at])] * 3)
        assert_same_bits(np.asarray(trained[at]), wanted)


def test_gradient_and_step_in_one_function(jax_adam):
    x = np.random.default_rng(0).standard_normal((64, 5)).astype(np.float32)
    target = x @ np.arange(5, dtype=np.float32)
    adam = jax_adam.Adam(0.1)

    @functools.partial(jax.jit, donate_argnums=(0, 1))
    def step(weights, state):
        return adam.apply(weights, jax.grad(lambda w: jnp.mean((x @ w - target) ** 2))(weights), state)

    weights, state = jnp.zeros(5), adam.init(jnp.zeros(5))
    for _ in range(300):
        weights, state = step(weights, state)
    np.testing.assert_allclose(weights, np.arange(5), atol=1e-2)


@pytest.mark.parametrize(("count", "calls"), [(0, 0), (1, 1), (50, 1), (51, 2), (120, 3)])
def test_a_call_has_at_most_fifty_leaves(jax_adam, count, calls):
    params = [np.full(4, i, np.float32) for i in range(count)]
    adam = jax_adam.Adam(0.1)
    lowered = jax.jit(adam.apply).lower(params, params, adam.init(params))
    assert lowered.as_text().count("@fastadam_adam(") == calls
    trained, state = lowered.compile()(params, params, adam.init(params))
    assert_same_trees((trained, state.mu, state.nu), expected(params, [params], [0.1]) if params else [])


REFUSED = {
    "float16": (lambda tree: tree | {"b": np.ones((), np.float16)}, r"\['b'\] is float16 of shape \(\); expected float32"),
    "shape": (
        lambda tree: tree | {"b": np.ones(2, np.float32)},
        r"\['b'\] is float32 of shape (\(2,\)|\(\)); expected float32 of",
    ),
}


@pytest.mark.parametrize("argument", ["params", "grads", "mu", "nu"])
@pytest.mark.parametrize("change", REFUSED)
def test_what_is_no_float32_of_one_shape_is_named(jax_adam, change, argument):
    tree = make(np.random.default_rng(0))
    adam = jax_adam.Adam(0.1)
    state = adam.init(tree)
    arguments = {"params": tree, "grads": tree, "mu": state.mu, "nu": state.nu}
    arguments[argument] = REFUSED[change][0](arguments[argument])
    state = state._replace(mu=arguments["mu"], nu=arguments["nu"])
    named = "mu" if (change, argument) == ("shape", "params") else argument  # the others are measured by the parameter
    with pytest.raises(TypeError, match=named + REFUSED[change][1]):
        jax.jit(adam.apply)(arguments["params"], arguments["grads"], state)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"lr": -1.0}, "lr is -1"), ({"b1": 1.0}, "beta1 is 1"), ({"lr": lambda count: jnp.nan}, "lr is nan")],
    ids=["lr", "b1", "schedule"],
)
def test_what_the_kernel_refuses_changes_nothing(jax_adam, options, message):
    params = jnp.ones(5)
    adam = jax_adam.Adam(**({"lr": 0.1} | options))
    with pytest.raises(Exception, match=message):
        jax.block_until_ready(jax.jit(adam.apply)(params, params, adam.init(params)))
    assert (np.asarray(params) == 1).all()


@pytest.mark.skipif(not RECIPES, reason="needs the source tree")
def test_recipe(folder):
    pytest.importorskip("optax")
    check_recipe("jax_in_place", PYTHONPATH=python_path(folder))
