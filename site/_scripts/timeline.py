"""The sources of a trial by date: what each added to the evidence."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape

from cells import Row, citation, html

from metablin.datasets import load

KINDS = {
    "trials": "facts of the trial",
    "conduct": "conduct",
    "survival": "survival",
    "at_risk": "numbers at risk",
    "contrasts": "comparisons",
    "mrd_stratified": "outcome by MRD response",
    "safety": "adverse events",
    "pharmacokinetics": "pharmacokinetics",
}
"""Tables whose rows come from reports of trials; proportions are told by their outcome."""
OUTCOMES = (
    (r"^baseline_", "patients at the start"),
    (r"mrd", "MRD response"),
    (r"^(cr|cr_crh|cr_cri|cr_crh_cri)$", "response"),
    (r"hsct", "transplant"),
    (r"", "other proportions"),
)
"""Outcomes of proportions, the first that fits."""
FORMS = {
    "article": "article",
    "abstract": "abstract",
    "news": "news report",
    "web": "web page",
    "registry": "register",
    "regulatory": "regulator",
}
INTRODUCED = "Oldest first, each with the number of rows that it gave to the base."
UNDATED = "date not recorded"
UNKNOWN = "9999"
"""Sorts behind every year."""


def kinds() -> dict[str, str]:
    """Return what every row of the tables of reports is about, by row identifier."""
    found: dict[str, str] = {}
    for table, words in KINDS.items():
        frame = load(table, all_rows=True)
        found |= dict.fromkeys(frame["trial_id" if table == "trials" else "row_id"], words)
    rows = load("proportions", all_rows=True)
    for row, outcome in zip(rows["row_id"], rows["outcome"], strict=True):
        found[row] = next(words for sign, words in OUTCOMES if re.search(sign, outcome))
    return found


def dated() -> dict[str, tuple[str, str]]:
    """Return date and form of every reference, by its key."""
    rows = load("references", all_rows=True)[["source_key", "public_date", "year", "entry_type"]]
    return {
        key: (date or (f"{year:.0f}" if year == year else ""), FORMS.get(entry, ""))
        for key, date, year, entry in rows.itertuples(index=False, name=None)
    }


def timeline(
    rows: Sequence[Row], kind: Mapping[str, str], dates: Mapping[str, tuple[str, str]]
) -> str:
    """Return the sources of a trial, oldest first, with how many rows of which kind each gives.

    Parameters
    ----------
    rows : sequence of mapping
        The evidence rows of the trial.
    kind : mapping of str to str
        What :func:`kinds` returns.
    dates : mapping of str to tuple of str
        What :func:`dated` returns.
    """
    sources: dict[str, list[Row]] = {}
    for row in rows:
        if row["row_id"] in kind:
            sources.setdefault(row["source_key"] or row["source_url"], []).append(row)
    if not sources:
        return "No row of the base names a report of it."
    found = [
        (*dates.get(part[0]["source_key"], ("", "")), source, part)
        for source, part in sources.items()
    ]
    found.sort(key=lambda x: (x[0] or UNKNOWN, x[2]))
    items = "".join(f"<li>{_source(part, date, form, kind)}</li>" for date, form, _, part in found)
    return f"{INTRODUCED}\n\n" + html(f'<ol class="timeline">{items}</ol>')


def _source(rows: Sequence[Row], date: str, form: str, kind: Mapping[str, str]) -> str:
    """Return one source: date, citation, form, what it gives and how much of that is used."""
    when = f"<strong>{escape(date)}</strong>" if date else UNDATED
    quoted = all(row["confidence"] == "secondary" for row in rows)
    form = ", ".join(x for x in (form, "quotes the trial" if quoted else "") if x)
    known = [row for row in rows if kind[row["row_id"]] != KINDS["trials"]]
    parts = [f"{words} {n}" for words, n in Counter(kind[r["row_id"]] for r in known).items()]
    parts += [KINDS["trials"]] if len(known) < len(rows) else []
    aside = sum(not row["preferred"] for row in known)
    gave = f"; {aside} of these rows gave way to another report" if aside else ""
    return (
        f"{when}: {citation(rows[0])}{f' ({form})' if form else ''}. "
        f"Added: {escape(', '.join(parts))}{gave}."
    )
