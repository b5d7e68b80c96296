"""Cutting a text into URLs: where one begins, and where the sentence around it goes on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

TOWARDS_PATH: Final = r"\.?(?::\d+)?(?=[/\\%]|[?#]\S)"
"""What follows a host that stands without a scheme, if it is the beginning of a URL and not a mere name."""


def tokens(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of every URL in a folded text, outermost only, with or without a scheme."""
    position = 0
    while (match := _START.search(text, position)) is not None:
        end = _trimmed(text, match.start(), _end(text, match.start()))
        if end > match.start():
            yield match.start(), end
        position = max(end, match.end())


def _end(text: str, start: int) -> int:
    """The first character that no URL holds, or the one that closes what was opened right before it."""
    opener = text[start - 1 : start]
    closer = _PAIRS.get(opener)
    depth = 0
    for match in _BREAK.finditer(text, start):
        found = match.group()
        if found not in _BRACKETS or (found == closer and depth == 0):
            return match.start()
        if closer is not None:
            depth += (found == opener) - (found == closer)
    return len(text)


def _trimmed(text: str, start: int, end: int) -> int:
    """Without the punctuation of the sentence, unbalanced brackets, and words of other scripts behind it.

    The platforms' CDN writes its URLs in ASCII; what is not, at the end of one, is the sentence going on.
    """
    surplus = {
        closer: text.count(closer, start, end) - text.count(opener, start, end)
        for opener, closer in ("()", "[]", "{}")
    }
    while end > start:
        last = text[end - 1]
        if surplus.get(last, 0) > 0:
            surplus[last] -= 1
        elif last.isascii() and last not in _TRAILING:
            break
        end -= 1
    return end


_PAIRS: Final = {"(": ")", "[": "]", "{": "}", "'": "'"}
_BRACKETS: Final = "()[]{}'"
_TRAILING: Final = ".,;:!?'*\\"

_START: Final = re.compile(
    r"(?:https?|wss?|ftps?):[/\\]*+(?=[^\s/\\])"
    r"|(?<![/\\])[/\\]{2,}+(?=[^\s/\\])"
    r"|(?<![\w-])(?<![\w-]\.)[\w-]++(?:\.[\w-]++)++" + TOWARDS_PATH
)
_BREAK: Final = re.compile(
    r"""[\s<>"()\[\]{}'\x00-\x1f\x7f"""
    # Quotation marks, dashes, brackets and the comma of other languages.
    r"""\u00ab\u00bb\u2010-\u2015\u2018-\u201f\u2039\u203a\u3001\u3008-\u3011\u3014-\u301b]"""
    # The ASCII ones, as they look in HTML and in JSON.
    r"""|&(?:quot|lt|gt|apos|nbsp|\#(?:3[249]|6[02]|160|x(?:2[027]|3[ce])));?|\\u00(?:0[9ad]|2[027]|3[ce])"""
)
