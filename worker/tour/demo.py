"""The demo tenant: made once, with secrets of its own, and shown round by the tour."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from connectors.registry import CONNECTORS, SOCIAL
from worker.acts import Operator
from worker.api.access import issue, revoke
from worker.api.keys import KeyScope, presented
from worker.opening import Opened, prepare_data_directory
from worker.plain import plain
from worker.settings import Settings
from worker.tenants.loading import Tenant
from worker.tour import samples, texts
from worker.tour import story as tour
from worker.tour.samples import Scene
from worker.transcripts import export, message_ref

TENANT: Final = "demo"
ACCOUNTS: Final[Mapping[str, str]] = {name: f"10000000000000{n}" for n, name in enumerate(SOCIAL, start=1)}
"""One invented account on each connector."""

_TIMEOUT = httpx.Timeout(10.0)
_SMS_SECRET: Final = "sms_secret"  # noqa: S105 - a file name
_SMS: Final = f"""
# Texts: shown on this screen instead of sent. docs/sms.md has every key.
[connectors.{texts.CONNECTOR}]
accounts = ["{texts.SENDER}"]
signing_secrets = ["file:{_SMS_SECRET}"]
[connectors.{texts.CONNECTOR}.sending]

[sms]
brands = ["Demo"]
hosts = ["demo.example"]

[[sms.senders]]
address = "{texts.SENDER}"
kind = "did"
owner = "Demo"
evidence = "owned"
reference = "an invented number"
country = "US"
registrations = [{{ registry = "10dlc", id = "an invented campaign" }}]
"""


def prepare(settings: Settings) -> bool:
    """Make the demo tenant's file and secrets where they are absent. Whether anything was made."""
    prepare_data_directory(settings)
    made = [_write_once(path, text) for path, text in _files(settings)]
    return any(made)


def _files(settings: Settings) -> Iterator[tuple[Path, str]]:
    """The secrets first: a tenant file is never there without them."""
    lines = ['name = "Demo"', ""]
    for name, account in ACCOUNTS.items():
        lines += [f"[connectors.{name}]", f'accounts = ["{account}"]']
        for ring in CONNECTORS[name].needs:
            secret = f"{name}_{ring.removesuffix('s')}"
            yield settings.secrets_dir / TENANT / secret, secrets.token_urlsafe(32)
            lines.append(f'{ring} = ["file:{secret}"]')
        lines.append("")
    yield settings.secrets_dir / TENANT / _SMS_SECRET, secrets.token_urlsafe(32)
    yield settings.tenants_dir / f"{TENANT}.toml", "\n".join(lines) + _SMS


def sample(settings: Settings) -> Path:
    """A body for Instagram that can be changed and posted; written where there is none."""
    body = samples.text("instagram", Scene.fresh(ACCOUNTS["instagram"]), "Change my words and my mid.")
    path = settings.data_dir / "sample.json"
    _write_once(path, msgspec.json.format(body, indent=2).decode() + "\n")
    return path


