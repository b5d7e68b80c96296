"""The log's schema is closed: its page is true, and nothing else in the worker prints or logs."""

from __future__ import annotations

import ast
import importlib.util
import inspect
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from worker.log import lines as log_lines
from worker.log.lines import LINES, Level, Line
from worker.log.schema import schema

ROOT = Path(__file__).parents[2]
MODULES = sorted(
    path for room in ("worker", "connectors", "policies") for path in (ROOT / room).rglob("*.py")
)

LOGS = {"worker/log/writer.py", "worker/log/bridge.py"}
"""The only modules that know of logging and of standard output."""

SHOWS = ("worker/commands/", "worker/cli.py", "worker/tour/demo.py")
"""What a person at a terminal started may show something there."""


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_the_page_says_what_the_code_does() -> None:
    """docs/log-schema.md is made by `sluicegate logs --schema`; stale, it fails here."""
    assert (ROOT / "docs" / "log-schema.md").read_text() == schema()


def test_every_line_type_is_in_the_closed_list() -> None:
    """No line exists that the page does not show."""
    made = {
        value
        for value in vars(log_lines).values()
        if inspect.isclass(value) and issubclass(value, Line) and value is not Line
    }
    assert made == set(LINES)
    assert len({line.__struct_config__.tag for line in LINES}) == len(LINES)


@pytest.mark.parametrize("line", LINES)
def test_a_line_takes_no_other_field(line: type[Line]) -> None:
    """A field that nobody documented cannot be logged."""
    with pytest.raises(TypeError):
        line(surprise="x")  # type: ignore[call-arg]


def test_lines_hold_words_numbers_and_configured_names_only() -> None:
    """No field can carry an arbitrary object, let alone an exception or a payload."""
    allowed = {"str", "int", "bool", "list[str]", "dict[str, int]", "tuple[Reason, ...]", "Level"}
    words = {"Refusal", "Phase", "Place"}
    annotations = {annotation for line in LINES for annotation in _annotations(line)}
    assert annotations <= allowed | words


def _annotations(line: type[Line]) -> Iterator[str]:
    for field in msgspec.structs.fields(line):
        text = field.type.__name__ if isinstance(field.type, type) else str(field.type)
        if "[" in str(field.type):
            text = str(field.type).replace("policies.verdict.", "")
        yield text


def test_every_line_has_a_level() -> None:
    """Info unless said otherwise."""
    assert all(
        next(f.default for f in msgspec.structs.fields(line) if f.name == "level") is Level.INFO
        for line in LINES
    )


def _speech(tree: ast.AST) -> Iterator[str]:
    """Every way in which a module could print or log by itself."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (
                alias.name for alias in node.names if alias.name in {"logging", "structlog", "pprint"}
            )
        if isinstance(node, ast.ImportFrom) and node.module in {"logging", "structlog", "pprint"}:
            yield node.module
        if isinstance(node, ast.Name) and node.id in {"print", "input", "breakpoint"}:
            yield node.id
        if isinstance(node, ast.Attribute) and node.attr in {"stdout", "stderr", "__stdout__", "print_exc"}:
            yield node.attr
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(("rich", "typer")):
            yield node.module or ""


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_no_other_module_prints_or_logs(path: Path) -> None:
    """What is said goes through the log's closed set of lines."""
    name = _name(path)
    if name in LOGS or name.startswith(SHOWS):
        return
    assert list(_speech(ast.parse(path.read_text()))) == []


@pytest.mark.parametrize("path", [p for p in MODULES if _name(p).startswith(SHOWS)], ids=_name)
def test_commands_do_not_log(path: Path) -> None:
    """They show things to a person, through typer and rich."""
    assert not {"logging", "structlog"} & set(_speech(ast.parse(path.read_text())))


KNOWN_TEMPLATES = [
    "uvicorn.server",
    "uvicorn.protocols.http.httptools_impl",
    "apscheduler.schedulers.base",
    "apscheduler.schedulers.background",
    "apscheduler.executors.base",
    "apscheduler.executors.pool",
    "sqlalchemy.pool.base",
    "httpx._client",
    "alembic.runtime.migration",
]


HARMLESS = {"f\"Exception {('terminating' if terminate else 'closing')} connection %r\""}
"""Made from one of two constants."""


@pytest.mark.parametrize("module", KNOWN_TEMPLATES)
def test_allowed_loggers_log_constant_templates(module: str) -> None:
    """At warning and above, a library's template is a constant or a plain variable, never made from values."""
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    calls = [
        node
        for node in ast.walk(ast.parse(Path(spec.origin).read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in {"warning", "error", "critical", "exception"}
        and "logger" in ast.unparse(node.func.value)
        and node.args
    ]
    made = [call.args[0] for call in calls if not isinstance(call.args[0], (ast.Constant, ast.Name))]
    assert {ast.unparse(template) for template in made} <= HARMLESS
