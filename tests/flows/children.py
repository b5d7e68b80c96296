"""What tests run in processes of their own: a replica that really shares nothing but the database."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from typing import Any, Final

from policies.event import Event
from tests.databases import Databases
from tests.flows.harness import Replica, delivery, tenant

# They are forked from a process that has no threads and has imported everything: that takes a hundredth of a start.
_CONTEXT: Final = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["pytest", __name__])
_SECONDS: Final = 60.0

Turn = tuple[str, Sequence[Event]]
"""The connector, and the events of one delivery."""


def in_processes(work: Callable[..., Any], *arguments: tuple[Any, ...]) -> list[Any]:
    """Call ``work`` in as many processes as there are arguments, with a barrier that all of them pass together.

    ``work`` stands in a module (it is found there by the new process); what it returns comes back in order.
    """
    gate, results = _CONTEXT.Barrier(len(arguments)), _CONTEXT.Queue()
    children = [
        _CONTEXT.Process(target=_run, args=(work, gate, results, number, some), daemon=True)
        for number, some in enumerate(arguments)
    ]
    for child in children:
        child.start()
    try:
        answers = dict(results.get(timeout=_SECONDS) for _ in children)
    finally:
        for child in children:
            child.join(1)
            child.kill()
            child.join()
        results.close()
    failed = [answer for answer in answers.values() if isinstance(answer, BaseException)]
    if failed:
        raise failed[0]
    return [answers[number] for number in range(len(children))]


def _run(
    work: Callable[..., Any], gate: Barrier, results: Queue[Any], number: int, some: tuple[Any, ...]
) -> None:
    try:
        results.put((number, work(gate, *some)))
    except Exception as error:  # noqa: BLE001 - the parent raises it
        gate.abort()
        results.put((number, AssertionError(f"{type(error).__name__}: {error}")))


def take_turns(gate: Barrier, databases: Databases, tenant_id: str, turns: Sequence[Turn]) -> list[str]:
    """Be a replica: for each turn wait for the others, then have it committed. The answers."""
    replica, of = Replica(databases), tenant(tenant_id)
    answers = []
    with replica.serving() as send:
        for connector, events in turns:
            gate.wait(_SECONDS)
            answers.append(send(delivery(of, *events, connector=connector)).value)
    replica.close()
    return answers


def migrate(gate: Barrier, databases: Databases) -> str:
    """Migrate together with others; what went wrong, or nothing."""
    gate.wait(_SECONDS)
    databases.migrate()
    return ""


def keys_of(gate: Barrier, databases: Databases, tenant_id: str, conversations: Sequence[bytes]) -> list[Any]:
    """Make the tenant's and the conversations' keys together with others; something that tells them apart."""
    keyring = databases.keyring()
    gate.wait(_SECONDS)
    pseudonym = keyring.tenant_key(tenant_id, "pseudonym")
    keyring.make(tenant_id, conversations)
    salts = {id_: key.salt for id_, key in keyring.keys(tenant_id, conversations).items()}
    keyring.close()
    return [pseudonym, salts]
