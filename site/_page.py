"""What the documents share: they place figures, tables and words of the saved results.

A document shows what is in ``results/`` beside it, as the analyses declare it. Where an analysis
has not been run, it says so.
"""

from __future__ import annotations

import dataclasses
import re
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd
from IPython.display import Markdown, display

from metablin.errors import DataError
from metablin.records import Table
from metablin.report.inline import Inline
from metablin.report.readout import readout
from metablin.report.render import IN_FILE, headlines, to_page

__all__ = [
    "RESULTS",
    "answers",
    "beside",
    "caveats",
    "curve",
    "everything",
    "figure",
    "first",
    "number",
    "say",
    "shown",
    "stated",
    "table",
]

RESULTS = Path(__file__).resolve().parent / "results"
BEHIND = "Behind it"  # the one column of a table that holds links

# Quarto leaves HTML with this remark as it is; otherwise it makes tables of its own from it.
AS_IT_IS = "<!--| quarto-html-table-processing: none -->"

MOST = 2
"""Figures and tables of the rest of an analysis that are shown as they are."""
DAY = re.compile(r">(\d{4}-\d\d-\d\d)</td>")

number = Inline(RESULTS)
_shown: set[str] = set()


def shown(what: str) -> None:
    """Note that the page has shown ``figure analysis/name`` or ``table analysis/name``."""
    _shown.add(what)


def say(text: str) -> None:
    """Put Markdown on the page, as a block of its own.

    Quarto ends every output with one newline, and a fence is one only after an empty line.
    """
    display(Markdown(f"\n{text}\n"))  # type: ignore[no-untyped-call]


def raw(html: str) -> str:
    """Return HTML as a block that reaches the page unchanged."""
    return f"```{{=html}}\n{AS_IT_IS}\n{html}\n```"


def first(*paths: str) -> str | None:
    """Return the first of several results that exists, or None."""
    return next((path for path in paths if number.has(path)), None)


def stated(path: str, noun: str, grade: str = "") -> str:
    """Return a result with its interval and how much stands behind it, in one bracket.

    Parameters
    ----------
    path : str
        ``analysis/table/key`` of a line with an estimate, ``k`` and ``n``.
    noun : str
        What a study is called, in the singular.
    grade : str
        ``analysis/table/key/column`` of the certainty, in GRADE's words.
    """
    k, n = (number.text(f"{path}/{c}") for c in ("k", "n"))
    parts = [number.estimate(path).removesuffix(")")]
    parts.append(f"{k} {noun}{'' if k == '1' else 's'}, {n} patients")
    parts += [f"certainty: {number.text(grade)}"] if grade else []
    return f"{'; '.join(parts)})"


def missing(analysis: str) -> bool:
    """Tell whether an analysis has no results here, and say so on the page."""
    if number.has(analysis):
        return False
    if f"missing {analysis}" in _shown:
        say("*Not part of this edition either.*")
        return True
    _shown.add(f"missing {analysis}")
    say(
        "::: {.callout-note}\n"
        f"## Not there yet\n\nThe results of the analysis *{analysis.replace('_', ' ')}* are not "
        "part of this edition of the site, so nothing is shown and nothing is claimed.\n:::"
    )
    return True


def slug(*parts: str) -> str:
    """Return a label for cross-references."""
    return "-".join(re.sub(r"[^a-z0-9]+", "-", part.lower()).strip("-") for part in parts)


def links(analysis: str, table: str) -> str:
    """Return the links under a figure or table: the CSV and the evidence rows behind it."""
    if not table:
        return ""
    source = f"sources/{analysis}.qmd#{slug(table)}"
    return f" [Data](results/{analysis}/{table}.csv) · [Source]({source})"


def menu(analysis: str, name: str, data: str) -> str:
    """Return the links under a figure: data and rows behind it, files, its place, its citation."""
    files = "".join(f" · [{e.upper()}](results/{analysis}/{name}.{e})" for e in ("svg", "png"))
    here = f" · [Link](#fig-{slug(analysis, name)}) · [Cite](about.qmd#how-to-cite) "
    files = files if data else files.removeprefix(" ·")
    return f"{links(analysis, data)}{files}{here}{same(analysis, name, data)}"


