"""The OpenAPI document of the programming interface, made of its models. docs/openapi.json is this, checked in."""

from __future__ import annotations

import json
from typing import Any, Final

from msgspec.json import schema_components
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from worker.api.consents import ConsentResults, ConsentsGiven
from worker.api.errors import SENTENCES
from worker.api.models import Message, Messages, Problems, Results, Text, Verdict
from worker.api.rights import Rights, RightsList
from worker.rights.request import RightsRequest

VERSION: Final = "1"
_REF: Final = "#/components/schemas/{model}"

_WHY: Final = {
    "401": "No key, or none that is in force.",
    "403": "The key has not the scope.",
    "404": "There is no such thing, or it is another tenant's.",
    "409": "The client_reference stands for another text already; the identifiers are of several persons.",
    "413": "The body is too large.",
    "415": "No application/json in UTF-8, or with a content-encoding.",
    "422": "Fields are not as they have to be: each with a code and a sentence.",
    "503": "Come back after as many seconds as Retry-After says; nothing was done.",
}


def _document() -> dict[str, Any]:
    inputs = (Message, Messages, ConsentsGiven)
    outputs = (Verdict, Results, Text, Rights, RightsList, ConsentResults, Problems)
    _, schemas = models_json_schema(
        [*((model, "validation") for model in inputs), *((model, "serialization") for model in outputs)],
        ref_template=_REF,
    )
    definitions = schemas["$defs"]
    definitions |= schema_components([RightsRequest], ref_template=_REF.format(model="{name}"))[1]
    # Which codes there are is part of the promise.
    definitions["Problem"]["properties"]["code"]["enum"] = list(SENTENCES)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Sluicegate",
            "version": VERSION,
            "description": "Texts are handed in, judged, and asked after; persons' requests are too. On the admin listener.",
        },
        "paths": {
            "/v1/tenants/{tenant}/sms": _submit(),
            "/v1/tenants/{tenant}/sms/{id}": _look(),
            "/v1/tenants/{tenant}/consents": _consents(),
            "/v1/tenants/{tenant}/rights": _rights(),
            "/v1/tenants/{tenant}/rights/{id}": _right(),
            "/v1/tenants/{tenant}/rights/{id}/export": _export(),
        },
        "components": {
            "schemas": definitions,
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "`sluicegate keys new TENANT --scope send`",
                }
            },
        },
        "security": [{"key": []}],
    }


def _submit() -> dict[str, Any]:
    return {
        "parameters": [_parameter("tenant", "The tenant's id: the key's own.")],
        "post": {
            "operationId": "submit",
            "summary": "Hand in one text, or up to a thousand with a result each. Scope: send.",
            "requestBody": {"required": True, "content": _json({"oneOf": [_ref(Message), _ref(Messages)]})},
            "responses": {
                "202": {
                    "description": "Judged: the verdict, or a result for each text.",
                    "content": _json({"oneOf": [_ref(Verdict), _ref(Results)]}),
                },
                **_refusals("401", "403", "404", "409", "413", "415", "422", "503"),
            },
        },
    }


def _look() -> dict[str, Any]:
    return {
        "parameters": [
            _parameter("tenant", "The tenant's id: the key's own."),
            _parameter("id", "The id that the verdict named.", pattern="^[0-9a-f]{32}$"),
        ],
        "get": {
            "operationId": "look",
            "summary": "Where a text stands. Scope: send, read or review.",
            "responses": {
                "200": {"description": "Found.", "content": _json(_ref(Text))},
                **_refusals("401", "403", "404", "503"),
            },
        },
    }


def _consents() -> dict[str, Any]:
    return {
        "parameters": [_parameter("tenant", "The tenant's id: the key's own.")],
        "post": {
            "operationId": "consents",
            "summary": "Record up to a thousand consents, given or withdrawn, with a result each. Scope: rights.",
            "requestBody": {"required": True, "content": _json(_ref(ConsentsGiven))},
            "responses": {
                "200": {"description": "A result for each.", "content": _json(_ref(ConsentResults))},
                **_refusals("401", "403", "404", "413", "415", "422", "503"),
            },
        },
    }


def _rights() -> dict[str, Any]:
    queries = (
        ("dry_run", "true: only count, change nothing."),
        ("region", "Country of numbers without a country's code, such as US."),
        ("source", "api, person or x: within what time it is due."),
        ("why", "Why: it stands on the record."),
    )
    body = {
        "description": "A request in the shape of the Genesys Cloud GDPR API, or of a Multicloud file with one request.",
        "required": True,
        "content": {"application/json": {"schema": {"$ref": _REF.format(model=RightsRequest.__name__)}}},
    }
    return {
        "parameters": [_parameter("tenant", "The tenant's id: the key's own.")],
        "post": {
            "operationId": "rights_ask",
            "summary": "Hand in a person's request; it is worked on at once. Scope: rights.",
            "parameters": [
                {"name": name, "in": "query", "description": words, "schema": {"type": "string"}}
                for name, words in queries
            ],
            "requestBody": body,
            "responses": {
                "200": {"description": "Done, or counted.", "content": _json(_ref(Rights))},
                "202": {"description": "Recorded; not done yet.", "content": _json(_ref(Rights))},
                **_refusals("401", "403", "404", "409", "413", "415", "422", "503"),
            },
        },
        "get": {
            "operationId": "rights_list",
            "summary": "The last requests. Scope: rights.",
            "responses": {
                "200": {"description": "The first received first.", "content": _json(_ref(RightsList))},
                **_refusals("401", "403", "404", "503"),
            },
        },
    }


def _right() -> dict[str, Any]:
    return {
        "parameters": _of_request(),
        "get": {
            "operationId": "rights_look",
            "summary": "How far a request is. Scope: rights.",
            "responses": {
                "200": {"description": "Found.", "content": _json(_ref(Rights))},
                **_refusals("401", "403", "404", "503"),
            },
        },
    }


def _export() -> dict[str, Any]:
    return {
        "parameters": _of_request(),
        "get": {
            "operationId": "rights_export",
            "summary": "All that is kept of the person whom an export is about, as it is now. Scope: rights.",
            "responses": {
                "200": {"description": "The export.", "content": _json({"type": "object"})},
                **_refusals("401", "403", "404", "503"),
            },
        },
    }


def _of_request() -> list[dict[str, Any]]:
    return [
        _parameter("tenant", "The tenant's id: the key's own."),
        _parameter("id", "The id of the request.", pattern="^[0-9a-f]{32}$"),
    ]


def _refusals(*statuses: str) -> dict[str, Any]:
    return {
        status: {"description": _WHY[status], "content": _json(_ref(Problems))}
        | ({"headers": {"Retry-After": {"schema": {"type": "integer"}}}} if status == "503" else {})
        for status in statuses
    }


def _parameter(name: str, words: str, **schema: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": words,
        "schema": {"type": "string", **schema},
    }


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _ref(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _REF.format(model=model.__name__)}


DOCUMENT: Final = (json.dumps(_document(), indent=2, ensure_ascii=False) + "\n").encode()
"""The document as it is served."""
