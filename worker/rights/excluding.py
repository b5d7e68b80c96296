"""What was kept of persons of whom nothing is to be recorded is erased: a request for each, as if they had asked (PP-8)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from sqlalchemy import Connection

from policies.message import IdentifierKind
from worker.acts import Operator
from worker.crypto import CryptoError
from worker.directory import identifier_place
from worker.exclusions import Mark
from worker.rights.deadlines import Source
from worker.rights.desk import Arrival, Desk
from worker.rights.erase import Eraser
from worker.rights.errors import RightsRefused
from worker.rights.request import Right, RightsRequest, Subject
from worker.rights.steps import Tools
from worker.store import marks, people, persons

_OPERATOR = Operator(name="Sluicegate", why="a person of whom nothing is recorded")


def erase_excluded(desk: Desk, tools: Tools) -> int:
    """Erase every conversation that is due; how many there were. Any replica may, at any time, several at once."""
    with tools.store.reading() as tx:
        waiting = marks.everywhere(tx, Mark.ERASURE_DUE)
    for tenant, conversation in waiting:
        _erase(desk, tools, tenant, conversation)
        with tools.store.transaction() as tx:
            marks.forget(tx, tenant, Mark.ERASURE_DUE, [conversation])
    return len(waiting)


def _erase(desk: Desk, tools: Tools, tenant: str, conversation: bytes) -> None:
    """All that the store knows of the person; where their identifiers lead nowhere, at least this conversation."""
    with tools.store.reading() as tx:
        there = bool(persons.conversation_rows(tx, tenant, [conversation]))
        subject = _subject(tx, tools, tenant, conversation)
    if subject is not None:
        request = RightsRequest(request_type=Right.DELETE, subject=subject)
        with suppress(RightsRefused):
            desk.take(tenant, request, Arrival(operator=_OPERATOR, source=Source.EXCLUSION))
    if there:
        Eraser(tools.store, tools.keyring, tools.clock).conversation(tenant, conversation)


def _subject(tx: Connection, tools: Tools, tenant: str, conversation: bytes) -> Subject | None:
    known = dict(_known(tx, tools, tenant, conversation))
    number = known.pop(IdentifierKind.PHONE, None)
    other = next(iter(known.values()), None)
    if number is None and other is None:
        return None
    numbers = (f"+{number.lstrip('+')}",) if number is not None else None
    return Subject(phone_numbers=numbers, external_id=other)


def _known(tx: Connection, tools: Tools, tenant: str, conversation: bytes) -> Iterator[tuple[str, str]]:
    key = tools.keyring.keys(tenant, [conversation]).get(conversation)
    for row in people.identifiers_of(tx, tenant, conversation) if key is not None else ():
        with suppress(CryptoError):
            if key is not None and row.kind:
                yield row.kind, key.cipher.open(row.sealed, identifier_place(tenant, row.reference)).decode()
