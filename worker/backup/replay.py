"""Telling a restored store what was taken away since its backup was made: exactly that, and nothing comes back.

In any order of journals, any number of times: everything only moves forward, as when it was told first. What a hold kept
back when it was to go is kept back here too; what it did not keep is gone, whatever holds the restored store knows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby, islice
from typing import Any, Final, TypeVar

import msgspec
from sqlalchemy import Connection

from policies.event import Consent
from policies.lifecycle import Duty
from policies.message import Instant
from policies.record import Circumstances, Record, Source, State, join
from worker.directory import Directory
from worker.holds.holding import Holds
from worker.holds.placing import HoldDesk
from worker.keyring import Keyring
from worker.register import Register
from worker.store import api_keys, decisions, holds, marks, messages, people, persons, suppressions
from worker.store.engine import Store
from worker.store.journal import (
    Alias,
    Consented,
    Destroyed,
    Erased,
    Extended,
    Gone,
    Held,
    Lifted,
    Line,
    Marked,
    Restricted,
    Revoked,
    Suppressed,
    Unmarked,
)
from worker.store.statements import Row, select_in

BATCH: Final = 500
"""Lines that are told in one transaction."""

T = TypeVar("T")


def replay(store: Store, keyring: Keyring, lines: Iterable[Line], now: Instant) -> Counter[str]:
    """Tell the store all of it, in order; how many lines of each kind there were."""
    told: Counter[str] = Counter()
    for batch in _portions(lines):
        with store.transaction() as tx:
            for (kind, tenant), some in groupby(batch, lambda line: (type(line), line.tenant)):
                every = list(some)
                _TELL[kind](_Told(store, tx, keyring, tenant, now), every)
                told[kind.__name__.lower()] += len(every)
    return told


class _Told(msgspec.Struct, frozen=True):
    """Where lines are told: the transaction, the tenant, the time."""

    store: Store
    tx: Connection
    keyring: Keyring
    tenant: str
    now: Instant


def _held(to: _Told, lines: Sequence[Held]) -> None:
    """A hold that was placed since is in force again; what it says of itself is lost."""
    known = {hold.id for hold in holds.all_holds(to.tx, to.tenant)}
    for line in lines:
        if line.hold not in known:
            hold = holds.Hold(
                id=line.hold,
                scope=line.scope,
                since=line.since,
                until=line.until,
                placed_at=line.placed_at,
                sealed=b"",
            )
            holds.add_hold(to.tx, to.tenant, hold, line.about)


def _extended(to: _Told, lines: Sequence[Extended]) -> None:
    for line in lines:
        holds.add_targets(to.tx, to.tenant, line.hold, line.about)


def _lifted(to: _Told, lines: Sequence[Lifted]) -> None:
    desk = HoldDesk(to.store, to.keyring, to.tenant, (), lambda: to.now)
    known = {hold.id: hold for hold in holds.all_holds(to.tx, to.tenant)}
    for line in lines:
        holds.lift(to.tx, to.tenant, line.hold, line.at)
        if line.hold in known:
            desk.forget_person(to.tx, known[line.hold])


def _restricted(to: _Told, lines: Sequence[Restricted]) -> None:
    """The content is out of sight; of a message that the backup does not know there is none."""
    found = _rows(to, [line.key for line in lines])
    there = persons.conversation_rows(to.tx, to.tenant, {line.conversation for line in lines})
    known, kept = {row.id for row in there}, Holds(to.tx, to.tenant)
    for line in lines:
        row = found.get(line.key)
        if line.key == line.conversation and line.conversation in known:
            kept.keep_back(line.conversation, line.at)
        elif row is not None and row.content is not None:
            content = (line.key, row.content, line.conversation, line.occurred_at)
            kept.restrict([content], Duty(line.why), line.at)


def _destroyed(to: _Told, lines: Sequence[Destroyed]) -> None:
    rows = holds.restricted_among(to.tx, to.tenant, sorted({line.key for line in lines}))
    holds.destroy(to.tx, to.tenant, [rows[key] for key in sorted(rows)])


def _gone(to: _Told, lines: Sequence[Gone]) -> None:
    """Tombstones: also of messages that the backup does not know, so that who sends them again meets one."""
    meant = _meant(to, [line.key for line in lines])
    found = _rows(to, list(meant.values()))
    held = {key: messages.held_from_row(row) for key, row in found.items()}
    places = {meant[line.key]: (line.connector, line.account) for line in lines}
    places |= {key: (row.connector, row.account) for key, row in found.items()}
    contents = [one.content for one in held.values() if one.content is not None]
    for line in lines:
        key = meant[line.key]
        before = held.get(key) or messages.Held(record=Record(), content=None, recorded_at=to.now)
        held[key] = messages.Held(
            record=join(before.record, _tombstone(line)), content=None, recorded_at=before.recorded_at
        )
    rows: dict[bytes, Row] = {
        key: messages.row_of(to.tenant, key, places[key], held[key], to.now) for key in sorted(held)
    }
    messages.insert_messages(to.tx, [row for key, row in rows.items() if key not in found])
    messages.update_messages(to.tx, [row for key, row in rows.items() if key in found])
    messages.delete_contents(to.tx, to.tenant, contents)
    erased = sorted({meant[line.key] for line in lines if line.state == State.ERASED})
    persons.erase_messages(to.tx, to.tenant, erased, to.now)


def _meant(to: _Told, keys: Sequence[bytes]) -> dict[bytes, bytes]:
    """Each key with that of the message which it is another id of: a backup may know that, and a line not yet."""
    meant = {key: key for key in keys}
    while found := messages.resolve_aliases(to.tx, to.tenant, sorted(set(meant.values()))):
        meant = {key: found.get(one, one) for key, one in meant.items()}
    return meant


def _tombstone(line: Gone) -> Record:
    return Record(
        state=State(line.state),
        circumstances=Circumstances(rank=-Source.UNSEND, occurred_at=line.at),
        unsent_at=line.at,
    )


def _alias(to: _Told, lines: Sequence[Alias]) -> None:
    """What was told of a message under its other id belongs to the message, and goes with it."""
    found = _rows(to, [key for line in lines for key in (line.alias, line.key)])
    register = Register(to.tx, Directory(to.tx, to.keyring, to.tenant, to.now), to.tenant, to.now)
    register.load({key for line in lines for key in (line.alias, line.key)})
    for line in lines:
        row = found.get(line.key) or found.get(line.alias)
        if row is None:
            messages.add_aliases(to.tx, to.tenant, {line.alias: line.key})
        else:
            register.learn_aliases({line.alias: (line.key, (row.connector, row.account))})
    register.save()


def _erased(to: _Told, lines: Sequence[Erased]) -> None:
    """A conversation with everything that is left of it; its key was not even restored."""
    for line in lines:
        for keys in _portions(persons.message_keys(to.tx, to.tenant, line.conversation)):
            rows = persons.lock_messages(to.tx, to.tenant, line.conversation, keys)
            persons.erase_contents(to.tx, to.tenant, [row.content for row in rows if row.content is not None])
            persons.erase_messages(to.tx, to.tenant, keys, to.now)
        kept = holds.restricted_of(to.tx, to.tenant, line.conversation)
        holds.destroy(to.tx, to.tenant, kept)
        persons.remove(to.tx, to.tenant, line.conversation)
    decisions.lock_end(to.tx, to.tenant)
    decisions.count_erasures(to.tx, to.tenant, len(lines))


def _suppressed(to: _Told, lines: Sequence[Suppressed]) -> None:
    changes = [
        suppressions.Change(
            reference=line.reference,
            consent=Consent(line.consent),
            source=line.source,
            changed_at=line.changed_at,
        )
        for line in lines
    ]
    suppressions.change(to.tx, to.tenant, changes, to.now)


def _consented(to: _Told, lines: Sequence[Consented]) -> None:
    """A conversation that began after the backup was made is met anew, and what its person allowed is not known."""
    there = persons.conversation_rows(to.tx, to.tenant, {line.conversation for line in lines})
    known = {row.id for row in there}
    changes = [
        (line.conversation, line.category, line.consent, line.changed_at, line.source)
        for line in lines
        if line.conversation in known
    ]
    people.change_consents(to.tx, to.tenant, changes)


def _marked(to: _Told, lines: Sequence[Marked]) -> None:
    added = [
        marks.Marked(marked_at=one.marked_at, reference=one.reference, mark=one.mark, source=one.source)
        for one in lines
    ]
    marks.add(to.tx, to.tenant, added)


def _unmarked(to: _Told, lines: Sequence[Unmarked]) -> None:
    for line in lines:
        if line.reference is not None:
            marks.forget(to.tx, to.tenant, line.mark, [line.reference])
        else:
            same = marks.Marked(marked_at=line.marked_at, reference=b"", mark=line.mark, source="")
            marks.lift(to.tx, to.tenant, [same])


def _revoked(to: _Told, lines: Sequence[Revoked]) -> None:
    for line in lines:
        api_keys.revoke(to.tx, to.tenant, line.prefix, line.at)


_TELL: Final[Mapping[type, Callable[[_Told, Any], None]]] = {
    Held: _held,
    Extended: _extended,
    Lifted: _lifted,
    Restricted: _restricted,
    Destroyed: _destroyed,
    Gone: _gone,
    Alias: _alias,
    Erased: _erased,
    Suppressed: _suppressed,
    Consented: _consented,
    Marked: _marked,
    Unmarked: _unmarked,
    Revoked: _revoked,
}


def _rows(to: _Told, keys: Sequence[bytes]) -> dict[bytes, Any]:
    wanted = sorted(set(keys))
    return {row.key: row for row in select_in(to.tx, messages.messages.c.key, to.tenant, wanted)}


def _portions(items: Iterable[T]) -> Iterator[Sequence[T]]:
    iterator = iter(items)
    while some := list(islice(iterator, BATCH)):
        yield some
