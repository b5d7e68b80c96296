"""What a backup of many rows takes, and what a line in the journal costs an unsend.

python -m tests.bench.backup [messages]
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

from policies.record import State
from tests.databases import MASTER, Databases
from tests.flows.harness import NOW, Replica, delivery, message, replicas, tenant, unsend
from tests.flows.vault import ANN, HORIZON, Vault
from worker.backup.examine import examine
from worker.backup.journal import Journal
from worker.backup.restore import Target, examine_sources, restore
from worker.store import messages as rows
from worker.store.journal import Gone
from worker.store.people import add_conversations

MESSAGES = 1_000_000
PER_CONVERSATION = 10
BATCH = 10_000
UNSENDS = 5_000
ACME = tenant()


def main() -> None:
    """Measure and print."""
    number = int(sys.argv[1]) if len(sys.argv) > 1 else MESSAGES
    directory = Path(tempfile.mkdtemp(prefix="sluicegate-bench-"))
    try:
        _backups(directory, number)
        _journal(directory)
    finally:
        shutil.rmtree(directory)


def _backups(directory: Path, number: int) -> None:
    print(f"{number:,} messages on SQLite")
    for name, step in (("fill", fill), ("backup", back_up), ("verify", verify), ("restore", bring_back)):
        seconds, peak = _measured(step, directory, number)
        print(f"  {name:<8} {seconds:7.1f} s  {number / seconds:9,.0f} messages/s  peak {peak:5.0f} MB")
    size = Vault(directory).content.stat().st_size
    print(f"  file     {size / 1e6:7.0f} MB")


def _measured(step: Callable[[Path, int], None], directory: Path, number: int) -> tuple[float, float]:
    """In a process of its own: seconds, and the most memory that it had (MB)."""
    results: multiprocessing.SimpleQueue[tuple[float, float]] = multiprocessing.get_context(
        "spawn"
    ).SimpleQueue()
    child = multiprocessing.get_context("spawn").Process(target=_run, args=(step, directory, number, results))
    child.start()
    child.join()
    return results.get()


def _run(
    step: Callable[[Path, int], None],
    directory: Path,
    number: int,
    results: multiprocessing.SimpleQueue[tuple[float, float]],
) -> None:
    started = time.monotonic()
    step(directory, number)
    results.put((time.monotonic() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))


def fill(directory: Path, number: int) -> None:
    """By the bulk path; a tenth has been taken back since the backup."""
    databases = _databases(directory, "one")
    databases.migrate()
    with databases.opened() as (store, keyring):
        keyring.tenant_key("acme", "pseudonym")
        for start in range(0, number, BATCH):
            with store.transaction() as tx:
                made = [_message(at) for at in range(start, start + BATCH)]
                people = sorted({row[4] for row in made})
                keyring.make("acme", people)
                add_conversations(tx, [("acme", one, "whatsapp", "1", NOW, 0, 0) for one in people])
                rows.insert_messages(tx, made)
                rows.insert_contents(tx, [("acme", row[-1], os.urandom(160)) for row in made])
    lines = (Gone(tenant="acme", key=_key(at), state=State.UNSENT, at=NOW) for at in range(0, number, 10))
    while some := list(islice(lines, BATCH)):
        Vault(directory).journal.append(some)


def back_up(directory: Path, _number: int) -> None:
    """Both files."""
    with _databases(directory, "one").opened() as (store, keyring):
        Vault(directory).back_up(store, keyring)


def verify(directory: Path, _number: int) -> None:
    """Everything decrypted."""
    examine(Vault(directory).content, MASTER)


def bring_back(directory: Path, _number: int) -> None:
    """With the journal."""
    databases = _databases(directory, "two")
    databases.migrate()
    plan = examine_sources(Vault(directory).sources(), HORIZON, NOW)
    with databases.opened() as (store, keyring):
        restore(plan, Target(store=store, keyring=keyring, master=MASTER), ANN, NOW)


def _journal(directory: Path) -> None:
    print(f"{UNSENDS:,} unsends, deliveries of one event each, as many at once as come")
    for name in ("without", "with"):
        databases = _databases(directory, name)
        databases.migrate()
        with replicas(databases) as [replica]:
            if name == "with":
                replica.store.journal = Journal(directory / "lines").append
            print(f"  {name:<8} a journal {_unsends(replica):9,.0f} unsends/s")


def _unsends(replica: Replica) -> float:
    some = [[f"m{number}" for number in range(start, start + 500)] for start in range(0, UNSENDS, 500)]
    for ids in some:
        replica.tell(ACME, *(message(one) for one in ids))
    ledger = replica.ledger()
    ledger.start()
    started = time.monotonic()
    for ids in some:
        for one in ids:
            ledger.submit(delivery(ACME, unsend(one)))
    ledger.stop(120)
    return UNSENDS / (time.monotonic() - started)


def _databases(directory: Path, name: str) -> Databases:
    (directory / name).mkdir(exist_ok=True)
    return Databases.below(directory / name)


def _key(at: int) -> bytes:
    return (at * 0x9E3779B97F4A7C15 % 2**64).to_bytes(8, "big") * 2


def _message(at: int) -> tuple[Any, ...]:
    conversation = (at // PER_CONVERSATION).to_bytes(16, "big")
    told = (
        "whatsapp",
        "1",
        conversation,
        State.STORED,
        -3,
        0,
        0,
        0,
        "text",
        "inbound",
        0,
        NOW + at,
        NOW,
        NOW,
    )
    return ("acme", _key(at), *told, None, 0, 0, 0, b"", at.to_bytes(16, "big"))


if __name__ == "__main__":
    main()
