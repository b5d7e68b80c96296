"""``sluicegate serve``: the worker itself."""

from __future__ import annotations

import os
import resource
from typing import Final

from worker.errors import SluicegateError
from worker.log import bridge as log_bridge
from worker.log.lines import Level, LifecycleLine, Phase
from worker.log.writer import Log
from worker.runtime import Runtime, wall_clock
from worker.settings import load_settings
from worker.status import version

_STANDARD_OUTPUT: Final = 1


def serve() -> None:
    """Take webhooks until SIGTERM or Ctrl-C, then finish what is in flight and exit 0.

    SIGHUP loads the tenant files again. A second SIGTERM or Ctrl-C ends at once. The log is JSON lines on
    standard output; `sluicegate logs` shows them as a table. Exit code 2: something has to be changed first.
    """
    settings = load_settings()
    # A core dump would hold bodies that no rule has seen yet, and keys.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    log = Log(_STANDARD_OUTPUT, wall_clock, settings.log_lines)
    log_bridge.install(log)
    log.start()
    try:
        code = Runtime(settings, log).run()
    except SluicegateError:
        log.emit(_refused())
        log.close()
        raise
    log.close()
    # Everything is closed and written. A thread that hangs in a dead database must not hold the process.
    os._exit(code)


def _refused() -> LifecycleLine:
    return LifecycleLine(
        level=Level.ERROR,
        phase=Phase.REFUSED_TO_START,
        version=version(),
        tenants=0,
        out_of_service=0,
        pending=0,
        listening=[],
    )
