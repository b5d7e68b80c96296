"""``sluicegate rights`` and the interface: from a request file to its end, for an officer and for a program."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from typer.testing import CliRunner, Result

from tests.databases import Databases
from tests.flows.harness import Replica
from tests.worker.api_house import House, Running, bearer
from tests.worker.asking import ACME, GLOBEX, PEOPLE, PHONE, said
from worker.acts import told
from worker.api.keys import KeyScope
from worker.commands.rights import app
from worker.errors import ConfigurationError, SluicegateError

EXPORT: Final = {"requestType": "GDPR_EXPORT", "subject": {"phoneNumbers": [PHONE]}}
DELETE: Final = {**EXPORT, "requestType": "GDPR_DELETE"}
UPDATE: Final = {
    **EXPORT,
    "requestType": "GDPR_UPDATE",
    "replacementTerms": [{"type": "NAME", "existingValue": "Zed", "updatedValue": "Zoe"}],
}
SIGNED: Final = ("--by", "Ola Officer", "--why", "letter of 3 May")


class Officer:
    """Somebody at a terminal, in front of a store in which one person spoke with two tenants."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def run(self, *arguments: str, document: Any = None) -> Result:
        """Run a command; ``document`` is its request file."""
        before = [arguments[0]]
        if document is not None:
            path = self.directory / "request.json"
            path.write_text(json.dumps(document))
            before.append(f"{path}")
        result = CliRunner().invoke(app, [*before, *arguments[1:], "--tenant", "acme"])
        if isinstance(result.exception, SluicegateError):
            return result
        assert result.exception is None, result.exception
        return result

    def answer(self, *arguments: str, document: Any = None) -> Any:
        """What it printed."""
        return json.loads(self.run(*arguments, document=document).stdout)

    def refused(self, *arguments: str, document: Any = None) -> str:
        """The sentence with which it is refused: somebody has to change something."""
        error = self.run(*arguments, document=document).exception
        assert isinstance(error, ConfigurationError)
        assert error.exit_code == 2
        return f"{error}"


@pytest.fixture
def officer(tmp_path: Path, sqlite: Databases, monkeypatch: pytest.MonkeyPatch) -> Officer:
    """The officer, the tenants' files, and what was said."""
    house = House(tmp_path, sqlite)
    for name, value in (
        ("DATA_DIR", tmp_path),
        ("DATABASE_URL", sqlite.store_url),
        ("KEYRING_URL", sqlite.keyring_url),
    ):
        monkeypatch.setenv(f"SLUICEGATE_{name}", f"{value}")
    assert house.directory == tmp_path
    replica = Replica(sqlite)
    for of in (ACME, GLOBEX):
        replica.tell(
            of, said("whatsapp", "m1", f"words for {of.id}", profile={"name": "Zed"}), connector="whatsapp"
        )
    replica.close()
    return Officer(tmp_path)


def test_an_export_to_standard_output_is_the_document_alone(officer: Officer) -> None:
    """What became of the request is told beside it."""
    result = officer.run("export", *SIGNED, document=EXPORT)
    whole = json.loads(result.stdout)
    assert whole["conversations"][0]["messages"][0]["text"] == "words for acme"
    assert "words for globex" not in result.stdout
    answer = json.loads(result.stderr)
    assert (answer["status"], answer["executionLog"][0]["outcome"]) == ("COMPLETED", "exported")


def test_an_export_to_a_file_is_its_owner_s_alone(officer: Officer) -> None:
    """And overwrites nothing."""
    path = officer.directory / "zed.json"
    answer = officer.answer("export", "-o", f"{path}", *SIGNED, document=EXPORT)
    assert (answer["status"], answer["counts"]["files"]) == ("COMPLETED", 1)
    assert path.stat().st_mode & 0o777 == 0o600
    assert "words for acme" in path.read_text()
    assert "overwrite nothing" in officer.refused("export", "-o", f"{path}", *SIGNED, document=EXPORT)


def test_an_erasure_from_counting_to_its_end(officer: Officer) -> None:
    """A dry run changes nothing; then it is done, and stands in the list; nothing is left to go on with."""
    counted = officer.answer("erase", "--dry-run", document=DELETE)
    assert (counted["status"], counted["counts"]["messages"]) == ("INITIATED", 1)
    answer = officer.answer("erase", *SIGNED, document=DELETE)
    assert (answer["id"], answer["status"]) == (counted["id"], "COMPLETED")
    assert officer.answer("status", answer["id"]) == answer
    assert [one["id"] for one in officer.answer("status", "--json")] == [answer["id"]]
    table = officer.run("status").stdout
    assert "phoneNumbers[0]: erased" in table
    assert officer.run("resume").exit_code == 0
    assert "knows nobody" in officer.refused("export", *SIGNED, document=EXPORT)


