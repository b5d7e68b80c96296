"""Who a request is about, and how much there is of them."""

from __future__ import annotations

from sqlalchemy import Connection

from worker.keyring import Keyring
from worker.rights.export import opt_outs
from worker.rights.outcome import Counts
from worker.rights.request import RightsRequest
from worker.rights.subject import Person, claims_of, resolve
from worker.store import persons
from worker.store.holds import NO_CONTENT, restricted_of


class Finder:
    """Looks for persons with one keyring."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def person(self, tx: Connection, tenant: str, request: RightsRequest, region: str | None) -> Person:
        """The person whom a request names. Raises RightsRefused."""
        return resolve(tx, self._keyring, tenant, claims_of(request.subject, region))

    def is_anybody(self, tx: Connection, tenant: str, person: Person) -> bool:
        """Whether the tenant knows them: by what was said, or by an opt-out alone."""
        return bool(person.personas or opt_outs(tx, self._keyring, tenant, person))

    def counts(self, tx: Connection, tenant: str, person: Person) -> Counts:
        """How much there is."""
        conversations = person.conversations
        return Counts(
            conversations=len(conversations),
            messages=sum(persons.count_messages(tx, tenant, one) for one in conversations),
            restricted=sum(count_restricted(tx, tenant, one) for one in conversations),
            identifiers=sum(len(persona.known) for persona in person.personas),
            consents=sum(len(persons.consents_of(tx, tenant, one)) for one in conversations),
            opt_outs=len(opt_outs(tx, self._keyring, tenant, person)),
        )


def count_restricted(tx: Connection, tenant: str, conversation: bytes) -> int:
    """How many contents of a conversation only a hold keeps."""
    return sum(row.content != NO_CONTENT for row in restricted_of(tx, tenant, conversation))
