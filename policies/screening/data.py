"""The data files that ship with the rules. They are as fixed as the code, so they are read like code: once, at first use."""

from __future__ import annotations

from importlib import resources


def shipped(name: str) -> bytes:
    """The bytes of a data file in this package, such as ``model.bin``."""
    return resources.files("policies.screening").joinpath(name).read_bytes()
