"""Imports what the extra `viz` brings, or says how to install it."""

from importlib import import_module
from types import ModuleType


def needed(name: str) -> ModuleType:
    """A module of plotly or matplotlib."""
    try:
        return import_module(name)
    except ImportError as error:
        library = name.partition(".")[0]
        raise ImportError(f"{library} is missing, which draws this; install it with: pip install 'fastadam[viz]'") from error
