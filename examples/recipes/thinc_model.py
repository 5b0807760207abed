"""thinc, on which spaCy is built: one native call for all parameters of a model in the place of finish_update.

Needs thinc: python examples/recipes/thinc_model.py [--rounds 200]
"""

import argparse
import math
import statistics
from time import perf_counter

import numpy as np
from thinc.api import Adam, Maxout, Softmax, chain, clone, fix_random_seed

import fastadam


class FusedAdam:
    """What thinc.api.Adam(learn_rate, grad_clip=0, use_averages=False) does to a model. The model must be initialized."""

    def __init__(self, model, learn_rate=0.001, *, beta1=0.9, beta2=0.999, eps=1e-8):
        if any(node.shims for node in model.walk()):
            raise ValueError("the model wraps another library's; give its parameters to an optimizer of that library")
        self.keys = [(node, name) for node in model.walk() for name in node.param_names if node.has_param(name)]
        self.params = [node.get_param(name) for node, name in self.keys]
        self.beta2, self.epsilon = beta2, eps
        self.adam = fastadam.Adam(self.params, lr=learn_rate, betas=(beta1, beta2), eps=self.eps)

    def eps(self, steps):
        """thinc adds eps to the root before its bias is corrected, fastadam as the paper's Algorithm 1 does."""
        return self.epsilon / math.sqrt(1 - self.beta2 ** (steps + 1))

    def finish_update(self):
        for param, (node, name) in zip(self.params, self.keys, strict=True):
            if node.get_param(name) is not param:  # as after from_bytes or load
                raise ValueError(f"{name} of {node.name} was replaced; make a new FusedAdam")
        grads = [node.get_grad(name) if node.has_grad(name) else None for node, name in self.keys]
        self.adam.step(grads)
        for grad in grads:
            if grad is not None:
                grad.fill(0)  # thinc adds the next gradient to it


def make_model(x, y):
    model = chain(clone(Maxout(96, normalize=True), 8), Softmax())
    return model.initialize(x, y)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=50)
    options = parser.parse_args()

    fix_random_seed(0)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((64, 96), dtype=np.float32)
    y = np.eye(4, dtype=np.float32)[np.abs(x[:, :4]).argmax(1)]
    models = [make_model(x, y) for _ in range(2)]
    models[1].from_dict(models[0].to_dict())  # the same weights at first
    theirs, ours = Adam(0.001, grad_clip=0.0, use_averages=False), FusedAdam(models[1], 0.001)
    updates = (lambda: models[0].finish_update(theirs), ours.finish_update)

    losses, rounds = [], []
    for _ in range(options.rounds):
        seconds = []
        for model, finish_update in zip(models, updates, strict=True):
            guesses, backpropagate = model.begin_update(x)
            losses.append(-float(np.log((guesses * y).sum(1)).mean()))
            backpropagate((guesses - y) / len(x))
            start = perf_counter()
            finish_update()
            seconds.append(perf_counter() - start)
        rounds.append(seconds)
        assert not any(node.get_grad(name).any() for node, name in ours.keys)
    assert max(abs(a - b) for a, b in zip(losses[::2], losses[1::2], strict=True)) < 1e-4
    assert losses[-1] < 0.1 * losses[0]
    ratio = statistics.median(theirs / ours for theirs, ours in rounds)
    print(f"{len(ours.keys)} parameters; loss {losses[0]:.2f} -> below a tenth of that, with both, within 1e-4")
    print(f"finish_update: {ratio:.2f} times as fast")


if __name__ == "__main__":
    main()
