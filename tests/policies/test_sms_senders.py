"""Only senders of the tenant's register go out, to countries that take them, under names that are nobody else's."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.sms.countries import COUNTRIES, Registry, SenderKind
from policies.sms.names import GENERIC, PROTECTED, passes_for, skeleton
from policies.sms.recipients import objection
from policies.sms.senders import Authorisation, Evidence, Register, Registration, Sender, authorise
from policies.verdict import ReasonCode

NOW = 1_800_000_000_000_000
"""2027-01-15."""
DAY = 86_400_000_000
NEW_YORK, TORONTO, LONDON, BERLIN, SYDNEY = (
    "+12125550123",
    "+14165550123",
    "+442079460123",
    "+4930123456",
    "+61412345678",
)
DUBLIN, SINGAPORE, MADRID, TOKYO = "+353851234567", "+6591234567", "+34612345678", "+819012345678"
R = ReasonCode


def sender(address: str, kind: SenderKind, country: str, **more: object) -> Sender:
    """A sender with the evidence that every entry needs."""
    return Sender(
        address=address,
        kind=kind,
        owner="Harbour Clinic",
        evidence=Evidence.OWNED,
        reference="contract 12",
        country=country,
        **more,  # type: ignore[arg-type]
    )


def held(registry: Registry, valid_until: int | None = None) -> tuple[Registration, ...]:
    """One registration."""
    return (Registration(registry=registry, id="R-1", valid_until=valid_until),)


REGISTER = Register(
    brands=("Harbour Clinic",),
    others=frozenset({"Acme Bank", "Northwind"}),
    senders=(
        sender("+12025550143", SenderKind.DID, "US", registrations=held(Registry.TEN_DLC)),
        sender("+12025550144", SenderKind.DID, "US"),
        sender("+12025550145", SenderKind.DID, "US", registrations=held(Registry.TEN_DLC, NOW)),
        sender("+12025550146", SenderKind.DID, "US", registrations=held(Registry.TEN_DLC), inbound_only=True),
        sender("+12025550147", SenderKind.DID, "US", registrations=held(Registry.TEN_DLC), valid_until=NOW),
        sender(
            "+12025550148", SenderKind.DID, "US", registrations=held(Registry.TEN_DLC), valid_from=NOW + 1
        ),
        sender(
            "+18005550143",
            SenderKind.TOLL_FREE,
            "US",
            serves=("US", "CA"),
            registrations=held(Registry.TOLL_FREE_VERIFICATION),
        ),
        sender("12345", SenderKind.SHORT_CODE, "US"),
        sender("1234567", SenderKind.SHORT_CODE, "US"),
        sender("60123", SenderKind.SHORT_CODE, "DE"),
        sender("+442079460999", SenderKind.DID, "GB", serves=("GB", "JP")),
        sender(
            "HarbourClin",
            SenderKind.ALPHANUMERIC,
            "GB",
            serves=("GB", "US", "CA", "DE", "AU", "SG", "IE", "ES", "JP"),
        ),
        sender("Harbour", SenderKind.ALPHANUMERIC, "AU", registrations=held(Registry.ACMA)),
        sender("Alert", SenderKind.ALPHANUMERIC, "GB"),
        sender("HMRC Refund", SenderKind.ALPHANUMERIC, "GB"),
        sender("AcmeBank", SenderKind.ALPHANUMERIC, "GB"),
        sender("Northwind", SenderKind.ALPHANUMERIC, "SG", registrations=held(Registry.SSIR)),
    ),
)


@pytest.mark.parametrize(
    ("address", "recipient", "codes"),
    [
        ("+12025550143", NEW_YORK, ()),
        ("+12025550144", NEW_YORK, (R.SENDER_UNREGISTERED,)),
        ("+12025550145", NEW_YORK, (R.SENDER_UNREGISTERED,)),
        ("+12025550146", NEW_YORK, (R.SENDER_INBOUND_ONLY,)),
        ("+12025550147", NEW_YORK, (R.SENDER_NOT_VALID,)),
        ("+12025550148", NEW_YORK, (R.SENDER_NOT_VALID,)),
        ("+12025550143", TORONTO, (R.SENDER_COUNTRY,)),
        ("+18005550143", NEW_YORK, ()),
        ("+18005550143", TORONTO, ()),
        ("+18005550143", LONDON, (R.SENDER_COUNTRY,)),
        ("12345", NEW_YORK, ()),
        ("1234567", NEW_YORK, (R.SENDER_KIND,)),
        ("60123", BERLIN, (R.SENDER_KIND,)),
        ("+442079460999", TOKYO, ()),
        # Names: never to the United States or Canada, not where no row allows them, registered where one is kept.
        ("HarbourClin", LONDON, ()),
        ("HarbourClin", BERLIN, ()),
        ("HarbourClin", NEW_YORK, (R.SENDER_KIND,)),
        ("HarbourClin", TORONTO, (R.SENDER_KIND,)),
        ("HarbourClin", TOKYO, (R.SENDER_KIND,)),
        ("HarbourClin", SYDNEY, (R.SENDER_UNREGISTERED,)),
        ("HarbourClin", SINGAPORE, (R.SENDER_UNREGISTERED,)),
        ("HarbourClin", DUBLIN, (R.SENDER_UNREGISTERED,)),
        ("HarbourClin", MADRID, (R.SENDER_UNREGISTERED,)),
        ("Harbour", SYDNEY, ()),
        ("Harbour", LONDON, (R.SENDER_COUNTRY,)),
        # Words that are anybody's or somebody else's do not become the tenant's by standing in its register.
        ("Alert", LONDON, (R.SENDER_GENERIC,)),
        ("HMRC Refund", LONDON, (R.SENDER_PROTECTED,)),
        ("AcmeBank", LONDON, (R.SENDER_LOOKALIKE,)),
        ("Northwind", SINGAPORE, ()),
        # What is not in the register.
        ("+12025550199", NEW_YORK, (R.SENDER_UNKNOWN,)),
        ("99999", NEW_YORK, (R.SENDER_UNKNOWN,)),
        ("Tulip", LONDON, (R.SENDER_UNKNOWN,)),
        ("V3rify", LONDON, (R.SENDER_UNKNOWN, R.SENDER_GENERIC)),
        ("GOV.UK", LONDON, (R.SENDER_UNKNOWN, R.SENDER_PROTECTED)),
        ("Acme Alert", LONDON, (R.SENDER_UNKNOWN,)),
        ("AcmeBankSMS", LONDON, (R.SENDER_UNKNOWN, R.SENDER_LOOKALIKE)),
        ("N0rthwind", LONDON, (R.SENDER_UNKNOWN, R.SENDER_LOOKALIKE)),
        ("harbourclin", LONDON, (R.SENDER_UNKNOWN, R.SENDER_LOOKALIKE)),
        ("Harb0ur", LONDON, (R.SENDER_UNKNOWN, R.SENDER_LOOKALIKE)),
        ("Harbour C.", LONDON, (R.SENDER_UNKNOWN,)),
        ("Наrbour", LONDON, (R.SENDER_UNKNOWN, R.SENDER_MALFORMED, R.SENDER_LOOKALIKE)),
        ("12025550143", NEW_YORK, (R.SENDER_UNKNOWN, R.SENDER_MALFORMED)),
        ("+1 202 555 0143", NEW_YORK, (R.SENDER_UNKNOWN, R.SENDER_MALFORMED)),
        ("+12025550143\n", NEW_YORK, (R.SENDER_UNKNOWN, R.SENDER_MALFORMED)),
        ("", NEW_YORK, (R.SENDER_UNKNOWN, R.SENDER_MALFORMED)),
        ("TwelveLetter", LONDON, (R.SENDER_UNKNOWN, R.SENDER_MALFORMED)),
    ],
)
def test_authorise(address: str, recipient: str, codes: tuple[ReasonCode, ...]) -> None:
    """Every objection is named, in the order in which a register is mended."""
    found = authorise(address, recipient, REGISTER, NOW)
    assert found.codes == codes
    assert found.granted is (codes == ())


@pytest.mark.parametrize(
    ("recipient", "code"),
    [
        (NEW_YORK, None),
        (TOKYO, None),
        ("+19005550123", R.RECIPIENT_PREMIUM),
        ("+449098790123", R.RECIPIENT_PREMIUM),
        ("+33899123456", R.RECIPIENT_PREMIUM),
        ("911", R.RECIPIENT_EMERGENCY),
        ("112", R.RECIPIENT_EMERGENCY),
        ("+112", R.RECIPIENT_EMERGENCY),
        ("+1911", R.RECIPIENT_EMERGENCY),
        ("+44999", R.RECIPIENT_EMERGENCY),
        ("+4930", R.RECIPIENT_MALFORMED),
        ("2125550123", R.RECIPIENT_MALFORMED),
        ("+1 212 555 0123", R.RECIPIENT_MALFORMED),
        ("+12125550123\n", R.RECIPIENT_MALFORMED),
        ("+١٢١٢٥٥٥٠١٢٣", R.RECIPIENT_MALFORMED),
        ("Acme", R.RECIPIENT_MALFORMED),
        ("", R.RECIPIENT_MALFORMED),
        ("+10000000000", R.RECIPIENT_INVALID),
        ("+99912345678", R.RECIPIENT_INVALID),
        ("+447700900123", R.RECIPIENT_INVALID),
    ],
)
def test_recipients(recipient: str, code: ReasonCode | None) -> None:
    """Numbers that cost the recipient's caller, that save lives, or that are none."""
    assert objection(recipient) is code


