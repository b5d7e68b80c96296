"""``sluicegate produce``: a production under legal process; and its key, its opening, its end."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import msgspec
import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text
from typer.core import TyperGroup

from worker.audit.signing import PublicKey
from worker.commands.hold import (
    AsJson,
    By,
    Everybody,
    Since,
    TenantId,
    Until,
    WhichConversation,
    WhichPerson,
    Why,
    accounts_of,
    moment,
    operator,
    said,
    whom,
)
from worker.crypto import CryptoError
from worker.errors import ConfigurationError
from worker.holds.bundle import check
from worker.holds.envelope import BundleRefused, RecipientKey, RecipientPrivateKey
from worker.holds.period import length
from worker.holds.period import since as beginning
from worker.holds.period import until as end
from worker.holds.production import Order, ProductionDesk, ProductionRefused, Told
from worker.holds.shred import Shredded
from worker.opening import open_all
from worker.plain import plain
from worker.rights.errors import RightsRefused
from worker.runtime import wall_clock
from worker.settings import load_settings
from worker.store.productions import Production
from worker.transcripts import iso

_MAKE: Final = "make"
_LONGEST: Final = 366 * 86_400 * 1_000_000
_ENDS: Final = {
    Shredded.DESTROYED: "destroyed; a receipt vouches for it",
    Shredded.ANOTHER: "another file lies where it was written, and was left alone; the receipt says that it is missing",
    Shredded.ABSENT: "it does not lie where it was written; the receipt says that it is missing",
}
T = TypeVar("T")


class _MakeUnlessNamed(TyperGroup):
    """``produce --tenant … OUT`` is ``produce make --tenant … OUT``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in {*self.commands, "--help"}:
            args = [_MAKE, *args]
        return list(super().parse_args(ctx, args))


app = typer.Typer(
    cls=_MakeUnlessNamed,
    help="Produce under a legal order, for one recipient's key; open, list and destroy productions.",
    no_args_is_help=True,
    add_completion=False,
)


@app.command(_MAKE)
def make(  # noqa: PLR0913 - an option each
    out: Annotated[Path, typer.Argument(help="The bundle to write; nothing is overwritten.", metavar="OUT")],
    tenant: TenantId,
    *,
    legal_basis: Annotated[str, typer.Option("--legal-basis", help="The law, and the power it gives.")],
    order_ref: Annotated[str, typer.Option("--order-ref", help="The order's own number.")],
    recipient_key: Annotated[
        Path,
        typer.Option("--recipient-key", help="The recipient's public key: what `keygen` printed, in PEM."),
    ],
    by: By,
    why: Why,
    person: WhichPerson = None,
    conversation: WhichConversation = None,
    expires: Annotated[
        str, typer.Option("--expires", help="When it is destroyed: so many days or hours.")
    ] = "30d",
    everybody: Everybody = False,
    since: Since = None,
    until: Until = None,
) -> None:
    """Write a bundle that only the recipient's key opens; the order of `sluicegate produce` itself."""
    who, where = whom(person, conversation, everybody=everybody)
    order = Order(
        legal_basis=said("--legal-basis", legal_basis),
        reference=said("--order-ref", order_ref),
        recipient=_key(RecipientKey.load, recipient_key, "--recipient-key"),
        operator=operator(by, why),
        expires=_length(expires),
        person=who,
        conversation=where,
        since=moment("--since", since, beginning),
        until=moment("--until", until, end),
    )
    with _desk(tenant) as desk:
        made = _or_refused(lambda: desk.make(tenant, order, out))
    counts = ", ".join(
        f"{count} {name.replace('_', ' ')}" for name, count in sorted(made.counts.items()) if count
    )
    typer.echo(f"{made.id}  {counts or 'nothing was kept'}  expires {iso(made.expires_at)}")
    typer.echo(f"sha256 {made.digest}")


@app.command("open")
def open_(
    bundle: Annotated[Path, typer.Argument(help="The bundle.", metavar="BUNDLE")],
    key: Annotated[Path, typer.Option("--key", help="The recipient's private key.")],
    signed_by: Annotated[
        Path | None,
        typer.Option("--signed-by", help="The producer's public key: `sluicegate audit key` prints it."),
    ] = None,
    to: Annotated[
        Path | None, typer.Option("--to", help="A new directory for its files; default: only check.")
    ] = None,
) -> None:
    """Decrypt and check a bundle. Needs no store, no settings and no network."""
    private = _key(RecipientPrivateKey.load, key, "--key")
    public = _key(PublicKey.load, signed_by, "--signed-by") if signed_by is not None else None
    manifest = _checked(bundle, private, public, lambda _name, _data: None)
    if to is not None:
        with _new_directory(to) as take:
            _checked(bundle, private, public, take)
    counts = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in manifest["counts"].items())
    typer.echo(plain(f"whole: {manifest['id']} of {manifest['tenant']}, order {manifest['order']}, {counts}"))
    if public is None:
        typer.echo("who signed it was not checked: give --signed-by")


