"""Shadow tenants: a self-audit runs as one, beside the tenant whose rules it tries.

No tenant's file can have such a name, so nothing of a shadow stands in anything that is asked for by tenant: no
transcript, report, export, counter. What goes through all tenants leaves them out.
"""

from __future__ import annotations

from typing import Final

_MARK: Final = "~"

ALL: Final = f"{_MARK}%"
"""Every shadow's id, as a pattern of SQL."""


def shadow_of(tenant: str) -> str:
    """The id of a tenant's shadow."""
    return _MARK + tenant


def is_shadow(tenant: str) -> bool:
    """Whether this is one."""
    return tenant.startswith(_MARK)
