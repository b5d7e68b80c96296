"""What the pages and examples name is there: links, files, commands, targets, settings, metrics, words."""

from __future__ import annotations

import configparser
import importlib
import os
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import click
import pytest

from connectors.registry import CONNECTORS, SOCIAL
from policies.tenant import TenantPolicy
from policies.verdict import Outcome, ReasonCode
from tests.architecture.plain_yaml import documents
from worker import cli
from worker.inbound import Disposition
from worker.log.lines import Refusal
from worker.log.writer import Log
from worker.runtime import Runtime, wall_clock
from worker.settings import PREFIX, SECRET_PREFIX, Settings
from worker.tenants.file import read_tenant
from worker.tenants.loading import TenantSource, load_all
from worker.tenants.secrets import Secrets

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs" / "examples"
OPERATIONS = ROOT / "docs" / "operations.md"
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "connectors").glob("*/README.md")]
)
SHIPPED = [*EXAMPLES.iterdir(), *(ROOT / "docker").iterdir(), *(ROOT / "docker/tenants").iterdir()]
CONFIGURED = sorted({path for path in SHIPPED if path.is_file()} - set(PAGES))

_link = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")
_fence = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_span = re.compile(r"`([^`\n]+)`")
_path = re.compile(r"(?:worker|connectors|policies|tests|docs|docker|requirements|\.ci)/[\w./-]*\Z")
_command = re.compile(r"(?<![\w/.-])sluicegate ([a-z]+)((?: [^|`\n]*)?)")
_target = re.compile(r"(?:^|&& )make (?:[A-Z]+=\S+ )?([a-z][a-z-]*)", re.MULTILINE)
_variable = re.compile(rf"{PREFIX}[A-Z][A-Z_]*[A-Z]")
_metric = re.compile(r"\bsluicegate_[a-z_]+\b")


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


every_page = pytest.mark.parametrize("page", PAGES, ids=_name)


def _code(page: Path) -> Iterator[str]:
    """Every block and span of code."""
    text = page.read_text(encoding="utf-8")
    yield from (block for _, block in _fence.findall(text))
    yield from _span.findall(_fence.sub("", text))


def _anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", _fence.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


# --- links and files ----------------------------------------------------------------------------------------


@every_page
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    """To a file that is there, and to a heading in it."""
    dead = []
    for link in _link.findall(_fence.sub("", page.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", link):
            continue
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        if not target.exists() or (anchor and anchor not in _anchors(target)):
            dead.append(link)
    assert dead == []


@every_page
def test_every_path_in_code_is_there(page: Path) -> None:
    """A file that was renamed is renamed in the pages too."""
    paths = (word for code in _code(page) for word in code.split() if _path.match(word))
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_every_page_is_in_the_index_and_every_decision_in_theirs() -> None:
    """What nobody links nobody finds."""
    for index in (ROOT / "docs/README.md", ROOT / "docs/decisions/README.md", EXAMPLES / "README.md"):
        linked = {
            (index.parent / link).resolve() for link in _link.findall(index.read_text(encoding="utf-8"))
        }
        beside = {path for path in index.parent.glob("*.*") if path != index}
        assert beside - linked == set()


# --- commands and targets -----------------------------------------------------------------------------------


def _options(command: click.Command) -> set[str]:
    return {"--help"} | {
        option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)
    }


def _wrong_in(name: str, rest: str) -> Iterator[str]:
    """What of a command line the command does not know."""
    if name not in cli.COMMANDS:
        yield name
        return
    command: Any = importlib.import_module("worker.cli")._load(name)
    words = [word.strip("'\"") for word in rest.split("#", maxsplit=1)[0].split()]
    inner: dict[str, Any] = getattr(command, "commands", {})
    if inner and words and re.fullmatch(r"[a-z]+", words[0]):
        if words[0] not in inner:
            yield f"{name} {words[0]}"
            return
        command = inner[words[0]]
    if not hasattr(command, "commands"):
        given = (word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word))
        yield from (f"{name} {option}" for option in given if option not in _options(command))


@every_page
def test_every_command_that_a_page_names_exists(page: Path) -> None:
    """With its subcommand and its options."""
    lines = [match for code in _code(page) for match in _command.findall(code)]
    assert [wrong for name, rest in lines for wrong in _wrong_in(name, rest)] == []


