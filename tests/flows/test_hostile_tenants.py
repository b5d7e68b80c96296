"""Tenant files and secrets that reach for what is not theirs, or cannot be read: each concerns its tenant alone.

All of them at once are given to one whole worker, at its start and while it runs.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from connectors import sample
from connectors.registry import CONNECTORS
from worker.conformance.rig import SERVE, Rig
from worker.conformance.search import Search

MARKER: Final = "platypus5marker"
SECRET: Final = "a-secret-of-its-own"
FOREIGN: Final = "SLUICEGATE_SECRET_SHARED"
COMMAND: Final = ("/usr/bin/env", f"{FOREIGN}={MARKER}\r\n{MARKER}", f"PASSWORD={MARKER}", *SERVE)
BODY: Final = b'{"object":"page","entry":[]}'


class Files:
    """The files of one tenant."""

    def __init__(self, directory: Path, id_: str) -> None:
        self.id = id_
        self.toml = directory / "tenants" / f"{id_}.toml"
        self.secrets = directory / "secrets" / id_
        self.others = directory / "secrets" / "acme" / "signing"

    def good(self) -> None:
        """As they should be."""
        self.secrets.mkdir(mode=0o700)
        self.secret(SECRET.encode())
        self.write()

    def write(self, reference: str = "file:signing", more: str = "", account: str = "") -> None:
        """Write the tenant's file with this reference to its secret."""
        self.toml.write_text(
            f'name = "{self.id}"\n{more}\n[connectors.facebook]\naccounts = ["{account or self.id}"]\n'
            f"signing_secrets = [{json.dumps(reference)}]\nverify_tokens = [{json.dumps(reference)}]\n"
        )

    def secret(self, value: bytes) -> None:
        """Write the tenant's secret."""
        (self.secrets / "signing").write_bytes(value)

    def instead_of_the_file(self, make: Callable[[Path], object]) -> None:
        """Put something else where the tenant's file is."""
        self.toml.unlink()
        make(self.toml)

    def instead_of_the_secret(self, make: Callable[[Path], object]) -> None:
        """Put something else where the secret is."""
        (self.secrets / "signing").unlink()
        make(self.secrets / "signing")

    def instead_of_the_folder(self) -> None:
        """Let the folder be another tenant's."""
        (self.secrets / "signing").unlink()
        self.secrets.rmdir()
        self.secrets.symlink_to("acme")


Spoil = Callable[[Files], object]
SPOILT: Final[dict[str, Spoil]] = {
    "up": lambda files: files.write("file:../acme/signing"),
    "up-encoded": lambda files: files.write("file:%2e%2e/acme/signing"),
    "absolute": lambda files: files.write("file:/etc/hostname"),
    "hidden": lambda files: files.write("file:.signing"),
    "nul": lambda files: files.write("file:signing\0.txt"),
    "two-lines": lambda files: files.write(f"file:signing\n{MARKER}"),
    "a-url": lambda files: files.write(f"https://{MARKER}.example/signing"),
    "in-the-clear": lambda files: files.write(MARKER),
    "foreign-variable": lambda files: files.write("env:PASSWORD"),
    "own-setting": lambda files: files.write("env:SLUICEGATE_MASTER_KEY_FILE"),
    "variable-of-two-lines": lambda files: files.write(f"env:{FOREIGN}"),
    "no-such-variable": lambda files: files.write("env:SLUICEGATE_SECRET_NONE"),
    "no-such-file": lambda files: files.write("file:nothing"),
    "link-to-another": lambda files: files.instead_of_the_secret(lambda path: path.symlink_to(files.others)),
    "relative-link": lambda files: files.instead_of_the_secret(
        lambda path: path.symlink_to("../acme/signing")
    ),
    "link-to-itself": lambda files: files.instead_of_the_secret(lambda path: path.symlink_to(path)),
    "pipe-as-secret": lambda files: files.instead_of_the_secret(os.mkfifo),
    "folder-as-secret": lambda files: files.instead_of_the_secret(os.mkdir),
    "anothers-folder": lambda files: files.instead_of_the_folder(),
    "carriage-return": lambda files: files.secret(f"{MARKER}\r\n".encode()),
    "line-feed": lambda files: files.secret(f"{MARKER}\n{MARKER}".encode()),
    "nul-in-secret": lambda files: files.secret(f"{MARKER}\0".encode()),
    "empty-secret": lambda files: files.secret(b"\n"),
    "huge-secret": lambda files: files.secret(MARKER.encode() * 1000),
    "huge-file": lambda files: files.write(more=f"#{MARKER}" * 200_000),
    "no-utf-8": lambda files: files.toml.write_bytes(b"name = '\xff" + MARKER.encode()),
    "no-toml": lambda files: files.toml.write_text(f"{MARKER} = = 1"),
    "unknown-key": lambda files: files.write(more=f'nickname = "{MARKER}"'),
    "bent-key": lambda files: files.write(more=f'"\\u001b[2J{MARKER}" = 1'),
    "deep": lambda files: files.write(more=f"x = {'[' * 100_000}{']' * 100_000}"),
    "endless-key": lambda files: files.write(more="a." * 300_000 + "a = 1"),
    "long-number": lambda files: files.write(more=f"x = {'9' * 100_000}"),
    "looser": lambda files: files.write(more="[policy]\nrecord_cdn_urls = true"),
    "pipe": lambda files: files.instead_of_the_file(os.mkfifo),
    "folder": lambda files: files.instead_of_the_file(os.mkdir),
    "nowhere": lambda files: files.instead_of_the_file(lambda path: path.symlink_to("nowhere.toml")),
    "unreadable": lambda files: files.instead_of_the_file(lambda path: path.symlink_to("/proc/self/mem")),
    "claims-anothers": lambda files: files.write(account="acme"),
}
NO_TENANTS: Final = ("..", "ACME", "a b", "-a", "a" * 33, "acme.facebook", "\u0430cme", f"{MARKER}\x1b[2J")


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    """A worker, not started, with one good tenant and files that belong to none."""
    rig = Rig(tmp_path, COMMAND)
    Files(tmp_path, "acme").good()
    for name in NO_TENANTS:
        (tmp_path / "tenants" / f"{name}.toml").write_text('name = "nobody"')
    return rig


