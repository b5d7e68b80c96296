"""The programming interface over real HTTP: who may call, what a body has to be, what is answered and what never is."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from tests.databases import Databases, Provisioner
from tests.flows.harness import in_threads
from tests.worker.api_bodies import BAD, NOT_JSON
from tests.worker.api_house import PLAIN, RECIPIENT, UNCONNECTED, House, Running, bearer, plain
from worker.acts import Operator, told
from worker.api import app
from worker.api.access import REVOKED, revoke
from worker.api.errors import SENTENCES
from worker.api.keys import KeyScope, fresh_key, presented
from worker.api.openapi import DOCUMENT
from worker.api.reading import MOST_BYTES
from worker.log.lines import ApiLine, DecisionLine, FaultLine
from worker.runtime import wall_clock
from worker.sms.outbound import Outbound
from worker.store import decisions, outbox

ROOT: Final = Path(__file__).parents[2]
LURE: Final = "Your account is locked, verify your password at https://bit.ly/3xYz now"


@pytest.fixture
def house(tmp_path: Path, databases: Databases) -> House:
    """On both engines."""
    return House(tmp_path, databases)


@pytest.fixture
def small(tmp_path: Path, sqlite: Databases) -> House:
    """On SQLite alone: what does not depend on the engine."""
    return House(tmp_path, sqlite)


@pytest.fixture(scope="module")
def worker(
    tmp_path_factory: pytest.TempPathFactory, provisioner: Provisioner
) -> Iterator[tuple[Running, str]]:
    """A worker for all tests of bad input, and a key."""
    with (
        provisioner.lent("sqlite") as databases,
        House(tmp_path_factory.mktemp("house"), databases).running() as running,
    ):
        yield running, running.key()


def errors(answer: httpx.Response) -> list[tuple[str, str]]:
    """Field and code of each error; each has its sentence."""
    found = answer.json()["errors"]
    assert all(
        set(one) == {"field", "code", "sentence"} and one["sentence"] == SENTENCES[one["code"]]
        for one in found
    )
    return [(one["field"], one["code"]) for one in found]


# --- handing in -------------------------------------------------------------------------------------------------------------


def test_a_text_goes_all_the_way(house: House) -> None:
    """Handed in, sent, and found again with its state; one line each for the call and the decision."""
    with house.running() as running:
        key = running.key("acme", KeyScope.SEND, KeyScope.READ)
        answer = running.post(plain(submitter="Jane Roe"), key)
        assert answer.status_code == 202
        told_ = answer.json()
        assert (told_["verdict"], told_["reasons"], told_["until"]) == ("accepted", [], None)
        assert told_["encoding"] == {"alphabet": "gsm7", "units": 42, "parts": 1}
        deadline = time.monotonic() + 20
        while running.look(told_["id"], key).json()["state"] != "sent":
            assert time.monotonic() < deadline
            time.sleep(0.02)
        found = running.look(told_["id"], key).json()
        assert found == {
            **told_,
            "state": "sent",
            "status": "sent",
            "failure": None,
            "review": None,
            "submitted_at": found["submitted_at"],
        }
    assert [json.loads(shown)["text"] for shown in house.shown] == [PLAIN["text"]]
    (line,) = [line for line in house.log.of(ApiLine) if line.call == "submit"]
    assert (line.tenant, line.status, line.why, line.texts) == ("acme", 202, "", 1)
    assert house.log.of(DecisionLine)[0].disposition == "queued"


def test_verdicts_are_answered_202(small: House) -> None:
    """A policy's answer is no refusal of the call."""
    with small.running() as running:
        key = running.key()
        for other, verdict, code in (
            ({"sender": "+12025550199"}, "refused", "sender_unknown"),
            ({"recipient": "911"}, "refused", "recipient_emergency"),
            ({"recipient": "+19005550123"}, "refused", "recipient_premium"),
            ({"text": LURE}, "quarantined", "shortener"),
        ):
            answer = running.post(plain(**other), key)
            assert (answer.status_code, answer.json()["verdict"]) == (202, verdict)
            reasons = {reason["code"]: reason for reason in answer.json()["reasons"]}
            assert reasons[code]["clauses"]
            assert reasons[code]["sentence"]


def test_a_later_time_is_named_in_the_answer(small: House) -> None:
    """As a moment in UTC, whatever offset it was asked for in."""
    with small.running() as running:
        answer = running.post(plain(send_after="2099-11-21T09:30:00+01:00"), running.key()).json()
        assert (answer["verdict"], answer["until"]) == ("delayed", "2099-11-21T08:30:00Z")