@app.command()
def keygen(
    private: Annotated[
        Path, typer.Option("--private", help="Where the private key is written; it stays there.")
    ],
) -> None:
    """Make a recipient's key: the private half in a file of mode 0600, the public half printed."""
    try:
        typer.echo(RecipientPrivateKey.generate(private).public.pem.decode(), nl=False)
    except FileExistsError:
        raise ConfigurationError(
            f"--private: {private} is there already: a key is never overwritten"
        ) from None
    except OSError:
        raise ConfigurationError(f"--private: {private} cannot be written by this user") from None


@app.command("list")
def list_(tenant: TenantId, *, json: AsJson = False) -> None:
    """List a tenant's productions, those that were destroyed too."""
    with _desk(tenant) as desk:
        found = [_shown(*one) for one in desk.productions(tenant)]
    if json:
        print(msgspec.json.encode(found).decode())  # noqa: T201 - the command's output
        return
    if not found:
        typer.echo("this tenant never had a production")
        return
    columns = ("id", "order", "recipient", "made_at", "expires_at", "destroyed_at", "path")
    table = Table(*(name.removesuffix("_at") for name in columns), box=box.SIMPLE)
    for one in found:
        table.add_row(*(Text(plain(str(one[name] or "-"))) for name in columns))
    Console(highlight=False).print(table)


@app.command()
def destroy(
    production: Annotated[str, typer.Argument(help="Its id, or the first digits.", metavar="ID")],
    tenant: TenantId,
    by: By,
    why: Why,
) -> None:
    """Destroy a production after its use, before it expires; the file is overwritten and unlinked."""
    who = operator(by, why)
    with _desk(tenant) as desk:
        typer.echo(_ENDS[_or_refused(lambda: desk.destroy(tenant, production, who))])


@contextmanager
def _desk(tenant: str) -> Iterator[ProductionDesk]:
    settings = load_settings()
    with closing(open_all(settings, migrate=False)) as opened:
        accounts_of(settings, opened, tenant)  # a tenant that nobody knows is refused
        yield ProductionDesk(opened.store, opened.keyring, opened.signing, wall_clock)


def _or_refused(act: Callable[[], T]) -> T:
    try:
        return act()
    except ProductionRefused as refused:
        raise ConfigurationError(f"{refused}") from None
    except RightsRefused as refused:
        raise ConfigurationError(f"--person: {refused.sentence}") from None
    except OSError as error:
        reason = os.strerror(error.errno).lower() if error.errno else "it cannot be written"
        raise ConfigurationError(f"the bundle's file: {reason}") from None


def _key(load: Callable[[Path], T], path: Path, option: str) -> T:
    try:
        return load(path)
    except OSError:
        raise ConfigurationError(f"{option}: {path} cannot be read") from None
    except CryptoError as error:
        raise ConfigurationError(f"{option}: {error}") from None


def _length(text: str) -> int:
    with suppress(ValueError):
        microseconds = length(text)
        if microseconds <= _LONGEST:
            return microseconds
    raise ConfigurationError("--expires: expected so many days or hours, 366d at most, such as 30d")


def _checked(
    bundle: Path, private: RecipientPrivateKey, public: PublicKey | None, take: Callable[[str, bytes], None]
) -> dict[str, Any]:
    try:
        with bundle.open("rb") as file:
            return check(private.open(file, wall_clock()), public, take)
    except OSError:
        raise ConfigurationError(f"{bundle} cannot be read") from None
    except BundleRefused as refused:
        raise ConfigurationError(f"{bundle}: {refused}") from None


@contextmanager
def _new_directory(to: Path) -> Iterator[Callable[[str, bytes], None]]:
    try:
        to.mkdir(mode=0o700)
    except OSError:
        raise ConfigurationError(f"--to: {to} is there already, or cannot be made") from None

    def take(name: str, data: bytes) -> None:
        path = to / name
        path.parent.mkdir(mode=0o700, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)

    yield take


def _shown(production: Production, told: Told | None) -> dict[str, Any]:
    instants = ("made_at", "expires_at", "destroyed_at")
    shown: dict[str, Any] = {name: iso(getattr(production, name)) for name in instants}
    words = {} if told is None else msgspec.structs.asdict(told)
    order = words.pop("reference", "")
    return {
        "id": production.id.hex(),
        "sha256": production.digest.hex(),
        "order": order,
        "recipient": "",
        "path": "",
        **shown,
        **words,
    }
