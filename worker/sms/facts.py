"""What the rules of BEFORE_SEND are told about a text besides the text: opt-outs, how many there were, near-duplicates.

Read for a whole batch at once; each text of it sees what those before it added. Counts cover the policy's own windows,
up to a minute more. What is refused counts for nothing; what waits for a person counts for its sender and its campaign,
not yet for its recipient and network.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from sqlalchemy import Connection

from policies.message import IdentifierKind, Instant, Private
from policies.sms.facts import SendFacts
from policies.sms.fingerprint import bands
from policies.sms.policy import Prepared, SmsPolicy
from policies.sms.traffic import assess, carrier_prefix
from worker.crypto import mac, reference
from worker.exclusions import EXCLUDING, MARKS, mark_reference
from worker.keyring import PSEUDONYM, Keyring
from worker.sms.payload import SUPPRESSION, Payload, suppression_references
from worker.sms.submission import Ruling
from worker.store import accounts, alike, marks, suppressions, tallies
from worker.store.accounts import Place
from worker.store.alike import Seen
from worker.store.tallies import TallyKey

WINDOW: Final = 60_000_000
"""Length of a tally's window, in microseconds."""

HOUR: Final = 3_600
DAY: Final = 24 * HOUR
ALIKE_WINDOW: Final = DAY * 1_000_000
"""How long near-duplicates are told, in microseconds."""


class Counted(StrEnum):
    """What is tallied: texts to a recipient, of a sender, over a network, and near-duplicates to one recipient."""

    RECIPIENT = "recipient"
    SENDER = "sender"
    NETWORK = "network"
    REPEAT = "repeat"


_ON_THEIR_WAY: Final = frozenset({Ruling.ACCEPTED, Ruling.DELAYED})


class Traits(Private, frozen=True, kw_only=True):
    """What a text is counted by, as keyed hashes. ``id`` begins a new cluster where there is none."""

    id: bytes
    sender: bytes
    recipient: bytes
    network: bytes
    bands: tuple[bytes, ...]
    opt_outs: tuple[bytes, ...]
    mark: bytes

    def seen(self, cluster: bytes) -> Seen:
        """As it is remembered for telling near-duplicates."""
        return Seen(bands=self.bands, sender=self.sender, recipient=self.recipient, cluster=cluster)


def traits_of(keyring: Keyring, tenant: str, payload: Payload, id_: bytes) -> Traits:
    """The traits under the tenant's keys."""
    pseudonym = keyring.tenant_key(tenant, PSEUDONYM)
    suppression = keyring.tenant_key(tenant, SUPPRESSION)
    return Traits(
        id=id_,
        sender=reference(pseudonym, "sender", payload.sender),
        recipient=reference(pseudonym, "recipient", payload.recipient),
        network=reference(pseudonym, "network", carrier_prefix(payload.recipient)),
        bands=tuple(mac(pseudonym, b"band\0" + band) for band in bands(payload.text)),
        opt_outs=suppression_references(suppression, payload.recipient, payload.sender, payload.campaign),
        mark=mark_reference(keyring.tenant_key(tenant, MARKS), IdentifierKind.PHONE, payload.recipient),
    )


