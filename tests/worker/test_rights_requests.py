"""Requests as they are handed in: both shapes, every way to be wrong, numbers in any spelling, days on which they are due."""

from __future__ import annotations

import json
from calendar import monthrange
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.rights.deadlines import DAY, HOUR, Deadlines, Source, Urgency, months_later, urgency_of
from worker.rights.errors import SENTENCES, RightsRefused
from worker.rights.multicloud import read_fields, read_multicloud
from worker.rights.phones import forms, international
from worker.rights.request import Right, read_document, read_request
from worker.store.rights import Kept

SUBJECT: Final = {"phoneNumbers": ["+12025550143"]}
WHOLE: Final[dict[str, Any]] = {
    "id": "11",
    "name": "a request",
    "createdBy": {"id": "22"},
    "createdDate": "2026-11-21T08:00:00Z",
    "status": "INITIATED",
    "requestType": "GDPR_UPDATE",
    "subject": {
        "name": "Zed Zander",
        "userId": "u",
        "externalContactId": "e",
        "dialerContactId": {"id": "d", "contactListId": "l"},
        "journeyCustomer": {"type": "cookie", "id": "j"},
        "socialHandle": {"type": "INSTAGRAM", "value": "zed"},
        "externalId": "x",
        "addresses": ["1 High Street"],
        "phoneNumbers": ["+12025550143"],
        "emailAddresses": ["zed@example.com"],
    },
    "replacementTerms": [{"type": "NAME", "existingValue": "Zed", "updatedValue": "Zoe"}],
    "resultsUrl": "https://example.com/r",
    "resultsUrls": [],
    "selfUri": "/api/v2/gdpr/requests/11",
}


def refused(document: Any) -> str:
    """The code with which a request is refused."""
    with pytest.raises(RightsRefused) as error:
        read_request(document)
    assert error.value.sentence.endswith(SENTENCES[error.value.code])
    return error.value.code


def test_the_whole_shape_is_read() -> None:
    """Every field of the three models."""
    request = read_request(WHOLE)
    assert request.request_type is Right.UPDATE
    assert request.subject.dialer_contact_id is not None
    assert [term.updated_value for term in request.terms] == ["Zoe"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"requestType": "GDPR_FORGET"}, "unknown_action"),
        ({"requestType": None}, "unknown_action"),
        ({"requestType": ...}, "unknown_action"),
        ({"requestType": ["GDPR_EXPORT"]}, "unknown_action"),
        ({"subject": ...}, "not_a_request"),
        ({"subject": {}}, "names_nobody"),
        ({"subject": {"name": "Zed"}}, "names_nobody"),
        ({"subject": {"emailAddresses": ["zed@example.com"]}}, "names_nobody"),
        ({"subject": {"phoneNumbers": []}}, "names_nobody"),
        ({"subject": {"phoneNumber": "+12025550143"}}, "not_a_request"),
        ({"subject": {"phoneNumbers": "+12025550143"}}, "not_a_request"),
        ({"subject": {"phoneNumbers": [12025550143]}}, "not_a_request"),
        ({"subject": {"socialHandle": {"type": "WHATSAPP", "value": "1"}}}, "not_a_request"),
        ({"subject": {"externalId": "  "}}, "bad_identifier"),
        ({"subject": {"externalId": "a\u202eb"}}, "bad_identifier"),
        ({"subject": {"externalId": "a" * 513}}, "bad_identifier"),
        ({"subject": {"phoneNumbers": ["+12025550143"] * 101}}, "bad_identifier"),
        ({"replacementTerms": []}, "no_terms"),
        ({"requestType": "GDPR_DELETE"}, "no_terms"),
        ({"replacementTerms": [{"type": "NAME", "existingValue": "A", "updatedValue": "A"}]}, "bad_term"),
        ({"unheard": 1}, "not_a_request"),
    ],
)
def test_what_is_wrong_is_refused(change: dict[str, Any], code: str) -> None:
    """With a code, a sentence, and nothing of what was handed in."""
    document = {key: value for key, value in {**WHOLE, **change}.items() if value is not ...}
    assert refused(document) == code


