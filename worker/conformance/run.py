"""An examination from start to end: admit a tenant for every label, post, read back, search, judge."""

from __future__ import annotations

import signal
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import httpx
import msgspec

from connectors.decode import MalformedPayload
from connectors.registry import CONNECTORS
from worker.conformance import vectors
from worker.conformance.exceptions import WrongLabels, excuse
from worker.conformance.judge import Miss, Observed, forbidden, judge
from worker.conformance.labels import Case, Corpus, Expected
from worker.conformance.rig import Guest, Rig, signed_post, transcripts
from worker.conformance.search import Search
from worker.keyring import Keyring
from worker.store.engine import Store
from worker.transcripts import message_ref

SENDERS: Final = 4
"""Cases that are posted at the same time; the deliveries of one case go one after the other."""

SHORTEST_CONTENT: Final = 12
"""A shorter text, name or id may be part of an ordinary word of a log line; it is judged in the export alone."""

LOG: Final = "(the log)"
SHUTDOWN: Final = "(the shutdown)"

Say = Callable[[str], None]


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome: how many labels hold, and each promise that does not."""

    passed: int
    failed: int
    misses: Sequence[Miss]
    excused: Sequence[Miss]


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """One case and the fresh tenant that owns every account in it."""

    case: Case
    guest: Guest


Examinee = Subject | vectors.Trial


def examine(corpus: Corpus, exceptions: Sequence[WrongLabels], rig: Rig, say: Say) -> Verdict:
    """Run a worker in ``rig`` through the corpus and judge what it leaves. ``say`` is told of progress."""
    subjects = [_subject(number, case) for number, case in enumerate(corpus.cases, start=1)]
    trials = vectors.trials(corpus)
    say(f"{len(subjects)} cases and {len(trials)} vectors; a worker starts")
    with rig.running() as client:
        answers, misses = _walk(rig, client, waves([*subjects, *trials]))
        say("posted; reading back")
        misses += _judged(rig, subjects, answers)
        misses += _searched([*rig.files(), *rig.pages()], subjects)  # while the write-ahead log is there
        misses += _ended(rig)
    misses += _logged(rig)
    say("stopped; looking through what is left")
    misses += _searched(rig.files(), subjects)
    labels = [subject.case.name for subject in subjects] + [trial.label for trial in trials] + [LOG, SHUTDOWN]
    return _verdict(labels, misses, exceptions)


def waves(examinees: Sequence[Examinee]) -> list[list[Examinee]]:
    """Groups in which no two tenants own the same account: it belongs to one at a time."""
    groups: list[tuple[list[Examinee], set[tuple[str, str]]]] = []
    for examinee in examinees:
        owned = {
            (name, account) for name, accounts in examinee.guest.accounts.items() for account in accounts
        }
        group = next((group for group in groups if not group[1] & owned), None)
        if group is None:
            groups.append(group := ([], set()))
        group[0].append(examinee)
        group[1].update(owned)
    return [members for members, _ in groups]


Answers = Mapping[str, Sequence[httpx.Response]]
"""Every answer that a tenant's deliveries were given, by its id."""


def _walk(rig: Rig, client: httpx.Client, groups: Sequence[Sequence[Examinee]]) -> tuple[Answers, list[Miss]]:
    """One wave after the other: its tenants move in, everything is posted, and they move out again."""
    answers: dict[str, Sequence[httpx.Response]] = {}
    misses: list[Miss] = []
    for group in groups:
        for examinee in group:
            rig.admit(examinee.guest)
        rig.reload([examinee.guest for examinee in group])
        answers |= _post(client, [examinee for examinee in group if isinstance(examinee, Subject)])
        for examinee in group:
            if isinstance(examinee, vectors.Trial):
                misses += examinee.run(client)
            rig.dismiss(examinee.guest)
    return answers, misses


def _verdict(labels: Sequence[str], misses: Sequence[Miss], exceptions: Sequence[WrongLabels]) -> Verdict:
    standing, excused = excuse(dict.fromkeys(misses), exceptions)
    failed = {miss.label for miss in standing}
    return Verdict(passed=len(set(labels) - failed), failed=len(failed), misses=standing, excused=excused)


def _subject(number: int, case: Case) -> Subject:
    accounts = sorted(accounts_of(case))
    guest = Guest.fresh(f"case-{number:04d}", {case.connector: accounts or [f"nobody-{number}"]})
    return Subject(case=case, guest=guest)


