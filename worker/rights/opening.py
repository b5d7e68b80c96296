"""What requests are worked on with, from what a process has opened."""

from __future__ import annotations

from collections.abc import Callable

from policies.message import Instant
from worker.opening import Opened
from worker.rights.deadlines import Deadlines
from worker.rights.steps import Tools
from worker.settings import Settings


def tools_of(opened: Opened, settings: Settings, clock: Callable[[], Instant]) -> Tools:
    """The tools of a process."""
    deadlines = Deadlines(months=settings.rights_months, warning_days=settings.rights_warning_days)
    return Tools(
        store=opened.store,
        keyring=opened.keyring,
        signing=opened.signing,
        clock=clock,
        deadlines=deadlines,
    )
