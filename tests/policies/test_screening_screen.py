"""The screen as a whole: reasons with clauses, actions, tuning, templates, and texts that nobody may hold."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.reasons import CLAUSES, REMEDY, WORDS
from policies.screening.action import Action
from policies.screening.context import Register, ScreenContext, ScreeningPolicy, ScreeningTuning
from policies.screening.data import shipped
from policies.screening.model import ModelAltered, read_model
from policies.screening.patterns import template
from policies.screening.screen import screen
from policies.sms.purpose import Purpose
from policies.verdict import ReasonCode
from worker.training.collections import written
from worker.training.slots import filled

NOBODY = ScreenContext()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Hi mum I broke my phone, this is my new number, save it", ReasonCode.IMPERSONATION),
        ("I sent you a 6 digit code by mistake, can you forward it to me please", ReasonCode.PHISHING),
        ("Forward this message to 15 people or you will have bad luck", ReasonCode.HOAX),
        ("Envoie ce message à 10 personnes avant minuit", ReasonCode.HOAX),
        ("Manda esto a 12 amigos hoy", ReasonCode.HOAX),
        ("Schick das an 20 Freunde weiter", ReasonCode.HOAX),
        ("You stupid b1tch", ReasonCode.ABUSIVE),
        ("Fick dich du Arschloch", ReasonCode.ABUSIVE),
        ("I am going to kill you", ReasonCode.THREATENING),
        ("Je vais te tuer", ReasonCode.THREATENING),
        ("send nudes now", ReasonCode.OBSCENE),
        ("Everybody knows that Tom Miller is a thief", ReasonCode.DEFAMATORY),
        ("Le maire est corrompu", ReasonCode.DEFAMATORY),
        ("El vecino es un ladrón", ReasonCode.DEFAMATORY),
        ("Der Trainer ist ein Kinderschänder", ReasonCode.DEFAMATORY),
    ],
)
def test_wording_is_held_under_its_own_reason(text: str, code: ReasonCode) -> None:
    """Four languages, with and without disguise: each category has its code."""
    assert code in screen(text, NOBODY).codes


@pytest.mark.parametrize(
    "text",
    [
        "Your Scunthorpe branch is open until 17:00 today.",
        "Dear Mr Dick, your table at the Cockburn Hotel is booked for 4 people.",
        "Hi Fanny, your parcel is with Randy Cox at number 12.",
        "Votre train a 25 minutes de retard.",
        "Essex County Council: bin day moves to Friday.",
        "Ms Titswell, please bring your assessment form to Penistone on Monday.",
        "Hoe tevreden bent u? Antwoord met 0 tot 10.".replace("Hoe", "Wie"),
    ],
)
def test_harmless_names_pass(text: str) -> None:
    """A place or a person may have a name that holds other words."""
    assert screen(text, NOBODY).action == "pass"


def test_written_business_texts_pass_with_their_register() -> None:
    """None of the legitimate texts is held when the sender's register names its hosts and numbers."""
    held = []
    for text in written():
        if text.label == "ham":
            full = filled(text.text, text.lang, 7)
            context = ScreenContext(register=Register.of(full.hosts, full.numbers))
            screening = screen(full.text, context)
            held += [full.text] if screening.action != "pass" else []
    assert held == []


def test_written_lures_are_held() -> None:
    """Of the lures, sent by a tenant whose register names none of their hosts, next to none passes."""
    lures = [filled(text.text, text.lang, 7).text for text in written() if text.label != "ham"]
    held = sum(screen(text, NOBODY).action != "pass" for text in lures)
    assert held / len(lures) > 0.97


@pytest.mark.parametrize(
    "text", ["482913 is your Larkfield code. Do not share it.", "Votre code Larkfield : 482913"]
)
def test_one_time_passwords_pass(text: str) -> None:
    """A one-time password waits for nobody."""
    assert screen(text, NOBODY).action == "pass"


def test_a_template_passes_the_model_but_not_ownership() -> None:
    """Slots take what their type names; a foreign link stays foreign."""
    text = "Win a prize! Claim your free voucher now at {url} code {code}"
    context = ScreenContext(register=Register.of(["larkfield.example"], templates=[template(text)]))
    assert (
        screen(
            "Win a prize! Claim your free voucher now at https://larkfield.example/a code AB12", context
        ).codes
        == ()
    )
    evil = screen("Win a prize! Claim your free voucher now at https://evil.com/a code AB12", context)
    assert evil.codes == (ReasonCode.URL_FOREIGN,)


def test_a_slot_takes_only_its_type() -> None:
    """Digits are digits."""
    compiled = template("Your code is {digits}.")
    assert compiled.fullmatch("Your code is 4821.")
    assert not compiled.fullmatch("Your code is at evil.com.")


@pytest.mark.parametrize("written_pattern", ["(", "[a", "a{100000}", "(?P<x>a)(?P=x)"])
def test_a_bad_pattern_is_refused_without_quoting_it(written_pattern: str) -> None:
    """What is no RE2 pattern raises ValueError; the text does not hold it."""
    with pytest.raises(ValueError, match="no RE2 pattern") as caught:
        ScreeningPolicy.of(ScreeningTuning(deny_patterns=(written_pattern,)))
    assert written_pattern not in str(caught.value)