_codes = st.sampled_from([one.address for one in REGISTER.senders]) | st.text(max_size=12)
_recipients = (
    st.sampled_from([NEW_YORK, LONDON, SYDNEY, TOKYO]) | st.text("+0123456789", max_size=16) | st.text()
)


@settings(max_examples=150, deadline=None)
@given(_codes, _recipients, st.integers(NOW - DAY, NOW + DAY))
def test_nothing_goes_out_under_a_sender_that_is_not_in_the_register(
    address: str, recipient: str, now: int
) -> None:
    """Whatever is asked: granted means that the very address stands there, and in force."""
    found = authorise(address, recipient, REGISTER, now)
    known = {one.address: one for one in REGISTER.senders}
    assert found.sender == known.get(address)
    assert authorise(address, recipient, Register(), now).granted is False
    if found.granted:
        entry = known[address]
        assert (entry.valid_from or now) <= now < (entry.valid_until or now + 1)
        assert not entry.inbound_only


_own = st.sampled_from(("Harbour", "HarbourClin", "AcmeBank", "Northwind", "HMRC"))
_disguise = st.sampled_from(
    (
        str.upper,
        str.swapcase,
        " ".join,
        "\u200b".join,
        lambda name: name.translate(str.maketrans("aeoc", "аеос")),
        lambda name: name.translate(str.maketrans("oei", "031")),
        lambda name: "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in name),
        lambda name: f"{name}-Info",
        lambda name: f"SMS {name}",
    )
)


