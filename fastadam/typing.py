"""Types for annotations: what may be passed as parameters, gradients and state.

An optimizer is generic in its parameters, so that type checkers know the structure of its gradients and its state:
``fastadam.Adam[dict[str, numpy.ndarray]]``. Plain ``fastadam.Optimizer`` is any optimizer of anything.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypedDict

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from typing import SupportsIndex

    from typing_extensions import TypeVar  # which type checkers know, and nobody else needs
else:
    from typing import TypeVar

__all__ = ["Array", "Norm", "Params", "State"]


class _DLPackArray(Protocol):
    def __dlpack__(self, *args: Any, **kwargs: Any) -> Any: ...
    def __dlpack_device__(self) -> tuple[Any, Any]: ...


class _CudaArray(Protocol):
    @property
    def __cuda_array_interface__(self) -> dict[str, Any]: ...


Array: TypeAlias = _DLPackArray | _CudaArray
"""An array of NumPy, CuPy or any library that exports its memory by DLPack or ``__cuda_array_interface__``."""

Params: TypeAlias = Array | Mapping[Any, Array] | Sequence[Array] | Iterator[Array] | Sequence[Mapping[str, Any]]
"""What an optimizer is made with: one array, a mapping, a sequence or iterator of arrays, or a list of groups."""

State: TypeAlias = Mapping[str, Any]
"""A parameter's state: arrays by name, NumPy's or CuPy's."""

# Any, in place of what it is in rarer cases, spares users a cast. So the standard library is annotated too.
Norm: TypeAlias = float | Any
"""A norm: a float, for arrays on a GPU an array there, and None where it was not asked for."""

HostOrDevice: TypeAlias = NDArray[np.float32] | Any  # a new array, NumPy's or CuPy's

if TYPE_CHECKING:
    Params_co = TypeVar("Params_co", bound=Params, covariant=True, default=Any)

    class StepOptions(TypedDict, total=False):
        """What a step takes besides gradients."""

        grad_scale: float
        clip_value: float | None
        max_norm: float | None
        skip_nonfinite: bool
        num_threads: SupportsIndex | None
else:
    Params_co = TypeVar("Params_co", covariant=True)
    StepOptions = dict[str, Any]
