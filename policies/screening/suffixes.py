"""Under which names everybody may register: the public suffix list, private section too.

The list is the snapshot that ships inside the ``tldextract`` package. Only that file is read and the package is never
imported: it brings an HTTP client, and its look-up takes many times the time and memory of this one.
"""

from __future__ import annotations

from importlib.metadata import distribution
from typing import Final

import ada_url


def registrable(host: str) -> str | None:
    """The name below the longest suffix of a host (lower case, IDNA); None where the host is itself a suffix.

    A top that is not on the list is a suffix, as the list's own algorithm has it.
    """
    labels = host.split(".")
    at = next((at for at in range(len(labels)) if _suffix(labels, at)), len(labels) - 1)
    return ".".join(labels[at - 1 :]) if at > 0 and labels[at - 1] else None


def _suffix(labels: list[str], at: int) -> bool:
    """Whether a rule says so of the labels from there on; the first to do so, from the left, is the longest."""
    rest = ".".join(labels[at:])
    if rest in _RULES or (at > 0 and f"{labels[at - 1]}.{rest}" in _EXCEPTIONS):
        return True
    return rest.partition(".")[2] in _WILDCARDS and rest not in _EXCEPTIONS


def _lines() -> list[str]:
    text = distribution("tldextract").read_text("../tldextract/.tld_set_snapshot")
    if text is None:
        raise FileNotFoundError("the public suffix list is missing from tldextract")
    return [line.split()[0] for line in text.splitlines() if line.strip()]


def _canonical(suffix: str) -> str:
    return suffix if suffix.isascii() else ada_url.idna_to_ascii(suffix).decode()


_LISTED: Final = tuple(_canonical(line.lower()) for line in _lines() if not line.startswith("//"))
_WILDCARDS: Final = frozenset(rule[2:] for rule in _LISTED if rule.startswith("*."))
_EXCEPTIONS: Final = frozenset(rule[1:] for rule in _LISTED if rule.startswith("!"))
_RULES: Final = frozenset(rule for rule in _LISTED if rule[0] not in "*!")

TOPS: Final = frozenset(rule.rpartition(".")[2] for rule in _LISTED)
"""Top-level domains that there are, IDNA."""