def test_several_have_a_result_each(small: House) -> None:
    """What is wrong with one costs the others nothing; the order is theirs."""
    with small.running() as running:
        key = running.key()
        messages = [
            plain(client_reference="r"),
            plain(text=""),
            plain(text="Something else.", client_reference="r"),
            plain(sender=UNCONNECTED),
            plain(text=LURE),
            "no object",
        ]
        answer = running.post({"messages": messages}, key)
        assert answer.status_code == 202
        results = answer.json()["results"]
        assert [one["status"] for one in results] == [202, 422, 409, 503, 202, 422]
        assert [one["result"] and one["result"]["verdict"] for one in results] == [
            "accepted",
            None,
            None,
            None,
            "quarantined",
            None,
        ]
        assert [[(e["field"], e["code"]) for e in one["errors"]] for one in results] == [
            [], [("text", "empty")], [("client_reference", "conflict")], [("sender", "out_of_service")], [], [("", "wrong_type")],
        ]  # fmt: skip


def test_a_thousand_at_once(small: House) -> None:
    """And not one more."""
    with small.running() as running:
        key = running.key()
        texts = [plain(text="", recipient=RECIPIENT)] * 999 + [plain()]
        answer = running.post({"messages": texts}, key)
        assert answer.status_code == 202
        assert len(answer.json()["results"]) == 1000
        more = running.post({"messages": [*texts, plain()]}, key)
        assert (more.status_code, errors(more)) == (422, [("messages", "too_many")])


def test_the_same_call_gets_the_same_answer(house: House) -> None:
    """Byte for byte, also after a restart; another body gets 409 and says nothing of the first."""
    with house.running() as running:
        key = running.key()
        first = running.post(plain(client_reference="booking-4711"), key)
        assert running.post(plain(client_reference="booking-4711"), key).content == first.content
        other = running.post(plain(text="Another text.", client_reference="booking-4711"), key)
        assert (other.status_code, errors(other)) == (409, [("client_reference", "conflict")])
    with house.running() as running:
        assert running.post(plain(client_reference="booking-4711"), key).content == first.content


def test_the_same_call_at_once_makes_one_text(house: House) -> None:
    """On many connections."""
    with house.running() as running:
        key = running.key()
        answers = in_threads(*[lambda: running.post(plain(client_reference="r"), key)] * 8)
        assert {answer.status_code for answer in answers} == {202}
        assert len({answer.content for answer in answers}) == 1
        with running.runtime.opened.store.reading() as tx:
            assert tx.execute(select(func.count()).select_from(outbox.outbox)).scalar_one() == 1


def test_a_sender_out_of_service_is_asked_for_again(small: House) -> None:
    """503 and when to come back; nothing is remembered, so the same call works later."""
    with small.running() as running:
        answer = running.post(plain(sender=UNCONNECTED, client_reference="r"), running.key())
        assert (answer.status_code, errors(answer)) == (503, [("sender", "out_of_service")])
        assert int(answer.headers["retry-after"]) > 0


# --- who may ----------------------------------------------------------------------------------------------------------------


def test_without_a_key_nobody_learns_anything(small: House) -> None:
    """The same answer whatever is wrong with it, for tenants that are there and that are not."""
    with small.running() as running:
        key = running.key()
        parts = key.split("_", 3)
        wrong = [
            "",
            "Bearer",
            "Bearer x",
            "Bearer sg_acme",
            "Basic " + key,
            key,
            "Bearer " + key[:-1],
            "Bearer " + key + "A",
            "Bearer " + key.replace("sg_", "xx_"),
            "Bearer " + key.replace("acme", "globex"),
            "Bearer " + key.replace("acme", "nobody"),
            "Bearer " + "_".join([*parts[:2], "0000000000", parts[3]]),
            "Bearer " + fresh_key("acme").text,
            "Bearer sg_acme_" + "x" * 5000,
            "Bearer sg___",
            "Bearer sg_ácme_é_ü",
        ]
        answers = [
            running.client.request(
                method,
                f"/v1/tenants/{tenant}/sms{rest}",
                headers={b"authorization": one.encode("latin-1")} if one else {},
            )
            for one in wrong
            for tenant in ("acme", "globex", "nobody")
            for method, rest in (("POST", ""), ("GET", "/" + "0" * 32))
        ]
        assert {answer.status_code for answer in answers} == {401}
        assert {answer.headers["www-authenticate"] for answer in answers} == {"Bearer"}
        assert len({answer.content for answer in answers}) == 1
        assert {(line.tenant, line.key) for line in small.log.of(ApiLine)} == {("", "")}


