"""What is misconfigured here, and what to do about it: sentences without secrets."""

from __future__ import annotations

import os
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from enum import StrEnum
from pathlib import Path
from typing import Final

import msgspec
from sqlalchemy import func, select

from worker.backup.journal import Journal
from worker.crypto import CryptoError, MasterKey
from worker.errors import SluicegateError
from worker.keyring import open_keyring
from worker.opening import ping, prepare_data_directory
from worker.settings import Settings
from worker.status import disk
from worker.store.decisions import commits
from worker.store.engine import StoreError, open_store
from worker.tenants.loading import TenantSource, load_all

SKEW_SECONDS: Final = 5.0
"""A clock that differs by more is wrong: signed requests are judged by it, and so is the age of events."""

LITTLE, LEAST = 0.10, 0.02
"""Shares of a disk that are free: below the first somebody should look, below the second it is nearly full."""

_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_MICROSECONDS = 1_000_000


class Health(StrEnum):
    """How bad it is."""

    FINE = "fine"
    WARNING = "warning"
    WRONG = "wrong"


class Finding(msgspec.Struct, frozen=True):
    """What a check found; where that is not fine, the sentence says what to do."""

    check: str
    health: Health
    told: str


Told = tuple[Health, str]
Check = Callable[[Settings, TenantSource], Iterator[Told]]


def examine(settings: Settings, source: TenantSource) -> list[Finding]:
    """Every finding of every check; a check that cannot be made is a finding too."""
    return [
        Finding(name, health, told)
        for name, check in CHECKS.items()
        for health, told in _made(check, settings, source)
    ]


def _made(check: Check, settings: Settings, source: TenantSource) -> list[Told]:
    try:
        return list(check(settings, source))
    except SluicegateError as error:
        return [(Health.WRONG, sentence) for sentence in error.sentences]
    except (StoreError, CryptoError) as error:
        return [(Health.WRONG, str(error))]
    except Exception as error:  # noqa: BLE001 - the other checks still have something to tell
        return [(Health.WRONG, f"could not be checked: {type(error).__name__}")]


def _data_directory(settings: Settings, _source: TenantSource) -> Iterator[Told]:
    prepare_data_directory(settings)
    yield _private(settings.data_dir, "700", f"{settings.data_dir} can be written")


def _disk(settings: Settings, _source: TenantSource) -> Iterator[Told]:
    usage = disk(settings.data_dir)
    if not usage:
        yield Health.WRONG, f"the disk below {settings.data_dir} cannot be asked"
        return
    share = usage["free_bytes"] / usage["total_bytes"]
    health = Health.WRONG if share < LEAST else Health.WARNING if share < LITTLE else Health.FINE
    yield health, f"{share:.0%} of the disk below {settings.data_dir} is free"


def _master_key(settings: Settings, _source: TenantSource) -> Iterator[Told]:
    path = settings.master_key_file
    try:
        MasterKey.load(path)
    except FileNotFoundError:
        yield (
            Health.WRONG,
            f"there is no {path}: a store needs its own key; only for a new store, `sluicegate migrate` makes one",
        )
    except OSError:
        yield Health.WRONG, f"{path} cannot be read by this user"
    else:
        yield _private(path, "600", f"{path} holds a key")


def _store(settings: Settings, _source: TenantSource) -> Iterator[Told]:
    with closing(open_store(settings.database_url.get_secret_value())) as store:
        ping(store)
        store.check_schema()
        yield Health.FINE, "answers, with this version's schema"


def _keyring(settings: Settings, _source: TenantSource) -> Iterator[Told]:
    try:
        master = MasterKey.load(settings.master_key_file)
    except (OSError, CryptoError):
        yield Health.WRONG, "cannot be opened without the master key"
        return
    with closing(open_keyring(settings.keyring_url.get_secret_value(), master)) as keyring:
        ping(keyring.store)
        keyring.check()
        yield Health.FINE, "answers, with this version's schema and this master key"


