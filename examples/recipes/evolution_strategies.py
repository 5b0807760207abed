"""Evolution strategies on several ranks. Such loops want the update itself, to share it and to watch its size.

The ranks are a list here. With MPI, ``sum(...)`` is ``comm.Allreduce``.
"""

import numpy as np

import fastadam

RANKS, PAIRS, SIGMA = 4, 16, 0.1
TARGET = np.linspace(-1, 1, 20, dtype=np.float32)


class Updates:
    """Adam as a function from parameters and gradient to the update, which the caller adds wherever parameters are."""

    def __init__(self, size, **options):
        self.params, self.before = np.zeros((2, size), np.float32)
        self.optimizer = fastadam.Adam(self.params, **options)

    def __call__(self, params, gradient):
        self.before[...] = self.params[...] = params
        self.optimizer.step(gradient)
        return self.params - self.before


def reward(params):
    """A score in tenths, as a game may give: its gradient is zero almost everywhere, and evolution strategies need none."""
    return float(0 - np.abs(params - TARGET).round(1).sum())


def share_of_gradient(params, rng):
    """A rank's: noise weighted by how much better it is than its opposite."""
    gradient = np.zeros_like(params)
    for noise in rng.standard_normal((PAIRS, params.size), dtype=np.float32):
        gradient += (reward(params + SIGMA * noise) - reward(params - SIGMA * noise)) / (2 * SIGMA) * noise
    return gradient


def train(make_update, ranks, steps=100):
    """All ranks' parameters, and the size of each update relative to them."""
    ratios = []
    for _ in range(steps):
        total = sum(share_of_gradient(params, rng) for params, rng in ranks)
        total /= -PAIRS * RANKS  # Adam descends, the reward is to rise
        # One rank makes the update, all add it; so also the one that made it, since its params + (new - params) may be rounded.
        update = make_update(ranks[0][0], total)
        for params, _ in ranks:
            params += update
        ratios.append(np.linalg.norm(update) / np.linalg.norm(ranks[0][0]))
    return [params for params, _ in ranks], ratios


def step_everywhere(ranks, steps=100):
    """Where every rank has the whole gradient, each steps for itself, and nothing is sent: the bits are the same anywhere."""
    optimizers = [fastadam.Adam(params, lr=0.05) for params, _ in ranks]
    for _ in range(steps):
        total = sum(share_of_gradient(params, rng) for params, rng in ranks)
        total /= -PAIRS * RANKS
        for optimizer in optimizers:
            optimizer.step(total)
    return [params for params, _ in ranks]


def new_ranks():
    return [(np.zeros(TARGET.size, np.float32), np.random.default_rng(seed)) for seed in range(RANKS)]


def main():
    shared, ratios = train(Updates(TARGET.size, lr=0.05), new_ranks())
    separate = step_everywhere(new_ranks())
    print(f"reward {reward(np.zeros_like(TARGET)):.1f} -> {reward(shared[0]):.1f}")
    print(f"updates: above a tenth of the parameters at step 6, below a hundredth at step {len(ratios)}")
    assert ratios[5] > 0.1
    assert ratios[-1] < 0.01
    for name, ranks in (("the update is shared", shared), ("each rank steps", separate)):
        assert reward(ranks[0]) > -1
        assert all(np.array_equal(params, ranks[0]) for params in ranks)
        print(f"{name}: {RANKS} ranks with the same bits")


if __name__ == "__main__":
    main()
