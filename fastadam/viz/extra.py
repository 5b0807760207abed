"""Imports the libraries of the extra `viz`, or says how to install them."""

from importlib import import_module
from types import ModuleType


def needed(name: str) -> ModuleType:
    """A module of plotly or matplotlib."""
    try:
        return import_module(name)
    except ImportError as error:
        library = name.partition(".")[0]
        raise ImportError(f"{library} is missing; install it with: pip install 'fastadam[viz]'") from error
