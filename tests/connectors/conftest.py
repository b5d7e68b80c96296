"""What the connectors' tests share."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Known when this folder is named on the command line: ``pytest tests/connectors --rewrite-expected``."""
    parser.addoption(
        "--rewrite-expected",
        action="store_true",
        default=False,
        help="write each fixture's .expected.json anew from what parse() yields; read the difference before committing",
    )
