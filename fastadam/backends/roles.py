"""The role of an array in a tensor's step: how a refusal says which array it means."""

from typing import TypeAlias

from fastadam._native import GRAD, PARAM, STATE

__all__ = ["GRAD", "PARAM", "STATE", "Place"]

# STATE + k is the role of state k, in the rule's order.
Place: TypeAlias = tuple[int, int]  # an array: its role, and the index of its tensor
