"""JAX on the CPU with fastadam's step in the buffers of JAX: under jit, scan, vmap and shard_map, beside optax.

Needs optax and the consumer in tests/consumers/jax, which docs/recipes.md installs.
"""

import os
import statistics
from time import perf_counter

os.environ.setdefault("XLA_FLAGS", "--xla_force_host_platform_device_count=2")  # before jax is imported

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh, PartitionSpec
from jax_adam import Adam, State

from fastadam import reference

if hasattr(jax, "shard_map"):
    from jax import shard_map
else:  # before 0.6
    from jax.experimental.shard_map import shard_map

LR, STEPS, DEVICES = 1e-2, 5, 2
SHAPES = {"w": (40, 30), "b": (30,)}


def arrays(rng):
    return {name: rng.standard_normal(shape, dtype=np.float32) for name, shape in SHAPES.items()}


def expected(params, grads):
    """What the reference makes of these parameters."""
    trained = {}
    for name, param in params.items():
        trained[name], moments = param.copy(), np.zeros((2, *param.shape), np.float32)
        for step, grad in enumerate(grads, 1):
            reference.adam_step(trained[name], grad[name], *moments, step=step, lr=LR)
    return trained


def check(name, trained, params, grads):
    for key, wanted in expected(params, grads).items():
        assert np.array_equal(trained[key], wanted), (name, key)
    print(f"{name}: the bits of the reference")


def under_jit(adam, params, grads):
    step = jax.jit(adam.apply, donate_argnums=(0, 2))
    trained, state = jax.tree.map(jnp.array, params), adam.init(params)
    buffers = {array.unsafe_buffer_pointer() for array in jax.tree.leaves((trained, state.mu, state.nu))}
    for grad in grads:
        trained, state = step(trained, grad, state)
    assert buffers == {array.unsafe_buffer_pointer() for array in jax.tree.leaves((trained, state.mu, state.nu))}
    return trained


def under_scan(adam, params, grads):
    def body(carry, grad):
        return adam.apply(carry[0], grad, carry[1]), None

    stacked = jax.tree.map(lambda *each: np.stack(each), *grads)
    return jax.jit(lambda: jax.lax.scan(body, (params, adam.init(params)), stacked)[0][0])()


def under_vmap(adam, ensemble, grads):
    """Several models at once, each with gradients of its own."""
    params = jax.tree.map(lambda *each: np.stack(each), *ensemble)
    state, step = jax.vmap(adam.init)(params), jax.jit(jax.vmap(adam.apply))
    for grad in grads:
        params, state = step(params, jax.tree.map(lambda *each: np.stack(each), *grad), state)
    return [jax.tree.map(lambda array, i=i: array[i], params) for i in range(len(ensemble))]


def under_shard_map(adam, params, grads):
    """Each device steps its half of each parameter."""
    half, mesh = PartitionSpec("device"), Mesh(np.array(jax.devices()), ("device",))
    state = State(PartitionSpec(), half, half)
    step = jax.jit(shard_map(adam.apply, mesh=mesh, in_specs=(half, half, state), out_specs=(half, state)))
    trained, moments = params, adam.init(params)
    for grad in grads:
        trained, moments = step(trained, grad, moments)
    assert all(len(array.addressable_shards) == DEVICES for array in trained.values())
    return trained


def beside_optax(sizes):
    """Rounds in which both take a step, each jitted with donation, on parameters of these sizes."""
    transform, adam = optax.adam(LR), Adam(LR)

    def optax_step(params, grads, state):
        updates, state = transform.update(grads, state, params)
        return optax.apply_updates(params, updates), state

    rng = np.random.default_rng(0)
    params = [rng.standard_normal(size, dtype=np.float32) for size in sizes]
    grads = [jnp.array(param) for param in params]
    runs = []
    for step, init in ((optax_step, transform.init), (adam.apply, adam.init)):
        copies = [jnp.array(param) for param in params]
        runs.append((jax.jit(step, donate_argnums=(0, 2)), [copies, init(copies)]))
    rounds = []
    for _ in range(60):
        seconds = []
        for step, data in runs:
            start = perf_counter()
            data[:] = jax.block_until_ready(step(data[0], grads, data[1]))
            seconds.append(perf_counter() - start)
        rounds.append(seconds)
    for theirs, ours in zip(runs[0][1][0], runs[1][1][0], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)
    return statistics.median(theirs / ours for theirs, ours in rounds[10:])


def main():
    assert len(jax.devices()) == DEVICES
    rng = np.random.default_rng(0)
    params, grads = arrays(rng), [arrays(rng) for _ in range(STEPS)]
    check("jit, each buffer kept", under_jit(Adam(LR), params, grads), params, grads)
    check("scan over steps", under_scan(Adam(LR), params, grads), params, grads)
    ensemble = [arrays(rng) for _ in range(3)]
    many = [[arrays(rng) for _ in ensemble] for _ in range(STEPS)]
    for i, trained in enumerate(under_vmap(Adam(LR), ensemble, many)):
        check(f"vmap, model {i}", trained, ensemble[i], [grad[i] for grad in many])
    check("shard_map over two devices", under_shard_map(Adam(LR, threads=1), params, grads), params, grads)
    for name, sizes in (("300,000 elements", [300_000]), ("100 arrays of 1,000", [1000] * 100)):
        print(f"{name}: {beside_optax(sizes):.2f} times as fast as optax")


if __name__ == "__main__":
    main()
