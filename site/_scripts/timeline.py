"""The sources of a trial by date: what each added to the evidence."""

from __future__ import annotations

import re
from html import escape

import pandas as pd
from cells import citation, html

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


def kinds() -> pd.Series:
    """Return what every row of the tables of reports is about, by row identifier."""
    found: dict[str, str] = {}
    for table, words in KINDS.items():
        frame = load(table, all_rows=True)
        found |= dict.fromkeys(frame["trial_id" if table == "trials" else "row_id"], words)
    rows = load("proportions", all_rows=True)
    for row, outcome in zip(rows["row_id"], rows["outcome"], strict=True):
        found[row] = next(words for sign, words in OUTCOMES if re.search(sign, outcome))
    return pd.Series(found)


def dated() -> pd.DataFrame:
    """Return date and form of every reference, by its key."""
    references = load("references", all_rows=True).set_index("source_key")
    years = references["year"].map(lambda y: f"{y:.0f}" if y == y else "")
    date = references["public_date"].where(references["public_date"] != "", years)
    return pd.DataFrame({"date": date, "form": references["entry_type"].map(FORMS).fillna("")})


def timeline(rows: pd.DataFrame, kind: pd.Series, dates: pd.DataFrame) -> str:
    """Return the sources of a trial, oldest first, with how many rows of which kind each gives.

    Parameters
    ----------
    rows : pandas.DataFrame
        The evidence rows of the trial.
    kind : pandas.Series
        What :func:`kinds` returns.
    dates : pandas.DataFrame
        What :func:`dated` returns.
    """
    own = rows.loc[rows["row_id"].isin(kind.index)]
    if own.empty:
        return "No row of the base names a report of it."
    own = own.assign(
        kind=own["row_id"].map(kind),
        source=own["source_key"].where(own["source_key"] != "", own["source_url"]),
        date=own["source_key"].map(dates["date"]).fillna(""),
        form=own["source_key"].map(dates["form"]).fillna(""),
    )
    groups = [part for _, part in own.groupby("source", sort=False)]
    groups.sort(key=lambda part: (part["date"].iloc[0] or UNKNOWN, part["source"].iloc[0]))
    items = "".join(f"<li>{_source(part)}</li>" for part in groups)
    return f"{INTRODUCED}\n\n" + html(f'<ol class="timeline">{items}</ol>')


def _source(rows: pd.DataFrame) -> str:
    """Return one source: date, citation, form, what it gives and how much of that is used."""
    first = rows.iloc[0].to_dict()
    date = f"<strong>{escape(first['date'])}</strong>" if first["date"] else UNDATED
    quoted = (rows["confidence"] == "secondary").all()
    form = ", ".join(x for x in (first["form"], "quotes the trial" if quoted else "") if x)
    known = rows.loc[rows["kind"] != KINDS["trials"]]
    counts = known["kind"].value_counts(sort=False)
    parts = [f"{words} {n}" for words, n in counts.items()]
    parts += [KINDS["trials"]] if len(known) < len(rows) else []
    aside = int((~known["preferred"].astype(bool)).sum())
    gave = f"; {aside} of these rows gave way to another report" if aside else ""
    return (
        f"{date}: {citation(first)}{f' ({form})' if form else ''}. "
        f"Added: {escape(', '.join(parts))}{gave}."
    )
