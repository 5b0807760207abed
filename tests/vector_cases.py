"""A long run of every rule with every option, the same everywhere: its inputs, and one hash of all that comes out.

The inputs are made of random integers and exact operations, since libraries differ in all others.
"""

import hashlib
import itertools
import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from c_interface import DTYPES, options_of
from variants import ONE_OF_EACH, VARIANTS, hyperparameters

# Of what the reference computes, for each chapter of variants and type of elements; `python tests/vector_cases.py` prints them.
# A hash never changes: what is new is a chapter of its own, named after the option or the rule.
SHA256 = {
    ("first", "float32"): "5abe3d85efa03891c8442b94cec6f82a7c33dbdba614d54a3788f6d5489d78ab",
    ("first", "float64"): "bc8a4de5273617c3539ae2fe48fb4d23063ff09351006466b883c472ca234070",
    ("bias_correction", "float32"): "ba5ccd56678b5896ab838323210584485f74a6cc1c7355f341746e12766f106a",
    ("bias_correction", "float64"): "02761f3febece87fa196ccc7945cc3226c30945b7d664ac1cf4abbb7cb0b43e5",
    ("cautious_weight_decay", "float32"): "eadadac819df652e8d0042b18098a700ff888a4c145fb5e6b8bc63894fa8a0e5",
    ("cautious_weight_decay", "float64"): "e768228e644a029b4c17c8f1b1aa5092fc673280ab884d57d33c39bafd978f33",
    ("adopt", "float32"): "d2967f38f478c4975ae9c7d02fe4eb321c31ce56862f47b683de19d62e51b7aa",
    ("adopt", "float64"): "3d75c0ed2571bc035b990e877591aa5181f6456b1467beb7e33ec19230900c01",
}
FIRST_RULES = ("adam", "adamw", "sgd", "adagrad", "rmsprop", "adamax", "nadam", "radam", "lion")
LATER_OPTIONS = ("bias_correction", "cautious_weight_decay")


def chapter_of(variant):
    """The chapter that has a variant."""
    if variant.rule_name not in FIRST_RULES:
        return variant.rule_name
    return next((option for option in LATER_OPTIONS if option in dict(variant.given)), "first")


CHAPTERS = list(dict.fromkeys(map(chapter_of, VARIANTS)))


def integers(source, shape):
    """uint64; the streams of NumPy's bit generators never change."""
    return source.random_raw(math.prod(shape)).reshape(shape)


def any_floats(source, shape, dtype):
    """Of any bits, so of all magnitudes, NaN and infinities among them."""
    bits = integers(source, shape)
    return bits.view(np.float64) if dtype == "float64" else bits.astype(np.uint32).view(np.float32)


def usual_floats(source, shape, dtype):
    """Of magnitudes up to 1, most of them smaller."""
    bits = integers(source, shape)
    if dtype == "float64":
        return np.ldexp((bits >> 10).astype(np.float64) - 2.0**53, -53 - (bits & 31).astype(np.int32))  # 54 bits
    mantissas = (bits >> 39).astype(np.float32) - np.float32(2**24)  # 25 bits
    return np.ldexp(mantissas, -24 - (bits & 31).astype(np.int32))


@dataclass
class Case:
    """Steps of one rule on one parameter."""

    variant: Any
    first_step: int
    arrays: list  # the parameter and its states
    grads: np.ndarray  # one row for each step

    def steps(self):
        """The number and the gradient of each step."""
        return enumerate(self.grads, self.first_step)

    def as_bytes(self):
        """As tests/vectors/apply.c reads it."""
        options = options_of(self.variant)
        head = [DTYPES[self.variant.dtype], self.variant.rule.name, len(options)]
        head += [self.grads.shape[1], self.first_step, len(self.grads)]
        lines = [" ".join(map(str, head)), *(f"{name} {float(value).hex()}" for name, value in options.items())]
        return "\n".join([*lines, ""]).encode() + b"".join(array.tobytes() for array in [*self.arrays, self.grads])


def cases(chapter, dtype):
    """Afresh at each call."""
    source = np.random.PCG64(0)

    def of_chapter(variants):
        return enumerate(replace(variant, dtype=dtype) for variant in variants if chapter_of(variant) == chapter)

    for k, variant in of_chapter(VARIANTS):
        for size, steps, floats in (
            (0, 1, usual_floats),
            (1, 40, usual_floats),
            (1023, 10, usual_floats),
            (333, 2, any_floats),
        ):
            yield case(source, *hyperparameters(variant, k), size, steps, floats)
    for k, variant in of_chapter(ONE_OF_EACH):
        yield case(source, hyperparameters(variant, k)[0], 1, 65, 3000, usual_floats)


def case(source, variant, first_step, size, steps, floats):
    arrays = [floats(source, (size,), variant.dtype) for _ in range(1 + variant.states)]
    arrays[1:] = map(np.abs, arrays[1:])
    return Case(variant, first_step, arrays, floats(source, (steps, size), variant.dtype))


def digest(results):
    """The hash of each case's arrays and the norm of its gradients, in which all NaN are one."""
    sha256 = hashlib.sha256()
    for arrays, norm in results:
        for values in (*arrays, np.float64(norm)):
            sha256.update(np.where(np.isnan(values), values.dtype.type(np.nan), values).tobytes())
    return sha256.hexdigest()


def reference_results(chapter, dtype):
    from fastadam import reference

    for each in cases(chapter, dtype):
        for step, grad in each.steps():
            each.variant.reference(each.arrays[0], grad, *each.arrays[1:], step=step)
        yield each.arrays, reference.global_norm([each.grads])


if __name__ == "__main__":
    for where in itertools.product(CHAPTERS, DTYPES):
        print(*where, digest(reference_results(*where)))
