"""Writes ``docs/policy-reference.md`` anew: ``python -m tests.architecture.policy_reference``."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from policies.reference import page

PAGE: Final = Path(__file__).parents[2] / "docs" / "policy-reference.md"

if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
