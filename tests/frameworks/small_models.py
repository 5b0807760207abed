"""A small model, its data, and the same training by hand: what the frameworks are compared with."""

from itertools import islice

import numpy as np
import torch

import fastadam

OPTIONS = {"lr": 1e-2, "betas": (0.8, 0.95), "weight_decay": 0.1}
FEATURES, ROWS, BATCH, EPOCHS = 6, 24, 4, 2


def model():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(FEATURES, 8), torch.nn.Tanh(), torch.nn.LayerNorm(8), torch.nn.Linear(8, 1))


def data():
    rng = torch.Generator().manual_seed(1)
    return torch.utils.data.TensorDataset(torch.randn(ROWS, FEATURES, generator=rng), torch.randn(ROWS, 1, generator=rng))


def loader():
    return torch.utils.data.DataLoader(data(), batch_size=BATCH)


def loss_of(net, x, y):
    return torch.nn.functional.mse_loss(net(x), y)


def schedule(optimizer):
    return torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.1, total_iters=ROWS // BATCH * EPOCHS)


def assert_same_bits(one, other):
    """Parameters, or a module's, have the same bits, and there are some."""
    one, other = ([*x.parameters()] if isinstance(x, torch.nn.Module) else [*x] for x in (one, other))
    assert len(one) == len(other) > 0
    for p, q in zip(one, other, strict=True):
        np.testing.assert_array_equal(p.detach().numpy().view(np.int32), q.detach().numpy().view(np.int32))


class Replay:
    """The steps that an optimizer of PyTorch is about to take, taken by the NumPy optimizer, which has the reference's bits."""

    def __init__(self, optimizer):
        self._groups = optimizer.param_groups
        self._params = [param for group in self._groups for param in group["params"]]
        self.arrays = [param.detach().numpy().copy() for param in self._params]
        rest = iter(self.arrays)
        self._optimizer = fastadam.AdamW([{"params": [*islice(rest, len(group["params"]))]} for group in self._groups])

    def step(self):
        for group, values in zip(self._optimizer.param_groups, self._groups, strict=True):
            for name in ("lr", "betas", "eps", "weight_decay"):
                group[name] = values[name]
        self._optimizer.step([param.grad.numpy() for param in self._params])

    def assert_same_bits(self):
        assert_same_bits(self._params, map(torch.from_numpy, self.arrays))
