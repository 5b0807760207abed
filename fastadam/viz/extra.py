"""Imports the libraries of the extra `viz`, or says how to install them."""

import functools

from fastadam import optional

needed = functools.partial(optional.needed, install="'fastadam[viz]'")
