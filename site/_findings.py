"""The summary of findings of a topic: what happens with and without, how sure, in words."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape
from typing import Any

import pandas as pd
from _page import links, missing, number, raw, say, sentences, shown

__all__ = ["findings", "graded", "of_hundred"]

PATH = "certainty/summary_of_findings"
ANSWERS = {"os": "alive", "event_free": "without an event"}
YEARS = {12: "one year", 24: "two years", 36: "three years", 48: "four years", 60: "five years"}
EFFECT = "_effect"
"""Ends the key of a rate that is asked as an effect: without a comparison it has no number."""
Row = dict[Any, Any]


def findings(keys: str, more: str = "") -> None:
    """Show the summary of findings of a topic, certainty beside every answer.

    Parameters
    ----------
    keys : str
        Regular expression that the keys of its lines contain.
    more : str
        The same of lines that are folded below: a summary is read at a glance.
    """
    if missing("certainty"):
        return
    shown(f"table {PATH}")
    found = number.table(PATH)
    parts = tables(lines(found.frame, keys))
    rest = lines(found.frame, more) if more else []
    if rest:
        title = f"{len(rest)} more outcomes"
        parts += ["<details><summary>", title, "</summary>", *tables(rest), "</details>"]
    behind = f"{links('certainty', 'summary_of_findings')} · [Reasons](certainty.qmd)"
    say(
        f"::: {{#tbl-findings}}\n\n{raw(''.join(parts))}\n\n"
        f"{sentences(found.title, found.note)}{behind}\n\n:::"
    )


def lines(frame: pd.DataFrame, keys: str) -> list[Row]:
    """Return the lines whose keys match."""
    chosen = frame["key"].str.contains(re.sub(r"\((?!\?)", "(?:", keys))
    return frame.loc[chosen].fillna("").to_dict(orient="records")


def tables(rows: list[Row]) -> list[str]:
    """Return a table of comparisons and one of rates, where there are any."""
    compared = [r for r in rows if r["without"] or "against" in r["question"]
                or "added" in r["question"]]  # fmt: skip
    alone = [r for r in rows if r not in compared]
    kinds = ((compared, COMPARED), (alone, ALONE))
    return [table(part, columns) for part, columns in kinds if part]


def table(rows: list[Row], columns: dict[str, Callable[[Row], str]]) -> str:
    """Return lines of findings as an HTML table, a block a question."""
    head = "".join(f'<th scope="col">{name}</th>' for name in columns)
    body, question = [], ""
    for row in rows:
        if row["question"] != question:
            question = row["question"]
            body.append(
                f'<tr class="block"><th scope="colgroup" colspan="{len(columns)}">'
                f"{escape(question)}</th></tr>"
            )
        first, *others = columns.items()
        cells = "".join(f'<td data-label="{n}">{cell(row)}</td>' for n, cell in others)
        body.append(f'<tr><th scope="row">{first[1](row)}</th>{cells}</tr>')
    return (
        f'<div class="scroll"><table class="sof"><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )


def outcome(row: Row) -> str:
    """Return what is counted and over whom."""
    n, k = re.fullmatch(r"([\d,]+) \((\d+)\)", str(row["patients"])).groups()  # type: ignore[union-attr]
    studies = "study" if k == "1" else "studies"
    return f"{escape(row['outcome'])}<small>{n} patients, {k} {studies}</small>"


def cell(name: str) -> Callable[[Row], str]:
    """Return what shows a column as it is, less the unit that stands in the heading."""
    return lambda row: together(escape(str(row[name]).replace(" per 1,000", ""))) or "–"


def difference(row: Row) -> str:
    """Return the difference, and the number needed to treat where its interval has two limits."""
    text = str(row["nnt"])
    needed = f"<small>{together(text)}</small>" if text and "infinity" not in text else ""
    return f"{cell('difference')(row)}{needed}"


def together(text: str) -> str:
    """Return text whose intervals do not break within their brackets."""
    return re.sub(r"\(([^)]*)\)", r'<span class="whole">(\1)</span>', text)


def graded(row: Row) -> str:
    """Return the certainty: signs, word, and what lowered it."""
    word = str(row["certainty"])
    why = f"<small>{escape(row['lowered'])}</small>" if row["lowered"] else ""
    signs = f'<span aria-hidden="true">{escape(str(row["signs"]))}</span>'
    return f'{signs} <span class="grade grade-{word.replace(" ", "-")}">{escape(word)}</span>{why}'


def in_words(row: Row) -> str:
    """Return the sentence, and whose risk the one without is."""
    whose = f"<small>Risk without: {escape(row['baseline'])}</small>" if row["baseline"] else ""
    return f"{together(escape(row['sentence']))}{whose}"


COMPARED: dict[str, Callable[[Row], str]] = {
    "Outcome": outcome,
    "Without, of 1,000": cell("without"),
    "With, of 1,000": cell("with"),
    "Difference": difference,
    "Ratio": cell("effect"),
    "Certainty": graded,
    "In words": in_words,
}
ALONE: dict[str, Callable[[Row], str]] = {
    "Outcome, no comparison": outcome,
    "How often": lambda row: "–" if row["key"].endswith(EFFECT) else cell("effect")(row),
    "Certainty": graded,
    "In words": in_words,
}


def of_hundred(pool: str, months: int) -> str:
    """Return how many of a hundred are alive with and without, with the interval of the first.

    Parameters
    ----------
    pool : str
        ``endpoint.line`` of the randomised comparisons.
    months : int
        Time to which both arms are followed.
    """
    row = number.row(f"randomised/absolute_pooled/{pool}.{months}")
    without = row["survival_control"]
    low, high = (100 * without + row[c] for c in ("points_low", "points_high"))
    return (
        f"of 100, {100 * row['survival_treatment']:.0f} {ANSWERS[pool.split('.')[0]]} at "
        f"{YEARS[months]} with it ({low:.0f} to {high:.0f}), {100 * without:.0f} without"
    )