def test_a_correction(officer: Officer) -> None:
    """Of a name."""
    assert officer.answer("rectify", *SIGNED, document=UPDATE)["counts"]["messages"] == 1
    whole = json.loads(officer.run("export", *SIGNED, document=EXPORT).stdout)
    assert whole["conversations"][0]["messages"][0]["profile"] == {"name": "Zoe"}


def test_a_multicloud_file_with_several_persons(officer: Officer) -> None:
    """Each is a request of its own; who is not found keeps nobody else from being erased, and is told."""
    document = {"caseid": "1", "action": "forget", "consumers": [{"phone": PHONE}, {"phone": "+12025550199"}]}
    result = officer.run("erase", *SIGNED, document=document)
    assert json.loads(result.stdout)["status"] == "COMPLETED"
    assert "request 1: This tenant knows nobody" in f"{result.exception}"
    mapping = officer.directory / "fields.toml"
    mapping.write_text('phone = ["rufnummer"]')
    document = {"action": "forget", "rufnummer": "+12025550199"}
    assert "knows nobody" in officer.refused("erase", "--mapping", f"{mapping}", *SIGNED, document=document)


@pytest.mark.parametrize(
    ("arguments", "document", "sentence"),
    [
        (("erase",), DELETE, "--by"),
        (("erase", "--by", "Ola"), DELETE, "--why"),
        (("erase", "--by", "Ola", "--why", "\x1b[2J"), DELETE, "--why"),
        (("export",), EXPORT, "--by"),
        (("erase", *SIGNED), EXPORT, "something else than this command does"),
        (("export", *SIGNED), DELETE, "something else than this command does"),
        (("rectify", *SIGNED), DELETE, "something else than this command does"),
        (("erase", *SIGNED), {**DELETE, "requestType": "GDPR_FORGET"}, "requestType"),
        (("erase", *SIGNED), {**DELETE, "subject": {"name": "Zed"}}, "names nobody"),
        (("erase", *SIGNED), {"action": "forget", "tenant": "globex", "phone": PHONE}, "another tenant"),
        (("erase", *SIGNED), {**DELETE, "subject": {"phoneNumbers": ["2025550143"]}}, "country"),
        (("erase", "--region", "USA", *SIGNED), DELETE, "--region"),
        (("erase", *SIGNED), [], "no request"),
        (("status", "0" * 31), None, "no such request"),
        (("status", "f" * 32), None, "no such request"),
    ],
)
def test_what_cannot_be_done_is_said_and_changes_nothing(
    officer: Officer, arguments: tuple[str, ...], document: Any, sentence: str
) -> None:
    """A sentence, exit code 2, and no request."""
    assert sentence in officer.refused(*arguments, document=document)
    assert officer.run("status", "--json").stdout.strip() == "[]"


def test_a_file_that_is_not_there_and_a_tenant_that_is_not(officer: Officer) -> None:
    """Are told."""
    missing = CliRunner().invoke(app, ["erase", "/nowhere/r.json", "--tenant", "acme", *SIGNED])
    assert "cannot be read" in f"{missing.exception}"
    unknown = CliRunner().invoke(app, ["status", "--tenant", "nobody"])
    assert "there is no tenant nobody" in f"{unknown.exception}"


def test_a_request_without_a_country_takes_the_region(officer: Officer) -> None:
    """That the officer names."""
    document = {**DELETE, "subject": {"phoneNumbers": ["(202) 555-0143"]}}
    assert officer.answer("erase", "--region", "us", *SIGNED, document=document)["status"] == "COMPLETED"


# -- over the interface --------------------------------------------------------------------------------------


@contextmanager
def serving(directory: Path, databases: Databases) -> Iterator[tuple[Running, str]]:
    """A worker whose tenant acme knows a person by two texts, and a key for rights."""
    house = House(directory, databases)
    with house.running() as running:
        sending = running.key("acme", KeyScope.SEND)
        running.post({**_TEXT, "text": "Your table is ready."}, sending)
        yield running, running.key("acme", KeyScope.RIGHTS, label="the officer's tool")


