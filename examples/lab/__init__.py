"""Shared code of the gallery's programs."""
