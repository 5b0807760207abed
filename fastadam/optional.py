"""Imports libraries that fastadam can do without, or says how to install them."""

from importlib import import_module
from typing import Any


def needed(name: str, install: str | None = None) -> Any:
    """A module; `install` is what pip calls its library, if it is not the module's name."""
    try:
        return import_module(name)
    except ImportError as error:
        library = name.partition(".")[0]
        raise ImportError(f"{library} is missing; install it with: pip install {install or library}") from error
