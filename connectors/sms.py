"""What the connectors of text messages share: numbers, tables of errors, and how a provider's answer is read."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping
from importlib import resources
from types import MappingProxyType
from typing import Final

from connectors import wild
from connectors.contract import HttpAnswer, Refused, Sending, SendResult, Unknown
from connectors.decode import MalformedPayload, decode
from policies.event import Failure
from policies.message import Identifier, IdentifierKind, Json

_LONGEST_WAIT: Final = 86_400.0
_seconds = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,6})?\Z")
_digits = re.compile(r"[1-9][0-9]{8,14}\Z")
_our_id = re.compile(r"[0-9a-f]{32}\Z")
_base_url = re.compile(
    r"(?:https://[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?|http://(?:127\.0\.0\.1|\[::1\]|localhost))(?::[0-9]{1,5})?/?\Z"
)

BY_STATUS: Final[Mapping[int, Failure]] = MappingProxyType(
    {401: Failure.ACCOUNT, 402: Failure.QUOTA, 403: Failure.ACCOUNT, 429: Failure.THROTTLED}
)
"""What a refusal means where its error number tells nothing; any other status from 400 to 499 is REJECTED."""


def failures(package: str) -> Mapping[int, Failure]:
    """The provider's error numbers by what they mean, from ``errors.toml`` in the connector's folder.

    A table is named after a word of ``Failure``; in it stands each number with what it says in a few words.
    """
    return MappingProxyType({int(code): failure for code, failure in failures_by_word(package).items()})


def failures_by_word(package: str) -> Mapping[str, Failure]:
    """The same where a provider gives its errors names."""
    written = tomllib.loads(resources.files(package).joinpath("errors.toml").read_text(encoding="utf-8"))
    return MappingProxyType({code: Failure(word) for word, titles in written.items() for code in titles})


def base_url(sending: Sending, option: str = "base_url") -> str:
    """The option ``base_url``, or another one: a scheme and a host. Raises ValueError for anything else.

    Credentials and texts do not cross a network in the clear: ``http`` leads to this machine and nowhere else.
    """
    given = sending.options[option]
    if _base_url.match(given) is None:
        raise ValueError(f"{option} as https://host")
    return given.rstrip("/")


def answered(answer: HttpAnswer) -> dict[str, Json]:
    """The JSON object that the provider answered, or an empty one."""
    try:
        return wild.mapping(decode(answer.body)[0])
    except MalformedPayload:
        return {}


def not_sent(answer: HttpAnswer, code: int, table: Mapping[int, Failure]) -> SendResult:
    """What an answer that is no success means: by its error number where the table has it, else by its status.

    Only 4xx says that nothing was taken. A 5xx may come after the text was accepted, a 408 from a proxy that gave up
    waiting, and a redirect from anybody: all Unknown.
    """
    if not 400 <= answer.status < 500 or answer.status == 408:
        return Unknown()
    failure = table.get(code) or BY_STATUS.get(answer.status, Failure.REJECTED)
    return Refused(failure=failure, code=code, retry_after=retry_after(answer))


def retry_after(answer: HttpAnswer) -> float | None:
    """``Retry-After`` in seconds, at most a day; None where there is none, or a date (which needs a clock)."""
    given = answer.headers.get("retry-after", "")
    return min(float(given), _LONGEST_WAIT) if _seconds.match(given) else None


def international(value: Json) -> str | None:
    """A telephone number as tenants write it: ``+`` before nine digits or more, which some providers leave out.

    Shorter numbers are short codes, and names are names: they stay as they are.
    """
    given = wild.identifier(value)
    return f"+{given}" if given is not None and _digits.match(given) else given


def phone(number: str | None) -> tuple[Identifier, ...]:
    """Somebody who is known by a number; nobody where there is none."""
    return (Identifier(kind=IdentifierKind.PHONE, value=number),) if number else ()


def our_id(value: Json) -> str:
    """The id that we gave to a text, where it is echoed; "" for anything else."""
    return value if isinstance(value, str) and _our_id.match(value) else ""


def derived_id(item: Json) -> str:
    """An id for a text that came without one: the same item always gives the same."""
    canonical = json.dumps(item, sort_keys=True, separators=(",", ":"))
    return "derived:" + hashlib.sha256(canonical.encode()).hexdigest()[:32]
