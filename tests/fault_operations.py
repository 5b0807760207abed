"""Operations in which something is made to fail: what each does, and all that may have changed when it has not been done."""

import copy
import io
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import c_interface
import numpy as np

import fastadam
from fastadam import _native

F32 = np.float32


class Case(NamedTuple):
    """An operation on objects of its own."""

    call: Callable[[], Any]  # returns what is new, to compare
    look: Callable[[], Any] = lambda: None  # what there was before, to compare


class Exporter:
    """An array of another library that exports its memory by DLPack."""

    def __init__(self, array):
        self.array = array

    def __dlpack__(self, **options):
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


def plain(value):
    """A value to compare, in which arrays are bytes and optimizers all that they keep."""
    if isinstance(value, fastadam.bfloat16):
        value = value.bits
    if isinstance(value, np.ndarray | np.generic):
        return value.shape, value.dtype.str, value.tobytes()
    if isinstance(value, Exporter):
        return plain(value.array)
    if isinstance(value, fastadam.Optimizer):
        current = [plain(dict(group.current)) for group in value.param_groups]
        members = value._members
        scheduled = members.schedules is not None
        return plain(members.params), plain(value.state_dict()), plain(members.states), current, repr(value), scheduled
    if isinstance(value, dict):
        return {key: plain(member) for key, member in value.items()}
    return [*map(plain, value)] if isinstance(value, list | tuple) else value


def of(optimizer, do, *others):
    """A case that does something with an optimizer; `others` may change too."""
    return Case(lambda: do(optimizer), lambda: (plain(optimizer), plain(others)))


def decay(t):
    return 0.5 / (t + 1)


def arrays(*sizes):
    return [np.linspace(-1, 1 + i, size, dtype=F32) for i, size in enumerate(sizes)]


SIZES = 5, 70, 1


def grads():
    return [array + F32(0.25) for array in arrays(*SIZES)]


def trained(cls=fastadam.Adam, steps=2, params=None, **options):
    optimizer = cls(arrays(*SIZES) if params is None else params, **options)
    for _ in range(steps):
        optimizer.step(grads())
    return optimizer


def grouped(steps=2):
    a, b, c = arrays(*SIZES)
    return trained(steps=steps, params=[{"params": [a], "lr": decay}, {"params": [b, c], "eps": 0.5}], ema_decay=0.5)


def named(steps=2, lr=0.25):
    a, b, c = arrays(*SIZES)
    optimizer = fastadam.AdamW([{"params": {"a": a, "b": b}, "lr": lr}, {"params": {"c": c}, "eps": 0.5}])
    for _ in range(steps):
        optimizer.step(dict(zip("abc", grads(), strict=True)))
    return optimizer


def half(array):
    return fastadam.bfloat16((array.view(np.uint32) >> 16).astype(np.uint16))


def halved(steps=2):
    return trained(steps=steps, params=[*map(half, arrays(*SIZES))], state_dtype="8bit")


def stepped(optimizer, wrap=np.array, **options):
    some = [wrap(grad) for grad in grads()]
    return of(optimizer, lambda optimizer: optimizer.step(some, **options), grads())


def set_attribute(name, value):
    return lambda optimizer: setattr(optimizer, name, value)


def added(optimizer, **group):
    (param,) = arrays(9)
    return of(optimizer, lambda optimizer: optimizer.add_param_group({"params": param} | group), param)


def in_a_file(folder, do):
    """`do` with an optimizer and a file in which there is other state of it; the folder's contents may change."""
    path = Path(folder, "state")
    named(3, lr=0.125).save(path)

    def look():
        return plain(optimizer), {name: Path(folder, name).read_bytes() for name in os.listdir(folder)}

    optimizer = named()
    return Case(lambda: do(optimizer, path), look)


def some_loaded(optimizer, path):
    return optimizer.load(path, strict=False, hyperparameters="load")


def from_dict(optimizer, **options):
    state = named(3, lr=0.125).state_dict()
    return of(optimizer, lambda optimizer: optimizer.load_state_dict(state, **options), state)


def written(optimizer, path):
    file = io.BytesIO()
    optimizer.save(file)
    return file.getvalue()


def read_group(optimizer):
    return [{name: value for name, value in group.items() if name != "params"} for group in optimizer.param_groups]


