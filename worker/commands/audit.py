"""``sluicegate audit``: recompute decision chains, seal them, show the public key and what operators did."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import typer

from worker import acts
from worker.audit.inspection import Harm, Inspection, inspect
from worker.audit.seals import seal_chain
from worker.audit.signing import PublicKey
from worker.crypto import CryptoError
from worker.errors import ConfigurationError, Failed
from worker.opening import Opened, open_all
from worker.plain import plain
from worker.runtime import wall_clock
from worker.settings import load_settings
from worker.store import decisions, seals
from worker.transcripts import iso

app = typer.Typer(help="Check the decision chains, show what operators did.", no_args_is_help=True)

OneTenant = Annotated[
    str | None, typer.Option("--tenant", "-t", help="One tenant's id; default: every tenant.")
]
Heads = dict[str, dict[int, str]]

_HEAD: Final = re.compile(
    r"(?:(?P<tenant>[a-z0-9][a-z0-9-]{0,31}):)?(?P<sequence>[0-9]{1,18}):(?P<head>[0-9a-f]{64})"
)
_SENTENCES: Final = {
    Harm.ALTERED: "was altered",
    Harm.MISSING: "is missing",
    Harm.REORDERED: "is not at its place",
    Harm.CUT: "and all after it are gone: their end is known",
    Harm.REWRITTEN: "or a later one was rewritten: a signed checkpoint or a head known outside does not fit",
    Harm.FORGED_SEAL: "has a checkpoint that was altered, or that no known key signed",
}


@app.command()
def verify(
    tenant: OneTenant = None,
    head: Annotated[
        list[str] | None,
        typer.Option(
            "--head", help="A head known outside, [TENANT:]SEQUENCE:HEAD; again for more.", metavar="HEAD"
        ),
    ] = None,
    log: Annotated[
        list[Path] | None, typer.Option("--log", help="A file of log lines: every head on them is checked.")
    ] = None,
    key: Annotated[
        list[Path] | None, typer.Option("--key", help="A public key of earlier checkpoints, in PEM.")
    ] = None,
) -> None:
    """Recompute the chains against checkpoints and heads known outside; name the first commit that does not fit."""
    known = _known(head or (), log or (), tenant)
    with closing(open_all(load_settings(), migrate=False)) as opened:
        keys = [opened.signing.public, *(_public_key(path) for path in key or ())]
        found = {id_: _inspected(opened, id_, keys, known) for id_ in _tenants(opened, tenant, known)}
    for id_, one in found.items():
        vouched = (
            f", vouched for up to {one.vouched}"
            if one.vouched
            else ", no checkpoint and no head from outside yet"
        )
        if one.harm is None:
            typer.echo(f"{id_}: {one.commits} commits fit{vouched}")
    wrong = [f"{id_}: commit {one.sequence} {_SENTENCES[one.harm]}" for id_, one in found.items() if one.harm]
    if wrong:
        raise Failed(*wrong)


@app.command()
def seal(tenant: OneTenant = None) -> None:
    """Sign a checkpoint now (the worker does so on a schedule)."""
    with closing(open_all(load_settings(), migrate=False)) as opened:
        for id_ in _tenants(opened, tenant, {}):
            with opened.store.transaction() as tx:
                made = seal_chain(tx, id_, opened.signing, wall_clock())
            typer.echo(
                f"{id_}: "
                + (f"sealed at {made.sequence}:{made.head.hex()}" if made else "nothing new to seal")
            )


@app.command("key")
def key_() -> None:
    """Print the public key that checkpoints and receipts are checked with."""
    with closing(open_all(load_settings(), migrate=False)) as opened:
        typer.echo(opened.signing.public.pem.decode(), nl=False)


@app.command("acts")
def acts_(
    tenant: Annotated[str, typer.Option("--tenant", "-t", help="The tenant's id.")],
    *,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what operators did, who and why."""
    with closing(open_all(load_settings(), migrate=False)) as opened, opened.store.reading() as tx:
        found = acts.told(tx, opened.keyring, tenant)
    for one in found:
        who, why = (one.operator.name, one.operator.why) if one.operator else ("?", "?")
        if json:
            told = {
                "id": one.id,
                "action": one.action,
                "about": one.about,
                "at": iso(one.done_at),
                "by": who,
                "why": why,
            }
            typer.echo(msgspec.json.encode(told).decode())
        else:
            typer.echo(plain(f"{iso(one.done_at)}  {one.action:<16}  {one.about}  by {who}: {why}"))


def _inspected(opened: Opened, tenant: str, keys: list[PublicKey], known: Heads) -> Inspection:
    with opened.store.reading() as tx:
        end, _ = decisions.end_of(tx, tenant)
        made, heads = seals.all_seals(tx, tenant), known.get(tenant, {})
        return inspect(tenant, lambda: decisions.read(tx, tenant), made, keys, heads, end)


def _tenants(opened: Opened, tenant: str | None, known: Heads) -> list[str]:
    if tenant is not None:
        return [tenant]
    with opened.store.reading() as tx:
        return sorted({*decisions.tenants(tx), *known})


def _known(
    heads: Iterator[str] | list[str] | tuple[()], logs: list[Path] | tuple[()], tenant: str | None
) -> Heads:
    known: Heads = {}
    for text in heads:
        match = _HEAD.fullmatch(text)
        whose = (match["tenant"] or tenant) if match else None
        if match is None or whose is None:
            raise ConfigurationError("--head: expected TENANT:SEQUENCE:HEAD, or SEQUENCE:HEAD with --tenant")
        known.setdefault(whose, {})[int(match["sequence"])] = match["head"]
    for path in logs:
        for line in _lines(path):
            if tenant in (None, line["tenant"]):
                known.setdefault(line["tenant"], {})[line["sequence"]] = line["head"]
    return known


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """The log lines that tell a head."""
    try:
        with path.open("rb") as file:
            for raw in file:
                try:
                    line = msgspec.json.decode(raw)
                except (msgspec.MsgspecError, UnicodeDecodeError):
                    continue
                if isinstance(line, dict) and _tells_head(line):
                    yield line
    except OSError:
        raise ConfigurationError(f"--log: {path} cannot be read") from None


def _tells_head(line: dict[str, Any]) -> bool:
    sequence, tenant, head = (line.get(name) for name in ("sequence", "tenant", "head"))
    whole = isinstance(sequence, int) and isinstance(tenant, str) and isinstance(head, str)
    return whole and _HEAD.fullmatch(f"{tenant}:{sequence}:{head}") is not None


def _public_key(path: Path) -> PublicKey:
    try:
        return PublicKey.load(path)
    except OSError:
        raise ConfigurationError(f"--key: {path} cannot be read") from None
    except CryptoError as error:
        raise ConfigurationError(f"--key: {error}") from None
