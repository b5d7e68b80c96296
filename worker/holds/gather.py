"""What a production is made of, line by line: conversations, messages, what is restricted of them, the decisions about them.

Of X there are ids alone (SM-10). Media that may not be recorded never were: placeholders stand where they stood. Nothing
of another tenant, and of a person's conversations nothing of anybody else.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec
from sqlalchemy import Connection

from policies.message import IdentifierKind, Instant
from policies.record import Part
from worker import chain
from worker.crypto import CryptoError, derive
from worker.directory import identifier_place
from worker.holds.keeping import VERSION_OF
from worker.keyring import PSEUDONYM, ConversationKey, Keyring
from worker.settle import commitment
from worker.store import decisions, holds, messages, people, persons, productions
from worker.store.holds import NO_CONTENT, Restricted
from worker.transcripts import entry, iso

Line = dict[str, Any]

_PAGE: Final = 500
_IDS_ONLY: Final = frozenset({"x"})
_IDS: Final = ("ref", "id", "connector", "account", "state")


class Gatherer:
    """One production's lines, from one transaction that reads. ``messages`` before ``decisions``: they are about those.

    ``conversations`` None: all of the tenant's, and what belongs to none. ``about`` are further things that decisions may
    be about, such as the production itself.
    """

    def __init__(
        self,
        tx: Connection,
        keyring: Keyring,
        tenant: str,
        conversations: Iterable[bytes] | None,
        *,
        since: Instant | None,
        until: Instant | None,
        about: Iterable[bytes] = (),
    ) -> None:
        self._tx = tx
        self._keyring = keyring
        self._tenant = tenant
        self._chosen = None if conversations is None else sorted(set(conversations))
        self._since = since
        self._until = until
        self._salt = derive(keyring.tenant_key(tenant, PSEUDONYM), b"decisions")
        self._wanted = {commitment(self._salt, one): one.hex() for one in about}
        self.counts: Counter[str] = Counter()
        self.policies: set[str] = set()

    def conversations(self) -> Iterator[Line]:
        """Who talked with the tenant, and by what they are known."""
        for page in self._pages():
            keys = self._keyring.keys(self._tenant, page)
            for row in persons.conversation_rows(self._tx, self._tenant, page):
                self.counts["conversations"] += 1
                linked = holds.linked_with(self._tx, self._tenant, {row.id}) - {row.id}
                yield {
                    "id": row.id.hex(),
                    "connector": row.connector,
                    "account": row.account,
                    "opened_at": iso(row.opened_at),
                    "identifiers": list(self._identifiers(row, keys.get(row.id))),
                    "linked": sorted(one.hex() for one in linked),
                }

    def messages(self) -> Iterator[Line]:
        """What was said and when; of what is gone the tombstone, and where a hold keeps it, what it said."""
        for page in self._pages():
            keys = self._keyring.keys(self._tenant, page)
            for conversation in page:
                yield from self._of(conversation, keys.get(conversation))
        if self._chosen is None:
            yield from self._of(None, None)

    def decisions(self) -> Iterator[Line]:
        """What was decided about them, each with the way from its record to the head of the chain at that commit."""
        previous = chain.GENESIS
        for commit in decisions.read(self._tx, self._tenant):
            found = [
                (index, record)
                for index, record in enumerate(chain.decode(commit.decisions))
                if record.subject in self._wanted
            ]
            for (_, record), proof in zip(found, _proofs(commit, [index for index, _ in found]), strict=True):
                self.counts["decisions"] += 1
                self.policies.add(record.policy)
                ref = self._wanted[record.subject]
                yield {"ref": ref, **_shown(record), **proof, "previous": previous.hex()}
            previous = commit.head

    def _pages(self) -> Iterator[list[bytes]]:
        if self._chosen is None:
            yield from map(list, productions.conversation_pages(self._tx, self._tenant, _PAGE))
        else:
            yield from (self._chosen[at : at + _PAGE] for at in range(0, len(self._chosen), _PAGE))

    def _of(self, conversation: bytes | None, key: ConversationKey | None) -> Iterator[Line]:
        hidden = self._hidden(conversation)
        pages = productions.message_pages(
            self._tx, self._tenant, conversation, self._since, self._until, _PAGE
        )
        for page in pages:
            named = {row.key: row.content for row in page if row.content is not None}
            kept = {row.key: hidden.pop(row.key) for row in page if row.key in hidden}
            named |= {own: one.content for own, one in kept.items()}
            sealed = messages.read_contents(self._tx, self._tenant, named.values())
            for row in page:
                parts = self._opened(key, row.key, sealed.get(named.get(row.key, b"")))
                yield self._message(row, parts, kept.get(row.key), key)
        yield from self._versions(hidden, key)

    def _hidden(self, conversation: bytes | None) -> dict[bytes, Restricted]:
        if conversation is None:
            return {}
        found = holds.restricted_of(self._tx, self._tenant, conversation)
        return {one.key: one for one in found if one.content != NO_CONTENT and self._spans(one.occurred_at)}

    def _spans(self, at: Instant) -> bool:
        return (self._since is None or self._since <= at) and (self._until is None or at < self._until)

    def _message(
        self, row: Any, parts: Mapping[str, Part], kept: Restricted | None, key: ConversationKey | None
    ) -> Line:
        self.counts["messages"] += 1
        self.counts["restricted"] += kept is not None
        for salt in {self._salt, key.salt if key is not None else self._salt}:
            self._wanted[commitment(salt, row.key)] = row.key.hex()
        whole = entry(row, parts)
        if row.connector in _IDS_ONLY:
            self.counts["ids_only"] += 1
            whole = {name: whole[name] for name in _IDS} | {"ids_only": True}
        where = row.conversation.hex() if row.conversation is not None else None
        return whole | {"conversation": where, "restricted": _why(kept)}

    def _versions(self, hidden: Mapping[bytes, Restricted], key: ConversationKey | None) -> Iterator[Line]:
        """What edits replaced, which only a hold keeps."""
        sealed = messages.read_contents(self._tx, self._tenant, (one.content for one in hidden.values()))
        for one in hidden.values():
            parts = self._opened(key, one.key, sealed.get(one.content))
            if VERSION_OF not in parts:
                continue
            self.counts["versions"] += 1
            self.counts["restricted"] += 1
            yield {
                "version_of": parts[VERSION_OF].value,
                "conversation": one.conversation.hex(),
                "occurred_at": iso(one.occurred_at),
                "restricted": _why(one),
                **self._said(parts, one.conversation),
            }

    def _said(self, parts: Mapping[str, Part], conversation: bytes) -> Line:
        [row] = persons.conversation_rows(self._tx, self._tenant, [conversation])
        names = ("id",) if row.connector in _IDS_ONLY else ("id", "text", "media", "details", "profile")
        place = {"connector": row.connector, "account": row.account}
        return place | {name: parts[name].value for name in names if name in parts}

    def _opened(self, key: ConversationKey | None, own: bytes, sealed: bytes | None) -> dict[str, Part]:
        if key is None or sealed is None:
            return {}
        return messages.open_parts(key.cipher, self._tenant, own, sealed)

    def _identifiers(self, row: Any, key: ConversationKey | None) -> Iterator[Line]:
        if key is None:
            return
        for known in people.identifiers_of(self._tx, self._tenant, row.id):
            if not known.kind or (row.connector in _IDS_ONLY and known.kind != IdentifierKind.X_ID):
                continue
            try:
                value = key.cipher.open(known.sealed, identifier_place(self._tenant, known.reference))
            except CryptoError:
                continue
            yield {"kind": known.kind, "value": value.decode()}


def _why(kept: Restricted | None) -> Line | None:
    return None if kept is None else {"why": kept.why, "since": iso(kept.since)}


def _proofs(commit: chain.Commit, indexes: list[int]) -> Iterator[Line]:
    """For each of these decisions of a commit its record, and what leads from it to the commit's head."""
    leaves = chain.leaves(commit.decisions) if indexes else []
    for index, path in zip(indexes, chain.merkle_paths(leaves, indexes), strict=True):
        yield {
            "tenant": commit.tenant,
            "record": base64.b64encode(leaves[index]).decode(),
            "path": [[on_the_left, one.hex()] for on_the_left, one in path],
            "sequence": commit.sequence,
            "committed_at": commit.committed_at,
            "count": commit.count,
            "head": commit.head.hex(),
        }


def _shown(record: chain.DecisionRecord) -> Line:
    """What a record says, as it stands beside it."""
    return {
        "event": record.event,
        "disposition": record.disposition,
        "policy": record.policy,
        "reasons": [[code, rule, list(clauses)] for code, rule, clauses in record.reasons],
    }


def is_proven(line: Mapping[str, Any]) -> bool:
    """Whether a decision's record says what its line does, and leads to the head of the chain that the line names."""
    try:
        record = base64.b64decode(line["record"], validate=True)
        root = chain.root_by(record, [(on_the_left, bytes.fromhex(one)) for on_the_left, one in line["path"]])
        previous = bytes.fromhex(line["previous"])
        fields = (line["sequence"], line["committed_at"], line["count"], root)
        head = chain.head(previous, line["tenant"], *fields).hex()
        said = _shown(chain.decode_one(record))
    except (KeyError, TypeError, ValueError, msgspec.MsgspecError):
        return False
    return bool(head == line["head"] and all(line.get(name) == value for name, value in said.items()))
