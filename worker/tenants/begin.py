"""Beginning a tenant: its file, and random verify tokens. Nothing that exists is touched."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from connectors.contract import Connector
from policies.message import Private
from worker.crypto import sync_directory
from worker.errors import ConfigurationError
from worker.tenants.file import TENANT_ID, read_tenant

_TOKEN_BYTES: Final = 24


class NewTenant(Private, frozen=True, kw_only=True):
    """What was written, and what somebody still has to put in place."""

    file: Path
    written: Sequence[Path]
    kept: Sequence[Path]
    missing: Mapping[str, Path]


def begin_tenant(
    directory: Path,
    secrets_directory: Path,
    id_: str,
    name: str,
    accounts: Mapping[str, Sequence[str]],
    connectors: Mapping[str, Connector],
) -> NewTenant:
    """Write ``<directory>/<id>.toml`` and the verify tokens beside its secrets, all with mode 0600.

    Raises ConfigurationError, having written nothing, when the file exists or would not be a good one.
    """
    if TENANT_ID.fullmatch(id_) is None:
        raise ConfigurationError("a tenant's id has a to z, 0 to 9 and -, at most 32 of them")
    path = directory / f"{id_}.toml"
    text = tenant_text(name, accounts, connectors)
    _, problems = read_tenant(path.name, text.encode(), connectors)
    if problems:
        raise ConfigurationError(*map(str, problems))
    if path.exists():
        raise ConfigurationError(f"{path} exists: it is not overwritten")
    folder = secrets_directory / id_
    try:
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        tokens = [folder / _token(connector) for connector in accounts if _greets(connectors[connector])]
        written = [
            token for token in tokens if write_private(token, secrets.token_urlsafe(_TOKEN_BYTES) + "\n")
        ]
        if not write_private(path, text):
            raise ConfigurationError(f"{path} exists: it is not overwritten")
    except OSError:
        raise ConfigurationError(f"{directory} or {folder} cannot be written by this user") from None
    signing = {connector: folder / _signing(connectors[connector]) for connector in accounts}
    return NewTenant(
        file=path,
        written=written,
        kept=[token for token in tokens if token not in written],
        missing={connector: place for connector, place in signing.items() if not place.exists()},
    )


def tenant_text(name: str, accounts: Mapping[str, Sequence[str]], connectors: Mapping[str, Connector]) -> str:
    """The TOML of a tenant whose secrets lie in files of the usual names."""
    lines = [f"name = {_quoted(name)}"]
    for connector, owned in accounts.items():
        row = connectors[connector]
        listed = ", ".join(_quoted(account) for account in owned)
        lines += ["", f"[connectors.{connector}]", f"accounts = [{listed}]"]
        lines.append(f'signing_secrets = ["file:{_signing(row)}"]')
        if _greets(row):
            lines.append(f'verify_tokens = ["file:{_token(connector)}"]')
    return "\n".join(lines) + "\n"


def write_private(path: Path, text: str) -> bool:
    """Write a new file with mode 0600, whole or not at all, durably. False where it exists already."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    except FileExistsError:
        return False
    finally:
        draft.unlink()
    sync_directory(path.parent)
    return True


def _greets(connector: Connector) -> bool:
    return "verify_tokens" in connector.needs


def _token(connector: str) -> str:
    return f"{connector}_verify_token"


def _signing(connector: Connector) -> str:
    return f"{connector.name}_{connector.signs_with}"


def _quoted(text: str) -> str:
    """A TOML basic string: JSON's, but for surrogate pairs and DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
