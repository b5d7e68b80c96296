"""Reading the plain part of YAML that our examples keep to; anything beyond it is an error.

Block mappings and lists, scalars on one line, ``|`` and ``>-`` blocks, ``[a, b]``, ``{}``, whole-line comments.
Lists are indented below their key. All scalars are text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

_key = re.compile(r"([A-Za-z][\w./-]*):(?: (.+))?\Z")


def documents(text: str) -> list[Any]:
    """Every document in a file. Raises ValueError, with the line's text, for what is not understood."""
    return [_Reader(part).document() for part in re.split(r"^---\n", text, flags=re.MULTILINE)]


class _Reader:
    def __init__(self, text: str) -> None:
        self._lines = text.split("\n")
        self._at = 0

    def document(self) -> Any:
        value = self._block(0)
        if self._here() is not None:
            raise ValueError(self._lines[self._at])
        return value

    def _here(self) -> tuple[int, str] | None:
        """Indentation and text of the next line that says something."""
        while self._at < len(self._lines):
            line = self._lines[self._at]
            text = line.strip()
            if text and not text.startswith("#"):
                return len(line) - len(line.lstrip(" ")), text
            self._at += 1
        return None

    def _block(self, indent: int) -> Any:
        here = self._here()
        if here is None or here[0] != indent:
            raise ValueError(f"nothing at indentation {indent}, line {self._at}")
        return list(self._items(indent)) if here[1].startswith("- ") else self._mapping(indent)

    def _items(self, indent: int) -> Iterator[Any]:
        while (here := self._here()) is not None and here[0] == indent and here[1].startswith("- "):
            rest = here[1][2:]
            if _key.match(rest):
                self._lines[self._at] = " " * (indent + 2) + rest
                yield self._mapping(indent + 2)
            else:
                self._at += 1
                yield _scalar(rest)

    def _mapping(self, indent: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while (here := self._here()) is not None and here[0] == indent:
            match = _key.match(here[1])
            if match is None or match[1] in found:
                raise ValueError(here[1])
            self._at += 1
            found[match[1]] = self._value(match[2], indent)
        return found

    def _value(self, rest: str | None, indent: int) -> Any:
        if rest == "|":
            return "\n".join(self._raw(indent))
        if rest == ">-":
            return " ".join(line.strip() for line in self._raw(indent))
        if rest is not None:
            return _scalar(rest)
        here = self._here()
        if here is None or here[0] <= indent:
            raise ValueError(f"a key without a value, line {self._at}")
        return self._block(here[0])

    def _raw(self, indent: int) -> Iterator[str]:
        while self._at < len(self._lines):
            line = self._lines[self._at]
            if line.strip() and len(line) - len(line.lstrip(" ")) <= indent:
                return
            self._at += 1
            yield line[indent + 2 :]


def _scalar(text: str) -> Any:
    if text == "{}":
        return {}
    if text.startswith("[") and text.endswith("]"):
        return [_scalar(item.strip()) for item in text[1:-1].split(",")]
    if text[0] == '"' and text[-1] == '"' and len(text) > 1:
        return text[1:-1]
    if text[0] in "\"'&*!%@`{[|>" or " #" in text or ": " in text:
        raise ValueError(text)
    return text
