"""Why a request is not taken: a closed table of codes with a sentence each. Nothing of the request is repeated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

SENTENCES: Final[Mapping[str, str]] = {
    "not_a_request": "This is no request: a JSON object in the shape of a Genesys Cloud GDPR request is expected.",
    "unknown_action": "requestType has to be GDPR_EXPORT, GDPR_UPDATE or GDPR_DELETE; in a Multicloud file, export or forget.",
    "names_nobody": "The request names nobody: give at least one phone number, platform id, handle or external id.",
    "bad_identifier": "An identifier is empty, too long or holds control characters.",
    "bad_phone": "A phone number is none, or it has no country code: write +, the country's code and the number.",
    "contradictory": "Its identifiers belong to different persons: hand in one request for each person.",
    "ambiguous_handle": "Several persons of one account use this handle: name the person by phone number or platform id.",
    "nobody_found": "This tenant knows nobody by these identifiers: nothing was changed.",
    "no_terms": "A GDPR_UPDATE needs replacementTerms, and only it may have some.",
    "bad_term": "A replacement term needs two different values, and one existing value can become only one other.",
    "other_action": "The file asks for something else than this command does.",
    "other_tenant": "The file was made for another tenant.",
    "several_requests": "The file holds several requests: hand in one at a time.",
    "bad_mapping": "The field mapping has to name fields of a file, under the names that docs/rights.md lists.",
    "bad_source": "Nobody knows this source of requests: its deadline is not defined.",
    "unknown_request": "This tenant has no such request.",
    "not_an_export": "The request is no export.",
    "file_exists": "There is a file of this name already: exports overwrite nothing.",
    "file_busy": "Another process is writing this file now.",
    "file_fails": "The file cannot be written there.",
}
"""Every code there is."""


class RightsRefused(Exception):
    """A request that is not taken; nothing was changed. ``where`` names a field of our own, "" for the whole of it."""

    def __init__(self, code: str, where: str = "") -> None:
        super().__init__(SENTENCES[code])
        self.code = code
        self.where = where

    @property
    def sentence(self) -> str:
        """What is wrong, and where."""
        return f"{self.where}: {SENTENCES[self.code]}" if self.where else SENTENCES[self.code]
