"""Adam and AdamW for JAX on the CPU: fastadam's kernel as a call of XLA, in place where a jitted function donates its arrays.

    adam = Adam(lr=1e-3)
    state = adam.init(params)
    step = jax.jit(adam.apply, donate_argnums=(0, 2))
    params, state = step(params, grads, state)

It has the bits of ``fastadam.reference`` under jit, scan and vmap, and in each shard of shard_map.
"""

import itertools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import jax_consumer
import numpy as np

jax.ffi.register_ffi_target("fastadam_adam", jax_consumer.handler, platform="cpu")

LEAVES = 50  # in a call: XLA compiles calls of thousands of buffers slowly


class State(NamedTuple):
    """The members of optax's ScaleByAdamState."""

    count: Any  # of steps, int32
    mu: Any
    nu: Any


class Adam:
    """Adam, or AdamW if ``decoupled_weight_decay``.

    Parameters
    ----------
    lr : float or function
        The learning rate, or one of optax's schedules, whose value in JAX is a float32.
    b1, b2, eps, weight_decay : float
        As in :class:`fastadam.Adam`.
    decoupled_weight_decay : bool
        As in :class:`fastadam.AdamW`.
    threads : int
        The most threads that a call uses; 0 is fastadam's default. Devices that share the CPUs want fewer each.
    """

    def __init__(self, lr, b1=0.9, b2=0.999, eps=1e-8, weight_decay=0.0, decoupled_weight_decay=False, threads=0):
        self.schedule = lr if callable(lr) else None
        options = {"lr": 0.0 if self.schedule else lr, "b1": b1, "b2": b2, "eps": eps, "weight_decay": weight_decay}
        options |= {"decoupled_weight_decay": decoupled_weight_decay, "threads": threads}
        self.options = {name: np.float64(value) for name, value in options.items()}

    def init(self, params):
        """The state before the first step."""
        return State(jnp.zeros([], jnp.int32), *(jax.tree.map(jnp.zeros_like, params) for _ in range(2)))

    def apply(self, params, grads, state):
        """One step: the new parameters and state. Parameters, gradients and moments are float32, of equal structure."""
        leaves, structure = jax.tree.flatten(params)
        groups = [leaves, *map(structure.flatten_up_to, (state.mu, state.nu, grads))]
        for (path, param), *others in zip(jax.tree_util.tree_leaves_with_path(params), *groups[1:], strict=True):
            for name, array in zip(("params", "mu", "nu", "grads"), (param, *others), strict=True):
                if array.dtype != jnp.float32 or array.shape != param.shape:
                    where = name + jax.tree_util.keystr(path)
                    raise TypeError(f"{where} is {array.dtype} of shape {array.shape}; expected float32 of shape {param.shape}")
        heads = [state.count] if self.schedule is None else [state.count, jnp.float32(self.schedule(state.count))]
        calls = [self._call([group[i : i + LEAVES] for group in groups], heads) for i in range(0, len(leaves), LEAVES)]
        params, mu, nu = (structure.unflatten(itertools.chain(*(call[i] for call in calls))) for i in range(3))
        return params, State(state.count + 1, mu, nu)

    def _call(self, groups, heads):
        n = len(groups[0])
        results = [jax.ShapeDtypeStruct(array.shape, array.dtype) for array in groups[0]] * 3
        in_place = {i: i for i in range(3 * n)}
        call = jax.ffi.ffi_call("fastadam_adam", results, input_output_aliases=in_place, vmap_method="broadcast_all")
        arrays = call(*itertools.chain(*groups), *heads, **self.options)
        return arrays[:n], arrays[n : 2 * n], arrays[2 * n :]
