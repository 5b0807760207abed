"""Hints for unknown names: misspelt hyperparameters and the words of other libraries."""

import functools
from collections.abc import Callable, Collection
from typing import Any, NoReturn

# Each stands for the first of these that the optimizer has.
_ALIASES = {
    **dict.fromkeys(("learning_rate", "stepsize", "step_size", "eta", "alpha"), ("lr",)),
    **dict.fromkeys(("beta", "beta1", "beta2", "beta_1", "beta_2", "b1", "b2"), ("betas",)),
    **dict.fromkeys(("epsilon", "epsilon_hat"), ("eps",)),
    **dict.fromkeys(("wd", "decay", "l2", "decay_weight"), ("weight_decay",)),
    "momentum": ("betas",),
    "mu": ("momentum", "betas"),
    "rho": ("alpha", "betas"),
    "decay_rate": ("alpha", "weight_decay"),
    "decoupled": ("decoupled_weight_decay",),
    "ema": ("ema_decay",),
}
# What other libraries' constructors take and `step` does here.
_OF_STEP = {
    **{name: name for name in ("grad_scale", "clip_value", "max_norm", "skip_nonfinite", "num_threads")},
    **dict.fromkeys(("max_grad_norm", "global_clipnorm", "clip_norm", "clip_grad_norm"), "max_norm"),
    **dict.fromkeys(("clipvalue", "clip_grad_value"), "clip_value"),
}
_SIMILAR, _ALMOST_EQUAL = 0.6, 0.82  # difflib's ratio for a hint, and for a name that must be a misspelling


def meant(name: str, names: Collection[str]) -> str | None:
    """Which of `names` was probably meant by `name`."""
    return misspelt(name, names) or _nearest(name, names, _SIMILAR)


def misspelt(name: str, names: Collection[str]) -> str | None:
    """The same, but only if there is almost no doubt."""
    plain = name.lower()
    if plain in names:
        return plain
    alias = next((known for known in _ALIASES.get(plain, ()) if known in names), None)
    return alias or _nearest(plain, names, _ALMOST_EQUAL)


def hint(known: str | None, name: str = "") -> str:
    """The end of an error message about the unknown `name`."""
    if option := _OF_STEP.get(name.lower()):
        return f"; it is an option of step: step(grads, {option}=...)"
    return f"; did you mean {known!r}?" if known else ""


class Missing:
    """A method that optimizers of other libraries have. Asking for it raises an error that says what to do.

    Not ``__getattr__``, which makes every attribute slower, and a small step with them.
    """

    def __init__(self, advice: str) -> None:
        self._advice = advice

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, optimizer: Any, owner: type) -> NoReturn:
        raise AttributeError(f"{owner.__name__} has no attribute {self._name!r}; {self._advice}")


def same_name(name: str, names: Collection[str]) -> str:
    """The same for a name that may be spelt like one of `names` but for the case of its letters, or nearly so."""
    by_letters = {known.lower(): known for known in names}
    return hint(by_letters.get(_nearest(name.lower(), by_letters, _SIMILAR) or ""))


def hinting(init: Callable[..., None], names: Collection[str]) -> Callable[..., None]:
    """The constructor `init` with hints for unknown keywords."""
    code = init.__code__
    accepted = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]

    @functools.wraps(init)
    def checked(self: Any, *args: Any, **kwargs: Any) -> None:
        for name in kwargs:
            if name not in accepted:
                words = f"{type(self).__name__}() got an unexpected keyword argument {name!r}"
                raise TypeError(words + hint(meant(name, names), name))
        init(self, *args, **kwargs)

    return checked


def _nearest(name: str, names: Collection[str], cutoff: float) -> str | None:
    from difflib import get_close_matches  # slow to import, and only needed for errors

    return next(iter(get_close_matches(name, names, 1, cutoff)), None)
