"""Opening what was said, where it can be opened still."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from policies.record import Part
from worker.crypto import CryptoError
from worker.keyring import ConversationKey
from worker.store import messages


def opened(
    tenant: str, row: Any, sealed: Mapping[bytes, bytes], key: ConversationKey | None
) -> dict[str, Part]:
    """The parts of a message (``row``: its key and content); nothing where it has none, or its key is gone."""
    if key is None or row.content not in sealed:
        return {}
    try:
        return messages.open_parts(key.cipher, tenant, row.key, sealed[row.content])
    except (CryptoError, msgspec.MsgspecError):
        return {}
