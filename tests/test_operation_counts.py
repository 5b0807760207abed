"""What is done for each of many groups, or for each of many keys, costs as much for the last one as for the first one.

Operations are counted, not timed: the bytecodes that Python runs, and the parameters and rules that the backend is given.
"""

import sys
from contextlib import contextmanager

import numpy as np
import pytest
from refusals import F32

import fastadam
from fastadam.backends import cpu
from fastadam.lazy import computed_once
from fastadam.optimizers import hyperparameters

FEW, MANY = 50, 400
COSTS = 1.5  # how many times as much an operation may cost among MANY as among FEW: a dict may have to grow


class Counts:
    bytecodes = given = 0

    @property
    def all(self):
        return self.bytecodes + self.given


class CountingTensors:
    """The backend's, which counts what it is given."""

    def __init__(self, tensors, counts):
        self._tensors, self._counts = tensors, counts

    def __getattr__(self, name):
        return getattr(self._tensors, name)

    step_count = property(
        lambda self: self._tensors.step_count, lambda self, count: setattr(self._tensors, "step_count", count)
    )

    def change(self):
        return self._tensors.change()

    def set_rules(self, rules):
        self._counts.given += len(rules)
        self._tensors.set_rules(rules)


@pytest.fixture
def counted(monkeypatch):
    """A context in which operations are counted."""
    make, present = cpu.tensors, [Counts()]

    def tensors(params, *others):
        present[0].given += len(params)
        return CountingTensors(make(params, *others), present[0])

    monkeypatch.setattr(cpu, "tensors", tensors)

    @contextmanager
    def counted():
        counts = present[0] = Counts()

        def trace(frame, event, _):
            frame.f_trace_opcodes = True
            counts.bytecodes += event == "opcode"
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            yield counts
        finally:
            sys.settrace(before)

    return counted


def arrays(count):
    return [np.ones(2, F32) for _ in range(count)]


def of_groups(count):
    return fastadam.SGD([{"params": array} for array in arrays(count)])


def set_in_each(count, counted):
    optimizer = of_groups(count)
    with counted() as counts:
        for i in range(count):
            optimizer.param_groups[i]["lr"] = 0.5 / (i + 1)
    return optimizer, counts


def set_as_one_goes_through(count, counted):
    optimizer = of_groups(count)
    with counted() as counts:
        for group in optimizer.param_groups:
            group["lr"] *= 0.5
    return optimizer, counts


def scheduled_in_each(count, counted):
    optimizer = of_groups(count)
    with counted() as counts:
        for group in optimizer.param_groups:
            group["lr"] = lambda t: 0.5
    return optimizer, counts


def added_to_a_list(count, counted):
    optimizer, more = fastadam.Adam(arrays(1)), arrays(count)
    with counted() as counts:
        for array in more:
            optimizer.add_param_group({"params": array})
    return optimizer, counts


def added_to_a_mapping(count, counted):
    optimizer, more = fastadam.Adam({"first": np.ones(2, F32)}), arrays(count)
    with counted() as counts:
        for i, array in enumerate(more):
            optimizer.add_param_group({"params": {i: array}})
    return optimizer, counts


def added_and_set(count, counted):
    optimizer, more = fastadam.Adam(arrays(1)), arrays(count)
    with counted() as counts:
        for array in more:
            optimizer.add_param_group({"params": array})
            optimizer.param_groups[-1]["lr"] = 0.5
    return optimizer, counts


REPEATED = [set_in_each, set_as_one_goes_through, scheduled_in_each, added_to_a_list, added_to_a_mapping, added_and_set]


@pytest.mark.parametrize("repeat", REPEATED, ids=lambda repeat: repeat.__name__)
def test_the_last_of_many_groups_costs_what_the_first_does(repeat, counted):
    few, many = (repeat(count, counted)[1] for count in (FEW, MANY))
    assert few.all > FEW
    assert many.all / MANY < COSTS * few.all / FEW
    assert many.given <= MANY