class Circumstances:
    """Everything before a batch of one tenant's texts, and what its texts add. Texts are named by their place in it."""

    def __init__(
        self,
        tx: Connection,
        tenant: str,
        sms: Prepared,
        now: Instant,
        texts: Sequence[Traits],
        places: Sequence[Place],
    ) -> None:
        """``places``: through which connector each text goes, and from which account."""
        self._sms = sms
        self._places = places
        self._standings = accounts.standings(tx, tenant, set(places))
        self._now = now
        self._texts = texts
        self._withdrawn = suppressions.standing(tx, tenant, {name for one in texts for name in one.opt_outs})
        self._excluded = self._marked(tx, tenant)
        most = max(sms.policy.alike_recipients, sms.policy.alike_senders)
        self._spreads = alike.spread(
            tx, tenant, [one.seen(one.id) for one in texts], now - ALIKE_WINDOW, most
        )
        self._counts = self._counted(tx, tenant, sms.policy)
        self._added: Counter[TallyKey] = Counter()
        self._seen: list[Seen] = []

    def of(self, number: int, payload: Payload) -> SendFacts:
        """What is known of the text now."""
        text, spread = self._texts[number], self._spreads[number]
        return SendFacts(
            sms=self._sms,
            purpose=payload.purpose,
            campaign=payload.campaign,
            send_after=payload.send_after,
            not_after=payload.not_after,
            opted_out=not self._withdrawn.isdisjoint(text.opt_outs),
            answers_opt_out=payload.answers_opt_out,
            reviewed=payload.reviewed,
            stored_zone=payload.zone,
            place=payload.place,
            to_recipient=self._counts[Counted.RECIPIENT, text.recipient],
            same_to_recipient=self._counts[Counted.REPEAT, self._repeat(number)],
            from_sender=self._counts[Counted.SENDER, text.sender],
            alike_recipients=spread.recipients,
            alike_senders=spread.senders,
            crowded_network=self._is_crowded(text.network),
            standing=self._standings[self._places[number]],
        )

    def is_excluded(self, number: int) -> bool:
        """Whether nothing is recorded of the text's recipient."""
        return self._texts[number].mark in self._excluded

    def cluster(self, number: int) -> bytes:
        """What the text's near-duplicates are known by."""
        return self._spreads[number].cluster

    def add(self, number: int, ruling: Ruling) -> None:
        """The text was ruled so: those after it see it."""
        if ruling is Ruling.REFUSED:
            return
        text = self._texts[number]
        self._seen.append(text.seen(self.cluster(number)))
        counted = [(Counted.SENDER, text.sender)]
        if ruling in _ON_THEIR_WAY:
            counted += [
                (Counted.RECIPIENT, text.recipient),
                (Counted.NETWORK, text.network),
                (Counted.REPEAT, self._repeat(number)),
            ]
        for kind, name in counted:
            self._counts[kind, name] += 1
            self._added[kind.value, name, self._now // WINDOW] += 1

    def save(self, tx: Connection, tenant: str) -> None:
        """Write down what was added."""
        tallies.add(tx, tenant, self._added)
        alike.note(tx, tenant, self._seen, self._now)

    def _marked(self, tx: Connection, tenant: str) -> set[bytes]:
        if not marks.has_any(tx, tenant):
            return set()
        found = marks.find(tx, tenant, {one.mark for one in self._texts})
        return {one.reference for one in found if one.mark in EXCLUDING}

    def _counted(self, tx: Connection, tenant: str, policy: SmsPolicy) -> Counter[tuple[Counted, bytes]]:
        texts = self._texts
        asked = {
            Counted.RECIPIENT: (policy.recipient_rate.seconds, {one.recipient for one in texts}),
            Counted.SENDER: (policy.burst.seconds, {one.sender for one in texts}),
            Counted.NETWORK: (HOUR, {one.network for one in texts} if policy.committed_rate else set()),
            Counted.REPEAT: (DAY, {self._repeat(number) for number in range(len(texts))}),
        }
        counts: Counter[tuple[Counted, bytes]] = Counter()
        for kind, (seconds, names) in asked.items():
            since = (self._now - seconds * 1_000_000) // WINDOW
            found = tallies.sums(tx, tenant, kind.value, names, since)
            counts.update({(kind, name): count for name, count in found.items()})
        return counts

    def _repeat(self, number: int) -> bytes:
        """Near-duplicates to this recipient."""
        return mac(self._texts[number].recipient, b"repeat\0" + self.cluster(number))

    def _is_crowded(self, network: bytes) -> bool:
        committed = self._sms.policy.committed_rate
        count = self._counts[Counted.NETWORK, network]
        return committed is not None and bool(assess({"": count}, HOUR, committed).flagged)