def _clock(settings: Settings, _source: TenantSource) -> Iterator[Told]:
    """This machine's clock against whatever else knows the time here: the disk, the database, the last commit."""
    with tempfile.NamedTemporaryFile(dir=settings.data_dir) as probe:
        yield _skew(Path(probe.name).stat().st_mtime - time.time(), "the disk of the data directory")
    with closing(open_store(settings.database_url.get_secret_value())) as store:
        ping(store)
        store.check_schema()
        yield _skew(store.now() / _MICROSECONDS - time.time(), "the database")
        with store.reading() as connection:
            last = connection.execute(select(func.max(commits.c.committed_at))).scalar()
    ahead = (last or 0) / _MICROSECONDS - time.time()
    if ahead > SKEW_SECONDS:
        yield Health.WRONG, f"this machine is {ahead:.0f} s behind the last commit: was its clock set back?"


def _journal(settings: Settings, _source: TenantSource) -> Iterator[Told]:
    path = settings.journal_file
    if path is None:
        yield (
            Health.WARNING,
            "SLUICEGATE_JOURNAL_FILE is not set: a restored backup brings back what was deleted after it was made",
        )
        return
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        yield Health.WRONG, f"{path} cannot be written by this user: nothing can be deleted"
        return
    position = Journal(path).position()
    if path.resolve().is_relative_to(settings.data_dir.resolve()):
        yield (
            Health.WARNING,
            f"{path} lies with the databases, and is lost with them: it belongs on another disk",
        )
    yield Health.FINE, f"{path} has {position.number if position else 0} lines"


def _tenants(_settings: Settings, source: TenantSource) -> Iterator[Told]:
    if not source.directory.exists():
        yield Health.WARNING, f"there is no {source.directory}: `sluicegate tenants new` begins the first one"
        return
    tenants = load_all(source)
    for problem in tenants.problems:
        yield Health.WRONG, str(problem)
    if not tenants.versions and not tenants.refused:
        yield Health.WARNING, f"there are none in {source.directory}: `sluicegate tenants new` begins one"
    elif not tenants.problems:
        count = sum(len(tenant.connectors) for tenant in tenants.serving)
        yield Health.FINE, f"{len(tenants.versions)} with {count} connectors"


def _secrets(_settings: Settings, source: TenantSource) -> Iterator[Told]:
    """Whether anybody but the worker's user can read a secret."""
    directory = source.secrets.directory
    if not directory.is_dir():
        yield Health.WARNING, f"there is no {directory}"
        return
    opened = sorted(
        str(path) for path in directory.glob("*/*") if path.is_file() and path.stat().st_mode & _OTHERS
    )
    for path in opened:
        yield Health.WARNING, f"{path} is open to others: chmod 600"
    if not opened:
        yield Health.FINE, f"nobody else can read those in {directory}"


def _public_url(settings: Settings, source: TenantSource) -> Iterator[Told]:
    connectors = [one.connector for tenant in load_all(source).serving for one in tenant.connectors.values()]
    if settings.public_url is None:
        for name in sorted({connector.name for connector in connectors if connector.signs_url}):
            yield (
                Health.WRONG,
                f"SLUICEGATE_PUBLIC_URL is not set: {name} signs the address that it calls, so nothing it sends is taken",
            )
        needed = any(connector.signed_request is not None for connector in connectors)
        health = Health.WARNING if needed else Health.FINE
        yield (
            health,
            "SLUICEGATE_PUBLIC_URL is not set: Meta is told a status page that nobody outside can open",
        )
    elif settings.public_url.startswith("http://"):
        yield Health.WARNING, f"{settings.public_url} is not https: platforms refuse it"
    else:
        yield Health.FINE, settings.public_url


CHECKS: Final[dict[str, Check]] = {
    "data directory": _data_directory,
    "disk": _disk,
    "master key": _master_key,
    "store": _store,
    "keyring": _keyring,
    "journal": _journal,
    "clock": _clock,
    "tenants": _tenants,
    "secrets": _secrets,
    "public address": _public_url,
}
"""Each check by what it looks at."""


def _private(path: Path, mode: str, told: str) -> Told:
    if path.stat().st_mode & _OTHERS:
        return Health.WARNING, f"{path} is open to others: chmod {mode}"
    return Health.FINE, told


def _skew(seconds: float, against: str) -> Told:
    if abs(seconds) <= SKEW_SECONDS:
        return Health.FINE, f"agrees with {against}"
    word = "behind" if seconds > 0 else "ahead of"
    return Health.WRONG, f"this machine is {abs(seconds):.0f} s {word} {against}"