def from_torch(optimizer):
    """The state as torch has it, in arrays of NumPy."""
    state = {i: {"step": 4.0, "exp_avg": array, "exp_avg_sq": array * array} for i, array in enumerate(arrays(*SIZES))}
    group = {"lr": 0.125, "betas": (0.5, 0.75), "eps": 1e-3, "weight_decay": 0.0, "amsgrad": False, "maximize": False}
    there = {"state": state, "param_groups": [group | {"params": [0, 1, 2]}]}
    return of(optimizer, lambda optimizer: fastadam.convert.from_torch(optimizer, there), there)


def threads_set():
    fastadam.set_num_threads(1)
    return Case(lambda: fastadam.set_num_threads(2), fastadam.get_num_threads)


def flattened():
    there = dict(zip("abc", arrays(*SIZES), strict=True))
    return Case(lambda: fastadam.flatten(there), lambda: plain(there))


def stateless():
    param, grad, *moments = np.ones((4, 5), F32)
    return Case(lambda: fastadam.adam_step(param, grad, *moments, step=3, lr=0.5), lambda: plain([param, grad, *moments]))


# Python's part, and with it the native one.
OPERATIONS: dict[str, Callable[[str], Case]] = {
    "make": lambda _: Case(lambda: trained(steps=0)),
    "make with groups": lambda _: Case(lambda: grouped(steps=0)),
    "make with names": lambda _: Case(lambda: named(steps=0)),
    "make over exporters": lambda _: Case(lambda: trained(steps=0, params=[*map(Exporter, arrays(*SIZES))])),
    "step": lambda _: stepped(trained()),
    "step with groups": lambda _: stepped(grouped()),
    "step with options": lambda _: stepped(trained(), grad_scale=0.5, clip_value=0.5, max_norm=0.25, skip_nonfinite=True),
    "step over exporters": lambda _: stepped(trained(fastadam.NAdam), wrap=Exporter),
    "step after a change": lambda _: stepped(changed(grouped())),
    "step after an addition": lambda _: grown_step(),
    "step without state": lambda _: stateless(),
    "make with other formats": lambda _: Case(lambda: halved(steps=0)),
    "step with other formats": lambda _: stepped(halved(), wrap=half, max_norm=0.25, skip_nonfinite=True),
    "set a hyperparameter": lambda _: of(grouped(), set_attribute("weight_decay", 0.5)),
    "set a schedule": lambda _: of(trained(), set_attribute("lr", decay)),
    "set in a group": lambda _: of(grouped(), lambda optimizer: optimizer.param_groups[1].update(lr=0.5)),
    "set the count": lambda _: of(trained(), set_attribute("step_count", 9)),
    "read groups": lambda _: of(grouped(), read_group),
    "read state": lambda _: of(grouped(), lambda optimizer: plain([dict(state) for state in optimizer.state])),
    "add a group": lambda _: added(trained(), lr=0.5),
    "add a group to groups": lambda _: added(grouped(), lr=decay),
    "state_dict": lambda _: of(grouped(), lambda optimizer: optimizer.state_dict()),
    "load_state_dict": lambda _: from_dict(named(), hyperparameters="load"),
    "load_state_dict, hyperparameters kept": lambda _: from_dict(named(), hyperparameters="keep"),
    "load_state_dict, not strict": lambda _: from_dict(named(), strict=False, hyperparameters="load"),
    "save": lambda folder: in_a_file(folder, lambda optimizer, path: optimizer.save(path)),
    "save to a file object": lambda folder: in_a_file(folder, written),
    "load": lambda folder: in_a_file(folder, lambda optimizer, path: optimizer.load(path, hyperparameters="load")),
    "load, hyperparameters kept": lambda folder: in_a_file(
        folder, lambda optimizer, path: optimizer.load(path, hyperparameters="keep")
    ),
    "load, not strict": lambda folder: in_a_file(folder, some_loaded),
    "copy": lambda _: of(grouped(), copy.copy),
    "deepcopy": lambda _: of(grouped(), copy.deepcopy),
    "pickle": lambda _: of(grouped(), pickle.dumps),
    "unpickle": lambda _: unpickled(),
    "convert.from_torch": lambda _: from_torch(trained()),
    "global_norm": lambda _: Case(lambda: fastadam.global_norm(arrays(*SIZES))),
    "flatten": lambda _: flattened(),
    "set_num_threads": lambda _: threads_set(),
}


def changed(optimizer):
    optimizer.weight_decay = 0.5
    return optimizer


def grown_step():
    optimizer = trained()
    optimizer.add_param_group({"params": arrays(9), "lr": decay})
    some = [*grads(), *arrays(9)]
    return Case(lambda: optimizer.step(some), lambda: plain(optimizer))


