"""Resolving a tenant's secret references: ``file:`` inside its own directory, ``env:`` as fixed at start.

No path leaves ``<SECRETS_DIR>/<tenant>/``: names have no slash, and every step is opened without following
links. The one exception is how Kubernetes mounts a secret: ``NAME -> ..data/NAME`` and ``..data -> ..VERSION``
in the same directory (docs/decisions/kubernetes-secret-links.md).
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from policies.message import Private
from worker.settings import SECRET_PREFIX

MAX_SECRET_BYTES: Final = 4096
REFERENCE: Final = re.compile(
    rf"file:[A-Za-z0-9][A-Za-z0-9._-]{{0,127}}|env:{SECRET_PREFIX}[A-Z0-9_]{{1,128}}"
)
EXPECTED_REFERENCE: Final = f"file:<name> or env:{SECRET_PREFIX}<NAME>"

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_version_directory = re.compile(r"\.\.[0-9A-Za-z][0-9A-Za-z_.-]{0,127}")


class SecretRefused(Exception):
    """A reference does not lead to a usable secret. The text says what was expected, never what was found."""


class Secrets(Private, frozen=True, kw_only=True):
    """Where secrets come from: a directory per tenant below ``directory``, and the start's environment."""

    directory: Path
    environment: Mapping[str, str]

    def resolve(self, tenant: str, reference: str) -> bytes:
        """The secret behind ``reference`` (which matches REFERENCE). Raises SecretRefused."""
        scheme, _, name = reference.partition(":")
        value = self._from_file(tenant, name) if scheme == "file" else self._from_environment(name)
        # A text file ends with a newline; whatever else breaks a line is no secret that was meant.
        value = value.removesuffix(b"\n")
        if not value:
            raise SecretRefused("a secret that is not empty")
        if any(byte in value for byte in b"\r\n\0"):
            raise SecretRefused("a secret of one line, without a carriage return (Windows line ends) or NUL")
        return value

    def states(self, tenant: str) -> Iterator[tuple[str, int, int, int, int]]:
        """What tells whether a file beside this tenant's secrets changed: name, inode, size, times."""
        try:
            with os.scandir(self.directory / tenant) as entries:
                for entry in entries:
                    with suppress(OSError):
                        state = entry.stat()
                        yield entry.name, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns
        except OSError:
            return

    def _from_environment(self, name: str) -> bytes:
        value = self.environment.get(name)
        if value is None:
            raise SecretRefused("this variable in the environment of the start")
        return value.encode("utf-8", "surrogateescape")

    def _from_file(self, tenant: str, name: str) -> bytes:
        try:
            with self._opened(tenant, name) as descriptor:
                value = os.read(descriptor, MAX_SECRET_BYTES + 1)
        except FileNotFoundError:
            raise SecretRefused("a file of this name in the tenant's secrets directory") from None
        except OSError:
            raise SecretRefused("a regular file that can be read, and no link") from None
        if len(value) > MAX_SECRET_BYTES:
            raise SecretRefused(f"a secret of at most {MAX_SECRET_BYTES} bytes")
        return value

    @contextmanager
    def _opened(self, tenant: str, name: str) -> Iterator[int]:
        with _closing(os.open(self.directory, _DIRECTORY)) as root:  # noqa: SIM117 - each is inside the other
            with _closing(os.open(tenant, _DIRECTORY | os.O_NOFOLLOW, dir_fd=root)) as folder:
                with _closing(_open_file(folder, name)) as descriptor:
                    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                        raise SecretRefused("a regular file that can be read, and no link")
                    yield descriptor


def _open_file(folder: int, name: str) -> int:
    try:
        return os.open(name, _FILE, dir_fd=folder)
    except OSError as error:
        if error.errno != errno.ELOOP or os.readlink(name, dir_fd=folder) != f"..data/{name}":
            raise
    version = os.readlink("..data", dir_fd=folder)
    if _version_directory.fullmatch(version) is None:
        raise SecretRefused("a regular file that can be read, and no link")
    with _closing(os.open(version, _DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)) as mounted:
        return os.open(name, _FILE, dir_fd=mounted)


@contextmanager
def _closing(descriptor: int) -> Iterator[int]:
    try:
        yield descriptor
    finally:
        os.close(descriptor)
