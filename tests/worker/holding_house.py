"""A replica whose operator places holds, lifts them and erases persons; and what of a message can be found where."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from sqlalchemy import select

from policies.event import Event
from policies.record import State
from tests.flows.harness import ACCOUNTS, Replica
from worker.acts import Operator
from worker.audit.signing import SigningKey
from worker.holds.lifting import Completed, Erase, Lifting
from worker.holds.placing import HoldDesk, Terms
from worker.rights.erase import Eraser, Gone
from worker.store import messages
from worker.store.holds import NO_CONTENT, restricted
from worker.store.journal import Line
from worker.tenants.loading import Tenant
from worker.transcripts import export, message_ref

ANN: Final = "phone:+1 202 555 0123"
ANNS_NUMBER: Final = "12025550123"
OFFICER: Final = Operator(name="Ola Officer", why="file 7 is opened")
PLACES: Final = tuple(ACCOUNTS.items())


class House:
    """One tenant on one replica."""

    def __init__(self, replica: Replica, of: Tenant, keys: Path) -> None:
        self.replica = replica
        self.of = of
        path = keys / "signing.key"
        self.signing = SigningKey.load(path) if path.exists() else SigningKey.generate(path)
        self.journal: list[Line] = []
        replica.store.journal = self.journal.extend
        self.desk = HoldDesk(replica.store, replica.keyring, of.id, PLACES, replica.clock)
        self.eraser = Eraser(replica.store, replica.keyring, replica.clock)
        self.lifting = self.lifting_with(self.eraser.conversation)

    def lifting_with(self, erase: Erase) -> Lifting:
        """Completes what holds kept back, with this erasure."""
        one = self.replica
        return Lifting(one.store, one.keyring, self.signing, clock=one.clock, erase=erase)

    def tell(self, *events: Event, connector: str = "whatsapp") -> None:
        """Have a delivery committed."""
        self.replica.tell(self.of, *events, connector=connector)

    def place(self, **scope: Any) -> bytes:
        """Place a hold."""
        terms = Terms(matter="file 7", authority="the court", operator=OFFICER, **scope)
        return bytes.fromhex(self.desk.place(terms))

    def lift(self, hold: bytes) -> Completed:
        """Lift a hold and complete what is due."""
        self.desk.lift(hold, OFFICER)
        return self.lifting.complete(self.of.id)

    def erase(self) -> list[Gone]:
        """Erase everybody."""
        return [self.eraser.conversation(self.of.id, one) for one in self.conversations()]

    def conversations(self) -> list[bytes]:
        """Every conversation's id."""
        return [bytes.fromhex(one["id"]) for one in self.export()["conversations"]]

    def export(self) -> dict[str, Any]:
        """The tenant's transcripts."""
        return export(self.replica.store, self.replica.keyring, self.of.id)

    def key(self, id_: str, connector: str = "whatsapp") -> bytes:
        """A message's key."""
        account = ACCOUNTS[connector]
        return bytes.fromhex(message_ref(self.replica.keyring, self.of.id, connector, account, id_))

    def seen(self) -> dict[str, str]:
        """What transcripts show: reference → text."""
        whole = self.export()
        entries = [one for talk in whole["conversations"] for one in talk["entries"]] + whole["unattributed"]
        return {one["ref"]: one["text"] for one in entries if one["text"] is not None}

    def hidden(self) -> dict[str, str]:
        """What is restricted: key → text."""
        with self.replica.store.reading() as tx:
            rows = tx.execute(
                select(restricted).where(
                    restricted.c.tenant == self.of.id, restricted.c.content != NO_CONTENT
                )
            ).all()
            sealed = messages.read_contents(tx, self.of.id, sorted(row.content for row in rows))
        keys = self.replica.keyring.keys(self.of.id, [row.conversation for row in rows])
        opened = {
            row.key.hex(): messages.open_parts(
                keys[row.conversation].cipher, self.of.id, row.key, sealed[row.content]
            )
            for row in rows
        }
        return {key: str(parts["text"].value) for key, parts in opened.items()}

    def states(self) -> dict[str, State]:
        """Reference → state."""
        table = messages.messages
        with self.replica.store.reading() as tx:
            rows = tx.execute(select(table.c.key, table.c.state).where(table.c.tenant == self.of.id))
            return {row.key.hex(): State(row.state) for row in rows}

    def contents(self) -> int:
        """How many contents there are, seen or hidden."""
        table = messages.contents
        with self.replica.store.reading() as tx:
            return len(tx.execute(select(table.c.id).where(table.c.tenant == self.of.id)).all())
