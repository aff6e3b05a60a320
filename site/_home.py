"""The first screen: the status of the review and its three answers, from the saved results."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from html import escape
from typing import Any

from _about import last_search
from _history import newest
from _page import RESULTS, number, raw, say

from metablin.report import format_number

__all__ = ["answers", "banner", "certainty", "news"]


@dataclass(frozen=True)
class Answer:
    """One of the three questions: a title, the pool that answers it, the months it is said at."""

    title: str
    pool: str
    months: int


ANSWERS = (
    Answer("First line, adults", "first_line_adults", 36),
    Answer("First relapse, children and young adults", "first_relapse", 24),
    Answer("Relapsed or refractory, adults", "adult_rr_ph_negative", 12),
)
YEARS = {12: "one year", 24: "two years", 36: "three years"}
SCALE = (0.15, 2.5)
"""Ends of the small axes of hazard ratios."""
LINES = 3


def banner() -> None:
    """Say how far the review is up to date: mode, version, evidence, last search, what is next."""
    about = json.loads((RESULTS.parent / "_variables.yml").read_text("utf-8"))
    say(
        raw(
            '<p class="status"><strong>Living review</strong>, version '
            f"{escape(about['version'])} · evidence to {about['evidence']['date']} · last search "
            f'{last_search()}, <a href="about.html#searches">not systematic</a>; no date is set '
            'for the next · <a href="about.html#new">what changed</a></p>'
        )
    )


def certainty(key: str) -> str:
    """Return the certainty of an answer in GRADE's words, or nothing while it is not rated."""
    path = f"certainty/grades/{key}"
    return str(number.row(path)["certainty"]) if number.has(path) else ""


def answers() -> None:
    """Show the three answers side by side: absolute numbers, ratio, certainty, a small forest."""
    cards = [
        card(answer) for answer in ANSWERS if number.has(f"randomised/pooled/os.{answer.pool}")
    ]
    say(raw(f'<div class="cards">{"".join(cards)}</div>'))


def card(answer: Answer) -> str:
    """Return one answer as a card."""
    path = f"randomised/pooled/os.{answer.pool}"
    row = number.row(path)
    studies = row["trials"] if row["k"] == 1 and "trials" in row else f"{row['k']:.0f} comparisons"
    word = certainty(f"os.{answer.pool}")
    sure = (
        f'certainty: <a class="grade grade-{word.replace(" ", "-")}" href="certainty.html">'
        f"{escape(word)}</a>"
        if word
        else '<a href="about.html#certainty">certainty</a>: not rated yet'
    )
    return (
        f'<section class="card-answer"><h2>{escape(answer.title)}</h2>{alive(answer)}'
        f"<p>Hazard ratio of death {escape(number.estimate(path))}; {escape(str(studies))}, "
        f"{format_number(row['n'], 'count')} patients</p>{small(row)}"
        f'<p>{sure} · <a href="survival.html">more</a> · <a href="explore.html#q=os&amp;from=os.'
        f'{answer.pool}">what if?</a></p></section>'
    )


def alive(answer: Answer) -> str:
    """Return how many of a hundred are alive with and without, where that is known."""
    path = f"randomised/absolute_pooled/os.{answer.pool}.{answer.months}"
    if not number.has(path):
        return ""
    row = number.row(path)
    without, low, high = (row[c] for c in ("survival_control", "points_low", "points_high"))
    with_it = f"{100 * row['survival_treatment']:.0f}"
    ends = " to ".join(f"{100 * without + p:.0f}" for p in (low, high))
    return (
        f'<p class="big">Of 100, alive at {YEARS[answer.months]}: <strong>{with_it}</strong> with '
        f"blinatumomab ({ends}), <strong>{100 * without:.0f}</strong> without.</p>"
    )


def small(row: dict[str, Any]) -> str:
    """Return a ratio and its interval as a small drawing, with the line of no difference."""
    low, high = (math.log(x) for x in SCALE)

    def at(value: float) -> float:
        return 200 * (min(max(math.log(value), low), high) - low) / (high - low)

    left, mid, right, none = (
        f"{at(x):.1f}" for x in (row["conf_low"], row["estimate"], row["conf_high"], 1.0)
    )
    words = f"Hazard ratio {row['estimate']:.2f}, {row['conf_low']:.2f} to {row['conf_high']:.2f}"
    return (
        f'<svg class="small-forest" viewBox="0 0 200 36" role="img" aria-label="{words}">'
        f'<line x1="{none}" x2="{none}" y1="0" y2="24" class="none"/>'
        f'<line x1="{left}" x2="{right}" y1="12" y2="12" class="interval"/>'
        f'<rect x="{float(mid) - 4:.1f}" y="8" width="8" height="8" class="study"/>'
        f'<text x="{none}" y="34" text-anchor="middle">no difference</text></svg>'
    )


def news() -> None:
    """Show the reports that moved a headline last, with links to all of them and to corrections."""
    lines = newest(LINES) if number.has("history") else []
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    more = '<a href="history.html">History</a>, <a href="about.html#new">all changed numbers</a>'
    say(raw(f'<ul class="news">{items}<li>{more}</li></ul>'))
