"""Histories: what could happen to a handful of messages, and the ways in which it could be told.

Events are made by ``random.Random`` from a seed that hypothesis draws: drawing every field of every event would
take longer than storing them, and a failure still shrinks to few events.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Any, Final

from hypothesis import strategies as st

from policies.event import (
    AccountAspect,
    AccountChanged,
    AccountState,
    Consent,
    ConsentChanged,
    DeliveryReported,
    DeliveryStatus,
    Event,
    IdentityChanged,
    WatermarkReported,
)
from policies.message import Direction, Identifier, IdentifierKind, Instant, MessageKind
from tests.flows.harness import ACCOUNTS, NOW, edit, message, person, unsend

ANN: Final = person(IdentifierKind.PHONE, "15550123") + person(IdentifierKind.BSUID, "US.77ann")
BOB: Final = person(IdentifierKind.PHONE, "15550456")
CLEO: Final = person(IdentifierKind.PSID, "9000001")
DORA: Final = person(IdentifierKind.X_ID, "7000001")
NOBODY: Final[tuple[Identifier, ...]] = ()


@dataclass(frozen=True)
class Thread:
    """Messages that one account exchanged with one person. Of ``chained`` ids each is a version of one message."""

    connector: str
    who: tuple[Identifier, ...]
    ids: tuple[str, ...]
    chained: bool = False

    @property
    def account(self) -> str:
        """The tenant's account."""
        return ACCOUNTS[self.connector]


THREADS: Final = (
    Thread("whatsapp", ANN, ("wamid.a1", "wamid.a2")),
    Thread("whatsapp", BOB, ("wamid.b1",)),
    Thread("facebook", CLEO, ("m_c1", "m_c2")),
    Thread("instagram", NOBODY, ("m_n1",)),
    Thread("x", DORA, ("100", "101", "102"), chained=True),
    Thread("x", DORA, ("200",)),
)
IDS: Final = tuple(id_ for thread in THREADS for id_ in thread.ids)

Told = tuple[str, Event]
"""The connector, and what it reports."""

_TEXTS: Final = (None, "hello", "hello!", "Grüße", "\U0001f44b")
_VALUES: Final = (None, True, 1, 1.0, 0, -1, 2**63, "1", ["1"], {"b": 1, "a": 2})
_STATUSES: Final = tuple(DeliveryStatus)


def _moment(random: Random) -> Instant:
    return NOW + random.randrange(4) * 1_000_000


def _known(random: Random, thread: Thread) -> tuple[Identifier, ...]:
    """The person by some of what it is known by: a platform tells now this, now that."""
    return tuple(random.sample(thread.who, random.randint(1, len(thread.who)))) if thread.who else ()


def _message(random: Random, thread: Thread) -> Event:
    """A message, an echo or a standby copy; or an edit of one."""
    number = random.choice((0, 0, 1, 2))
    told: dict[str, Any] = {
        "connector": thread.connector,
        "who": _known(random, thread),
        "at": _moment(random),
        "details": {
            key: random.choice(_VALUES) for key in random.sample(("context", "order"), random.randint(0, 2))
        },
        "profile": random.choice(({}, {"name": "Ann"}, {"name": "Anna"})),
        "kind": random.choice((MessageKind.TEXT, MessageKind.MEDIA)),
        "direction": random.choice(tuple(Direction)),
        # One only: of two, the less by its keyed reference stands, which is not the same with every tenant.
        "reply_to": random.choice((None, thread.ids[0])),
        "standby": random.random() < 0.3,
        "history": random.random() < 0.3,
    }
    id_, told["also_known_as"] = _named(random, thread, number)
    text = random.choice(_TEXTS)
    if not number:
        return message(id_, text, **told)
    return edit(id_, text, number, whole=random.random() < 0.5, **told)


def _named(random: Random, thread: Thread, number: int) -> tuple[str, tuple[str, ...]]:
    """A message's id and its others. Of a chain the first is the id; now and then a version comes without it."""
    if not thread.chained:
        return random.choice(thread.ids), ()
    if random.random() < 0.2:
        return thread.ids[number], ()
    return thread.ids[0], thread.ids[1 : 1 + random.randint(number, 2)]


def _unsend(random: Random, thread: Thread) -> Event:
    """A message taken back, by any of its ids."""
    who = random.choice(((), _known(random, thread)))
    return unsend(random.choice(thread.ids), connector=thread.connector, at=_moment(random), who=who)


def _receipt(random: Random, thread: Thread) -> Event:
    return DeliveryReported(
        account=thread.account,
        message_id=random.choice(thread.ids),
        status=random.choice(_STATUSES),
        occurred_at=_moment(random),
        error_codes=random.choice(((), (131026,), (131026, 131047))),
    )


def _watermark(random: Random, thread: Thread) -> Event:
    return WatermarkReported(
        account=thread.account,
        person=_known(random, thread),
        status=random.choice((DeliveryStatus.DELIVERED, DeliveryStatus.READ)),
        until=_moment(random),
    )


def _consent(random: Random, thread: Thread) -> Event:
    return ConsentChanged(
        account=thread.account,
        person=_known(random, thread),
        consent=random.choice(tuple(Consent)),
        category=random.choice(("marketing_messages", "all")),
        occurred_at=_moment(random),
    )


def _identity(random: Random, thread: Thread) -> Event:
    before, after = _known(random, thread), thread.who[-1:]
    return IdentityChanged(account=thread.account, before=before, after=after, occurred_at=_moment(random))


def _account(random: Random, thread: Thread) -> Event:
    return AccountChanged(
        account=thread.account,
        aspect=random.choice(tuple(AccountAspect)[:2]),
        state=random.choice(tuple(AccountState)[:3]),
        occurred_at=_moment(random),
        subject=random.choice(("", "template-1")),
        detail=random.choice(("", "flagged", "low_quality")),
    )


_KINDS: Final[tuple[Callable[[Random, Thread], Event], ...]] = (
    *(_message, _message, _message, _unsend, _unsend, _receipt),
    *(_watermark, _consent, _identity, _account),
)


@cache
def pool(thread: Thread, seed: int, size: int = 40) -> tuple[Told, ...]:
    """Things that could happen in a thread."""
    random = Random(f"{thread.ids} {seed}")
    return tuple((thread.connector, random.choice(_KINDS)(random, thread)) for _ in range(size))


@st.composite
def histories(draw: st.DrawFn, most: int = 8) -> list[Told]:
    """What happens in one thread or two: few enough that things meet."""
    seed = draw(st.integers(0, 999))
    some = draw(st.lists(st.sampled_from(THREADS), min_size=1, max_size=2, unique=True))
    everything = [told for thread in some for told in pool(thread, seed)]
    return draw(st.lists(st.sampled_from(everything), min_size=1, max_size=most))


Delivered = tuple[str, tuple[Event, ...]]
"""One delivery: its connector and events."""

Batch = tuple[Delivered, ...]


def tellings(history: Sequence[Told], random: Random) -> list[Batch]:
    """The history in some order, some of it more than once, in some deliveries, in some batches."""
    told = [*history, *(random.choice(history) for _ in range(random.randrange(4)))]
    random.shuffle(told)
    batches: list[list[Delivered]] = []
    for connector, event in told:
        if not batches or random.random() < 0.5:
            batches.append([])
        last = batches[-1]
        if last and last[-1][0] == connector and random.random() < 0.5:
            last[-1] = (connector, (*last[-1][1], event))
        else:
            last.append((connector, (event,)))
    return [tuple(batch) for batch in batches]