def test_contradicting_terms_are_refused() -> None:
    """One value cannot become two."""
    terms = [{"type": "NAME", "existingValue": "A", "updatedValue": after} for after in "BC"]
    assert refused({**WHOLE, "replacementTerms": terms}) == "bad_term"


def test_nothing_of_a_request_is_in_what_is_said_about_it() -> None:
    """Not in the sentence, the text or the representation, though a key may be the value."""
    with pytest.raises(RightsRefused) as error:
        read_request({"requestType": "GDPR_EXPORT", "subject": {"zed.zander": "+12025550143"}})
    assert "zed" not in f"{error.value.sentence}{error.value!r}{error.value.__cause__}"
    assert (
        "zed"
        not in repr(read_request({"requestType": "GDPR_EXPORT", "subject": {"externalId": "zed"}})).lower()
    )


@pytest.mark.parametrize("body", [b"", b"{", b"[1", b'{"a":1,"a":2}', b"\xff", b"NaN"])
def test_what_is_no_json(body: bytes) -> None:
    """Is no request; of two fields with one name nobody knows which counts."""
    with pytest.raises(RightsRefused):
        read_request(read_document(body))


# -- Multicloud ----------------------------------------------------------------------------------------------


def test_a_multicloud_file_is_made_into_requests() -> None:
    """Each action for each consumer; fields that nobody knows are left aside."""
    document = {
        "caseid": "00012345",
        "accountid": "7",
        "action": ["forget", "export"],
        "shortcodes": [],
        "consumers": [
            {"name": "Zed", "phone": "+12025550143", "email": ["z@example.com"], "fbid": 77112233, "odd": {}},
            {"PhoneNumber": ["+12025550188"], "action": "Forget Me"},
        ],
    }
    requests = read_multicloud(document, "acme")
    kinds = [one.request_type for one in requests]
    assert kinds == [Right.DELETE, Right.EXPORT, Right.DELETE]
    first, _, last = requests
    assert first.subject.phone_numbers == ("+12025550143",)
    assert first.subject.social_handle is not None
    assert first.subject.social_handle.value == "77112233"
    assert last.subject.phone_numbers == ("+12025550188",)


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ([], "not_a_request"),
        ({}, "unknown_action"),
        ({"action": "forget"}, "names_nobody"),
        ({"action": "anonymise", "phone": "+12025550143"}, "unknown_action"),
        ({"action": ["export", "sell"], "phone": "+12025550143"}, "unknown_action"),
        ({"action": 5, "phone": "+12025550143"}, "unknown_action"),
        ({"phone": "+12025550143"}, "unknown_action"),
        ({"action": "export", "consumers": ["+12025550143"]}, "not_a_request"),
        ({"action": "export", "phone": {"a": 1}}, "bad_identifier"),
        ({"action": "export", "tenant": "globex", "phone": "+12025550143"}, "other_tenant"),
    ],
)
def test_a_multicloud_file_is_tolerated_but_for_its_actions(document: Any, code: str) -> None:
    """Whatever it asks that nobody knows is refused, and so is all of the file."""
    with pytest.raises(RightsRefused) as error:
        read_multicloud(document, "acme")
    assert error.value.code == code


def test_fields_may_be_called_otherwise() -> None:
    """By a table of one's own; what it does not say stays."""
    fields = read_fields('phone = ["rufnummer"]\nactions = ["was"]')
    [request] = read_multicloud({"was": "export", "rufnummer": "+12025550143", "name": "Z"}, "acme", fields)
    assert (request.subject.phone_numbers, request.subject.name) == (("+12025550143",), "Z")
    for wrong in ("phone = 1", "fone = ['x']", "not toml"):
        with pytest.raises(RightsRefused):
            read_fields(wrong)


# -- numbers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "region"),
    [
        ("+12025550143", None),
        ("+1 (202) 555-0143", None),
        ("tel:+1-202-555-0143", None),
        ("whatsapp:+12025550143", None),
        ("001 202 555 0143", None),
        ("\uff0b1 202 555 0143", None),
        ("(202) 555-0143", "US"),
        ("202.555.0143", "CA"),
    ],
)
def test_a_number_in_any_spelling(given: str, region: str | None) -> None:
    """Is the same number."""
    assert international(given, region) == "+12025550143"


