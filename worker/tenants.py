"""Tenants: what one TOML file per tenant says, loaded whole or refused whole."""

from __future__ import annotations

from collections.abc import Mapping

from connectors.contract import Connector, Credentials
from policies.message import Private
from policies.tenant import TenantPolicy


class TenantConnector(Private, frozen=True, kw_only=True):
    """One connector of one tenant: whose accounts it takes (PP-1) and the secrets that sign its deliveries."""

    connector: Connector
    accounts: frozenset[str]
    credentials: Credentials


class Tenant(Private, frozen=True, kw_only=True):
    """One tenant as in force. ``id`` is the file's name; ``policy_digest`` stands on every decision."""

    id: str
    name: str
    policy: TenantPolicy
    policy_digest: str
    connectors: Mapping[str, TenantConnector]
