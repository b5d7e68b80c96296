"""The report as one page: self-contained, printable, without scripts. Every word in it is escaped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Final

from worker.report.figures import SMALLEST, Figures, Told

_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"
_STYLE: Final = """
body { font: 11pt/1.45 system-ui, sans-serif; color: #1a1a1a; max-width: 46rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem } h2 { font-size: 1.05rem; margin: 1.8rem 0 .4rem }
table { border-collapse: collapse; width: 100% } td { padding: .12rem .4rem; vertical-align: middle }
td.n { text-align: right; width: 6rem; font-variant-numeric: tabular-nums } td.b { width: 45% }
svg { display: block } rect { fill: #35608f } p.s, footer { color: #555; font-size: .9rem }
@media print { body { margin: 0; max-width: none } h2 { break-after: avoid } tr { break-inside: avoid } }
"""


def page(figures: Figures) -> str:
    """The report as HTML."""
    return "\n".join(_parts(figures))


def _parts(figures: Figures) -> Iterator[str]:
    title = escape(f"Compliance report: {figures.tenant}, {figures.month}")
    yield "<!doctype html>"
    yield f'<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
    yield f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
    yield f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body>'
    yield f"<h1>{title}</h1>"
    yield f'<p class="s">Counts below {SMALLEST} are not told, so that no number leads to a person (PP-2).</p>'
    for heading, sentence, counts in _tables(figures):
        yield from _table(heading, sentence, counts)
    yield "<h2>Rights requests past their date</h2>"
    yield f"<p>{_number(figures.rights_late)}</p>"
    yield "<h2>Opt-outs in force since this month</h2>"
    yield f"<p>{_number(figures.opt_outs)}</p>"
    yield (
        "<footer><p>"
        + escape(
            f"Made {figures.made_at}. Policy {figures.policy}, rule pack {figures.rule_pack}, terms {figures.terms}"
            f" ({figures.terms_digest}). Decision chain at {figures.chain}, signed up to {figures.sealed}."
        )
        + "</p></footer></body></html>"
    )


def _tables(figures: Figures) -> Iterator[tuple[str, str, Mapping[str, Told]]]:
    yield "Volume", "Events by connector.", figures.volumes
    yield "What was done", "Events by disposition.", figures.dispositions
    yield "By clause", "Decisions for which a clause of the terms was the reason.", figures.clauses
    yield "By reason", "Story mentions stripped, texts refused, and every other reason.", figures.reasons
    yield "Unsends", "From accepting an unsend to content that is gone, at most.", figures.unsend_delays
    yield "Rights requests", "By kind and status.", figures.rights
    yield "Legal holds", "", figures.holds
    yield "Productions", "", figures.productions
    yield "Deletion receipts", "", figures.receipts
    yield "Standing with the platforms", "Changes by aspect and state.", figures.accounts


def _table(heading: str, sentence: str, counts: Mapping[str, Told]) -> Iterator[str]:
    yield f"<h2>{escape(heading)}</h2>"
    if sentence:
        yield f'<p class="s">{escape(sentence)}</p>'
    if not counts:
        yield "<p>None.</p>"
        return
    most = max((count for count in counts.values() if count is not None), default=0)
    yield "<table>"
    for word, count in counts.items():
        yield f'<tr><td>{escape(word)}</td><td class="n">{_number(count)}</td><td class="b">{_bar(count, most)}</td></tr>'
    yield "</table>"


def _number(count: Told) -> str:
    return f"&lt; {SMALLEST}" if count is None else f"{count:,}"


def _bar(count: Told, most: int) -> str:
    width = 0 if not count or not most else max(1, round(100 * count / most))
    return f'<svg width="100%" height="10" role="img" aria-label="{_number(count)}"><rect width="{width}%" height="10"/></svg>'
