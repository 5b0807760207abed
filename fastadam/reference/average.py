"""The exponential moving average of parameters, bias-corrected (Kingma & Ba 2015, section 7.2)."""

import numpy as np

from fastadam.reference.scalars import Array, flush_subnormals, power, types_of


def average_step(ema: Array, param: Array, *, step: int, ema_decay: float) -> None:
    """Update `ema` to the average of `param` over all steps up to `step`, weighted by powers of `ema_decay`."""
    with np.errstate(all="ignore"):
        real, scalar = types_of(ema)
        d = scalar(real(ema_decay))
        share = real((1.0 - d) / (1.0 - power(d, step)))
        keep = real(1) - share
        ema[...] = flush_subnormals(keep * ema + share * param)
