"""Trying a transaction again when replicas met in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from sqlalchemy.exc import DBAPIError
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from worker.store.statements import Raced

_TRIES = 8
_DEADLOCK_OR_SERIALIZATION: Final = frozenset({"40P01", "40001"})

T = TypeVar("T")


def persistently(transact: Callable[[], T]) -> T:
    """Call ``transact``, which is one whole transaction, again and again where replicas met on a row.

    Raises what the last try raised; anything else at once.
    """
    try:
        return transact()
    except Exception as error:
        if not is_worth_retrying(error):
            raise
    return _retrying(transact)


def is_worth_retrying(error: BaseException) -> bool:
    """Replicas met: the same rows inserted at once, a deadlock, a serialization failure, a busy file."""
    if isinstance(error, Raced):
        return True
    if not isinstance(error, DBAPIError):
        return False
    if getattr(error.orig, "sqlstate", None) in _DEADLOCK_OR_SERIALIZATION:
        return True
    return bool(error.connection_invalidated)


_retrying = Retrying(
    retry=retry_if_exception(is_worth_retrying),
    stop=stop_after_attempt(_TRIES),
    wait=wait_random_exponential(multiplier=0.005, max=0.25),
    reraise=True,
)