@every_page
def test_every_make_target_that_a_page_names_exists(page: Path) -> None:
    """As in the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {target for code in _code(page) for target in _target.findall(code)}
    assert named - targets == set()


# --- settings -----------------------------------------------------------------------------------------------


def _known_variable(name: str) -> bool:
    return (
        name.startswith(SECRET_PREFIX.rstrip("_"))
        or name.removeprefix(PREFIX).lower() in Settings.model_fields
    )


@pytest.mark.parametrize("file", [*PAGES, *CONFIGURED], ids=_name)
def test_every_setting_that_is_named_exists(file: Path) -> None:
    """A worker refuses to start with a variable that it does not know: no example may teach one."""
    named = set(_variable.findall(file.read_text(encoding="utf-8")))
    assert {name for name in named if not _known_variable(name)} == set()


def settings_table() -> str:
    """The rows of the settings table in docs/operations.md."""
    rows = []
    for name, field in Settings.model_fields.items():
        hangs_on_others = "Default:" in (field.description or "")
        default = "" if hangs_on_others or field.default is None else f"`{field.default}`".lower()
        description = (field.description or "").replace("<", "\\<")
        rows.append(f"| `{PREFIX}{name.upper()}` | {default} | {description} |")
    return "\n".join(rows)


def test_every_setting_is_documented_as_the_code_has_it() -> None:
    """Name, default, meaning; `python -m tests.architecture.test_docs` writes the rows anew."""
    assert settings_table() in OPERATIONS.read_text(encoding="utf-8")


# --- metrics ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, ...]]:
    """Every metric that a worker exports, by sample name, with its labels."""
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("data"),
        migrate_on_start=True,
        webhook_listen_port=0,
        admin_listen_port=0,
    )
    descriptor = os.open(os.devnull, os.O_WRONLY)
    try:
        runtime = Runtime(settings, Log(descriptor, wall_clock))
        try:
            page = runtime.metrics.page().decode()
            collectors = dict(runtime.metrics.registry._names_to_collectors)
        finally:
            runtime.close()
    finally:
        os.close(descriptor)
    types = dict(re.findall(r"^# TYPE (\S+) (\w+)$", page, re.MULTILINE))
    labels = {name: tuple(getattr(collectors.get(name), "_labelnames", ())) for name in types}
    labels["sluicegate_log_lines_dropped_total"] = ("kind",)
    labels |= {f"{name}_bucket": ("le",) for name, kind in types.items() if kind == "histogram"}
    return {name: held for name, held in labels.items() if not name.endswith("_created")}


def test_every_metric_is_documented_with_its_labels(exported: dict[str, tuple[str, ...]]) -> None:
    """And none that does not exist."""
    text = OPERATIONS.read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`sluicegate_.+?) \| (.*?) \|", text, re.MULTILINE)
    told = {name: labels for names, labels in rows for name in _metric.findall(names)}
    assert told.keys() == {name for name in exported if not name.endswith("_bucket")}
    for name, labels in told.items():
        if labels != "histogram" and exported[name]:
            assert tuple(labels.split(", ")) == exported[name], name


@every_page
def test_every_metric_that_a_page_names_exists(page: Path, exported: dict[str, tuple[str, ...]]) -> None:
    """Code names them; prose may speak of others."""
    named = {metric for code in _code(page) for metric in _metric.findall(code)}
    assert {name for name in named if name not in exported} - {"sluicegate_keyring"} == set()


@cache
def _alerts() -> list[dict[str, Any]]:
    (document,) = documents((EXAMPLES / "alerts.yaml").read_text(encoding="utf-8"))
    return [rule for group in document["groups"] for rule in group["rules"]]


every_alert = pytest.mark.parametrize("alert", _alerts(), ids=lambda alert: alert["alert"])

WORDS: dict[str, set[str]] = {
    "refusal": set(Refusal),
    "disposition": set(Disposition),
    "reason": set(ReasonCode),
    "connector": set(CONNECTORS),
    "outcome": {"done", "failed", "alarm"},
}


@every_alert
def test_an_alert_asks_for_metrics_labels_and_words_that_exist(
    alert: dict[str, Any], exported: dict[str, tuple[str, ...]]
) -> None:
    """A misspelt one would never fire, and nobody would notice."""
    expr = alert["expr"]
    metrics = _metric.findall(expr)
    assert metrics
    assert [metric for metric in metrics if metric not in exported] == []
    by = {label for some in re.findall(r"by \(([^)]*)\)", expr) for label in some.split(", ")}
    selected = re.findall(r"(\w+)(?:=~|!=|=)\"([^\"]*)\"", expr)
    known = {label for metric in metrics for label in exported[metric]} | {"instance"}
    assert by | {label for label, _ in selected} <= known
    for label, value in selected:
        if label in WORDS and value:
            assert set(value.split("|")) <= WORDS[label]


@every_alert
def test_an_alert_says_how_bad_and_what(alert: dict[str, Any]) -> None:
    """What it shows of labels, its expression keeps."""
    assert alert["labels"]["severity"] in {"page", "ticket"}
    shown = set(re.findall(r"\$labels\.(\w+)", alert["annotations"]["summary"]))
    by = re.findall(r"by \(([^)]*)\)", alert["expr"])
    kept = {label for some in by for label in some.split(", ")} if by else {"instance"}
    assert shown <= kept


# --- tenants ------------------------------------------------------------------------------------------------


def test_the_example_tenants_load(tmp_path: Path) -> None:
    """With their secrets there they serve every connector, side by side."""
    directory = ROOT / "docker" / "tenants"
    environment: dict[str, str] = {}
    for file in directory.glob("*.toml"):
        folder = tmp_path / file.stem
        folder.mkdir()
        text = file.read_text(encoding="utf-8")
        for name in re.findall(r'"file:([^"]+)"', text):
            (folder / name).write_text("invented")
        environment |= dict.fromkeys(re.findall(r'"env:([^"]+)"', text), "invented")
    secrets = Secrets(directory=tmp_path, environment=environment)
    tenants = load_all(TenantSource(directory=directory, secrets=secrets, connectors=CONNECTORS))
    assert tenants.problems == ()
    served = {id_: set(version.tenant.connectors) for id_, version in tenants.versions.items()}
    texts = set(CONNECTORS) - set(SOCIAL)
    assert served == {"example": set(SOCIAL), "strict": {"whatsapp"}, "texts": texts}
    assert not any(version.out_of_service or version.not_sending for version in tenants.versions.values())
    assert all(one.sending for one in tenants.versions["texts"].tenant.connectors.values())


def test_the_strict_example_shows_every_key_of_a_policy() -> None:
    """Each differs from its default."""
    shown = tomllib.loads((ROOT / "docker/tenants/strict.toml").read_text(encoding="utf-8"))["policy"]
    assert list(shown) == list(TenantPolicy.__struct_fields__)
    assert [key for key, value in shown.items() if value == getattr(TenantPolicy(), key)] == []


def _tenant_texts() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        blocks = _fence.findall(page.read_text(encoding="utf-8"))
        yield from (
            (_name(page), block) for kind, block in blocks if kind == "toml" and "[connectors." in block
        )
    for document in documents((EXAMPLES / "kubernetes.yaml").read_text(encoding="utf-8")):
        held = document.get("data", {})
        yield from ((f"kubernetes {key}", text) for key, text in held.items() if key.endswith(".toml"))


@pytest.mark.parametrize(("where", "text"), list(_tenant_texts()))
def test_a_tenant_file_in_a_page_is_one(where: str, text: str) -> None:
    """Whoever copies it gets a tenant."""
    assert read_tenant(where, text.encode(), CONNECTORS)[1] == []


# --- words --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [Outcome, Disposition, ReasonCode], ids=lambda words: words.__name__)
def test_the_glossary_explains_every_word_of_a_decision(words: Any) -> None:
    """A new one is explained, or fails here."""
    text = (ROOT / "docs/glossary.md").read_text(encoding="utf-8")
    first = {word for row in re.findall(r"^\| (.+?) \|", text, re.MULTILINE) for word in _span.findall(row)}
    assert set(words) - first == set()


# --- deployment examples ------------------------------------------------------------------------------------


def test_the_kubernetes_example_hangs_together() -> None:
    """Every mount has its volume, every reference its object; the selectors select."""
    every = documents((EXAMPLES / "kubernetes.yaml").read_text(encoding="utf-8"))
    maps = {one["metadata"]["name"] for one in every if one["kind"] == "ConfigMap"}
    for one in every:
        if one["kind"] not in {"Job", "Deployment"}:
            continue
        pod = one["spec"]["template"]["spec"]
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        assert {volume["configMap"]["name"] for volume in volumes.values() if "configMap" in volume} <= maps
        for container in pod["containers"]:
            assert {mount["name"] for mount in container["volumeMounts"]} == set(volumes)
            assert container["envFrom"][0]["configMapRef"]["name"] in maps
            assert container.get("args", ["serve"])[0] in cli.COMMANDS
    (deployment,) = (one for one in every if one["kind"] == "Deployment")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"] == labels
    for kind, path in (
        ("Service", "selector"),
        ("NetworkPolicy", "podSelector"),
        ("PodDisruptionBudget", "selector"),
    ):
        (other,) = (one for one in every if one["kind"] == kind)
        selector = other["spec"][path]
        assert selector.get("matchLabels", selector) == labels


def test_the_systemd_example_starts_the_worker() -> None:
    """It is a unit, and gives a stop more time than a drain takes."""
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.read(EXAMPLES / "sluicegate.service")
    assert unit["Service"]["ExecStart"].split()[1] in cli.COMMANDS
    assert int(unit["Service"]["TimeoutStopSec"]) > Settings.model_fields["drain_seconds"].default


def test_the_proxy_example_fits_the_worker() -> None:
    """As large bodies, longer patience, both public paths, no body on its disk, no query in its log."""
    text = re.sub(r"#.*", "", (EXAMPLES / "nginx.conf").read_text(encoding="utf-8"))
    assert text.count("{") == text.count("}")
    assert (
        int(re.findall(r"client_max_body_size\s+(\d+)m;", text)[0]) << 20
        == Settings.model_fields["max_body_bytes"].default
    )
    assert (
        int(re.findall(r"proxy_read_timeout (\d+)s;", text)[0])
        > Settings.model_fields["answer_seconds"].default
    )
    assert re.findall(r"location (\S+)", text) == ["/webhooks/", "/data-deletion/", "/"]
    assert "proxy_request_buffering off;" in text
    assert "$request " not in text
    assert "$request_uri" not in text
    assert "$args" not in text


if __name__ == "__main__":
    _rows = re.compile(rf"(?:^\| `{PREFIX}.*\n)+", re.MULTILINE)
    OPERATIONS.write_text(
        _rows.sub(lambda _: settings_table() + "\n", OPERATIONS.read_text(encoding="utf-8")), encoding="utf-8"
    )
