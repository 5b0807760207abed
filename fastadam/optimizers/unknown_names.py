"""What to say to a name that is no hyperparameter: a misspelling, or another library's word for one."""

import functools
from collections.abc import Callable, Collection
from typing import Any

# The first of each that an optimizer has is meant.
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
_LIKE, _NEXT_TO = 0.6, 0.82  # how like a name must be to be worth a hint, and to be taken for a slip


def meant(name: str, names: Collection[str]) -> str | None:
    """Which of `names` the unknown `name` seems to stand for."""
    return slip(name, names) or _nearest(name, names, _LIKE)


def slip(name: str, names: Collection[str]) -> str | None:
    """The same, if there is next to no doubt."""
    plain = name.lower()
    if plain in names:
        return plain
    alias = next((known for known in _ALIASES.get(plain, ()) if known in names), None)
    return alias or _nearest(plain, names, _NEXT_TO)


def hint(known: str | None) -> str:
    """The end of a message."""
    return f"; did you mean {known!r}?" if known else ""


def hinting(init: Callable[..., None], names: Collection[str]) -> Callable[..., None]:
    """The constructor `init`, with hints in its errors."""
    code = init.__code__
    accepted = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]

    @functools.wraps(init)
    def checked(self: Any, *args: Any, **kwargs: Any) -> None:
        for name in kwargs:
            if name not in accepted:
                words = f"{type(self).__name__}() got an unexpected keyword argument {name!r}"
                raise TypeError(words + hint(meant(name, names)))
        init(self, *args, **kwargs)

    return checked


def _nearest(name: str, names: Collection[str], cutoff: float) -> str | None:
    from difflib import get_close_matches  # here, since few programs need it

    return next(iter(get_close_matches(name, names, 1, cutoff)), None)
