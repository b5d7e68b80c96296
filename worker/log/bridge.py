"""Libraries' own lines, in our words: logger, level, template. Never arguments, never the text of an exception."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import warnings
from typing import Any, Final, TextIO

from worker.log.faults import exception_types, fault, frames, short_path
from worker.log.lines import Level, LibraryLine, Place
from worker.log.writer import Log

TEMPLATES: Final = ("alembic.runtime.migration", "apscheduler", "httpx", "sqlalchemy.pool", "uvicorn.error")
"""Loggers (and those below them) that log constant templates, looked at in the versions of the lock.

The others put values into their templates: asyncio a repr, sqlalchemy.engine the statement.
"""

_LEVELS = ((logging.ERROR, Level.ERROR), (logging.WARNING, Level.WARNING), (0, Level.INFO))


class Bridge(logging.Handler):
    """Turns every record of the logging module into a line of ours."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Log the record's template, where that is known to be one, and where an exception came from."""
        error = record.exc_info[1] if record.exc_info else None
        self._log.emit(
            LibraryLine(
                level=next(level for least, level in _LEVELS if record.levelno >= least),
                logger=record.name,
                template=_template(record),
                exception=exception_types(error),
                frames=frames(error.__traceback__ if error else None),
            )
        )


def install(log: Log, level: int = logging.WARNING) -> None:
    """Bridge loggers, warnings, and exceptions that nobody caught. For the rest of the process."""
    root = logging.getLogger()
    root.handlers[:] = [Bridge(log)]
    root.setLevel(level)
    logging.raiseExceptions = False

    def warn(
        message: Warning | str,  # noqa: ARG001 - it may hold values
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,  # noqa: ARG001
        line: str | None = None,  # noqa: ARG001
    ) -> None:
        places = [f"{short_path(filename)}:{lineno}"]
        log.emit(
            LibraryLine(
                level=Level.WARNING,
                logger="warnings",
                template="",
                exception=category.__name__,
                frames=places,
            )
        )

    def in_thread(caught: threading.ExceptHookArgs) -> None:
        if caught.exc_value is not None and caught.exc_type is not SystemExit:
            log.emit(fault(Place.THREAD, caught.exc_value))

    def unraisable(caught: sys.UnraisableHookArgs) -> None:
        if caught.exc_value is not None:
            log.emit(fault(Place.UNRAISABLE, caught.exc_value))

    warnings.showwarning = warn
    sys.excepthook = lambda _type, error, _trace: log.emit(fault(Place.MAIN, error))
    threading.excepthook = in_thread
    sys.unraisablehook = unraisable


def install_on_loop(log: Log, loop: asyncio.AbstractEventLoop) -> None:
    """Bridge what an event loop would print."""

    def caught(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        log.emit(fault(Place.EVENT_LOOP, context.get("exception") or RuntimeError()))

    loop.set_exception_handler(caught)


def _template(record: logging.LogRecord) -> str:
    known = any(record.name == name or record.name.startswith(f"{name}.") for name in TEMPLATES)
    return record.msg if known and isinstance(record.msg, str) else ""