def same(analysis: str, name: str, data: str) -> str:
    """Return Python that draws a figure again and gives the numbers behind it, folded."""
    lines = [
        "from metablin.pipeline import find_analyses, load_analysis",
        f'found = load_analysis(find_analyses(), "{analysis}").run()',
        f'found.figures["{name}"].figure',
        *([f'found.tables["{data}"].frame'] if data else []),
    ]
    code = "&#10;".join(escape(line, quote=False) for line in lines)
    return (
        '`<details class="same"><summary>The same in Python</summary>'
        f'<pre tabindex="0"><code>{code}</code></pre></details>`{{=html}}'
    )


def plain(text: str) -> str:
    """Return text with nothing that Markdown would read as a sign."""
    return re.sub(r"([\\`*_{}\[\]<>#@$^~|])", r"\\\1", text)


def sentences(*texts: str) -> str:
    """Return texts one after the other, each ending as a sentence does."""
    ended = (t if t[-1] in ".?!" else f"{t}." for t in texts if t)
    return plain(" ".join(ended))


def described(alt: str) -> str:
    """Return alternative text as the attribute of a picture.

    Pandoc reads a per cent sign as the beginning of an escape in an address.
    """
    return alt.replace('"', "'").replace("%", " per cent")


def figure(path: str) -> None:
    """Show a figure ``analysis/figure`` with its caption, alternative text and links."""
    analysis, name = path.split("/")
    if missing(analysis):
        return
    _shown.add(f"figure {path}")
    known = number.words(analysis)["figures"]
    if name not in known:
        raise DataError("no such figure", value=path, allowed=" | ".join(known))
    about = known[name]
    if not about["alt"]:
        raise DataError("a figure without alternative text", value=path)
    say(
        f"::: {{#fig-{slug(analysis, name)}}}\n\n"
        f'![](results/{analysis}/{name}.svg){{fig-alt="{described(about["alt"])}"}}\n\n'
        f"{sentences(about['title'], about['caption'])}{menu(analysis, name, about['data'])}\n\n:::"
    )


def curve(path: str, colour: str) -> None:
    """Show a figure of a pooled curve ``analysis/figure``, with its values to read off it.

    Parameters
    ----------
    path : str
    colour : str
        Of the curve, by the name of its arm or population.
    """
    from metablin.plots import style  # slow to import, and few pages need it
    from metablin.plots._survival import TOP
    from metablin.plots._svg import curve_area

    figure(path)
    analysis, name = path.split("/")
    if not number.has(f"{analysis}/pooled_curves"):
        return
    frame = number.table(f"{analysis}/pooled_curves").frame
    frame = frame.loc[frame["key"].str.startswith(f"{name}.")]
    start = {"time": 0.0, "survival": 1.0, "conf_low": 1.0, "conf_high": 1.0, "k": frame["k"].max()}
    frame = pd.concat([pd.DataFrame([start]), frame], ignore_index=True)
    names = {"conf_low": "low", "conf_high": "high", "k": "count"}
    narrow = RESULTS / f"{path}.narrow.svg"
    text = readout(
        frame.rename(columns=names).assign(group="Mean of the arms"),
        curve_area((RESULTS / f"{path}.svg").read_text("utf-8")),
        narrow=curve_area(narrow.read_text("utf-8")) if narrow.is_file() else None,
        figure=f"fig-{slug(analysis, name)}",
        top=TOP,
        interval="95% interval",
        counted="Arms followed",
        colours={"Mean of the arms": style.colour(colour)},
    )
    say(raw(text))