@settings(max_examples=80)
@given(_own, _disguise, _disguise)
def test_a_name_in_disguise_passes_for_itself(name: str, first: object, second: object) -> None:
    """One disguise over another."""
    assert callable(first)
    assert callable(second)
    once = first(name)
    assert passes_for(once, name)
    assert passes_for(second(once) if "SMS" not in once and "Info" not in once else once, name)


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("Tulip", "Tulips"),
        ("Harbourside", "Harbour"),
        ("Christmas", "MAS"),
        ("Acme", "AcmeBank"),
        ("Acme", ""),
    ],
)
def test_names_that_are_merely_alike_are_different(name: str, other: str) -> None:
    """A longer name that holds a shorter one is another name, unless what is added is generic."""
    assert not passes_for(name, other)


def test_the_word_lists_are_what_they_say() -> None:
    """Of both kinds, and no word in both."""
    assert {skeleton(word) for word in ("Alert", "VERIFY", "1nfo")} <= GENERIC
    assert skeleton("HMRC") in PROTECTED
    assert not GENERIC & PROTECTED
    assert {"US", "CA", "GB", "IE", "SG", "AU"} <= COUNTRIES.keys()
    assert not COUNTRIES["US"].names


@pytest.mark.parametrize(
    "change",
    [
        {"address": "2025550143"},
        {"address": "+1202"},
        {"address": "+18005550143"},
        {"kind": "toll_free"},
        {"kind": "fax"},
        {"kind": "alphanumeric", "address": "123"},
        {"kind": "alphanumeric", "address": "TwelveLetter"},
        {"kind": "alphanumeric", "address": " Harbour"},
        {"kind": "short_code", "address": "12"},
        {"country": "us"},
        {"country": "GB"},
        {"serves": ["Germany"]},
        {"owner": " "},
        {"reference": ""},
        {"evidence": "hearsay"},
        {"valid_from": 2, "valid_until": 2},
        {"valid_until": "tomorrow"},
        {"registrations": [{"registry": "10dlc"}]},
        {"registrations": [{"registry": "made_up", "id": "SECRET-1"}]},
        {"colour": "SECRET-1"},
    ],
)
def test_an_entry_that_does_not_fit_is_refused_without_its_values(change: dict[str, object]) -> None:
    """The tenant file's loader tells where, and never what."""
    plain: dict[str, object] = {
        "address": "+12025550143",
        "kind": "did",
        "owner": "Harbour Clinic",
        "evidence": "owned",
        "reference": "contract 12",
        "country": "US",
    }
    assert msgspec.convert(plain, Sender).address == "+12025550143"
    with pytest.raises(msgspec.ValidationError) as refused:
        msgspec.convert(plain | change, Sender)
    assert "SECRET" not in str(refused.value)
    assert "+1202" not in str(refused.value)


def test_a_sender_stands_in_a_register_once() -> None:
    """Two entries could contradict each other."""
    one = sender("12345", SenderKind.SHORT_CODE, "US")
    with pytest.raises(ValueError, match="twice"):
        Register(senders=(one, one))


def test_nothing_of_a_register_shows() -> None:
    """Numbers, names and owners are outside values."""
    shown = repr((REGISTER, REGISTER.senders[0], held(Registry.SSIR), Authorisation(codes=())))
    assert "Harbour" not in shown
    assert "+1202" not in shown