def status_of(client: httpx.Client, id_: str, secret: str = SECRET) -> int:
    headers = sample.signed(CONNECTORS["facebook"], BODY, secret.encode())
    return client.post(f"/webhooks/{id_}/facebook", content=BODY, headers=headers).status_code


def problems(rig: Rig) -> list[str]:
    found: Any = httpx.get(f"{rig.admin_url}/status", trust_env=False).json()["problems"]
    return [str(problem) for problem in found]


def unnamed(rig: Rig, ids: Iterable[str]) -> list[str]:
    """Those about whom the status says nothing."""
    told = problems(rig)
    return [id_ for id_ in ids if not any(problem.startswith(f"{id_}.toml: ") for problem in told)]


def reload(rig: Rig) -> None:
    before = rig.log.read_bytes().count(b'"tenants_loaded"')
    os.kill(rig.pid, signal.SIGHUP)
    deadline = time.monotonic() + 20
    while rig.log.read_bytes().count(b'"tenants_loaded"') == before:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def shown(rig: Rig) -> Iterator[str]:
    """Where a value out of a file, or a character that a terminal obeys, is shown."""
    readable = {**dict(rig.pages()), "log": rig.log.read_bytes(), "errors": rig.errors.read_bytes()}
    for name, data in readable.items():
        if (
            any(Search([MARKER, SECRET]).look(data))
            or b"\x1b" in data
            or b"\\u001b" in data
            or b'"fault"' in data
        ):
            yield name


def test_what_is_spoilt_at_the_start_is_out_of_service_alone(rig: Rig, tmp_path: Path) -> None:
    """Its senders are told to come again, no secret opens it, and everybody else is served; each problem is named."""
    for name, spoil in SPOILT.items():
        files = Files(tmp_path, name)
        files.good()
        if name != "claims-anothers":  # at the start nobody knows whose it is: neither would get it
            spoil(files)
    with rig.running() as client:
        spoilt = SPOILT.keys() - {"claims-anothers"}
        for secret in (SECRET, MARKER, f"{MARKER}\n{MARKER}", ""):
            assert {id_: status_of(client, id_, secret) for id_ in spoilt} == dict.fromkeys(spoilt, 503)
        assert [status_of(client, id_) for id_ in ("acme", "claims-anothers")] == [200, 200]
        assert {status_of(client, name) for name in ("nobody", "-a", "ACME", "a" * 33)} == {404}
        assert unnamed(rig, spoilt) == []
        assert sum("expected a name such as acme.toml" in problem for problem in problems(rig)) == len(
            NO_TENANTS
        )
        assert list(shown(rig)) == []


def test_what_is_spoilt_while_it_runs_changes_nothing(rig: Rig, tmp_path: Path) -> None:
    """The version that was in force stays so, with its secrets; mending the file is enough."""
    everybody = {name: Files(tmp_path, name) for name in SPOILT}
    for files in everybody.values():
        files.good()
    with rig.running() as client:
        for name, spoil in SPOILT.items():
            spoil(everybody[name])
        reload(rig)
        assert {id_: status_of(client, id_) for id_ in SPOILT} == dict.fromkeys(SPOILT, 200)
        assert {status_of(client, id_, MARKER) for id_ in SPOILT} == {401}
        assert status_of(client, "acme") == 200
        assert unnamed(rig, SPOILT) == []
        assert list(shown(rig)) == []
        mended = everybody["no-toml"]
        mended.secret(b"another secret")
        mended.write()
        reload(rig)
        assert [status_of(client, "no-toml", secret) for secret in (SECRET, "another secret")] == [401, 200]
