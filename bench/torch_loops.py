"""Training loops of PyTorch, those of examples/, with each optimizer: the time of a step and of the rest of an iteration."""

import math
import statistics
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from answers import WrongAnswerError
from cases import Case
from contenders import Contender
from torch_steps import CLOCKS, CONTENDERS, measure_twice

sys.path.append(str(Path(__file__).parents[1] / "examples"))

CHECKED_ITERATIONS, CLOSE = 5, 1e-4  # losses of two optimizers that differ by rounding only, relatively
Loss = Callable[[Any], Any]  # of a model


class Loop(Contender):
    """A model that an optimizer trains; the time is that of its steps."""

    sample_seconds = 0.0  # one iteration

    def __init__(self, kind: type[Any], model: Callable[[], Any], loss_of: Loss) -> None:
        import torch

        self.name, self.kind, self._loss_of, self._seed = kind.name, kind.kind, loss_of, torch.manual_seed
        torch.manual_seed(0)
        self.model = model()
        self.optimizer = kind.optimizer(list(self.model.parameters()))
        self.step, self.before, self._iteration = self.optimizer.step, self.forward_and_backward, 0
        self.rest: dict[Callable[[], int], list[int]] = {}  # clock -> nanoseconds

    def forward_and_backward(self) -> Any:
        """What comes before a step; the same for all optimizers, random numbers included. Returns the loss."""
        start = self.clock()
        self._iteration += 1
        self._seed(self._iteration)
        self.optimizer.zero_grad()
        loss = self._loss_of(self.model)
        loss.backward()
        self.rest.setdefault(self.clock, []).append(self.clock() - start)
        return loss

    def refill(self) -> None:
        """Nothing to do: training goes on."""


def loops() -> Iterator[tuple[str, Callable[[], Any], Loss]]:
    import nanogpt
    import policy_gradient

    yield "policy network, in training", policy_gradient.policy, lambda model: policy_gradient.episode(model)[0]
    yield "GPT of 4 x 64, in training", nanogpt.GPT, nanogpt.loss_of


def rows(budget: float) -> Iterator[dict[str, Any]]:
    """One row for each loop and optimizer, on one thread: models as small as these are slower on more."""
    import torch

    torch.set_num_threads(1)
    for name, model, loss_of in loops():
        contenders = [Loop(kind, model, loss_of) for kind in CONTENDERS]
        _expect_equal_losses(name, contenders)
        case = Case(name, tuple(tuple(param.shape) for param in contenders[0].model.parameters()))
        for loop, row in zip(contenders, measure_twice(contenders, case, 1, budget), strict=True):
            rest = {f"{CLOCKS[clock]}rest_nanoseconds": statistics.median(times) for clock, times in loop.rest.items()}
            yield row | rest


def _expect_equal_losses(name: str, contenders: list[Loop]) -> None:
    for _ in range(CHECKED_ITERATIONS):
        losses = {loop.name: loop.forward_and_backward().item() for loop in contenders}
        for loop in contenders:
            if not math.isclose(losses[loop.name], losses[contenders[-1].name], rel_tol=CLOSE):
                raise WrongAnswerError(f"{name}: losses are {losses}")
            loop.step()
