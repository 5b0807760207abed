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


class Api(ctypes.Structure):
    _fields_ = [
        ("major", c_int),
        ("minor", c_int),
        ("version", c_char_p),
        ("error", ctypes.CFUNCTYPE(c_char_p)),
        ("isa", ctypes.CFUNCTYPE(c_char_p)),
        ("adam_step", ctypes.CFUNCTYPE(c_int, *5 * [FLOATS], c_int64, c_int64, POINTER(AdamOptions), c_int)),
    ]


def load():
    get_pointer = ctypes.pythonapi.PyCapsule_GetPointer
    get_pointer.argtypes, get_pointer.restype = [ctypes.py_object, c_char_p], c_void_p
    return Api.from_address(get_pointer(fastadam.c_api, b"fastadam.c_api"))


api = load()


def address(array):
    return None if array is None else array.ctypes.data if isinstance(array, np.ndarray) else array


def adam_step(param, grad, exp_avg, exp_avg_sq, max_exp_avg_sq=None, *, step, size=None, threads=0, options=None, **given):
    """The status of a step; `options` of the header's names."""
    names = {"lr": 1e-3, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8} | given
    memory = [address(array) for array in (param, grad, exp_avg, exp_avg_sq, max_exp_avg_sq)]
    options = ctypes.byref(AdamOptions(**names)) if options is None else options
    return api.adam_step(*memory, param.size if size is None else size, step, options, threads)