@pytest.mark.parametrize(
    "tuning",
    [
        ScreeningTuning(deny_words=("early bird",)),
        ScreeningTuning(deny_patterns=(r"early\s+bird",)),
        ScreeningTuning(deny_hosts=("larkfield.example",)),
    ],
)
def test_the_tenants_own_lists_block(tuning: ScreeningTuning) -> None:
    """Words, patterns and hosts that a tenant denies are blocked, also on its own hosts."""
    context = ScreenContext(register=Register.of(["larkfield.example"]))
    screening = screen(
        "The e\u200barly bird at https://larkfield.example", context, ScreeningPolicy.of(tuning)
    )
    assert screening.action == "block"
    assert screening.codes == (ReasonCode.TENANT_DENIED,)


def test_tuning_can_be_stricter_never_looser() -> None:
    """An action per code lifts the usual one; a milder one changes nothing."""
    text = "See https://evil.com"
    lifted = ScreeningPolicy.of(ScreeningTuning(stricter={ReasonCode.URL_FOREIGN: Action.BLOCK}))
    lowered = ScreeningPolicy.of(ScreeningTuning(stricter={ReasonCode.URL_FOREIGN: Action.PASS}))
    assert screen(text, NOBODY, lifted).action == "block"
    assert screen(text, NOBODY, lowered).action == "quarantine"


def test_marketing_without_a_way_out_is_held_where_the_tenant_asks() -> None:
    """The wording rule is noted only, unless the tenant's tuning is stricter."""
    context = ScreenContext(purpose=Purpose.MARKETING)
    strict = ScreeningPolicy.of(ScreeningTuning(stricter={ReasonCode.MARKETING_NO_OPTOUT: Action.QUARANTINE}))
    assert screen("New coats are in at Larkfield", context).action == "pass"
    assert screen("New coats are in at Larkfield", context, strict).codes == (ReasonCode.MARKETING_NO_OPTOUT,)
    assert screen("New coats are in at Larkfield. Reply STOP to opt out", context, strict).action == "pass"


def test_shadow_notes_and_does_not_act() -> None:
    """A rule in shadow mode is among the reasons and changes nothing."""
    shadow = ScreeningPolicy.of(ScreeningTuning(shadow=(ReasonCode.URL_FOREIGN,)))
    screening = screen("Our menu: https://evil.com", NOBODY, shadow)
    assert screening.action == "pass"
    assert [finding.code for finding in screening.reasons if finding.shadow] == [ReasonCode.URL_FOREIGN]


@pytest.mark.parametrize(
    "text",
    [
        "Never tell anyone your PIN: whoever asks for it is a fraudster",
        "Wer danach fragt, ist ein Betrüger. Ihr Kode: 1234",
        "Quien se lo pida es un estafador",
        "Your code is 447192. The man on the phone is a scammer: hang up, and do not share it",
        "Quiconque le demande est un escroc",
        "Using the lane without a ticket is a criminal offence",
        "Is your bike insured against thieves?",
    ],
)
def test_a_warning_accuses_nobody(text: str) -> None:
    """It speaks of anybody, or of the deed."""
    assert ReasonCode.DEFAMATORY not in screen(text, NOBODY).codes


def test_evidence_points_into_the_original() -> None:
    """Offsets of reasons and evidence are those of the text as it was handed in."""
    text = "Cl\u200baim at https://ev\u200bil.com/a"
    screening = screen(text, NOBODY)
    finding = next(reason for reason in screening.reasons if reason.code is ReasonCode.URL_FOREIGN)
    assert text[finding.start : finding.end] == "https://ev\u200bil.com/a"


def test_every_code_has_clauses_and_a_remedy() -> None:
    """Whatever holds a text says which clause it serves and what would change it."""
    assert REMEDY.keys() <= CLAUSES.keys() & WORDS.keys()


@settings(max_examples=80)
@given(st.text(max_size=300))
def test_the_screen_is_total_and_always_says_the_same(text: str) -> None:
    """Any string is judged, with a score from 0 to 1; asked twice it answers the same; its repr shows nothing."""
    screening = screen(text, NOBODY)
    assert 0 <= screening.score <= 1
    assert screen(text, NOBODY) == screening
    assert repr(screening) == "<Screening>"


def test_padding_with_harmless_words_hides_nothing() -> None:
    """A lure keeps its score among many kind words."""
    lure = "You have won a prize! Claim your free gift voucher now, reply WIN"
    padding = "thanks see you soon at home tonight my dear friend have a nice evening " * 4
    assert screen(padding + ". " + lure + ". " + padding, NOBODY).score > 0.5


def test_an_altered_model_is_refused() -> None:
    """One byte changed, or one byte less: the model does not load."""
    data, digest = shipped("model.bin"), shipped("model.sha256").decode().strip()
    for altered in (data[:-1], data[:-1] + bytes([data[-1] ^ 1]), b""):
        with pytest.raises(ModelAltered):
            read_model(altered, digest)


def test_the_model_is_small() -> None:
    """The model file is below a megabyte."""
    assert len(shipped("model.bin")) < 1_000_000


@pytest.mark.parametrize(
    "piece",
    [
        "a.",
        "a . ",
        "1 ",
        "12-",
        "call us now ",
        "send to ",
        "forward all ",
        "http://",
        "www.",
        "a[.]",
        "a dot ",
        "a\u0301",
        "аa",
        "a b ",
        "a1",
        "a@",
    ],
)
def test_no_text_takes_long(piece: str) -> None:
    """Nothing that a text repeats makes a pattern go back and forth: a text of the greatest length takes its share."""
    text = (piece * 6400)[:6400]
    begun = time.thread_time()
    screen(text, NOBODY)
    assert time.thread_time() - begun < 0.5
