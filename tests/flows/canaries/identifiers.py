"""Government ids and payment cards, wherever people and businesses say them: fresh numbers, valid by construction."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from tests.flows.canaries.mint import Attempt, Body, Mint, Shape
from tests.flows.canaries.wire import aaa, fb, ig, wa, wa_message, wam


def id_in_a_text(m: Mint) -> list[Attempt]:
    text = f"{m.words()} my card is {m.identifier('card')}, my CURP {m.identifier('mx_curp')}"
    return [wam(m.scene("whatsapp"), m.id(), "text", text={"body": text})]


def id_in_a_caption(m: Mint) -> list[Attempt]:
    what = {"id": m.aside(), "caption": f"{m.words()} NIR {m.identifier('fr_nir')}"}
    what["filename"] = f"{m.identifier('it_codice_fiscale')}.pdf"
    return [wam(m.scene("whatsapp"), m.id(), "document", document=what)]


def id_in_a_form(m: Mint) -> list[Attempt]:
    told: Body = {
        "note": m.words(),
        "credit card": m.identifier("card"),
        "inner": {"AHV": m.identifier("ch_ahv")},
    }
    told["Aadhaar"] = int(m.identifier("in_aadhaar"))
    answer = {"name": "flow", "body": m.identifier("card"), "response_json": json.dumps(told)}
    return [
        wam(
            m.scene("whatsapp"), m.id(), "interactive", interactive={"type": "nfm_reply", "nfm_reply": answer}
        )
    ]


def id_in_an_edit(m: Mint) -> list[Attempt]:
    scene, id_ = m.scene("whatsapp"), m.id()
    new = {"type": "text", "text": {"body": f"{m.words()} {m.identifier('card')}"}}
    edit = {"original_message_id": id_, "message": new}
    return [wam(scene, id_, "text", text={"body": m.regret()}), wam(scene, m.aside(), "edit", edit=edit)]


def id_in_an_echo(m: Mint) -> list[Attempt]:
    scene = m.scene("whatsapp")
    echo = wa_message(
        scene, m.id(), "text", text={"body": f"{m.words()} Aadhaar {m.identifier('in_aadhaar')}"}
    )
    return [
        wa(scene, "smb_message_echoes", message_echoes=[echo | {"from": scene.account, "to": scene.person}])
    ]


def id_on_instagram(m: Mint) -> list[Attempt]:
    what = {"mid": m.id(), "is_echo": True, "text": f"{m.words()} CPF {m.identifier('br_cpf')}"}
    return [ig(m.scene("instagram"), out=True, message=what)]


def id_in_a_postback(m: Mint) -> list[Attempt]:
    what = {"mid": m.id(), "title": m.words(), "payload": f"PESEL {m.identifier('pl_pesel')}"}
    return [fb(m.scene("facebook"), postback=what)]


def id_on_x(m: Mint) -> list[Attempt]:
    scene = m.scene("x")
    text = f"{m.words()} Steuer-ID {m.identifier('de_steuer_id')} {m.identifier('card')}"
    create = {
        "target": {"recipient_id": scene.account},
        "sender_id": scene.person,
        "message_data": {"text": text},
    }
    event = {
        "type": "message_create",
        "id": m.number(),
        "created_timestamp": str(scene.at),
        "message_create": create,
    }
    return [aaa(scene, direct_message_events=[event])]


SHAPES: Final[Sequence[Shape]] = (
    id_in_a_text,
    id_in_a_caption,
    id_in_a_form,
    id_in_an_edit,
    id_in_an_echo,
    id_on_instagram,
    id_in_a_postback,
    id_on_x,
)
