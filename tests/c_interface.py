"""The C interface, called by ctypes: the table of fastadam.h, written out a second time."""

import ctypes
from ctypes import POINTER, c_char_p, c_double, c_int, c_int64, c_void_p

import numpy as np

import fastadam

OK, INVALID = 0, 1
FLOATS = c_void_p


class AdamOptions(ctypes.Structure):
    _fields_ = [
        *((name, c_double) for name in ("lr", "beta1", "beta2", "eps", "weight_decay")),
        *((name, c_int) for name in ("decoupled_weight_decay", "maximize")),
    ]


class Option(ctypes.Structure):
    _fields_ = [("name", c_char_p), ("value", c_double)]


class Tensor(ctypes.Structure):
    _fields_ = [("param", FLOATS), ("states", POINTER(FLOATS)), ("size", c_int64), ("steps", c_int64)]


class Group(ctypes.Structure):
    _fields_ = [("rule", c_void_p), ("tensors", POINTER(Tensor)), ("count", c_int64)]


class StepOptions(ctypes.Structure):
    _fields_ = [*((name, c_double) for name in ("grad_scale", "clip_value", "max_norm")), ("skip_nonfinite", c_int)]


class Array(ctypes.Structure):
    _fields_ = [("elements", c_void_p), ("scales", c_void_p), ("dtype", c_int)]


class ArrayTensor(ctypes.Structure):
    _fields_ = [("param", Array), ("states", POINTER(Array)), ("size", c_int64), ("steps", c_int64)]


class ArrayGroup(ctypes.Structure):
    _fields_ = [("rule", c_void_p), ("tensors", POINTER(ArrayTensor)), ("count", c_int64)]


ARRAYS = POINTER(Array)
DTYPES = {"float32": 0, "float64": 1}


class Api(ctypes.Structure):
    _fields_ = [
        ("major", c_int),
        ("minor", c_int),
        ("version", c_char_p),
        ("error", ctypes.CFUNCTYPE(c_char_p)),
        ("isa", ctypes.CFUNCTYPE(c_char_p)),
        ("adam_step", ctypes.CFUNCTYPE(c_int, *5 * [FLOATS], c_int64, c_int64, POINTER(AdamOptions), c_int)),
        ("rule_new", ctypes.CFUNCTYPE(c_void_p, c_char_p, POINTER(Option), c_int)),
        ("rule_set", ctypes.CFUNCTYPE(c_int, c_void_p, c_char_p, c_double)),
        ("rule_free", ctypes.CFUNCTYPE(None, c_void_p)),
        ("rule_state_count", ctypes.CFUNCTYPE(c_int, c_void_p)),
        ("rule_step", ctypes.CFUNCTYPE(c_int, c_void_p, FLOATS, FLOATS, POINTER(FLOATS), c_int64, c_int64, c_int)),
        ("global_norm", ctypes.CFUNCTYPE(c_int, POINTER(FLOATS), POINTER(c_int64), c_int64, c_int, POINTER(c_double))),
        ("rule_init_states", ctypes.CFUNCTYPE(c_int, c_void_p, FLOATS, POINTER(FLOATS), c_int64)),
        ("set_threads", ctypes.CFUNCTYPE(c_int, c_int)),
        ("tensors_new", ctypes.CFUNCTYPE(c_void_p, POINTER(Group), c_int64)),
        ("tensors_free", ctypes.CFUNCTYPE(None, c_void_p)),
        ("tensors_set_rule", ctypes.CFUNCTYPE(c_int, c_void_p, c_int64, c_void_p)),
        (
            "tensors_step",
            ctypes.CFUNCTYPE(c_int, c_void_p, POINTER(FLOATS), POINTER(StepOptions), c_int, POINTER(c_double)),
        ),
        ("tensors_steps", ctypes.CFUNCTYPE(POINTER(c_int64), c_void_p)),
        ("tensors_skipped", ctypes.CFUNCTYPE(c_int64, c_void_p)),
        ("rule_new_for", ctypes.CFUNCTYPE(c_void_p, c_int, c_char_p, POINTER(Option), c_int)),
        ("adam_step_arrays", ctypes.CFUNCTYPE(c_int, *5 * [ARRAYS], c_int64, c_int64, POINTER(AdamOptions), c_int)),
        ("rule_step_arrays", ctypes.CFUNCTYPE(c_int, c_void_p, *3 * [ARRAYS], c_int64, c_int64, c_int)),
        ("rule_init_states_arrays", ctypes.CFUNCTYPE(c_int, c_void_p, ARRAYS, ARRAYS, c_int64)),
        ("global_norm_arrays", ctypes.CFUNCTYPE(c_int, ARRAYS, POINTER(c_int64), c_int64, c_int, POINTER(c_double))),
        ("tensors_new_arrays", ctypes.CFUNCTYPE(c_void_p, POINTER(ArrayGroup), c_int64)),
        ("tensors_step_arrays", ctypes.CFUNCTYPE(c_int, c_void_p, ARRAYS, POINTER(StepOptions), c_int, POINTER(c_double))),
    ]


def load():
    get_pointer = ctypes.pythonapi.PyCapsule_GetPointer
    get_pointer.argtypes, get_pointer.restype = [ctypes.py_object, c_char_p], c_void_p
    return Api.from_address(get_pointer(fastadam.c_api, b"fastadam.c_api"))


