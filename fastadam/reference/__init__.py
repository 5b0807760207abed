r"""The specification: each rule as NumPy expressions, in the order and precision of the numerics contract.

The kernels give the same bits as these functions. The functions are written to be read, are not fast and check nothing.

Arrays are float32 or float64, all of one dtype, and NumPy rounds each operation once. Scalars that depend only on the step are
twice as precise (float64, or two float64 numbers for one), and rounded once to that dtype. All arrays have the same shape; all
but `grad` are updated in place. States start as zeros, and `step` counts from 1.

`fastadam.reference.formats` has the formats in which elements may be stored otherwise; `stored_step` takes a step of them.
"""

from fastadam.reference.adagrad import adagrad_step
from fastadam.reference.adam import adam_step
from fastadam.reference.adamax import adamax_step
from fastadam.reference.adopt import adopt_step
from fastadam.reference.average import average_step
from fastadam.reference.gradients import clipping_scale, global_norm, transform_gradient
from fastadam.reference.lion import lion_step
from fastadam.reference.nadam import nadam_step
from fastadam.reference.radam import radam_step
from fastadam.reference.rmsprop import rmsprop_step
from fastadam.reference.sgd import sgd_step
from fastadam.reference.stored import Stored, stored_step

__all__ = [
    "Stored",
    "adagrad_step",
    "adam_step",
    "adamax_step",
    "adopt_step",
    "average_step",
    "clipping_scale",
    "global_norm",
    "lion_step",
    "nadam_step",
    "radam_step",
    "rmsprop_step",
    "sgd_step",
    "stored_step",
    "transform_gradient",
]
