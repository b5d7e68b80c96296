"""Canaries: fresh strings in every shape in which content can arrive, each with what may become of it.

``never``    nowhere: in no file, line, answer, metric, export or crash output
``kept``     in the decrypted export, and nowhere else that can be read
``private``  perhaps in the decrypted export, nowhere else that can be read
``taken``    was stored and then taken back: not in the export, not in a live table, readable nowhere
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from tests.policies.identifiers.made import number
from worker.tour import samples
from worker.tour.samples import Scene

Body = dict[str, Any]

TENANT: Final = "canary"


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One request, and the statuses that it may be answered with. ``raw``: these bytes on a bare socket instead."""

    connector: str
    body: bytes = b""
    method: str = "POST"
    path: str = ""
    headers: dict[str, str] = {}
    signed: bool = True
    admin: bool = False
    statuses: frozenset[int] = frozenset({200})
    raw: bytes = b""


class Mint:
    """Makes one shape's canaries and remembers them."""

    def __init__(self, accounts: dict[str, str]) -> None:
        self.accounts = accounts
        self.never: list[str] = []
        self.kept: list[str] = []
        self.private: list[str] = []
        self.taken: list[str] = []

    def scene(self, connector: str) -> Scene:
        """A person nobody has heard of, writing to the tenant now."""
        scene = Scene.fresh(self.accounts[connector])
        self.private.append(scene.person)
        return scene

    def secret(self) -> str:
        """A string that may be nowhere."""
        return self._into(self.never)

    def words(self) -> str:
        """A text that must be in the export."""
        return f"words {self._into(self.kept)} end"

    def aside(self) -> str:
        """A string that may be in the export or not."""
        return self._into(self.private)

    def regret(self) -> str:
        """A string that will be taken back."""
        return f"words {self._into(self.taken)} end"

    def id(self) -> str:
        """A message id that the export gives back."""
        return f"m_{self._into(self.kept)}"

    def number(self) -> str:
        """A message id of digits that the export gives back."""
        self.kept.append(samples.digits())
        return self.kept[-1]

    def cdn(self) -> str:
        """A Facebook CDN URL; neither its asset nor its signature may be anywhere."""
        host = secrets.choice(("lookaside.fbsbx.com", "scontent.xx.fbcdn.net", "scontent.cdninstagram.com"))
        return f"https://{host}/ig_messaging_cdn/?asset_id={self.secret()}&signature={self.secret()}"

    def identifier(self, kind: str) -> str:
        """A government id or a card's number, valid and fresh, that may be nowhere."""
        self.never.append(number(kind, secrets.SystemRandom()))
        return self.never[-1]

    def all(self) -> list[str]:
        """Every canary of this shape."""
        return [*self.never, *self.kept, *self.private, *self.taken]

    def _into(self, purpose: list[str]) -> str:
        purpose.append("q" + secrets.token_hex(10))
        return purpose[-1]


Shape = Callable[[Mint], Sequence[Attempt]]
