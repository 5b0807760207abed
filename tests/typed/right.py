"""A user's program that is right: test_typing.py expects no error of a type checker."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

import fastadam
from fastadam.typing import Array, State

Weights = NDArray[np.float32]


def halved(step: int) -> float:
    return 0.1 * 0.5**step


def new() -> Weights:
    return np.zeros(3, np.float32)


def slow_down(optimizer: fastadam.Optimizer) -> int:
    """Any optimizer of anything."""
    for group in optimizer.param_groups:
        group["lr"] = 0.01
    optimizer.ema_decay = None
    optimizer.save("state")
    return len(optimizer.state) + optimizer.step_count


def train(optimizer: fastadam.Optimizer[Mapping[str, Array]], grads: dict[str, Weights]) -> float:
    """Any optimizer of arrays with names."""
    optimizer.step(grads)
    return float(optimizer.step(grads, max_norm=1.0))


adam = fastadam.Adam(new(), lr=halved, betas=lambda step: (0.9, 0.99))
adam.step(new(), grad_scale=0.5, clip_value=1.0, num_threads=2)
adam.lr = 0.1
adam.lr *= 0.5
adam.lr = halved
adam.betas = (0.9, 0.99)
adam.maximize = True
adam.ema_decay = None
first: State = adam.state
moment: Weights = adam.state["exp_avg"]
slow_down(adam)

named = fastadam.AdamW({"weight": new(), "bias": new()}, weight_decay=0.1)
named.step({"weight": new(), "bias": None})
by_name: dict[str, State] = named.state
train(named, {"weight": new(), "bias": new()})
annotated: fastadam.AdamW[dict[str, Weights]] = named

listed = fastadam.SGD([new(), new()], momentum=0.9)
listed.step([new(), None], skip_nonfinite=True)
listed.step((new(), new()))
states: tuple[State, ...] = listed.state
fastadam.Lion(new() for _ in range(2)).step([new(), new()])

grouped = fastadam.RMSprop([{"params": [new()], "lr": 0.1}, {"params": new(), "lr": halved}])
grouped.step([new(), new()])
grouped.add_param_group({"params": [new()]})

layers = {"encoder": {"weight": new()}, "decoder": {"weight": new()}}
nested = fastadam.Adam(layers)
nested.step({"encoder": {"weight": new()}, "decoder": {"weight": new()}})
decoder: State = nested.state["decoder"]["weight"]
stacked = fastadam.Adam([layers["encoder"], layers["decoder"]])
stacked.step([{"weight": new()}, {"weight": new()}])
valued = fastadam.Adam(layers["encoder"].values())
valued.step(layers["decoder"].values())
valued.step(grad for grad in [new()])
fastadam.global_norm(layers)
fastadam.global_norm(layers["encoder"].values())

rate: float = grouped.param_groups[0].current["lr"]
adam.step_count = 5

flat, views = fastadam.flatten({"weight": new(), "bias": new()})
fastadam.NAdam(flat).step(flat.copy())
view: Weights = views["bias"]
norm: float = fastadam.global_norm([new(), None])
fastadam.adam_step(new(), new(), new(), new(), step=1, lr=0.1)
loaded = fastadam.convert.to_torch(adam)
