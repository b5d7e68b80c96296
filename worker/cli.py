"""``sluicegate``: one command per module of ``worker.commands``, imported when it is run."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from worker.errors import SluicegateError

COMMANDS: Final = {
    "serve": "Take webhooks until SIGTERM; SIGHUP reloads the tenants.",
    "migrate": "Bring the databases to this version's schema; begin a new store.",
    "doctor": "Say what is misconfigured, and what to do about it.",
    "tenants": "Check, show and begin tenant files.",
    "policy": "List the rules, explain reason codes, try another policy.",
    "screen": "Say what the screening of outbound texts would do with a text or a file of them.",
    "keys": "Make, list and revoke keys of the programming interface; exchange and split the master key.",
    "quarantine": "Look at texts that wait for a person; release or reject them.",
    "consents": "Import and list what persons allowed or withdrew.",
    "exclusions": "Persons of whom nothing is recorded: list, add, confirm, lift.",
    "backup": "Back up store and keyring while the worker runs; delete keyrings that are too old.",
    "restore": "Restore a backup into an empty store, and delete again what was deleted since.",
    "verify": "Say whether a backup is whole, or name the first damaged place.",
    "selfaudit": "Send what must never be kept through the rules, and look for it.",
    "outbox": "Show texts on their way out; say what became of unresolved ones.",
    "retention": "Show what is kept until when; take away what is due.",
    "audit": "Check the decision chains, show what operators did.",
    "rights": "Export, correct and erase what is kept of a person.",
    "hold": "Place, list and lift legal holds.",
    "produce": "Produce under a legal order; open, list and destroy productions.",
    "receipt": "Hand deletion receipts out, and check them.",
    "report": "Write compliance reports.",
    "logs": "Show the log's JSON lines as a table, filtered.",
    "transcript": "Show what was kept of conversations.",
    "demo": "Start a worker with a demo tenant and send it a tour of deliveries.",
    "replay": "Sign sample bodies and post them to a running worker.",
    "conform": "Judge a worker against a labelled corpus.",
}
"""The commands by name. Each module has an ``app``, or one function of the module's name."""


class _Lazy(TyperGroup):
    """Lists commands by the words above; imports only the one that is run."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Put the real command in the place of the listed one."""
        name, listed, rest = super().resolve_command(ctx, args)
        return name, _load(name) if name in COMMANDS else listed, rest


app = typer.Typer(
    cls=_Lazy,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Governance for messaging webhooks: rules run before anything is recorded.\n\n"
    "Settings are environment variables, SLUICEGATE_*: `sluicegate doctor --settings` lists them, `sluicegate doctor`"
    " checks them.",
)


def _version(*, wanted: bool) -> None:
    if wanted:
        from worker.status import version

        typer.echo(version())
        raise typer.Exit


@app.callback()
def _begin(
    *,
    _: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Print the version and exit.",
            is_eager=True,
            callback=lambda value: _version(wanted=value),
        ),
    ] = False,
) -> None:
    """Options before the command."""


def main() -> None:
    """Run the command line. Errors are plain sentences; exit codes: 1 it failed, 2 something has to be changed."""
    try:
        app(prog_name="sluicegate")
    except SluicegateError as error:
        for sentence in error.sentences:
            typer.echo(f"sluicegate: {sentence}", err=True)
        sys.exit(error.exit_code)
    except Exception as error:  # noqa: BLE001 - the text of an exception may hold what came from outside
        typer.echo(f"sluicegate: unexpected failure: {_described(error)}", err=True)
        sys.exit(1)


def _load(name: str) -> Any:
    module = import_module(f"worker.commands.{name}")
    group = getattr(module, "app", None)
    if group is None:
        group = typer.Typer(pretty_exceptions_enable=False, add_completion=False)
        group.command(name)(getattr(module, name))
    return typer.main.get_command(group)


def _described(error: Exception) -> str:
    from worker.log.faults import exception_types, frames

    return " ".join((exception_types(error), *frames(error.__traceback__)[-3:]))


def _listed() -> None:
    """Stands in the list; never run."""


def _list() -> None:
    for name, words in COMMANDS.items():
        app.command(name, help=words)(_listed)


_list()
