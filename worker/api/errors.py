"""What is wrong with a request, in closed tables: a field, a code, a sentence. Nothing that was sent is repeated."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from pydantic import ValidationError

from worker.api.models import LONGEST_NAME, LONGEST_TEXT, MOST_MESSAGES, Message, Problem, Wrong
from worker.rights.errors import SENTENCES as RIGHTS

SENTENCES: Final[Mapping[str, str]] = {
    "missing": "This field is needed.",
    "unknown_field": f"A field that is not known here; known are: {', '.join(Message.model_fields)}.",
    "wrong_type": "A value of another type is expected: nothing is converted.",
    "not_a_choice": "Not one of the words for it: a purpose is transactional, marketing or conversational, a consent is granted"
    " or withdrawn; openapi.json has them all.",
    "empty": "Nothing, or nothing but spaces, stands here.",
    "too_long": f"At most {LONGEST_TEXT} characters in a text, {LONGEST_NAME} in a name, 32 in an address.",
    "too_many": f"At most {MOST_MESSAGES} messages in one call.",
    "control_character": "A control character stands in it (a text may have line breaks and tabs).",
    "lone_surrogate": "Half of a character stands in it: it cannot be written in any encoding.",
    "outer_space": "A space stands at its beginning or end.",
    "not_a_number": "A number in E.164 is expected: a plus sign, the country's code, at most fifteen digits.",
    "not_a_time": "A moment such as 2026-11-21T08:00:00Z is expected (RFC 3339).",
    "no_offset": "A moment without an offset could be any of two dozen: write Z or +01:00 behind it.",
    "before_send_after": "It has to be later than send_after.",
    "too_late": "This moment has passed.",
    "unknown_zone": "A name of the time zone database is expected, such as America/Denver.",
    "not_a_place": "A country or state in ISO 3166 is expected, such as US or US-CO.",
    "not_json": "The body is not JSON in UTF-8.",
    "too_many_values": "More values stand in it than a thousand texts have.",
    "duplicate_field": "A field stands twice in one object.",
    "not_a_category": "Small letters, digits and underscores, 64 at most; of what is sensitive only the words that there are.",
    "unknown_connector": "The tenant has no such connector.",
    "unknown_account": "The connector has no such account.",
    "lies_ahead": "This moment lies in the future.",
    "conflict": "The client_reference stands for another text already.",
    "unauthorized": "No key, or none that is in force: send it as Authorization: Bearer.",
    "forbidden": "The key has not the scope that this needs.",
    "not_found": "There is no such thing, or it is not this key's.",
    "method": "Not this method.",
    "too_large": "The body is too large.",
    "media_type": "Send application/json, in UTF-8 and without content-encoding.",
    "out_of_service": "The sender's provider account is out of service: come back later.",
    "busy": "Come back later.",
    **RIGHTS,
}
"""Every code there is."""

_CODES: Final[Mapping[str, str]] = {
    "missing": "missing",
    "extra_forbidden": "unknown_field",
    "literal_error": "not_a_choice",
    "string_unicode": "lone_surrogate",
    "string_too_short": "empty",
    "string_too_long": "too_long",
    "too_short": "empty",
    "too_long": "too_many",
}
_FIELDS: Final = frozenset(
    {*Message.model_fields, "messages", "consents", "connector", "account", "person", "kind", "value"}
    | {"category", "consent", "given_at"}
)
_UNNAMED: Final = "(unknown)"


def problem(code: str, field: str = "") -> Problem:
    """The problem with its sentence."""
    return Problem(field=field, code=code, sentence=SENTENCES[code])


def problems(error: ValidationError) -> list[Problem]:
    """Every error of a body, once; the name of a field that is not ours is not repeated either: keys can be data."""
    told = error.errors(include_url=False, include_input=False)
    found = (_problem(one["type"], one["loc"], one.get("ctx", {}).get("error")) for one in told)
    return list({(one.field, one.code): one for one in found}.values())


def _problem(type_: str, place: Iterable[Any], wrong: object) -> Problem:
    code = wrong.code if isinstance(wrong, Wrong) else _CODES.get(type_, "wrong_type")
    if code == "before_send_after":
        return problem(code, "do_not_send_after")
    if code == "unknown_field":
        return problem(code, _UNNAMED)
    return problem(code, ".".join(str(part) for part in place if part in _FIELDS))