def test_another_tenant_is_not_there(small: House) -> None:
    """A valid key on another tenant's path gets what a path to nobody gets, and so does an id of somebody else's."""
    with small.running() as running:
        acme, globex = (running.key(tenant, KeyScope.SEND, KeyScope.READ) for tenant in ("acme", "globex"))
        id_ = running.post(plain(), acme).json()["id"]
        answers = [
            running.post(plain(), acme, "globex"),
            running.post(plain(), acme, "nobody"),
            running.look(id_, acme, "globex"),
            running.look(id_, globex, "globex"),
            running.look("0" * 32, acme),
            running.look("not-an-id", acme),
        ]
        assert {answer.status_code for answer in answers} == {404}
        assert len({answer.content for answer in answers}) == 1


@pytest.mark.parametrize("scope", KeyScope)
def test_a_key_is_good_for_its_scopes(small: House, scope: KeyScope) -> None:
    """Handing in needs send; looking needs send, read or review."""
    with small.running() as running:
        id_ = running.post(plain(), running.key()).json()["id"]
        key = running.key("acme", scope)
        assert running.post(plain(), key).status_code == (202 if scope is KeyScope.SEND else 403)
        looked = running.look(id_, key)
        assert looked.status_code == (403 if scope is KeyScope.RIGHTS else 200)
        assert looked.status_code == 200 or errors(looked) == [("", "forbidden")]


def test_a_revoked_key_is_refused_at_once_by_everybody(house: House, tmp_path: Path) -> None:
    """No replica remembers it. Who made and revoked it stands on the record and in the chain."""
    if house.settings.database_url.get_secret_value().startswith("sqlite"):
        replicas = [house]
    else:
        beside = House.__new__(House)
        beside.__dict__ |= house.__dict__
        replicas = [house, beside]
    with replicas[0].running() as one, replicas[-1].running() if len(replicas) > 1 else _same(one) as other:
        key = one.key()
        assert [each.post(plain(), key).status_code for each in (one, other)] == [202, 202]
        opened = one.runtime.opened
        revoke(
            opened.store,
            opened.keyring,
            "acme",
            presented(f"Bearer {key}").prefix,
            operator=Operator(name="Ann", why="lost"),
            now=wall_clock(),
        )
        assert [each.post(plain(), key).status_code for each in (one, other)] == [401, 401]
        with opened.store.reading() as tx:
            acts = told(tx, opened.keyring, "acme")
            assert acts[-1].action == REVOKED
            assert acts[-1].about == presented(f"Bearer {key}").prefix
            assert acts[-1].operator == Operator(name="Ann", why="lost")
            assert decisions.verify(tx, "acme") is None


class _same:  # noqa: N801 - stands for a context manager
    """The worker that runs already."""

    def __init__(self, running: Running) -> None:
        self._running = running

    def __enter__(self) -> Running:
        return self._running

    def __exit__(self, *_: object) -> None:
        return


def test_score_and_evidence_are_for_reviewers(small: House) -> None:
    """Who hands in learns codes, in the verdict as in what is found later."""
    with small.running() as running:
        sends, reviews = running.key("acme", KeyScope.SEND), running.key("acme", KeyScope.REVIEW)
        id_ = running.post(plain(text=LURE), sends).json()["id"]
        assert running.look(id_, sends).json()["review"] is None
        assert running.look(id_, sends).json()["state"] == "waiting"
        review = running.look(id_, reviews).json()["review"]
        assert 0 < review["score"] <= 1
        assert review["evidence"]
        assert review["remedies"]


def test_what_is_stored_of_a_key_does_not_open(small: House) -> None:
    """The secret is in no table; 256 bits of it."""
    text = fresh_key("acme").text
    assert len(text.split("_", 3)[3]) >= 43
    with small.running() as running:
        key = running.key()
        secret = key.split("_", 3)[3]
    stored = b"".join(path.read_bytes() for path in small.directory.rglob("*") if path.is_file())
    assert secret.encode() not in stored


def test_a_tenant_out_of_service_asks_to_come_again(small: House) -> None:
    """A key says whose it is; its tenant's file is broken: 503."""
    with small.running() as running:
        key = running.key()
    (small.directory / "tenants" / "acme.toml").write_text("broken =")
    with small.running() as running:
        assert running.post(plain(), key).status_code == 503
    (small.directory / "tenants" / "acme.toml").unlink()
    with small.running() as running:
        assert running.post(plain(), key).status_code == 404