def unpickled():
    text = pickle.dumps(grouped())
    return Case(lambda: pickle.loads(text))


# Each step with a thread of its own, of which OpenMP has no team yet.
THREADED = {
    "step": lambda _: stepped(trained(), num_threads=4),
    "step with options": lambda _: stepped(trained(), num_threads=4, max_norm=0.25),
    "global_norm": lambda _: Case(lambda: fastadam.global_norm(arrays(9000), num_threads=4)),
}


def checked(result):
    """What the C interface returned, unless there was no memory."""
    if result == 2 or result is None:
        raise MemoryError(c_interface.api.error().decode())
    return result


def c_tensors():
    memory = np.linspace(-1, 1, 36, dtype=F32).reshape(2, 3, 6)
    memory[:, 2] = 0.5  # second moments
    adam = c_interface.Rule("adam", {"lr": 0.5, "beta1": 0.5, "beta2": 0.75, "eps": 1e-3, "weight_decay": 0.0})
    return c_interface.Tensors([(adam, list(memory[:1])), (adam, list(memory[1:]))]), adam, memory


def c_step(options):
    tensors, _, memory = c_tensors()
    some = np.ones((2, 6), F32)
    pointers = (c_interface.FLOATS * 2)(*map(c_interface.address, some))
    given = c_interface.StepOptions(**options)

    def look():
        return plain([memory, some]), tensors.steps, tensors.skipped

    step = c_interface.api.tensors_step
    return Case(lambda: checked(step(tensors.pointer, pointers, given, 1, None)), look)


def c_made():
    _, adam, memory = c_tensors()
    states = [(c_interface.FLOATS * 2)(*map(c_interface.address, row[1:])) for row in memory]
    each = [c_interface.Tensor(row[0].ctypes.data, state, 6, 0) for row, state in zip(memory, states, strict=True)]
    groups = (c_interface.Group * 1)(c_interface.Group(adam.pointer, (c_interface.Tensor * 2)(*each), 2))
    new, free = c_interface.api.tensors_new, c_interface.api.tensors_free
    return Case(lambda: free(checked(new(groups, 1))), lambda: (plain(memory), type(adam)))  # which frees the rule when it goes


def c_rule():
    names = b"lr", b"momentum", b"dampening", b"weight_decay"
    pairs = (c_interface.Option * 4)(*[c_interface.Option(name, 0.5) for name in names])
    new, free = c_interface.api.rule_new, c_interface.api.rule_free
    return Case(lambda: free(checked(new(b"sgd", pairs, 4))))


def c_rule_set():
    tensors, adam, memory = c_tensors()
    api = c_interface.api

    def call():
        checked(api.rule_set(adam.pointer, b"lr", 0.25))
        return checked(api.tensors_set_rule(tensors.pointer, 1, adam.pointer))

    return Case(call, lambda: plain(memory))


def c_stateless():
    param, grad, *moments = np.ones((4, 5), F32)
    adam = c_interface.Rule("adam", {"lr": 0.5, "beta1": 0.5, "beta2": 0.75, "eps": 1e-3, "weight_decay": 0.0})
    states = (c_interface.FLOATS * 2)(*map(c_interface.address, moments))
    step, where = c_interface.api.rule_step, map(c_interface.address, (param, grad))
    given = *where, states, 5, 3, 1
    return Case(lambda: checked(step(adam.pointer, *given)), lambda: plain([param, grad, *moments]))


# The C interface, in which only native allocations are made.
NATIVE = {
    "C: tensors_new": lambda _: c_made(),
    "C: tensors_step": lambda _: c_step({"grad_scale": 1.0}),
    "C: tensors_step with options": lambda _: c_step({"grad_scale": 0.5, "max_norm": 0.25, "skip_nonfinite": 1}),
    "C: rule_new": lambda _: c_rule(),
    "C: rule_set and tensors_set_rule": lambda _: c_rule_set(),
    "C: rule_step": lambda _: c_stateless(),
}

KINDS = ["python", "native", "thread", "file"]


def operations(kind):
    """Those in which there is something of this kind to fail."""
    if kind == "thread":
        _native.set_grain(1)
        _native.set_backs_off(False)
        return THREADED
    if kind == "file":
        return {name: make for name, make in OPERATIONS.items() if name.partition(",")[0] in ("save", "load")}
    return OPERATIONS | (NATIVE if kind == "native" else {})
