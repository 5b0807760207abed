"""How an optimizer stores its states, and what it keeps beside parameters of 16 bits: which arrays there are."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from fastadam import _native
from fastadam.backends import cpu
from fastadam.backends.devices import is_on_gpu
from fastadam.half import float32_of, half_of, to_float32
from fastadam.plain_numbers import to_int

if TYPE_CHECKING:
    from fastadam.backends.protocol import Backend
    from fastadam.optimizers.hyperparameters import Hyperparameters

StateDType: TypeAlias = Literal["float32", "bfloat16", "8bit"]
Master: TypeAlias = Literal["split", "float32"]

BLOCK = 128  # elements that share an exponent
ZEROS = 20  # the exponent of a block of zeros
_EXPONENTS = "_exponents"  # the end of the name of those of a state
_CODES = {"bfloat16": np.uint16, "8bit": np.uint8}


def state_dtype(name: str, value: Any) -> str:
    """The format of states."""
    if value not in ("float32", "bfloat16", "8bit"):
        raise ValueError(f"{name} is {value!r}; expected 'float32' (or float64, as the parameters), 'bfloat16' or '8bit'")
    return str(value)


def master(name: str, value: Any) -> str | None:
    """What is kept beside parameters of 16 bits."""
    if value is not None and value not in ("split", "float32"):
        raise ValueError(f"{name} is {value!r}; expected 'split', 'float32' or None")
    return None if value is None else str(value)


def seed(name: str, value: Any) -> int:
    """The seed of the dither."""
    try:
        number = to_int(value)
    except TypeError:
        raise TypeError(f"{name} is {value!r}; expected an integer of 32 bits, 0 to 4294967295") from None
    if not 0 <= number < 2**32:
        raise ValueError(f"{name} is {number}; expected 0 to 4294967295")
    return number


def names_of(hyperparameters: "Hyperparameters", param: Any) -> list[str]:
    """The names of all arrays of a parameter's state, in the order of the native module."""
    names = []
    for name in hyperparameters.initial_state:
        names.append(name)
        if hyperparameters.state_dtype == "8bit" and name != "ema":
            names.append(name + _EXPONENTS)
    if half_of(param):
        names += {"split": ["rest"], "float32": ["master"]}.get(hyperparameters.master, [])
    return names


def new_state(backend: "Backend", param: Any, hyperparameters: "Hyperparameters") -> dict[str, Any]:
    """The initial arrays of a parameter by name; none of one that is not usable."""
    values, half = hyperparameters.initial_state, None if is_on_gpu(param) else half_of(param)
    codes = _CODES.get(hyperparameters.state_dtype)
    if codes is None and half is None:
        return dict(zip(values, backend.full_like(param, [*values.values()]), strict=False))
    real = np.float32 if half else None  # the parameter's own
    wanted: list[tuple[float | None, Any]] = []
    for name, value in values.items():
        wanted.append((value, codes if codes and name != "ema" else real))
    if half and hyperparameters.master:
        wanted.append((0.0, np.uint16 if hyperparameters.master == "split" else np.float32))
    arrays = cpu.arrays_like(param, wanted)
    if len(arrays) < len(wanted):
        return {}
    size = arrays[0].size if arrays else 0
    exponents, rest = np.full(-(-size // BLOCK), ZEROS, np.uint8), iter(arrays)
    state = {name: exponents.copy() if name.endswith(_EXPONENTS) else next(rest) for name in names_of(hyperparameters, param)}
    if "master" in state:
        state["master"][...] = float32_of(param)
    return state


def decoded(hyperparameters: "Hyperparameters", state: Mapping[str, Any]) -> dict[str, Any]:
    """The states of a rule, and the average, as arrays of the parameter's precision, from those in which they are stored."""
    if hyperparameters.state_dtype == "float32":
        return {name: state[name] for name in hyperparameters.initial_state}
    squares, numbers = hyperparameters.rule.squares, {}
    for name in hyperparameters.initial_state:
        if name == "ema":
            numbers[name] = state[name]
        elif hyperparameters.state_dtype == "bfloat16":
            numbers[name] = to_float32(state[name])
        else:
            numbers[name] = _native.from_8_bits(state[name], state[name + _EXPONENTS], name in squares)
    return numbers


def expect_storable(params: Any, hyperparameters: "Hyperparameters") -> None:
    """Refuse what GPUs do not have."""
    if hyperparameters.state_dtype != "float32" and is_on_gpu(params[0]):
        raise ValueError(
            f"state_dtype is {hyperparameters.state_dtype!r}, but the parameters are on a GPU, whose kernels do not have other "
            "formats yet; leave it out"
        )
    initial = {name: value for name, value in hyperparameters.initial_state.items() if value and name != "ema"}
    if hyperparameters.state_dtype != "float32" and initial:
        raise ValueError(
            f"state_dtype is {hyperparameters.state_dtype!r}, but {', '.join(initial)} would begin with another number than "
            "zero; leave one of the two out"
        )
