"""How many identifiers are found, how many other numbers are touched, and what a text costs: fixed seeds.

python -m tests.bench.identifiers
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Sequence

from policies.identifiers.registry import KINDS
from policies.identifiers.scan import scan
from policies.rules import government_id, payment_card
from policies.tenant import Facts, TenantPolicy
from tests.policies.identifiers.made import texts
from tests.policies.identifiers.others import OTHERS, other_texts
from tests.policies.strategies import INNOCENT, message

TALK = (
    "Thanks a lot for your help, that was quick and very kind of you. See you in the shop soon!",
    "Hello, is anybody there? I have been waiting for 20 minutes now.",
    "Bonjour, je voudrais savoir si le magasin est ouvert demain, merci d'avance",
    "Hola, ¿me pueden ayudar con una devolución? Gracias",
    "Guten Tag, wann kommt meine Lieferung denn nun endlich an?",
    *INNOCENT,
)


def main() -> None:
    """Measure and print."""
    print("found, of numbers made up in every spelling and disguise")
    everything: list[bool] = []
    for kind in KINDS:
        found = [_covered(text, number) for text, number in texts(kind, random.Random(kind.name), 12)]
        everything += found
        print(f"  {kind.name:<20} {_share(found)}")
    print(f"  {'all':<20} {_share(everything)}")
    print("touched, of other numbers")
    everything = []
    for name in OTHERS:
        touched = [bool(scan(text)) for text in other_texts(name, random.Random(name), 2000)]
        everything += touched
        print(f"  {name:<20} {_share(touched)}")
    print(f"  {'all':<20} {_share(everything)}")
    print("µs for a message, both rules (median, 99 of 100)")
    others = [text for name in OTHERS for text in other_texts(name, random.Random(name), 60)]
    identifiers = [text for kind in KINDS for text, _ in texts(kind, random.Random(kind.name), 1)]
    for title, some in (
        ("without a number", TALK),
        ("with other numbers", others),
        ("with an identifier", identifiers),
    ):
        print(f"  {title:<20} {_cost(some)}")
    print(f"  {'one to one to one':<20} {_cost([*TALK * (len(others) // len(TALK)), *others])}")


def _covered(text: str, number: str) -> bool:
    at = text.index(number)
    return any(one.start <= at and one.end >= at + len(number) for one in scan(text))


def _share(results: Sequence[bool]) -> str:
    return f"{sum(results) / len(results):7.2%}  {sum(results)}/{len(results)}"


def _cost(some: Iterable[str]) -> str:
    facts, times = Facts(now=0, policy=TenantPolicy()), []
    for text in some:
        judged = message(text=text)
        begun = time.thread_time_ns()
        government_id.check(judged, facts)
        payment_card.check(judged, facts)
        times.append((time.thread_time_ns() - begun) / 1000)
    times.sort()
    return f"{times[len(times) // 2]:6.1f}  {times[len(times) * 99 // 100]:6.1f}"


if __name__ == "__main__":
    main()
