"""The role of an array in a tensor's step: how a refusal says which array it means."""

from typing import TypeAlias

PARAM, GRAD, STATE = 0, 1, 2  # STATE + k is state k, in the rule's order

Place: TypeAlias = tuple[int, int]  # an array: its role, and the index of its tensor
