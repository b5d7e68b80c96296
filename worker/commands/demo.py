"""``sluicegate demo``: what `make run` starts. A worker, a demo tenant, and a tour of deliveries on the screen."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path
from typing import Final

from rich.console import Console

from worker.errors import ConfigurationError, Unavailable
from worker.log import bridge as log_bridge
from worker.log.writer import Log
from worker.runtime import Runtime, wall_clock
from worker.settings import PREFIX, Settings, load_settings
from worker.tour import demo as show

_LOG: Final = "demo.log"


def demo() -> None:
    """Start a worker with a demo tenant, send it a tour of deliveries, and go on until Ctrl-C or SIGTERM.

    Everything is made in SLUICEGATE_DATA_DIR (./data), once: the tenant with its secrets, a master key, the databases.
    The screen shows the tour; the worker's log lines go to demo.log there.
    """
    settings = load_settings().model_copy(update={"migrate_on_start": True})
    console = show.screen()
    if show.prepare(settings):
        console.print(f"A demo tenant with secrets of its own is in {settings.data_dir.absolute()}.")
    path = settings.data_dir / _LOG
    log = Log(_opened(path), wall_clock, settings.log_lines)
    log_bridge.install(log)
    log.start()
    try:
        runtime = _runtime(settings, log, console)
        guide = threading.Thread(target=_tour, args=(runtime, console, path), name="tour", daemon=True)
        guide.start()
        code = runtime.run()
    finally:
        log.close()
    console.print(
        "Everything that was taken is written. Good bye." if code == 0 else "The worker ended badly."
    )
    # As `serve` does: a thread that hangs must not hold the process.
    os._exit(code)


def _runtime(settings: Settings, log: Log, console: Console) -> Runtime:
    """A port that is taken is for a person to settle, here too."""
    try:
        return Runtime(settings, log, show=lambda text: console.print(show.shown(text), soft_wrap=True))
    except Unavailable as error:
        advice = f"end what listens there, or set {PREFIX}WEBHOOK_LISTEN_PORT and {PREFIX}ADMIN_LISTEN_PORT"
        raise ConfigurationError(*error.sentences, advice) from None


def _opened(path: Path) -> int:
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    except OSError:
        raise ConfigurationError(f"the log {path} cannot be written by this user") from None


def _tour(runtime: Runtime, console: Console, log: Path) -> None:
    """In a thread beside the worker: whatever goes wrong with the tour, the worker goes on."""
    settings = runtime.settings
    url = _address(settings.webhook_host, runtime.webhook_port)
    admin_url = _address(settings.admin_host, runtime.admin_port)
    while not runtime.alive:  # the main thread starts it, or ends the process
        time.sleep(0.01)
    try:
        version = runtime.tenants.current.versions.get(show.TENANT)
        if version is None:
            console.print(
                f"{settings.tenants_dir / show.TENANT}.toml cannot be used: `sluicegate tenants check` says why."
            )
        else:
            console.print(show.table(show.travel(url, version.tenant, runtime.opened)))
            texts = show.travel_texts(url, admin_url, version.tenant, runtime.opened)
            if texts:
                console.print(show.texts_table(texts))
        steps = show.next_steps(url, admin_url, log, show.sample(settings), _program())
        console.print(steps, soft_wrap=True)
    except Exception as error:  # noqa: BLE001 - Ctrl-C may take the worker away in the middle of it
        console.print(f"The tour was broken off ({type(error).__name__}).")


def _program() -> str:
    """How this command can be called from here again: below this directory by its place in it."""
    program = Path(sys.argv[0])
    return str(program.relative_to(Path.cwd()) if program.is_relative_to(Path.cwd()) else program)


def _address(host: str, port: int) -> str:
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - nothing is bound here
    return f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"