def _write_once(path: Path, text: str) -> bool:
    """Mode 0600, in directories of mode 0700; never over a file that is there."""
    for folder in (path.parent.parent, path.parent):
        folder.mkdir(mode=0o700, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    return True


def travel(url: str, tenant: Tenant, opened: Opened) -> list[tour.Seen]:
    """Send the tour to the worker at ``url`` and read every stop back from the store."""
    owned = {name: min(source.accounts) for name, source in tenant.connectors.items()}
    signing = {name: one.credentials.signing_secrets[0] for name, one in tenant.connectors.items()}

    def find(connector: str, account: str, message_id: str) -> list[Mapping[str, Any]]:
        ref = message_ref(opened.keyring, tenant.id, connector, account, message_id)
        return [entry for entry in _entries(opened, tenant) if entry["ref"] == ref]

    stops = [stop for stop in tour.stops({**ACCOUNTS, **owned}) if stop.connector in owned]
    with httpx.Client(base_url=url, timeout=_TIMEOUT, trust_env=False) as client:
        return list(tour.travel(client, tenant.id, signing, stops, find))


def travel_texts(url: str, admin_url: str, tenant: Tenant, opened: Opened) -> list[texts.Seen]:
    """Hand texts in over the interface; nothing where the tenant sends none. The key that is made for it is revoked."""
    source = tenant.connectors.get(texts.CONNECTOR)
    if source is None or source.sending is None or tenant.sms is None:
        return []
    operator, now = Operator(name="the demo", why="its tour"), time.time_ns() // 1000
    key = issue(
        opened.store,
        opened.keyring,
        tenant.id,
        scopes=(KeyScope.SEND,),
        label="the tour",
        operator=operator,
        now=now,
    )
    try:
        with httpx.Client(timeout=_TIMEOUT, trust_env=False) as client:
            phone = texts.Phone(
                client=client,
                webhooks=url,
                interface=admin_url,
                tenant=tenant.id,
                key=key,
                secret=source.credentials.signing_secrets[0],
            )
            return list(texts.travel(phone))
    finally:
        prefix = presented(f"Bearer {key}").prefix
        revoke(opened.store, opened.keyring, tenant.id, prefix, operator=operator, now=now)


def _entries(opened: Opened, tenant: Tenant) -> list[Mapping[str, Any]]:
    whole = export(opened.store, opened.keyring, tenant.id)
    attributed = [entry for talk in whole["conversations"] for entry in talk["entries"]]
    return [*attributed, *whole["unattributed"]]


def table(seen: Sequence[tour.Seen]) -> RenderableType:
    """What was sent, what was answered, what the store holds now."""
    shown = Table("sent", "to", "answer", "the store holds now", title="The tour", title_justify="left")
    for one in seen:
        answers = ", ".join(map(str, one.statuses))
        row = (one.stop.title, one.stop.connector, answers, tour.told_of(one))
        shown.add_row(*(Text(plain(cell)) for cell in row))
    return shown


def texts_table(seen: Sequence[texts.Seen]) -> RenderableType:
    """What was handed in, the verdict, what became of it."""
    shown = Table("text handed in", "verdict", "what became of it", title="Texts", title_justify="left")
    for one in seen:
        shown.add_row(*(Text(plain(cell)) for cell in (one.title, one.verdict, one.held)))
    return shown


def shown(body: bytes) -> str:
    """What the console shows of a text that would be sent."""
    told = msgspec.json.decode(body, type=dict[str, str])
    return plain(f"  [text] {told['from']} to {told['to']}: {told['text']}")


def next_steps(url: str, admin_url: str, log: Path, sample: Path, program: str) -> RenderableType:
    """What to try now; ``program`` is how this command was called, ``sample`` a body to change and post."""
    commands = (
        ("what was kept", f"{program} transcript show --tenant {TENANT}"),
        ("the log as a table", f"{program} logs {log}"),
        ("texts held for a person", f"{program} quarantine list --tenant {TENANT}"),
        ("every rule and its clause", f"{program} policy list"),
        ("the tenant and its accounts", f"{program} tenants show {TENANT}"),
        (
            "a delivery of your own",
            f"{program} replay {sample} --tenant {TENANT} --connector instagram --url {url}",
        ),
        ("what is misconfigured", f"{program} doctor"),
        ("an examination of it all", f"{program} conform"),
    )
    width = max(len(what) for what, _ in commands)
    # Whole lines, however narrow the screen is: a command that is broken in two cannot be copied.
    shown = [Text.assemble(f"  {what:{width}}   ", (command, "bold")) for what, command in commands]
    return Group(
        Text("\nThe worker goes on; Ctrl-C ends it."),
        Text(
            f"  webhooks  {url}\n  status    {admin_url}/status\n  metrics   {admin_url}/metrics\n  log       {log}"
        ),
        Text(f"\nTo try in another terminal, in {Path.cwd()}:"),
        *shown,
    )


def screen() -> Console:
    """Where the demo speaks to a person."""
    return Console(highlight=False, markup=False, emoji=False)
