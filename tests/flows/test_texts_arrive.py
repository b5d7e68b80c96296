"""Texts and their fates arrive at a whole worker in each provider's own wire format, signed as it signs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import connectors
from worker.conformance.rig import Guest, Rig, signed_post, transcripts

OURS = "+12025550199"
FIXTURES = Path(connectors.__file__).parent


class House:
    """A worker of one tenant with one number on each provider; ``client`` is for its webhook listener."""

    client: httpx.Client

    def __init__(self, directory: Path) -> None:
        self.rig = Rig(directory)
        self.guest = Guest.fresh("acme", {"sms-twilio": [OURS], "sms-genesys": [OURS]})
        self.rig.admit(self.guest)

    def post(self, name: str) -> tuple[int, str]:
        """Post a fixture, byte for byte."""
        folder, _, file = name.partition("/")
        body = (FIXTURES / folder / "fixtures" / file).read_bytes()
        answer = signed_post(self.client, self.guest, folder.replace("_", "-"), body)
        return answer.status_code, answer.text

    def texts(self, connector: str) -> list[dict[str, Any]]:
        """What the people said, as the transcript has it."""
        with self.rig.opened() as (store, keyring):
            whole = transcripts(store, keyring, self.guest)
        entries = [entry for talk in whole["conversations"] for entry in talk["entries"]]
        return [one for one in entries if (one["connector"], one["direction"]) == (connector, "inbound")]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    house = House(tmp_path_factory.mktemp("texts"))
    with house.rig.running() as house.client:
        yield house


def test_a_form_of_twilio_s_becomes_a_transcript(house: House) -> None:
    """The address of this very worker is in the signature; the answer holds no word for the person."""
    assert house.post("sms_twilio/message__text.form") == (200, "<Response/>")
    assert house.post("sms_twilio/message__text.form") == (200, "<Response/>")
    (entry,) = house.texts("sms-twilio")
    assert entry["text"] == "When do you open tomorrow? 10 % off & free coffee = good"


def test_what_genesys_calls_deleted_is_gone(house: House) -> None:
    """Messages, an unsend, and a story mention whose media nobody kept."""
    names = ("message__inbound_text", "unsent__date_deleted")
    assert [house.post(f"sms_genesys/{name}.json") for name in names] == [(200, "ok")] * 2
    told = [(entry["state"], entry["text"]) for entry in house.texts("sms-genesys")]
    assert ("stored", "Is my order ready?") in told
    assert house.post("sms_genesys/story_mention__with_media.json")[0] == 200
    for _, data in (*house.rig.files(), *house.rig.pages()):
        assert b"I should not have said that" not in data
        assert b"ig_messaging_cdn" not in data


def test_a_body_that_cannot_be_read_is_told_so(house: House) -> None:
    """Signed and empty: nothing that Twilio would post."""
    assert signed_post(house.client, house.guest, "sms-twilio", b"").status_code == 400