@pytest.mark.parametrize("repeat", REPEATED, ids=lambda repeat: repeat.__name__)
def test_and_the_next_step_takes_what_was_done(repeat, counted):
    optimizer, _ = repeat(FEW, counted)
    params = [param for group in optimizer.param_groups for param in group["params"]]
    copies = [param.copy() for param in params]
    keys = optimizer.state if isinstance(optimizer.state, dict) else None
    grads = [np.full(2, i + 1, F32) for i in range(len(params))]
    pairs = zip(copies, optimizer.param_groups, strict=True)
    twins = [type(optimizer)([copy], **group.current | {"lr": group["lr"]}) for copy, group in pairs]
    optimizer.step(grads if keys is None else dict(zip(keys, grads, strict=True)))
    for twin, grad in zip(twins, grads, strict=True):
        twin.step([grad])
    np.testing.assert_array_equal(params, copies)
    assert not any((param == 1).all() for param in params)


@pytest.mark.parametrize("count", [1, FEW])
def test_a_step_with_schedules_makes_no_rule_of_python(count, counted, monkeypatch):
    """It runs as many bytecodes as a step without them, and a few for each schedule: the function's own and a call."""
    rules = []
    make = hyperparameters._native.Rule
    monkeypatch.setattr(hyperparameters._native, "Rule", lambda *given: rules.append(given) or make(*given))
    grads = arrays(count)
    constant = fastadam.Adam([{"params": array} for array in arrays(count)])
    every, own = (lambda t: 0.5 / (t + 1)), (lambda t: (0.5, 0.75))
    scheduled = fastadam.Adam([{"params": array} for array in arrays(count)], lr=every, betas=own)
    costs = []
    for optimizer in (constant, scheduled):
        optimizer.step(grads)
        rules.clear()
        with counted() as counts:
            optimizer.step(grads)
        costs.append(counts.bytecodes)
        assert not rules
    assert costs[0] < costs[1] < costs[0] + 60
    assert scheduled.param_groups[-1].current["lr"] == 0.25
    assert scheduled.param_groups[-1].current["betas"] == (0.5, 0.75)


class Key:
    """Counts how often keys are compared."""

    compared = 0

    def __init__(self, number):
        self.number = number

    def __hash__(self):
        return hash(self.number)

    def __eq__(self, other):
        Key.compared += 1
        return isinstance(other, Key) and self.number == other.number

    def __repr__(self):
        return f"Key({self.number})"


def keys_that_differ():
    yield lambda keys: keys[1:], "missing [Key(0)], unexpected []"
    yield lambda keys: [*keys[1:], Key(-2)], "missing [Key(0)], unexpected [Key(-2)]"
    yield lambda keys: [*keys, Key(-2)], "missing [], unexpected [Key(-2)]"
    yield lambda keys: [Key(key.number + 10**6) for key in keys], "Key(9)] and 1990 more, unexpected [Key(1000000),"


@pytest.mark.parametrize(("change", "words"), [*keys_that_differ()])
def test_keys_that_differ_are_each_compared_a_few_times(change, words):
    count = 2000
    keys = [Key(i) for i in range(count)]
    optimizer = fastadam.SGD(dict(zip(keys, arrays(count), strict=True)))
    grads = {Key(key.number): np.ones(2, F32) for key in change(keys)}
    Key.compared = 0
    with pytest.raises(ValueError, match="grads does not have the keys of params") as refused:
        optimizer.step(grads)
    assert words in str(refused.value)
    assert Key.compared < 5 * count
    assert len(str(refused.value)) < 500


def test_a_value_that_is_kept_is_computed_once():
    calls = []

    class Keeps:
        @computed_once
        def value(self):
            """What it is."""
            calls.append(self)
            return [1]

    one, other = Keeps(), Keeps()
    assert one.value is one.value
    assert other.value is not one.value
    assert calls == [one, other]
    assert Keeps.value.__doc__ == "What it is."
