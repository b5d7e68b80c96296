"""The command line: quick to list, plain in its errors, and it never shows what an exception holds."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from worker import cli
from worker.cli import COMMANDS
from worker.errors import ConfigurationError, Unavailable
from worker.settings import PREFIX
from worker.status import version

ROOT = Path(__file__).parents[2]


def sluicegate(*words: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, with these settings and no others."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    return subprocess.run(
        [sys.executable, "-c", "from worker.cli import main; main()", *words],
        cwd=ROOT,
        env=inherited | {PREFIX + name: value for name, value in settings.items()},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_help_lists_every_command_without_importing_any() -> None:
    """The list is quick: nothing that works is loaded for it."""
    code = (
        "import sys\nfrom worker.cli import main\nsys.argv = ['sluicegate', '--help']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print([name for name in sys.modules if name.startswith(('sqlalchemy', 'uvicorn', 'worker.commands.'))])"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert all(name in told.stdout for name in COMMANDS)
    assert told.stdout.rstrip().endswith("[]")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_listed_command_is_there_and_has_help(name: str) -> None:
    """The list is true."""
    command = cli._load(name)
    assert command.help or command.commands


def test_an_unknown_command_is_told_its_neighbour() -> None:
    """A slip of the finger costs no search."""
    told = sluicegate("polcy")
    assert told.returncode == 2
    assert "policy" in told.stderr


def test_an_unknown_setting_stops_every_command() -> None:
    """Exit code 2, the variable's name, and not its value."""
    told = sluicegate("doctor", XYZZY="hush")
    assert told.returncode == 2
    assert told.stderr == "sluicegate: SLUICEGATE_XYZZY: no such setting\n"


@pytest.mark.parametrize(
    ("error", "code", "shown"),
    [
        (ConfigurationError("one", "two"), 2, "sluicegate: one\nsluicegate: two\n"),
        (Unavailable("later"), 1, "sluicegate: later\n"),
    ],
)
def test_errors_are_sentences_with_an_exit_code(
    error: Exception,
    code: int,
    shown: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One line each on standard error."""
    assert _run_raising(error, monkeypatch) == code
    assert capsys.readouterr().err == shown


def test_an_unexpected_failure_shows_types_and_places_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An exception's text may hold what came from outside."""
    assert _run_raising(ValueError("canary-77"), monkeypatch) == 1
    shown = capsys.readouterr().err
    assert "canary-77" not in shown
    assert "ValueError" in shown
    assert "test_cli_basics.py" in shown


def _run_raising(error: Exception, monkeypatch: pytest.MonkeyPatch) -> object:
    def fail(**_options: object) -> None:
        raise error

    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return ended.value.code


def test_the_version_is_told() -> None:
    """The one that `/status` shows, without a command."""
    told = sluicegate("--version")
    assert (told.returncode, told.stdout) == (0, f"{version()}\n")
