"""Types for annotations: arrays, parameters and state.

Optimizers are generic in the type of their parameters, so that type checkers know the structure of gradients and state:
``fastadam.Adam[dict[str, numpy.ndarray]]``. ``fastadam.Optimizer`` alone is any optimizer with parameters of any structure.
"""

from collections.abc import Iterator, Mapping, Sequence, ValuesView
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, TypedDict

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from typing import SupportsIndex

    from typing_extensions import TypeVar  # type checkers have it built in; at run time it is not needed
else:
    from typing import TypeVar

__all__ = ["Array", "Norm", "Params", "State"]


class _DLPackArray(Protocol):
    def __dlpack__(self, *args: Any, **kwargs: Any) -> Any: ...
    def __dlpack_device__(self) -> tuple[Any, Any]: ...


class _CudaArray(Protocol):
    @property
    def __cuda_array_interface__(self) -> dict[str, Any]: ...


# An array of NumPy, CuPy or any library that exports its memory by DLPack or ``__cuda_array_interface__``.
Array: TypeAlias = _DLPackArray | _CudaArray

# What arrays may be nested in.
Branch: TypeAlias = Mapping[Any, Any] | list[Any] | tuple[Any, ...]

# The parameters of an optimizer: one array, a mapping or iterable of arrays, nested ones, or a list of groups.
Params: TypeAlias = (
    Array
    | Mapping[Any, Array]
    | Mapping[Any, Branch]
    | Sequence[Array]
    | Iterator[Array]
    | ValuesView[Array]
    | Sequence[Mapping[str, Any]]
    | Sequence[Branch]
)

# The state of one parameter: arrays by name, of NumPy or CuPy.
State: TypeAlias = Mapping[str, Any]

# Memory for the state of an optimizer: of one parameter, or of several in the structure of `params`.
GivenState: TypeAlias = Mapping[Any, Any] | Sequence[Any]

# A norm: a float; for arrays on a GPU a 0-d array; None if it was not requested. Any stands for the rarer cases, so that users
# need no cast. The standard library's types do the same.
Norm: TypeAlias = float | Any

HostOrDevice: TypeAlias = NDArray[np.float32] | Any  # a new array of NumPy or CuPy

if TYPE_CHECKING:
    Params_co = TypeVar("Params_co", bound=Params, covariant=True, default=Any)

    class StepArguments(TypedDict, total=False):
        """The options of a step."""

        grad_scale: float
        clip_value: float | None
        max_norm: float | None
        skip_nonfinite: bool | Literal["raise"]
        norm: float | None
        num_threads: SupportsIndex | None
else:
    Params_co = TypeVar("Params_co", covariant=True)
    StepArguments = dict[str, Any]
