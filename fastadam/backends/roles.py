"""The roles of arrays in a tensor's step, by which a refusal identifies an array."""

from typing import TypeAlias

from fastadam._native import GRAD, PARAM, STATE

__all__ = ["GRAD", "PARAM", "STATE", "Place"]

# STATE + k is the role of state k, in the rule's order.
Place: TypeAlias = tuple[int, int]  # an array: its role, and the index of its tensor