_TEXT: Final = {"sender": "+12025550123", "recipient": PHONE, "purpose": "transactional"}


def test_the_walk_of_a_request_over_the_interface(tmp_path: Path, databases: Databases) -> None:
    """Counted, exported, read out, erased, looked up; the act is the key's."""
    with serving(tmp_path, databases) as (running, key):

        def ask(document: Any, **query: str) -> Any:
            return running.client.post(
                "/v1/tenants/acme/rights", json=document, params=query, headers=bearer(key)
            )

        def get(path: str) -> Any:
            return running.client.get(path, headers=bearer(key))

        counted = ask(DELETE, dry_run="true")
        assert (counted.status_code, counted.json()["counts"]["messages"]) == (200, 1)
        exported = ask(EXPORT)
        assert exported.json()["executionLog"][0] == {
            "field": "phoneNumbers[0]",
            "outcome": "exported",
            "conversations": 1,
        }
        whole = get(exported.json()["resultsUrl"])
        assert whole.headers["cache-control"] == "no-store"
        assert whole.json()["conversations"][0]["messages"][0]["text"] == "Your table is ready."
        erased = ask(DELETE, why="letter of 3 May").json()
        assert (erased["status"], erased["requestType"]) == ("COMPLETED", "GDPR_DELETE")
        assert get(f"/v1/tenants/acme/rights/{erased['id']}").json() == erased
        assert len(get("/v1/tenants/acme/rights").json()["requests"]) == 2
        assert get(exported.json()["resultsUrl"]).status_code == 404
        assert PHONE not in f"{erased}{get('/v1/tenants/acme/rights').text}"
        opened = running.runtime.opened
        with opened.store.reading() as tx:
            acts = [one for one in told(tx, opened.keyring, "acme") if one.action == "rights_delete"]
        assert acts[0].operator is not None
        assert (acts[0].operator.name, acts[0].operator.why) == ("the officer's tool", "letter of 3 May")


@pytest.mark.parametrize(
    ("document", "query", "status", "code"),
    [
        ({**DELETE, "requestType": "GDPR_FORGET"}, {}, 422, "unknown_action"),
        ({**DELETE, "subject": {}}, {}, 422, "names_nobody"),
        ({**DELETE, "subject": {"phoneNumbers": ["+12025550199"]}}, {}, 404, "nobody_found"),
        (
            {"action": "forget", "consumers": [{"phone": PHONE}, {"phone": PHONE[:-1] + "9"}]},
            {},
            422,
            "several_requests",
        ),
        (DELETE, {"source": "meta_callback"}, 422, "bad_source"),
        (DELETE, {"region": "USA"}, 422, "bad_phone"),
        ([], {}, 422, "not_a_request"),
    ],
)
def test_what_the_interface_refuses(
    tmp_path: Path, sqlite: Databases, document: Any, query: dict[str, str], status: int, code: str
) -> None:
    """With a code, and nothing is recorded."""
    with serving(tmp_path, sqlite) as (running, key):
        told_ = running.client.post(
            "/v1/tenants/acme/rights", json=document, params=query, headers=bearer(key)
        )
        assert (told_.status_code, told_.json()["errors"][0]["code"]) == (status, code)
        assert running.client.get("/v1/tenants/acme/rights", headers=bearer(key)).json() == {"requests": []}


def test_who_may(tmp_path: Path, sqlite: Databases) -> None:
    """Keys with the scope rights, for their own tenant alone."""
    with serving(tmp_path, sqlite) as (running, key):
        others = [running.key("acme", scope) for scope in (KeyScope.SEND, KeyScope.READ, KeyScope.REVIEW)]
        paths = ("/v1/tenants/acme/rights", f"/v1/tenants/acme/rights/{'0' * 32}/export")
        for path in paths:
            assert running.client.get(path).status_code == 401
            assert {running.client.get(path, headers=bearer(one)).status_code for one in others} == {403}
        assert running.client.get("/v1/tenants/globex/rights", headers=bearer(key)).status_code == 404
        assert running.client.get(paths[1], headers=bearer(key)).status_code == 404
        assert running.client.get("/v1/tenants/acme/rights/../x", headers=bearer(key)).status_code == 404


def test_everybody_is_one_of_the_people() -> None:
    """The number of these tests is the one that the others ask by."""
    assert PEOPLE["sms-console"].value == PHONE
