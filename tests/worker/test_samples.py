"""Sample deliveries are what the connectors read: of every connector, in its own wire format."""

from __future__ import annotations

import pytest

from connectors.decode import decode
from connectors.registry import CONNECTORS, SOCIAL
from policies.event import MessageReceived
from policies.message import Direction
from worker.tour import samples


@pytest.mark.parametrize("name", SOCIAL)
def test_there_is_a_plain_text_of_every_connector(name: str) -> None:
    """It says what it was asked to say, under the id and from the person of the scene."""
    scene, id_ = samples.Scene.fresh(), samples.message_id(name)
    [event] = CONNECTORS[name].parse(decode(samples.text(name, scene, "Good morning", id_))[0], 0)
    assert isinstance(event, MessageReceived)
    message = event.message
    assert (event.account, message.id, message.direction) == (scene.account, id_, Direction.INBOUND)
    assert message.content.text == "Good morning"
    assert scene.person in {one.value for one in message.person}
    assert message.occurred_at // 1_000_000 == scene.at // 1_000
