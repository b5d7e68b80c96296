"""A person's data as one JSON document (PP-6; GDPR art. 15 and 20), written while it is read: memory does not grow with it.

What it holds: identifiers, consents and opt-outs, every message with its content (attachments by reference), and what was
decided about each, by which rule and clause (art. 15(1)(h)). What it does not: content that only a legal hold keeps, and
who of the tenant submitted a text, which is another person's data.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec
from sqlalchemy import Connection

from policies.message import Instant, Private
from policies.record import Part
from policies.sms.policy import Scope
from worker.chain import Commit, DecisionRecord, decode
from worker.crypto import derive, mac
from worker.keyring import PSEUDONYM, Keyring
from worker.rights.contents import opened
from worker.rights.phones import forms
from worker.rights.subject import Person
from worker.sms.payload import SUPPRESSION, suppression_reference
from worker.store import decisions, messages, persons, reviews, suppressions
from worker.store.holds import restricted_among
from worker.transcripts import entry, iso

FORMAT: Final = "sluicegate export 1"
PAGE: Final = 1_000

_encode: Final = msgspec.json.Encoder().encode


class Head(Private, frozen=True, kw_only=True):
    """What stands above an export."""

    request: str
    tenant: str
    made_at: Instant


def stream(tx: Connection, keyring: Keyring, head: Head, person: Person) -> Iterator[bytes]:
    """The document in pieces, from one transaction that reads."""
    export = _Export(tx, keyring, head.tenant, person)
    told = {"format": FORMAT, "request": head.request, "tenant": head.tenant, "made_at": iso(head.made_at)}
    yield _encode(told)[:-1]
    yield b',"opt_outs":' + _encode(opt_outs(tx, keyring, head.tenant, person))
    yield b',"conversations":[' + b"\n"
    yield from export.conversations()
    yield b'],"decisions":['
    yield from export.decisions()
    yield b"]}\n"


def opt_outs(tx: Connection, keyring: Keyring, tenant: str, person: Person) -> list[dict[str, Any]]:
    """Which of the person's numbers asked for no more texts, and from whom. What is stored are keyed hashes alone."""
    key = keyring.tenant_key(tenant, SUPPRESSION)
    senders = sorted({account for _, account in persons.places(tx, tenant)} - {""})
    scopes = [(Scope.TENANT, ""), *((Scope.SENDER, sender) for sender in senders)]
    asked = {
        suppression_reference(key, scope, value, form): (phone, scope, value)
        for phone in person.phones
        for form in forms(phone)
        for scope, value in scopes
    }
    standing = suppressions.standing(tx, tenant, asked)
    found = sorted({asked[name] for name in standing})
    return [{"phone": phone, "scope": scope.value, "sender": value or None} for phone, scope, value in found]


class _Export:
    """One person's conversations, and afterwards the decisions about their messages."""

    def __init__(self, tx: Connection, keyring: Keyring, tenant: str, person: Person) -> None:
        self._tx = tx
        self._keyring = keyring
        self._tenant = tenant
        self._rows = persons.conversation_rows(tx, tenant, person.conversations)
        self._keys = keyring.keys(tenant, [row.id for row in self._rows])
        self._group = {
            one: persona.conversations for persona in person.personas for one in persona.conversations
        }
        self._known = {one: persona.known for persona in person.personas for one in persona.conversations}
        self._told: list[tuple[bytes, bytes]] = []

    def conversations(self) -> Iterator[bytes]:
        for number, row in enumerate(self._rows):
            yield (b"," if number else b"") + _encode(self._conversation(row))[:-1] + b',"messages":['
            yield from self._messages(row.id)
            yield b"]}\n"

    def decisions(self) -> Iterator[bytes]:
        """What was decided about the messages told before, in the order in which it was."""
        if not self._rows:
            return
        wanted = self._commitments()
        first = True
        for commit in decisions.read(self._tx, self._tenant):
            found = _about(commit, wanted)
            if found:
                yield (b"" if first else b",\n") + b",".join(found)
                first = False

    def _conversation(self, row: Any) -> dict[str, Any]:
        said = persons.consents_of(self._tx, self._tenant, row.id)
        return {
            "id": row.id.hex(),
            "connector": row.connector,
            "account": row.account,
            "opened_at": iso(row.opened_at),
            "identifiers": [{"kind": kind, "value": value} for kind, value in sorted(self._known[row.id])],
            "linked": sorted(one.hex() for one in self._group[row.id] - {row.id}),
            "delivered_until": iso(row.delivered_until),
            "read_until": iso(row.read_until),
            "consents": [
                {"category": one.category, "consent": one.consent, "changed_at": iso(one.changed_at)}
                for one in said
            ],
        }

    def _messages(self, conversation: bytes) -> Iterator[bytes]:
        key, first = self._keys.get(conversation), True
        for page in persons.message_pages(self._tx, self._tenant, conversation, PAGE):
            hidden = restricted_among(self._tx, self._tenant, sorted(row.key for row in page))
            shown = [row for row in page if row.key not in hidden]
            contents = [row.content for row in shown if row.content is not None]
            sealed = messages.read_contents(self._tx, self._tenant, contents)
            told = [_encode(_shown(row, opened(self._tenant, row, sealed, key))) for row in shown]
            self._told += [(row.key, conversation) for row in shown]
            if told:
                yield (b"" if first else b",\n") + b",\n".join(told)
                first = False

    def _commitments(self) -> dict[bytes, str]:
        """What decision records call the messages: under the salt of each conversation of the same person.

        A person's decision (a release, a rejection) names the review, under the tenant's own salt.
        """
        wanted: dict[bytes, str] = {}
        for key, conversation in self._told:
            for one in self._group[conversation]:
                if one in self._keys:
                    wanted[mac(self._keys[one].salt, key)] = key.hex()
        salt = derive(self._keyring.tenant_key(self._tenant, PSEUDONYM), b"decisions")
        for start in range(0, len(self._told), PAGE):
            some = [key for key, _ in self._told[start : start + PAGE]]
            for key, review in reviews.by_key(self._tx, self._tenant, some).items():
                wanted[mac(salt, review.id)] = key.hex()
        return wanted


def _about(commit: Commit, wanted: Mapping[bytes, str]) -> list[bytes]:
    return [
        _encode(_decision(record, wanted[record.subject], commit))
        for record in decode(commit.decisions)
        if record.subject in wanted
    ]


def _decision(record: DecisionRecord, ref: str, commit: Commit) -> dict[str, Any]:
    return {
        "ref": ref,
        "sequence": commit.sequence,
        "at": iso(commit.committed_at),
        "event": record.event,
        "disposition": record.disposition,
        "policy": record.policy,
        "reasons": [
            {"code": code, "rule": rule, "clauses": clauses} for code, rule, clauses in record.reasons
        ],
    }


def _shown(row: Any, parts: Mapping[str, Part]) -> dict[str, Any]:
    told = entry(row, parts)
    submission = told["details"].get("submission")
    if isinstance(submission, dict):
        own = {name: value for name, value in submission.items() if name != "submitter"}
        told["details"] = {**told["details"], "submission": own}
    return told
