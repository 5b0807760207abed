"""A parameter of a session as the reference steps it."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
from variants import KINDS


class Model:
    """A parameter, its states and its step count, as the reference steps them."""

    def __init__(self, param, state, count):
        self.arrays, self.count = [param.copy(), *(array.copy() for array in state.values())], count

    def step(self, variant, grad):
        self.count += 1
        variant.reference(self.arrays[0], grad, *self.arrays[1:], step=self.count)


def chosen(kind):
    """The hyperparameters that users choose and a rule has. Other formats have tests of their own."""
    cls = KINDS[kind].cls
    return [name for name in cls._chosen if not cls._declared[name].is_storage]


def usable(kind, given):
    """Hyperparameters for the reference: all of the class, as plain numbers."""
    declared = KINDS[kind].cls._declared
    values = {name: declared[name].default for name in chosen(kind)} | given
    values = {
        name: tuple(float(b) + 0.0 for b in v) if name == "betas" else v
        for name, v in values.items()
        if v is not None and (v is not False or declared[name].default is True)
    }
    values.pop("initial_accumulator_value", None)  # which the state begins with
    if not values.get("momentum"):
        values.pop("momentum", None)
        values.pop("dampening", None)
    values = {
        name: value if isinstance(value, bool) or name == "betas" else float(value) + 0.0 for name, value in values.items()
    }
    return values  # + 0.0: zeros have no sign