api = load()


def described(array, dtype=None):
    """A fastadam_array, of the array's own type or another; of None one without elements."""
    name = array.dtype.name if isinstance(array, np.ndarray) else "float32"
    return Array(address(array), None, DTYPES[name] if dtype is None else dtype)


def arrays_of(arrays):
    return (Array * len(arrays))(*map(described, arrays))


def address(array):
    return None if array is None else array.ctypes.data if isinstance(array, np.ndarray) else array


def adam_step(
    param, grad, exp_avg, exp_avg_sq, max_exp_avg_sq=None, *, step, size=None, threads=0, options=None, describes=False, **given
):
    """The status of a step; `options` of the header's names. `describes`: by descriptions of the arrays."""
    names = {"lr": 1e-3, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8} | given
    given = (param, grad, exp_avg, exp_avg_sq, max_exp_avg_sq)
    options = ctypes.byref(AdamOptions(**names)) if options is None else options
    size = param.size if size is None else size
    if describes:
        return api.adam_step_arrays(*(None if a is None else described(a) for a in given), size, step, options, threads)
    return api.adam_step(*map(address, given), size, step, options, threads)


def options_of(variant):
    """The options of a variant of tests/variants.py, by the names that the header has for them."""
    group = variant.make(np.zeros(1, np.float32)).param_groups[0]
    others = ("params", "ema_decay", "initial_accumulator_value", "state_dtype", "master", "seed")
    given = {name: value for name, value in group.items() if name not in others}
    if betas := given.pop("betas", None):
        given |= {"beta1": betas[0], "beta2": betas[1]}
    return given | variant.kind.fixed


class Rule:
    """A rule made with options of the header's names. With a dtype, the functions that take descriptions of arrays use it."""

    def __init__(self, name, options, dtype=None):
        pairs = [Option(option.encode(), value) for option, value in options.items()]
        given = name.encode(), (Option * len(pairs))(*pairs), len(pairs)
        self.describes = dtype is not None
        self.pointer = api.rule_new_for(DTYPES[dtype], *given) if self.describes else api.rule_new(*given)
        if not self.pointer:
            raise ValueError(api.error().decode())

    def __del__(self, free=api.rule_free):  # which outlives this module's names when the process ends
        free(self.pointer)

    @property
    def state_count(self):
        return api.rule_state_count(self.pointer)

    def set(self, option, value):
        return api.rule_set(self.pointer, option.encode(), value)

    def init_states(self, param, *states):
        if self.describes:
            return api.rule_init_states_arrays(self.pointer, described(param), arrays_of(states), param.size)
        return api.rule_init_states(self.pointer, address(param), (FLOATS * 5)(*map(address, states)), param.size)

    def step(self, param, grad, *states, step, threads=0):
        if self.describes:
            given = described(param), described(grad), arrays_of(states)
            return api.rule_step_arrays(self.pointer, *given, param.size, step, threads)
        memory = (FLOATS * 3)(*map(address, states))
        return api.rule_step(self.pointer, address(param), address(grad), memory, param.size, step, threads)


class Tensors:
    """Tensors made of groups, each a :class:`Rule` and lists [param, *states] of arrays."""

    def __init__(self, groups, steps=0):
        made = []
        self.describes = groups[0][0].describes
        kinds = (ArrayGroup, ArrayTensor) if self.describes else (Group, Tensor)
        group_of, tensor_of = kinds
        for rule, tensors in groups:
            states = [arrays_of(own) if self.describes else (FLOATS * 5)(*map(address, own)) for _, *own in tensors]
            each = [
                tensor_of(
                    described(arrays[0]) if self.describes else address(arrays[0]),
                    own,
                    next(array.size for array in arrays if array is not None),
                    steps,
                )
                for arrays, own in zip(tensors, states, strict=True)
            ]
            made.append(group_of(rule.pointer, (tensor_of * len(each))(*each), len(each)))
        self.count = sum(group.count for group in made)
        new = api.tensors_new_arrays if self.describes else api.tensors_new
        self.pointer = new((group_of * len(made))(*made), len(made))
        if not self.pointer:
            raise ValueError(api.error().decode())

    def __del__(self, free=api.tensors_free):
        free(self.pointer)

    def step(self, grads, threads=0, norm=None, **options):
        options = ctypes.byref(StepOptions(**{"grad_scale": 1.0} | options)) if options else None
        if self.describes:
            return api.tensors_step_arrays(self.pointer, arrays_of(grads), options, threads, norm)
        memory = (FLOATS * len(grads))(*map(address, grads))
        return api.tensors_step(self.pointer, memory, options, threads, norm)

    @property
    def steps(self):
        return api.tensors_steps(self.pointer)[: self.count]

    @property
    def skipped(self):
        return api.tensors_skipped(self.pointer)


def global_norm(arrays, threads=0, describes=False):
    sizes = [array.size for array in arrays]
    count, norm = len(arrays), c_double()
    find = api.global_norm_arrays if describes else api.global_norm
    memory = arrays_of(arrays) if describes else (FLOATS * count)(*map(address, arrays))
    assert find(memory, (c_int64 * count)(*sizes), count, threads, norm) == OK
    return norm.value