@pytest.mark.parametrize("given", ["", "12025550143", "2025550143", "call me", "+", "+999"])
def test_a_number_without_a_country_is_not_guessed(given: str) -> None:
    """The digits of one country's number are those of another's."""
    with pytest.raises(RightsRefused, match="country"):
        international(given)


@pytest.mark.parametrize(
    ("number", "also"),
    [
        ("+525512345678", "5215512345678"),
        ("+5215512345678", "525512345678"),
        ("+5491123456789", "541123456789"),
        ("+5511987654321", "551187654321"),
        ("+551187654321", "5511987654321"),
    ],
)
def test_older_plans_are_known(number: str, also: str) -> None:
    """WhatsApp still calls people by the number that they had before their country changed its plan."""
    assert {also, f"+{also}", number, number[1:]} <= set(forms(number))


def test_a_landline_is_nobody_s_mobile() -> None:
    """In Brazil only mobile numbers got a ninth digit."""
    assert forms("+551133334444") == ["+551133334444", "551133334444"]


# -- deadlines -----------------------------------------------------------------------------------------------


def instant(text: str) -> int:
    """Microseconds."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000


@pytest.mark.parametrize(
    ("received", "due"),
    [
        ("2026-11-21T08:00:00", "2026-12-21T08:00:00"),
        ("2026-01-31T23:59:59", "2026-02-28T23:59:59"),
        ("2028-01-31T00:00:00", "2028-02-29T00:00:00"),
        ("2026-12-31T12:00:00", "2027-01-31T12:00:00"),
        ("2026-03-31T12:00:00", "2026-04-30T12:00:00"),
    ],
)
def test_a_month_is_a_calendar_month(received: str, due: str) -> None:
    """To the same day, or to the month's last."""
    assert Deadlines().due(Source.PERSON, instant(received)) == instant(due)


@given(st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1)), st.integers(0, 36))  # noqa: DTZ001 - UTC below
def test_a_month_later_is_never_more_days_away_than_months_have(at: datetime, months: int) -> None:
    """At the same time of day, in the right month, on its last day or the same one."""
    start = int(at.replace(tzinfo=UTC, microsecond=0).timestamp()) * 1_000_000 + at.microsecond
    later = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=months_later(start, months))
    assert (later.year * 12 + later.month) - (at.year * 12 + at.month) == months
    assert later.time() == at.time()
    assert later.day in {at.day, monthrange(later.year, later.month)[1]}
    assert later.day <= at.day


def kept(received: int, deadlines: Deadlines, source: Source = Source.PERSON, **more: Any) -> Kept:
    """A request."""
    values = {"status": "DELETING", "step": "contents", "completed_at": None, **more}
    due_at = deadlines.due(source, received)
    return Kept(
        id=b"", kind="GDPR_DELETE", source=source, received_at=received, due_at=due_at, sealed=b"", **values
    )


def test_a_warning_comes_before_the_day_and_an_error_after_it() -> None:
    """A week before a month is over, twelve hours before a day is; what is done or held is no delay."""
    deadlines, start = Deadlines(), instant("2026-11-21T08:00:00")
    month, x = kept(start, deadlines), kept(start, deadlines, Source.X)
    told = [urgency_of(month, month.due_at + at, deadlines) for at in (-8 * DAY, -7 * DAY, 0, 1)]
    assert told == [None, Urgency.DUE_SOON, Urgency.DUE_SOON, Urgency.OVERDUE]
    told = [urgency_of(x, start + at, deadlines) for at in (11 * HOUR, 12 * HOUR, 24 * HOUR, 24 * HOUR + 1)]
    assert told == [None, Urgency.DUE_SOON, Urgency.DUE_SOON, Urgency.OVERDUE]
    for status, step in (("COMPLETED", "done"), ("FINALIZING", "held")):
        still = kept(start, deadlines, status=status, step=step)
        assert urgency_of(still, start + 400 * DAY, deadlines) is None


def test_every_sentence_says_what_to_do_without_a_value() -> None:
    """They are sentences."""
    assert all(text.endswith(".") and json.dumps(text) for text in SENTENCES.values())
