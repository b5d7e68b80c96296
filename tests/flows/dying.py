"""A process that erases somebody and is killed on the way."""

from __future__ import annotations

import multiprocessing
import os
import signal
from importlib import import_module
from typing import Any, Final

from tests.databases import Databases
from tests.worker.asking import Office

_CONTEXT: Final = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["pytest", __name__])
_SECONDS: Final = 60.0

Point = tuple[str, str, int]
"""Module and name of a function, and after which of its calls the process dies, counted from 1."""


def killed_at(databases: Databases, point: Point, subject: dict[str, Any]) -> None:
    """Have a process erase the person until it is killed there."""
    child = _CONTEXT.Process(target=_erase, args=(databases, point, subject), daemon=True)
    child.start()
    child.join(_SECONDS)
    assert child.exitcode == -signal.SIGKILL


def _erase(databases: Databases, point: Point, subject: dict[str, Any]) -> None:
    name, function, last = point
    *path, attribute = function.split(".")
    owner: Any = import_module(name)
    for part in path:
        owner = getattr(owner, part)
    step, calls = getattr(owner, attribute), []

    def deadly(*arguments: Any, **named: Any) -> Any:
        result = step(*arguments, **named)
        calls.append(1)
        if len(calls) == last:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, attribute, deadly)
    Office(databases).ask("DELETE", subject)
