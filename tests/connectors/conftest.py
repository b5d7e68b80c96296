"""What the connectors' tests share."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Known when this folder is named on the command line: ``pytest tests/connectors --rewrite-expected=x``."""
    parser.addoption(
        "--rewrite-expected",
        metavar="CONNECTOR",
        default="",
        help="write the .expected.json of this connector's fixtures anew from what parse() yields, where they differ;"
        " read the difference before committing",
    )