def accounts_of(case: Case) -> frozenset[str]:
    """Every account that the case's bodies name, by the connector's reading and by the labels."""
    found: set[str] = set()
    for body in case.deliveries:
        try:
            payload, _ = CONNECTORS[case.connector].decode(body)
        except MalformedPayload:
            continue
        found.update(event.account for event in CONNECTORS[case.connector].parse(payload, 0))
    if isinstance(case.expected, Expected):
        found.update(str(item.account) for item in case.expected.items if item.account is not None)
    return frozenset(found - {""})


def _post(client: httpx.Client, subjects: Sequence[Subject]) -> Answers:
    def deliver(subject: Subject) -> list[httpx.Response]:
        case = subject.case
        return [signed_post(client, subject.guest, case.connector, body) for body in case.deliveries]

    with ThreadPoolExecutor(SENDERS) as pool:
        answers = list(pool.map(deliver, subjects))
    return {subject.guest.id: answer for subject, answer in zip(subjects, answers, strict=True)}


def _judged(rig: Rig, subjects: Sequence[Subject], answers: Answers) -> Iterator[Miss]:
    with rig.opened() as (store, keyring):
        for subject in subjects:
            yield from judge(subject.case, _observed(store, keyring, subject, answers[subject.guest.id]))


def _observed(
    store: Store, keyring: Keyring, subject: Subject, answers: Sequence[httpx.Response]
) -> Observed:
    guest, connector = subject.guest, subject.case.connector

    def refs(platform_id: str) -> frozenset[str]:
        accounts = ("", *guest.accounts[connector])
        return frozenset(
            message_ref(keyring, guest.id, connector, account, platform_id) for account in accounts
        )

    return Observed(
        statuses=[answer.status_code for answer in answers],
        bodies=[answer.content for answer in answers],
        export=transcripts(store, keyring, guest),
        refs=refs,
    )


def _searched(places: Iterable[tuple[str, bytes]], subjects: Sequence[Subject]) -> Iterator[Miss]:
    """Nothing forbidden in any byte that was left, nor anything said: content is encrypted, and never logged."""
    owners = _owners(subjects)
    search = Search(owners)
    for name, data in places:
        for found in search.look(data):
            packed = found.layer and f" in a {found.layer}"
            detail = f"{name} holds {found.needle!r} ({found.spelling}{packed})"
            yield from (
                Miss(label=label, judgement=judgement, detail=detail)
                for label, judgement in sorted(owners[found.needle])
            )


def _owners(subjects: Sequence[Subject]) -> dict[str, set[tuple[str, str]]]:
    """Every string to look for, with the labels and promises that it would break."""
    accounts = {account for one in subjects for owned in one.guest.accounts.values() for account in owned}
    named = "\0".join(accounts).lower()  # accounts are written down; some files call a person like one
    owners: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for subject in subjects:
        for needle in forbidden(subject.case):
            owners[needle].add((subject.case.name, "absence"))
        for needle in _content(subject.case):
            if needle.lower() not in named:
                owners[needle].add((subject.case.name, "readable"))
    return owners


def _content(case: Case) -> Iterator[str]:
    """Texts, people and message ids of a label: the store holds them encrypted, the log not at all."""
    if isinstance(case.expected, Expected):
        for item in case.expected.items:
            values = (item.text, item.user, item.bsuid, item.mid, item.target_mid)
            yield from (str(value) for value in values if len(str(value or "")) >= SHORTEST_CONTENT)


def _ended(rig: Rig) -> Iterator[Miss]:
    code = rig.stop(signal.SIGTERM)
    if code != 0:
        yield Miss(label=SHUTDOWN, judgement="exit", detail=f"the worker ended with {code}, expected 0")


def _logged(rig: Rig) -> Iterator[Miss]:
    """Every line is one JSON object, the libraries' own lines too."""
    for number, line in enumerate(rig.log.read_bytes().splitlines(), start=1):
        if not _is_object(line):
            yield Miss(label=LOG, judgement="json", detail=f"line {number} is no JSON object")


def _is_object(line: bytes) -> bool:
    try:
        value: Any = msgspec.json.decode(line)
    except msgspec.DecodeError:
        return False
    return isinstance(value, dict)
