"""Pieces of generated pages: tables of evidence, citations, raw HTML, the head of a document."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any
from urllib.parse import urlsplit

import pandas as pd
from curves import AS_IT_IS

from metablin.datasets import entry
from metablin.report import format_number
from metablin.report.words import typeset

REPORTED = {
    "proportions": "Proportions",
    "survival": "Survival",
    "contrasts": "Comparisons",
    "mrd_stratified": "Outcome by MRD response",
    "safety": "Adverse events",
    "pharmacokinetics": "Pharmacokinetics",
}
"""Tables of results, in the order of a page."""

Row = Mapping[Any, Any]
"""A row of the evidence with its cells as the pages say them."""


def evidence_table(rows: Sequence[Row], *, link: bool = False) -> str:
    """Return evidence rows as an HTML table; with `link` they name their trial and lead to it."""
    printed = any(row["printed"] != "" for row in rows)
    heads = (
        *(["Trial"] * link),
        "What",
        "Value",
        *(["Printed"] * printed),
        "Source",
        "Where",
        "Row",
    )
    head = "".join(f'<th scope="col">{c}</th>' for c in heads)
    body = "".join(evidence_line(row, link, printed) for row in rows)
    return (
        f'<div class="scroll"><table class="evidence"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def evidence_line(row: Row, link: bool, printed: bool) -> str:
    """Return one evidence row as a line of an HTML table."""
    name = escape(row["row_id"])
    place = f' id="{name}"'
    if link:
        place = ""
        if row["trial_id"] and row["table"] in REPORTED:
            name = f'<a href="../trials/{row["trial_id"]}.html#{name}">{name}</a>'
        elif row["table"] == "trials":
            name = f'<a href="../trials/{name}.html">{name}</a>'
    trial = f"<td>{escape(row['trial'])}</td>" if link else ""
    note = f"<br><small>{escape(typeset(row['note']))}</small>" if row["note"] else ""
    kind = "" if row["preferred"] else ' class="aside"'
    as_printed = f"<td>{escape(typeset(row['printed']))}</td>" if printed else ""
    confidence = entry("confidence", row["confidence"]).words if row["confidence"] else ""
    where = f"{typeset(row['locator'])} ({confidence})"
    return (
        f'<tr{place}{kind}>{trial}<td class="what">{escape(row["what"])}</td>'
        f'<td class="value">{escape(row["value"])}</td>{as_printed}'
        f'<td class="source">{citation(row)}</td><td class="where">{escape(where)}{note}</td>'
        f'<td class="id">{name}</td></tr>'
    )


def citation(row: Row) -> str:
    """Return a citation with a link to the work, or to the page on which the number was read."""
    name = row["citation"] or row["source_key"] or urlsplit(str(row["source_url"])).netloc
    text = escape(typeset(name))
    if row["doi"]:
        return f'<a href="https://doi.org/{escape(row["doi"])}">{text}</a>'
    if str(row["source_url"]).startswith("http"):
        return f'<a href="{escape(row["source_url"])}">{text}</a>'
    return text


def plain_table(frame: pd.DataFrame, columns: Mapping[str, str]) -> str:
    """Return columns of a frame as an HTML table; `columns` are their headings."""
    head = "".join(f'<th scope="col">{escape(words)}</th>' for words in columns.values())
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(typeset(format_number(v)))}</td>" for v in values) + "</tr>"
        for values in frame[list(columns)].itertuples(index=False, name=None)
    )
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def card_table(heads: Sequence[str], lines: Sequence[str]) -> str:
    """Return lines as a table that becomes a card a line on a telephone."""
    head = "".join(f'<th scope="col">{escape(words)}</th>' for words in heads)
    return (
        f'<div class="scroll"><table class="sof"><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def line(name: str, cells: Sequence[str], heads: Sequence[str], small: str = "") -> str:
    """Return a line of such a table: name and cells are HTML; the cells have headings."""
    under = f"<small>{escape(small)}</small>" if small else ""
    rest = (f'<td data-label="{h}">{c}</td>' for h, c in zip(heads, cells, strict=True))
    return f'<tr><th scope="row">{name}{under}</th>{"".join(rest)}</tr>'


def block(words: str, columns: int) -> str:
    """Return a heading over several lines of such a table."""
    return f'<tr class="block"><th scope="colgroup" colspan="{columns}">{escape(words)}</th></tr>'


def html(text: str) -> str:
    """Return HTML as a raw block of a Quarto document."""
    return f"```{{=html}}\n{AS_IT_IS}\n{text}\n```"


def front_matter(title: str, description: str, script: str = "") -> str:
    """Return the head of a document, with a script of the site where it needs one."""
    tag = f'<script src="../assets/{script}" defer></script>'
    return (
        f"---\ntitle: {json.dumps(title, ensure_ascii=False)}\n"
        f"description: {json.dumps(description, ensure_ascii=False)}\n"
        + (f"include-in-header:\n  text: {json.dumps(tag)}\n" if script else "")
        + "---"
    )
