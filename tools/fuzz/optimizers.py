#!/usr/bin/env python
"""Fuzzes the optimizers of the Python package: a call raises and has changed nothing, or equals the reference bit for bit.

An input is a session: an optimizer over some structure of arrays, and then steps, changes of hyperparameters and copies of it.
What is right must be accepted, and what is wrong refused with one of the errors that the documentation names.
"""

import copy
import math
import pickle
import sys
from pathlib import Path

import atheris
import numpy as np

with atheris.instrument_imports(include=["fastadam"]):
    from fastadam import _native, reference

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
from buffers import assert_same_bits
from judge import Model, chosen, usable
from values import FLAGS, NUMBERS, RIGHT, SHAPES, STRANGE, STRUCTURES, WRONG, OnlyDLPack
from variants import KINDS, Variant

F32 = np.float32


class Session:
    def __init__(self, data):
        self.input = atheris.FuzzedDataProvider(data)
        self.random = np.random.default_rng(self.input.ConsumeIntInRange(0, 255))
        self.strange = False  # whether anything since the last call was
        self.kind = self.pick([*KINDS])
        self.structure = self.pick([*STRUCTURES])
        count, self.build = STRUCTURES[self.structure]
        count = max(1, count - self.input.ConsumeIntInRange(0, 1)) if self.structure != "nested" else count
        self.params = [self.array() for _ in range(count)]
        self.parts = [count] if self.structure != "groups" else [1, count - 1][: 2 if count > 1 else 1]
        self.given = [self.hyperparameters() for _ in self.parts]
        self.optimizer = self.expected = None

    def pick(self, choices):
        return choices[self.input.ConsumeIntInRange(0, len(choices) - 1)]

    def rarely(self):
        return self.input.ConsumeIntInRange(0, 31) == 31

    def array(self, shape=None):
        shape = self.pick(SHAPES) if shape is None else shape
        values = self.random.standard_normal(shape) * 10.0 ** self.random.integers(-8, 5)
        if self.input.ConsumeIntInRange(0, 7) == 7:
            values = np.where(
                self.random.random(shape) < 0.2, self.random.choice([0, -0.0, 1e-40, 3e38, np.inf, np.nan], shape), values
            )
        return np.asarray(values, F32).reshape(shape)

    def value(self, name):
        if self.rarely():
            self.strange = True
            return self.pick(STRANGE)
        if name == "cautious_weight_decay" and self.kind not in ("adamw", "lion"):  # it needs decoupled decay
            return False
        if name in FLAGS:
            return self.input.ConsumeBool()
        if name == "nesterov":
            return False
        return self.pick(RIGHT.get(name, NUMBERS))

    def hyperparameters(self):
        names = [name for name in chosen(self.kind) if self.input.ConsumeBool()]
        given = {name: self.value(name) for name in names}
        if self.rarely():
            self.strange, given[self.pick(["rl", "", "params", "beta1"])] = True, 0.5
        return given

    def maybe_wrong(self, arrays):
        """The arrays, and perhaps one of them is none."""
        if not self.rarely():
            return arrays
        i = self.input.ConsumeIntInRange(0, len(arrays) - 1)
        self.strange = "wrong" if arrays[i].size > 1 else True  # a smaller one has but one layout, or is an empty list
        try:
            with np.errstate(all="ignore"):
                return [*arrays[:i], self.pick(WRONG)(arrays[i]), *arrays[i + 1 :]]
        except (TypeError, ValueError):  # there is no such array of this one
            self.strange = False
            return arrays

    def make(self):
        params = self.maybe_wrong(self.params)
        if self.structure == "groups":
            given = {}
            members = iter(params)
            whole = [
                {"params": [next(members) for _ in range(n)]} | each for n, each in zip(self.parts, self.given, strict=True)
            ]
        else:
            given, whole = self.given[0], self.build(params)
        self.optimizer = self.call(lambda: KINDS[self.kind].cls(whole, **given))
        if params is not self.params:
            self.optimizer = None
        if self.optimizer is not None:
            self.model = self.models()

    def models(self):
        tensors = zip(self.params, self.states, self.optimizer._members.counts[0], strict=True)
        return [Model(param, state, count) for param, state, count in tensors]

    @property
    def states(self):
        return self.optimizer._members.states

    def call(self, function, errors=(TypeError, ValueError)):
        """The result; None if it is refused, as it may be if something was strange and must be if it was wrong."""
        before = self.snapshot()
        strange, self.strange = self.strange, False
        try:
            result = function()
        except ZeroDivisionError:  # of a schedule, which passes
            is_right, words = strange, "an error of the schedule"
        except errors as error:
            is_right, words = strange or isinstance(error, FloatingPointError), str(error)
        else:
            assert strange != "wrong", "accepted what is wrong"
            return result
        assert is_right, f"refused what is right: {words}"
        assert len(words) > 15, f"an error that says nothing: {words}"
        assert self.snapshot() == before, "a call that raised has changed something"
        return None

    def snapshot(self):
        if self.optimizer is None:
            return [param.tobytes() for param in self.params]
        options = [{k: repr(v) for k, v in group.items() if k != "params"} for group in self.optimizer.param_groups]
        arrays = [[param.tobytes() for param in self.params], [[a.tobytes() for a in s.values()] for s in self.states]]
        return arrays, options, self.optimizer._members.counts

    def step(self):
        arrays = [self.array(param.shape) for param in self.params]
        grads = [None if self.input.ConsumeIntInRange(0, 7) == 7 else array for array in arrays]
        options = {}
        if self.input.ConsumeBool():
            options["grad_scale"] = self.pick((1.0, 0.5, -1, 1e30, 0))
        if self.input.ConsumeBool():
            options["clip_value"] = self.pick((None, 0.1, math.inf, 1e-40))
        if self.input.ConsumeBool():
            options["max_norm"] = self.pick((None, 0.5, math.inf, 1e9))
        if self.input.ConsumeBool():
            options["skip_nonfinite"] = self.pick((True, False, "raise"))
        if self.input.ConsumeBool():
            options["num_threads"] = self.pick((None, 1, 2, 3))
        if self.rarely():
            self.strange = True
            options[self.pick([*options, "grad_scale", "num_threads", "max_norm"])] = self.pick(STRANGE)
        given = grads if any(grad is None for grad in grads) else self.maybe_wrong(grads)
        if given is grads and self.input.ConsumeIntInRange(0, 7) == 7:
            given = [grad if grad is None else OnlyDLPack(grad) for grad in grads]
        elif given is not grads and any(each is None for each in given):
            self.strange = True  # a gradient may be None
        if self.rarely() and self.params[0].size:
            given, self.strange = [self.params[0], *given[1:]], "wrong"  # memory that the step writes to
        was_strange = self.strange
        scheduled = any(
            callable(v) or (isinstance(v, tuple) and any(map(callable, v))) for each in self.given for v in each.values()
        )
        self.strange = self.strange or scheduled
        norm = self.call(
            lambda: (self.optimizer.step(self.build(given), **options),), (TypeError, ValueError, FloatingPointError)
        )
        if was_strange or scheduled:
            self.model = self.models()
        else:
            self.take(grads, options, norm)

    def take(self, grads, options, result):
        """The step by the reference."""
        present = [grad for grad in grads if grad is not None]
        scale, max_norm, skips = (options.get(n) for n in ("grad_scale", "max_norm", "skip_nonfinite"))
        scale = 1.0 if scale is None else scale
        norm, factor = None, F32(scale)
        if max_norm is not None or skips:
            with np.errstate(all="ignore"):
                norm = float(np.float64(abs(scale)) * reference.global_norm(present))
            factor = reference.clipping_scale(norm, scale, math.inf if max_norm is None else max_norm)
        if skips and not math.isfinite(norm):
            assert (result is None) == (skips == "raise"), "a step that is not finite"
        else:
            assert result is not None, "refused what is right"
            members = iter(zip(self.model, grads, strict=True))
            limit = options.get("clip_value")
            for count, given in zip(self.parts, self.given, strict=True):
                variant = Variant(self.kind, tuple(usable(self.kind, given).items()))
                for _ in range(count):
                    tensor, grad = next(members)
                    if grad is not None:
                        tensor.step(variant, reference.transform_gradient(grad, factor, math.inf if limit is None else limit))
        if result is not None:
            np.testing.assert_equal(result[0], norm)
        for tensor, param, state, count in zip(
            self.model, self.params, self.states, self.optimizer._members.counts[0], strict=True
        ):
            assert count == tensor.count, "another step count"
            for mine, theirs in zip(tensor.arrays, [param, *state.values()], strict=True):
                assert_same_bits(theirs.reshape(-1), mine.reshape(-1))

    def change(self):
        """A hyperparameter of a group."""
        group = self.input.ConsumeIntInRange(0, len(self.parts) - 1)
        name = self.pick(chosen(self.kind))
        value = self.value(name)
        states = [name for name, _ in self.optimizer._groups[group].hyperparameters.rule.states]

        def assign():
            self.optimizer.param_groups[group][name] = value
            return True

        self.strange = self.strange or True  # what needs another state is refused
        if self.call(assign):
            self.given[group] = self.given[group] | {name: value}
            assert states == [name for name, _ in self.optimizer._groups[group].hyperparameters.rule.states], "other states"

    def copy(self):
        """Another optimizer with the same state, over copies of the parameters."""
        if any(callable(value) for given in self.given for value in given.values()):
            return  # which pickle cannot copy
        how = self.input.ConsumeIntInRange(0, 1)
        before = self.snapshot()
        other = pickle.loads(pickle.dumps(self.optimizer)) if how else copy.deepcopy(self.optimizer)
        self.optimizer, self.params = other, other._members.params
        assert self.snapshot() == before, "a copy differs"


def test_one_input(data):
    session = Session(data)
    session.make()
    for _ in range(8):
        if session.optimizer is None or not session.input.remaining_bytes():
            return
        session.pick((session.step, session.step, session.step, session.change, session.copy))()


if __name__ == "__main__":
    _native.set_grain(1)
    _native.set_backs_off(False)
    atheris.Setup(sys.argv, test_one_input)
    atheris.Fuzz()
