"""Instagram messages that were unsent where no webhook tells it: asked for conversation by conversation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from connectors.asking import number
from connectors.instagram.conversations import (
    DETAILED,
    Listed,
    Presence,
    find_conversation,
    get_message,
    graph_trouble,
    is_gone,
    list_messages,
    missing,
    read_conversation,
    read_message,
    read_messages,
)
from policies.event import MessageUnsent
from policies.message import Identifier, IdentifierKind, Instant
from worker.jobs import Stop
from worker.reconcile.asking import Asker, CutShort
from worker.reconcile.known import Known, conversations_after, messages_after, person_of
from worker.reconcile.run import Case, Tally, Tools, advance, asker, position, whole

ABOUT: Final = "messages"

SETTLE: Final = 15 * 60 * 1_000_000
"""Younger messages are left in peace: the list may not have them yet."""

_DAY: Final = 86_400 * 1_000_000
_SOME: Final = 50
_MOST_CONVERSATIONS: Final = 5_000
_MOST_MESSAGES: Final = 200
_MOST_PAGES: Final = 4


def reconcile(tools: Tools, case: Case, stop: Stop) -> Tally:
    """Go on where the last run stopped; after the last conversation the next run begins anew."""
    tally = Tally(about=ABOUT)
    asking = asker(tools, case, stop, judge=graph_trouble)
    return whole(tally, asking, _Reconciliation(tools, case, asking, tally).run)


class _Reconciliation:
    def __init__(self, tools: Tools, case: Case, asking: Asker, tally: Tally) -> None:
        self._tools = tools
        self._case = case
        self._asking = asking
        self._tally = tally
        self._token = case.asking.secrets["access_token"][0]

    def run(self) -> None:
        after = position(self._tools, self._case, ABOUT)
        for _ in range(_MOST_CONVERSATIONS // _SOME):
            some = self._conversations(after)
            for conversation in some:
                self._one(conversation)
            after = some[-1] if len(some) == _SOME else b""
            advance(self._tools, self._case, ABOUT, after)
            if not after:
                return

    def _conversations(self, after: bytes) -> list[bytes]:
        case = self._case
        with self._tools.store.reading() as tx:
            return conversations_after(
                tx, case.tenant.id, case.source.connector.name, case.account, after, _SOME
            )

    def _one(self, conversation: bytes) -> None:
        """The next run goes on after it, also where it is the one that has no answer."""
        before = self._asking.calls
        try:
            self._conversation(conversation)
        except CutShort as error:
            if error.is_here:
                advance(self._tools, self._case, ABOUT, conversation)
            raise
        if self._asking.calls > before:
            advance(self._tools, self._case, ABOUT, conversation)

    def _conversation(self, conversation: bytes) -> None:
        person, stored = self._stored(conversation)
        if not person or not stored:
            return
        asked = self._asking.ask(find_conversation(person, self._case.asking, self._token))
        known_as = read_conversation(asked)
        self._tally.asked += len(stored)
        listed = self._listed(known_as, stored[0].sent_at) if known_as is not None else None
        if listed is None:
            return
        witness, gone = missing(stored, listed)
        self._tally.unsure += sum(one.id not in {item.id for item in listed} for one in stored)
        if witness is not None and gone:
            self._take_back(person, witness, gone)

    def _stored(self, conversation: bytes) -> tuple[str, list[Listed]]:
        """Whom it is with, and the newest of what is kept, the oldest first."""
        tools, tenant = self._tools, self._case.tenant.id
        now = tools.clock()
        days = number(self._case.asking.options, "days", 1, 3650)
        since = (now - days * _DAY, b"")
        with tools.store.reading() as tx:
            person = person_of(tx, tools.keyring, tenant, conversation, IdentifierKind.IGSID)
            found: list[Known] = []
            while person:
                some = messages_after(
                    tx,
                    tools.keyring,
                    tenant,
                    conversation,
                    after=since,
                    before=now - SETTLE,
                    limit=_MOST_MESSAGES,
                )
                found = [*found, *some][-_MOST_MESSAGES:]
                if len(some) < _MOST_MESSAGES:
                    break
                since = some[-1].place
        # An id with a colon is our own: of a thing that the platform gave none.
        return person, [Listed(one.id, one.sent_at) for one in found if one.id and ":" not in one.id]

    def _listed(self, conversation: str, back_to: Instant) -> list[Listed] | None:
        """What the platform lists, back to an instant or further than details are told; None where that is not sure."""
        listed: list[Listed] = []
        after = ""
        for _ in range(_MOST_PAGES):
            request = list_messages(conversation, after, self._case.asking, self._token)
            page = read_messages(self._asking.ask(request))
            if page is None:
                return None
            listed += page.messages
            after = page.after
            if not after or (listed and min(one.sent_at for one in listed) < back_to):
                break
        return listed

    def _take_back(self, person: str, witness: str, candidates: Sequence[Listed]) -> None:
        """Ask for each, then for the witness: only together they prove anything."""
        gone = [one for one in candidates[-DETAILED:] if self._presence(one.id) is Presence.GONE]
        if not gone or not is_gone(Presence.GONE, self._presence(witness)):
            return
        now = self._tools.clock()
        who = (Identifier(kind=IdentifierKind.IGSID, value=person),)
        events = [
            MessageUnsent(account=self._case.account, message_id=one.id, occurred_at=now, person=who)
            for one in gone
        ]
        self._tools.hand.give(self._case.tenant, self._case.source, events)
        self._tally.gone += len(gone)
        self._tally.unsure -= len(gone)

    def _presence(self, id_: str) -> Presence:
        return read_message(id_, self._asking.ask(get_message(id_, self._case.asking, self._token)))
