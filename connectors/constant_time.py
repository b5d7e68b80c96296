"""Comparing secrets without telling, by the time taken, which one matched or how much of it."""

from __future__ import annotations

import hmac
from collections.abc import Iterable


def any_equal(given: bytes, candidates: Iterable[bytes]) -> bool:
    """Compare with every candidate, in constant time, without stopping at the first that matches."""
    matched = False
    for candidate in candidates:
        matched |= hmac.compare_digest(given, candidate)
    return matched
