"""The optimizers, each a subclass of torch's. Lion, which torch does not have, is one of ``torch.optim.Optimizer``."""
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

from typing import ClassVar

import torch

from fastadam.torch.drop_in import DropIn
from fastadam.torch.plain_lion import PlainLion


class Adam(DropIn, torch.optim.Adam):
    """``torch.optim.Adam`` with a native step, and `bias_correction`."""

    _rule_name, _torchs = "adam", torch.optim.Adam
    _own_flags: ClassVar[tuple[str, ...]] = ("bias_correction",)


class AdamW(Adam, torch.optim.AdamW):
    """``torch.optim.AdamW`` with a native step, `bias_correction` and `cautious_weight_decay`."""

    _torchs = torch.optim.AdamW
    _own_flags = (*Adam._own_flags, "cautious_weight_decay")


class SGD(DropIn, torch.optim.SGD):
    """``torch.optim.SGD`` with a native step."""

    _rule_name, _torchs = "sgd", torch.optim.SGD


class Adagrad(DropIn, torch.optim.Adagrad):
    """``torch.optim.Adagrad`` with a native step."""

    _rule_name, _torchs = "adagrad", torch.optim.Adagrad


class RMSprop(DropIn, torch.optim.RMSprop):
    """``torch.optim.RMSprop`` with a native step."""

    _rule_name, _torchs = "rmsprop", torch.optim.RMSprop


class Adamax(DropIn, torch.optim.Adamax):
    """``torch.optim.Adamax`` with a native step."""

    _rule_name, _torchs = "adamax", torch.optim.Adamax


class NAdam(DropIn, torch.optim.NAdam):
    """``torch.optim.NAdam`` with a native step, and `cautious_weight_decay`."""

    _rule_name, _torchs = "nadam", torch.optim.NAdam
    _own_flags = ("cautious_weight_decay",)


class RAdam(DropIn, torch.optim.RAdam):
    """``torch.optim.RAdam`` with a native step, and `cautious_weight_decay`."""

    _rule_name, _torchs = "radam", torch.optim.RAdam
    _own_flags = ("cautious_weight_decay",)


class Lion(DropIn, PlainLion):
    """Lion (Chen et al., 2023, Algorithm 2) with a native step; the formula is that of :class:`fastadam.Lion`."""

    _rule_name, _torchs = "lion", PlainLion
    _own_flags = ("cautious_weight_decay",)
