"""The terms and rules in force against those that were seen before: a change is an event of its own (VT-0, PP-10)."""

from __future__ import annotations

from typing import Final

import msgspec

from policies.message import Instant
from policies.rules import RULE_PACK
from policies.terms import TERMS, TERMS_DIGEST
from worker.log.lines import Level, TermsLine
from worker.log.writer import Log
from worker.store import cursors
from worker.store.cursors import SHARED
from worker.store.engine import Store

CURSOR: Final = "terms"


class InForce(msgspec.Struct, frozen=True, array_like=True):
    """The register's digest, and the rule pack."""

    digest: str = ""
    rule_pack: str = ""


_decoder: Final = msgspec.msgpack.Decoder(InForce)


def note_terms(store: Store, log: Log, now: Instant) -> bool:
    """Tell of another register or rule pack than before, once; whether it is another."""
    current = InForce(TERMS_DIGEST, RULE_PACK)
    with store.transaction() as tx:
        last = cursors.read(tx, SHARED, CURSOR)
        before = _decoder.decode(last.value) if last else InForce()
        if before == current:
            return False
        cursors.move(tx, SHARED, CURSOR, msgspec.msgpack.encode(current), now)
    line = TermsLine(
        level=Level.WARNING if last else Level.INFO,
        revision=TERMS.revision,
        digest=current.digest,
        rule_pack=current.rule_pack,
        before_digest=before.digest,
        before_rule_pack=before.rule_pack,
    )
    log.emit(line)
    return True