def table(path: str, where: str = "", opened: bool = False, only: tuple[str, ...] = ()) -> None:
    """Show a result table ``analysis/table`` with its caption and links.

    Parameters
    ----------
    path : str
    where : str
        Rows to show, as a pandas query.
    opened : bool
        Whether a long table is unfolded.
    only : tuple of str
        Columns to show; all where none is named.
    """
    analysis, name = path.split("/")
    if missing(analysis):
        return
    _shown.add(f"table {path}")
    known = number.words(analysis)["tables"]
    if name not in known:
        raise DataError("no such table", value=path, allowed=" | ".join(known))
    found = number.table(path)
    if where:
        found = dataclasses.replace(found, frame=found.frame.query(where))
    if only:
        kept = tuple(c for c in found.columns if c.name in only)
        found = dataclasses.replace(found, columns=kept)
    place(found, slug(analysis, name), links(analysis, name), opened=opened)


def beside(where: str) -> None:
    """Show published pools beside ours: the pairs of some topics, as a pandas query."""
    shown = ("review", "question", "outcome", "published", "ours", "verdict")
    table("agreement/pairs", where=where, only=shown)


def place(
    found: Table,
    label: str,
    behind: str,
    more: dict[str, list[str]] | None = None,
    most: int = IN_FILE,
    opened: bool = False,
) -> None:
    """Put a table on the page: with a number and a caption, or where to find it when it is long.

    Parameters
    ----------
    found : Table
    label : str
        For cross-references.
    behind : str
        Links to what stands behind it, as Markdown.
    more : dict of str to list of str, optional
        More columns, of HTML.
    most : int
        Rows from which it stays in its file.
    opened : bool
        Whether a long table is unfolded.
    """
    page = to_page(found, f"tbl-{label}", more, most=most)
    caption = sentences(found.title, found.note)
    if not page.rows:
        say(f"{caption} There is none.{behind}")
        return
    if not page.body:
        say(f"{caption} Its {page.rows:,} rows are in the file.{behind}")
        return
    body = DAY.sub(r'><span class="whole">\1</span></td>', page.body)
    body = body.replace("<details>", "<details open>", 1) if opened else body
    say(f"::: {{#tbl-{label}}}\n\n{raw(body)}\n\n{caption}{behind}\n\n:::")


SHORT_ANSWERS = (
    "A prediction interval says where the result of a new, similar study would be expected."
)


def answers(*analyses: str) -> None:
    """Show the headline results of analyses as one table."""
    here = [name for name in analyses if number.has(name)]
    found = headlines(number, here)
    if found.frame.empty:
        say("*The results of this analysis are not part of this edition of the site.*")
        return
    behind = [
        f'<a href="results/{name}/{place}.csv">Data</a> · '
        f'<a href="sources/{name}.html#{slug(place)}">Source</a>'
        for name, place in zip(found.frame["analysis"], found.frame["table"], strict=True)
    ]
    found = dataclasses.replace(found, title="The short answers", note=SHORT_ANSWERS)
    place(found, slug("answers", *here), "", {BEHIND: behind})


def caveats(analysis: str) -> None:
    """Show what the authors of an analysis want readers to know before they use it."""
    if number.has(analysis):
        notes = number.words(analysis)["notes"]
        say("\n".join(f"- {plain(note)}" for note in notes) or "No caveat beyond the methods.")


def everything(analysis: str) -> None:
    """Show a whole analysis; where the page has shown parts of it before, the rest is folded."""
    if missing(analysis):
        return
    about: dict[str, Any] = number.words(analysis)
    before = any(f" {analysis}/" in name for name in _shown)
    rest = {
        kind: [n for n in about[f"{kind}s"] if f"{kind} {analysis}/{n}" not in _shown]
        for kind in ("figure", "table")
    }
    if not before:
        say(f"*{plain(about['question'])}*")
        if about["headlines"]:
            answers(analysis)
    count = [
        f"{len(names)} {kind}{'s' * (len(names) > 1)}" for kind, names in rest.items() if names
    ]
    fold = before and sum(map(len, rest.values())) > MOST
    if fold:
        title = f"The rest of this analysis: {' and '.join(count)}"
        say(raw(f'<details class="rest"><summary>{title}</summary>'))
    for name in rest["figure"]:
        figure(f"{analysis}/{name}")
    for name in rest["table"]:
        table(f"{analysis}/{name}")
    if fold:
        say(raw("</details>"))
    if about["notes"]:
        say("**Read this with care**")
        caveats(analysis)
