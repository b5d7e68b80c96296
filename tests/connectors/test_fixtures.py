"""Every fixture of every connector: a body as the platform sends it, and the complete list of events it means.

A fixture is ``connectors/<name>/fixtures/<event>__<detail>.json`` with ``<event>__<detail>.expected.json`` beside
it; a body that is no JSON has another suffix (``.form``). A new connector needs no code here: its pairs are found.
"""

from __future__ import annotations

import copy
import importlib
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import connectors
from connectors.contract import Connector
from connectors.decode import decode
from connectors.registry import CONNECTORS
from policies.event import Event, Noted, Unrecognised
from policies.message import Instant, Json
from tests.connectors.fixture_text import as_json

NOW: Instant = 1_790_000_000_000_000

_ROOT = Path(connectors.__file__).parent
_SUFFIX = ".expected.json"
_NAME = re.compile(r"[a-z0-9_]+__[a-z0-9_]+\Z")

FIXTURES = sorted(path for path in _ROOT.glob("*/fixtures/*.*") if not path.name.endswith(_SUFFIX))
EXPECTED = sorted(_ROOT.glob(f"*/fixtures/*{_SUFFIX}"))

CANARY = "CANARY7F3A"
HOSTILE: list[Json] = [
    *(None, -1.5, 10**30, "", "x" * 600, [[]], {}, {"id": [], "type": {}}),
    *(CANARY, {CANARY: CANARY}),
]
UNHEARD_OF: list[Json] = [None, -1.5, "x", {}, {"a": 1}, [{}], [1]]


def _label(path: Path) -> str:
    return f"{path.parent.parent.name}/{path.stem}"


def _expected(path: Path) -> Path:
    return path.with_name(path.stem + _SUFFIX)


def _module(path: Path) -> Any:
    return importlib.import_module(f"connectors.{path.parent.parent.name}.webhook")


def _read(path: Path) -> Json:
    """The payload in a fixture's body, as the connector itself reads it."""
    return getattr(_module(path), "decode", decode)(path.read_bytes())[0]


def _parser(path: Path) -> Callable[[Json, Instant], Iterator[Event]]:
    parse: Callable[[Json, Instant], Iterator[Event]] = _module(path).parse
    return parse


def _places(node: Json, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every node of a tree, the root first."""
    yield path
    inner = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in inner:
        yield from _places(value, (*path, key))


def _replaced(tree: Json, path: tuple[Any, ...], value: Json) -> Json:
    """The tree with another value at ``path``; only what lies on the way is copied."""
    if not path:
        return value
    changed = copy.copy(tree)
    changed[path[0]] = _replaced(tree[path[0]], path[1:], value)
    return changed


def _survives(path: Path, payload: Json) -> None:
    """Parsing yields events of the closed list that can be stored as JSON; what is logged of them is ours."""
    for event in _parser(path)(payload, NOW):
        msgspec.json.encode(event)
        if isinstance(event, Noted):
            assert re.fullmatch("[a-z_]+", event.what)
        if isinstance(event, Unrecognised):
            assert re.fullmatch("[a-z_]+", event.why)
            assert len(event.shape) <= 400
            assert CANARY not in event.shape


every_fixture = pytest.mark.parametrize("path", FIXTURES, ids=_label)


@every_fixture
def test_a_fixture_yields_exactly_the_events_beside_it(path: Path, request: pytest.FixtureRequest) -> None:
    """Equality is total: an event too many fails as one too few does."""
    events = as_json(_parser(path)(_read(path), NOW))
    if request.config.getoption("--rewrite-expected", default="") == path.parent.parent.name:
        _rewrite(_expected(path), events)
    assert events == json.loads(_expected(path).read_text(encoding="utf-8"))


def _rewrite(path: Path, events: list[Json]) -> None:
    if not path.exists() or json.loads(path.read_text(encoding="utf-8")) != events:
        path.write_text(json.dumps(events, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def test_every_fixture_has_its_expectation_and_every_expectation_its_fixture() -> None:
    """An orphan of either kind proves nothing."""
    assert [_expected(path) for path in FIXTURES] == EXPECTED


def test_a_fixture_is_named_event_and_detail() -> None:
    """The name says what happened and what is special about it."""
    assert [path.name for path in FIXTURES if _NAME.match(path.stem) is None] == []
    assert {path.suffix for path in FIXTURES} <= {".json", ".form"}


@every_fixture
def test_parsing_twice_gives_the_same_and_leaves_the_payload_alone(path: Path) -> None:
    """Nothing is remembered from one delivery to the next."""
    payload = _read(path)
    untouched = copy.deepcopy(payload)
    parse = _parser(path)
    assert list(parse(payload, NOW)) == list(parse(payload, NOW))
    assert payload == untouched


@every_fixture
def test_no_value_of_a_wrong_kind_in_any_place_makes_parsing_fail(path: Path) -> None:
    """Each node in turn becomes each hostile value."""
    payload = _read(path)
    for place in _places(payload):
        for value in HOSTILE:
            _survives(path, _replaced(payload, place, value))


@pytest.mark.parametrize("payload", UNHEARD_OF, ids=repr)
@pytest.mark.parametrize("connector", CONNECTORS.values(), ids=CONNECTORS)
def test_what_is_no_delivery_leaves_its_shape(connector: Connector, payload: Json) -> None:
    """Authentic and not understood is counted, never passed over in silence."""
    assert [type(event) for event in connector.parse(payload, NOW)] == [Unrecognised]


_scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
_trees = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_no_tree_grafted_into_a_fixture_makes_parsing_fail(data: st.DataObject) -> None:
    """Any JSON value in any place of any fixture."""
    path = data.draw(st.sampled_from(FIXTURES))
    payload = _read(path)
    place = data.draw(st.sampled_from(list(_places(payload))))
    _survives(path, _replaced(payload, place, data.draw(_trees)))