# --- what a body has to be --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "expected"), [row[1:] for row in BAD], ids=[f"{n} {row[0]!a}" for n, row in enumerate(BAD)]
)
def test_bad_input_is_told_by_field_and_code(
    worker: tuple[Running, str], body: Any, expected: list[tuple[str, str]]
) -> None:
    """422, every error at once, no value repeated, nothing written."""
    running, key = worker
    before = _count(running)
    answer = running.raw(json.dumps(body).encode(), key)
    assert (answer.status_code, errors(answer)) == (422, expected)
    assert "secret_field_name" not in answer.text
    assert _count(running) == before


def _count(running: Running) -> int:
    with running.runtime.opened.store.reading() as tx:
        return decisions.end_of(tx, "acme")[0]


@pytest.mark.parametrize("body", NOT_JSON.values(), ids=NOT_JSON)
def test_what_is_no_json_is_told_so(worker: tuple[Running, str], body: bytes) -> None:
    """Without a word of it."""
    running, key = worker
    answer = running.raw(body, key)
    assert (answer.status_code, errors(answer)) == (422, [("", "not_json")])


def test_a_field_that_stands_twice_is_ambiguous(worker: tuple[Running, str]) -> None:
    """Readers disagree which of the two counts."""
    running, key = worker
    body = json.dumps(PLAIN)[:-1] + ', "text": "another"}'
    answer = running.raw(body.encode(), key)
    assert (answer.status_code, errors(answer)) == (422, [("", "duplicate_field")])


@pytest.mark.parametrize(
    "headers",
    [
        {"content_type": "text/plain"},
        {"content_type": "application/x-www-form-urlencoded"},
        {"content_type": "application/json; charset=utf-16"},
        {"content_type": "application/json", "content_encoding": "gzip"},
        {"content_type": ""},
    ],
)
def test_another_kind_of_body_is_refused(worker: tuple[Running, str], headers: dict[str, str]) -> None:
    """415, before anything of it is read."""
    running, key = worker
    answer = running.raw(json.dumps(PLAIN).encode(), key, **headers)
    assert (answer.status_code, errors(answer)) == (415, [("", "media_type")])


@pytest.mark.parametrize(
    "kind", ["application/json", "application/json; charset=utf-8", 'Application/JSON;charset="UTF-8"']
)
def test_json_may_say_its_charset(worker: tuple[Running, str], kind: str) -> None:
    """UTF-8 is what it is anyway."""
    running, key = worker
    assert running.raw(json.dumps(plain(text="")).encode(), key, content_type=kind).status_code == 422


