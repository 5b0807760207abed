"""NAdam (Dozat 2016)."""

import numpy as np

from fastadam.reference.scalars import (
    Array,
    decay_factor,
    effective_gradient,
    exponential_of_negative,
    flush_subnormals,
    log_096,
    power,
    square_root,
    types_of,
)

MOST_FACTORS = 2**20  # that are multiplied one by one


def nadam_step(
    param: Array,
    grad: Array,
    exp_avg: Array,
    exp_avg_sq: Array,
    *,
    step: int,
    lr: float = 2e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    momentum_decay: float = 4e-3,
    decoupled_weight_decay: bool = False,
    cautious_weight_decay: bool = False,
    maximize: bool = False,
) -> None:
    """One step of :class:`fastadam.NAdam`."""
    with np.errstate(all="ignore"):
        real, scalar = types_of(param)
        b1, b2 = real(betas[0]), real(betas[1])
        c1, c2 = real(1) - b1, real(1) - b2
        # The momentum of step i is mu(i) = beta1 (1 - 0.96^(i momentum_decay) / 2).
        q = exponential_of_negative(momentum_decay * log_096(scalar))
        mu, following = (scalar(b1) * (1.0 - 0.5 * power(q, t)) for t in (step, step + 1))
        # The product of the momenta so far. Once it is below half an ulp of 1, neither it nor further factors matter.
        # A product of more than MOST_FACTORS ends with factors of beta1.
        product, decay = scalar(1.0), scalar(1.0)
        for _ in range(min(step, MOST_FACTORS)):
            if not product > 5e-20:
                break
            decay = decay * q
            if decay < 1e-30:  # as the factor has it
                decay = scalar(0.0)
            product = product * (scalar(b1) * (1.0 - 0.5 * decay))
        else:
            if step >= MOST_FACTORS:
                product = product * power(scalar(b1), step - MOST_FACTORS)
        root = square_root(1.0 - power(scalar(b2), step))
        ag = real(lr * (1.0 - mu) / (1.0 - product) * root)
        am = real(lr * following / (1.0 - product * following) * root)
        e = real(eps * root)
        d = real(1.0 - scalar(lr) * weight_decay) if decoupled_weight_decay else real(1)

        g = effective_gradient(param, grad, maximize, 0.0 if decoupled_weight_decay else weight_decay)
        exp_avg[...] = flush_subnormals(b1 * exp_avg + c1 * g)
        exp_avg_sq[...] = flush_subnormals(b2 * exp_avg_sq + (c2 * g) * g)
        direction = ag * g + am * exp_avg
        d = decay_factor(d, param, direction, cautious_weight_decay)
        param[...] = d * param - direction / (np.sqrt(exp_avg_sq) + e)
