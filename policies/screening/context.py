"""What a text is judged against (the sender and the tenant's register), how strictly, and what the judgement is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from policies.message import Private
from policies.reasons import CLAUSES, REMEDY
from policies.screening.action import Action
from policies.screening.lexicon import HOSTS, Lexicon
from policies.screening.links import host_and_path, is_public_suffix, registrable
from policies.screening.numbers import digits_of
from policies.screening.patterns import Pattern, pattern
from policies.sms.purpose import Purpose
from policies.verdict import ReasonCode


class Register(Private, frozen=True):
    """What the tenant owns, made ready for looking up; ``Register.of`` makes one.

    ``domains``: registrable domains, owned with everything below. ``paths``: hosts that are shared with others, each with
    the path prefixes that are the tenant's ("" for the whole host). ``labels``: the names in front of the domains' tops.
    """

    domains: frozenset[str] = frozenset()
    paths: Mapping[str, tuple[str, ...]] = {}
    numbers: frozenset[str] = frozenset()
    brands: frozenset[str] = frozenset()
    labels: frozenset[str] = frozenset()
    templates: tuple[Pattern, ...] = ()

    @classmethod
    def of(
        cls,
        hosts: Iterable[str] = (),
        numbers: Iterable[str] = (),
        brands: Iterable[str] = (),
        templates: Iterable[Pattern] = (),
    ) -> Register:
        """A register from names as people write them: hosts or URLs, numbers in any spelling, brand names.

        What is no host or no number owns nothing. A host on which everybody may have a page is owned as far as its path.
        """
        domains: set[str] = set()
        paths: dict[str, tuple[str, ...]] = {}
        for host, path in filter(None, map(host_and_path, hosts)):
            if path or is_shared(host):
                paths[host] = (*paths.get(host, ()), path)
            else:
                domains.add(registrable(host))
        return cls(
            domains=frozenset(domains),
            paths=paths,
            numbers=frozenset(filter(None, map(digits_of, numbers))),
            brands=frozenset(" ".join(brand.lower().split()) for brand in brands),
            labels=frozenset(domain.partition(".")[0].replace("-", "") for domain in domains),
            templates=tuple(templates),
        )

    def fits(self, text: str) -> bool:
        """Whether one of the tenant's templates is exactly this text."""
        return any(template.fullmatch(text) for template in self.templates)


def is_shared(host: str) -> bool:
    """Whether the host is no one's own: a public suffix, a shortener, a chat application, a page builder."""
    return is_public_suffix(host) or any(
        host in HOSTS[name] for name in ("shorteners", "chats", "shared", "freemail")
    )


class ScreenContext(Private, frozen=True, kw_only=True):
    """Who sends, to whom, what for, and what the sender's tenant owns."""

    sender: str = ""
    recipient: str = ""
    purpose: Purpose | None = None
    register: Register = Register()


class ScreeningTuning(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One tenant's tuning, as its file has it.

    ``quarantine_at`` and ``block_at``: scores from 0 to 1 at which the model's judgement holds and blocks a text;
    ``quarantine_home_at``: the same where all that the text leads to is the sender's own, which speaks for it.
    ``abuse_at``: the same for abuse (held, never blocked, on a model's word). ``stricter``: an action per code, which
    can only be stricter than the usual one. ``shadow``: codes that are noted and do not act. ``deny_words``: whole words
    or phrases; ``deny_hosts``: registrable domains; ``deny_patterns``: RE2, over the text in plain letters.
    """

    quarantine_at: float = 0.55
    quarantine_home_at: float = 0.85
    block_at: float = 0.9
    abuse_at: float = 0.5
    stricter: Mapping[ReasonCode, Action] = {}
    shadow: tuple[ReasonCode, ...] = ()
    deny_words: tuple[str, ...] = ()
    deny_hosts: tuple[str, ...] = ()
    deny_patterns: tuple[str, ...] = ()
    longest: int = 1600

    def __post_init__(self) -> None:
        if not REMEDY.keys() >= {*self.stricter, *self.shadow}:
            raise ValueError("stricter and shadow name reasons of the screening")


class ScreeningPolicy(Private, frozen=True, kw_only=True):
    """A tuning made ready: patterns compiled, lists looked up. ``ScreeningPolicy.of`` makes one."""

    tuning: ScreeningTuning
    deny_words: Lexicon | None = None
    deny_hosts: frozenset[str] = frozenset()
    deny_patterns: tuple[Pattern, ...] = ()

    @classmethod
    def of(cls, tuning: ScreeningTuning) -> ScreeningPolicy:
        """Compile a tuning. Raises ValueError, which does not quote it, for a pattern that is none."""
        return cls(
            tuning=tuning,
            deny_words=Lexicon(("denied", word) for word in tuning.deny_words) if tuning.deny_words else None,
            deny_hosts=frozenset(registrable(host.lower()) for host in tuning.deny_hosts),
            deny_patterns=tuple(map(pattern, tuning.deny_patterns)),
        )


class Evidence(Private, frozen=True, kw_only=True):
    """What speaks for the judgement, for reviewers: a feature, its weight, and where it stands in the original text.

    ``weight`` is 0 for a rule, which needs none; ``end`` is past the last character.
    """

    feature: str
    weight: float
    start: int
    end: int


class Finding(Private, frozen=True, kw_only=True):
    """One reason: what it asks for, and where in the original text it stands."""

    code: ReasonCode
    action: Action
    start: int = 0
    end: int = 0
    shadow: bool = False

    @property
    def acts(self) -> bool:
        """Whether it holds or blocks the text, and is not merely noted or tried."""
        return self.action is not Action.PASS and not self.shadow

    @property
    def clauses(self) -> tuple[str, ...]:
        """The clauses of the terms that the reason serves."""
        return CLAUSES[self.code]


class Screening(Private, frozen=True, kw_only=True):
    """The judgement of a text.

    ``score`` is the text model's alone, from 0 to 1; ``reasons`` are all findings, those that act first; ``evidence`` and
    ``remedies`` (what would change it) are for reviewers only.
    """

    action: Action
    score: float
    reasons: tuple[Finding, ...] = ()
    evidence: tuple[Evidence, ...] = ()

    @property
    def codes(self) -> tuple[ReasonCode, ...]:
        """Each reason that acts, once, in order."""
        return tuple(dict.fromkeys(reason.code for reason in self.reasons if reason.acts))

    @property
    def remedies(self) -> tuple[str, ...]:
        """What would change the judgement, a sentence for each reason."""
        return tuple(dict.fromkeys(REMEDY[code] for code in self.codes))