def test_a_body_has_a_bound(worker: tuple[Running, str]) -> None:
    """Whether it says how long it is or not; room for a thousand texts of the greatest length is within."""
    running, key = worker
    body = b" " * (MOST_BYTES + 1)
    assert running.raw(body, key).status_code == 413

    def chunks() -> Iterator[bytes]:
        yield from itertools.repeat(b" " * 65_536, MOST_BYTES // 65_536 + 2)

    headers = {"content-type": "application/json", **bearer(key)}
    try:
        answer = running.client.post("/v1/tenants/acme/sms", content=chunks(), headers=headers)
        assert answer.status_code == 413
    except httpx.WriteError:
        pass  # hung up on while it was still talking
    longest = {"messages": [plain(text="😀" * 1600, client_reference="😀" * 128)] * 1000}
    assert len(json.dumps(longest["messages"][0])) * 500 < MOST_BYTES
    assert len(json.dumps(longest, ensure_ascii=False).encode()) < MOST_BYTES


@pytest.mark.parametrize(
    "text",
    ["a", "x" * 1600, "😀" * 1600, "tab\tand\r\nlines\n", "مرحبا \u200f", "\f", "a\u200db", " spaces "],
)
def test_what_may_be_said(worker: tuple[Running, str], text: str) -> None:
    """One character to 1600, in every script, with lines and tabs."""
    running, key = worker
    expected = 422 if not text.strip() else 202
    assert running.post(plain(text=text), key).status_code == expected


# --- what goes wrong --------------------------------------------------------------------------------------------------------


def test_a_store_that_fails_is_a_503(small: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """With when to come back; the fault is logged without a word of what was being said."""
    with small.running() as running:
        key = running.key()

        def fail(*_: object) -> None:
            raise OperationalError("INSERT secret-statement", ["secret-value"], Exception("secret-cause"))

        with monkeypatch.context() as broken:
            broken.setattr(Outbound, "submit", fail)
            answer = running.post(plain(), key)
        assert (answer.status_code, errors(answer)) == (503, [("", "busy")])
        assert int(answer.headers["retry-after"]) > 0
        assert running.post(plain(), key).status_code == 202
    (fault,) = small.log.of(FaultLine)
    assert "secret" not in repr(fault)


def test_calls_have_a_bound_and_probes_go_on(small: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too many at one time are told to come back, while liveness and metrics answer."""
    monkeypatch.setattr(app, "MOST_CALLS", 2)
    with small.running() as running:
        key = running.key()
        original = Outbound.submit

        def slow(*arguments: Any) -> Any:
            time.sleep(0.5)
            return original(*arguments)

        monkeypatch.setattr(Outbound, "submit", slow)

        def probe() -> httpx.Response:
            time.sleep(0.2)
            return running.client.get("/livez")

        answers = in_threads(*[lambda: running.post(plain(), key)] * 6, probe)
        statuses = [answer.status_code for answer in answers]
        assert statuses[-1] == 200
        assert answers[-1].elapsed.total_seconds() < 0.3
        assert set(statuses[:-1]) == {202, 503}
        assert running.post(plain(), key).status_code == 202


def test_while_draining_nothing_is_taken(small: House) -> None:
    """503: another replica will."""
    with small.running() as running:
        key = running.key()
        running.runtime._draining = True
        assert running.post(plain(), key).status_code == 503
        running.runtime._draining = False


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/tenants/acme/sms"),
        ("DELETE", "/v1/tenants/acme/sms"),
        ("POST", "/v1/tenants/acme/sms/x"),
        ("GET", "/v1"),
        ("GET", "/v1/tenants/<script>/x"),
    ],
)
def test_nothing_is_reflected(worker: tuple[Running, str], method: str, path: str) -> None:
    """Paths and methods that are not there."""
    running, key = worker
    answer = running.client.request(method, path, headers=bearer(key))
    assert answer.status_code in {404, 405}
    assert "script" not in answer.text


def test_no_answer_and_no_line_repeats_what_was_sent(small: House) -> None:
    """Text, numbers, names, references and the key: in no line and no answer, whatever became of the call."""
    secrets = {
        "text": "Zanzibar pudding at eight",
        "recipient": "+12025550177",
        "submitter": "Jane Quixote",
        "campaign": "campaign-xylophone",
        "client_reference": "reference-marimba",
    }
    with small.running() as running:
        key = running.key("acme", KeyScope.SEND, KeyScope.READ)
        answers = [
            running.post(plain(**secrets, **other), key)
            for other in ({}, {"sender": "Xanadu"}, {"odd": "Quagmire"}, {"purpose": "Quagmire"})
        ]
        answers.append(running.post(plain(**{**secrets, "text": "Quagmire"}), key))
        answers.append(running.look(answers[0].json()["id"], key))
        answers.append(running.client.get("/status"))
        answers.append(running.client.get("/metrics"))
    said = "".join(map(repr, small.log.lines)) + "".join(
        str(answer.headers) + answer.text for answer in answers
    )
    for one in (*secrets.values(), "Xanadu", "Quagmire", key.split("_", 3)[3]):
        assert one not in said
        assert one.lstrip("+") not in said


# --- the document -----------------------------------------------------------------------------------------------------------


def test_the_document_is_served_as_it_is_checked_in(worker: tuple[Running, str]) -> None:
    """``docs/openapi.json`` is made of the models; stale, it fails here. Nobody needs a key to read it."""
    running, _ = worker
    assert running.client.get("/openapi.json").content == DOCUMENT
    assert (ROOT / "docs/openapi.json").read_bytes() == DOCUMENT


def test_the_document_says_what_is_there() -> None:
    """Every reference leads somewhere, every path and status of the tests above is in it."""
    document = json.loads(DOCUMENT)
    schemas = document["components"]["schemas"]
    references = {one.rpartition("/")[2] for one in _references(document)}
    assert references <= schemas.keys()
    sms, rights = "/v1/tenants/{tenant}/sms", "/v1/tenants/{tenant}/rights"
    assert set(document["paths"]) == {
        *(sms, f"{sms}/{{id}}"),
        *(rights, f"{rights}/{{id}}", f"{rights}/{{id}}/export", "/v1/tenants/{tenant}/consents"),
    }
    statuses = set(document["paths"]["/v1/tenants/{tenant}/sms"]["post"]["responses"])
    assert statuses == {"202", "401", "403", "404", "409", "413", "415", "422", "503"}
    assert set(schemas["Message"]["required"]) == set(PLAIN)
    assert schemas["Message"]["additionalProperties"] is False


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, held in value.items():
            if key == "$ref":
                yield held
            else:
                yield from _references(held)
    elif isinstance(value, list):
        for item in value:
            yield from _references(item)
