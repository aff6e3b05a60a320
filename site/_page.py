"""What the documents share: figures, tables and words of the saved results, shown one way.

A document shows what is in ``results/`` beside it. Where an analysis has not been run, it says so.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
from _views import FORMATS, HIDDEN, LABELS, SAID, VIEWS, View
from great_tables import GT
from IPython.display import Markdown, display

from metablin.errors import DataError
from metablin.report import MISSING, UNITS, format_estimate, format_number
from metablin.report.inline import Inline
from metablin.report.readout import readout
from metablin.report.words import (
    arm_words,
    outcome_words,
    patients_words,
    short_names,
    spoken,
    typeset,
)

__all__ = [
    "RESULTS",
    "answers",
    "caveats",
    "curve",
    "everything",
    "figure",
    "first",
    "number",
    "say",
    "stated",
    "table",
]

RESULTS = Path(__file__).resolve().parent / "results"
LEAST_P = 0.001

number = Inline(RESULTS)

POPULATIONS = {
    "adult_rr_ph_negative": "Adults, relapsed/refractory, Ph-negative or mixed",
    "adult_rr_ph_positive": "Adults, relapsed/refractory, Ph-positive",
    "paediatric_rr": "Children, relapsed/refractory",
    "mrd_positive": "Adults in remission, MRD-positive",
    "mrd_positive_young": "Children and young adults in remission, MRD-positive",
    "first_relapse": "First relapse, children and young adults",
    "first_line": "First line",
}
ENDPOINTS = {
    "os": "Overall survival",
    "efs": "Event-free survival",
    "dfs": "Disease-free survival",
    "rfs": "Relapse-free survival",
    "pfs": "Progression-free survival",
}
WORDS = (("ratio", "ratio"), ("survival at", "proportion"))
CODES = {"hr": "ratio", "or": "ratio", "rr": "ratio", "rd": "points"}
PEOPLE = {"expected"}  # expected numbers of patients, shown as whole numbers
PLAIN_TEXT = {"patients", "subgroup"}
INTERVALS = {"conf_low", "conf_high", "pred_low", "pred_high"}
LONG = 25
TOO_LONG = 300
BEHIND = "Behind it"  # the one column of a table that holds links

# Quarto leaves HTML with this remark as it is; otherwise it makes tables of its own from it.
AS_IT_IS = "<!--| quarto-html-table-processing: none -->"

_shown: set[str] = set()


def say(text: str) -> None:
    """Put Markdown on the page."""
    display(Markdown(text))


def raw(html: str) -> str:
    """Return HTML as a block that reaches the page unchanged."""
    return f"```{{=html}}\n{AS_IT_IS}\n{html}\n```"


def first(*paths: str) -> str | None:
    """Return the first of several results that exists, or None."""
    return next((path for path in paths if number.has(path)), None)


def words(analysis: str) -> dict[str, Any]:
    """Return the words of an analysis."""
    return json.loads((RESULTS / analysis / "outcome.json").read_text("utf-8"))


def stated(path: str, unit: str, noun: str, grade: str = "") -> str:
    """Return a result with its interval and how much stands behind it, in one bracket.

    Parameters
    ----------
    path : str
        ``analysis/table/key`` of a line with an estimate, ``k`` and ``n``.
    unit : str
        See :func:`metablin.report.format_number`.
    noun : str
        What a study is called, in the singular.
    grade : str
        ``analysis/table/key/column`` of how firm the evidence is.
    """
    k, n = (number.value(f"{path}/{c}", "count") for c in ("k", "n"))
    parts = [number.estimate(path, unit).removesuffix(")")]
    parts.append(f"{k} {noun}{'' if k == '1' else 's'}, {n} patients")
    parts += [f"evidence: {number.value(grade)}"] if grade else []
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


def plain(text: str) -> str:
    """Return text with nothing that Markdown would read as a sign."""
    return re.sub(r"([\\`*_{}\[\]<>#@$^~|])", r"\\\1", text)


def figure(path: str) -> None:
    """Show a figure ``analysis/figure`` with its caption, alternative text and links."""
    analysis, name = path.split("/")
    if missing(analysis):
        return
    _shown.add(f"figure {path}")
    about = words(analysis)["figures"]
    if name not in about:
        raise DataError("no such figure", value=path, allowed=" | ".join(about))
    about = about[name]
    if not about["alt"]:
        raise DataError("a figure without alternative text", value=path)
    alt = about["alt"].replace('"', "'")
    say(
        f"::: {{#fig-{slug(analysis, name)}}}\n"
        f'![](results/{analysis}/{name}.svg){{fig-alt="{alt}"}}\n\n'
        f"{sentences(about['title'], about['caption'])}{links(analysis, about['data'])}\n:::"
    )


def sentences(*texts: str) -> str:
    """Return texts one after the other, each ending as a sentence does."""
    ended = (t if t[-1] in ".?!" else f"{t}." for t in texts if t)
    return plain(" ".join(ended))


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
    frame = number.table(f"{analysis}/pooled_curves")
    frame = frame.loc[frame["key"].str.startswith(f"{name}.")]
    start = {"time": 0.0, "survival": 1.0, "conf_low": 1.0, "conf_high": 1.0, "k": frame["k"].max()}
    frame = pd.concat([pd.DataFrame([start]), frame], ignore_index=True)
    names = {"conf_low": "low", "conf_high": "high", "k": "count"}
    text = readout(
        frame.rename(columns=names).assign(group="Mean of the arms"),
        curve_area((RESULTS / f"{path}.svg").read_text("utf-8")),
        figure=f"fig-{slug(analysis, name)}",
        top=TOP,
        interval="95% interval",
        counted="Arms followed",
        colours={"Mean of the arms": style.colour(colour)},
    )
    say(raw(text))


def table(path: str, columns: tuple[str, ...] = (), where: str = "", by: str = "") -> None:
    """Show a result table ``analysis/table`` with its caption and links.

    Parameters
    ----------
    path : str
    columns : tuple of str
        Columns to show, by default those of its view, else all but those that only machines read.
    where : str
        Rows to show, as a pandas query.
    by : str
        Column whose values become headings of groups of rows, by default that of its view.
    """
    analysis, name = path.split("/")
    if missing(analysis):
        return
    _shown.add(f"table {path}")
    about = words(analysis)
    if name not in about["tables"]:
        raise DataError("no such table", value=path, allowed=" | ".join(about["tables"]))
    view = VIEWS.get(path, View())
    columns, by = columns or view.columns, by or view.by
    frame = number.table(path).reset_index(drop=True)
    frame = frame.query(where) if where else frame
    frame = with_estimate(frame, view)
    units = [view.unit or u for u in usual_units(about, name, frame)]
    label, title = slug(analysis, name), about["tables"][name]
    if len(frame) > TOO_LONG:
        say(
            f"**{sentences(title['title'])}** {sentences(title['caption'])} Its {len(frame):,} "
            f"rows are in the file.{links(analysis, name)}"
        )
        return
    if by and columns and by not in columns:
        columns = (by, *columns)
    shown = readable(frame, units, columns, view)
    group = heading(by, view) if by else None
    if group and pd.api.types.is_numeric_dtype(frame[by]):
        shown[group] = f"{group} " + shown[group]
    body = render(shown, f"tbl-{label}", group)
    if len(frame) > LONG:
        body = f"<details><summary>{len(frame)} rows</summary>{body}</details>"
    caption = sentences(title["title"], title["caption"])
    say(f"::: {{#tbl-{label}}}\n{raw(body)}\n\n{caption}{links(analysis, name)}\n:::")


def with_estimate(frame: pd.DataFrame, view: View) -> pd.DataFrame:
    """Return a frame whose estimate and interval are the columns that its view names."""
    if not view.value:
        return frame
    low, high = view.limits
    found = frame.assign(estimate=frame[view.value], conf_low=frame[low], conf_high=frame[high])
    return found.drop(columns=[c for c in ("pred_low", "pred_high") if c in found])


def usual_units(about: dict[str, Any], table: str, frame: pd.DataFrame) -> list[str]:
    """Return the unit of every row's estimate: its own, that of its measure, or the table's."""
    if has_units(frame):
        return [str(unit) for unit in frame["unit"]]
    if "measure" in frame:
        return [unit_of(str(measure)) for measure in frame["measure"]]
    return [about["tables"][table]["unit"]] * len(frame)


def has_units(frame: pd.DataFrame) -> bool:
    """Whether the column `unit` says how to print a row, and not what was measured."""
    return "unit" in frame and set(frame["unit"]) <= set(UNITS)


def unit_of(measure: str) -> str:
    """Return the unit of a measure of effect, by its code or words."""
    words = measure.lower()
    return CODES.get(words) or next((unit for part, unit in WORDS if part in words), "number")


def heading(name: str, view: View) -> str:
    """Return the heading of a column."""
    known = {**LABELS, **dict(view.heads)}
    return known.get(name, name.replace("_", " ").capitalize())


def readable(
    frame: pd.DataFrame, units: list[str], columns: tuple[str, ...], view: View
) -> pd.DataFrame:
    """Return a result table as text: estimates with their intervals, headings for people."""
    rows = list(zip(frame.to_dict(orient="records"), units, strict=True))
    ranged = {c for c in frame.columns if {f"{c}_low", f"{c}_high"} <= set(frame.columns)}
    hidden = HIDDEN | INTERVALS | {f"{c}_{end}" for c in ranged for end in ("low", "high")}
    if has_units(frame):
        hidden = hidden | {"unit"}
    formats, shown = dict(view.formats), {}
    for name in columns or [c for c in frame.columns if c not in hidden]:
        if name == "estimate":
            known = "conf_low" in frame and frame["conf_low"].notna().any()
            head = view.estimate if known else view.estimate.replace(" (95% interval)", "")
            shown[head] = [format_estimate(row, unit) for row, unit in rows]
            if "pred_low" in frame and frame["pred_low"].notna().any():
                shown["Prediction interval"] = [prediction(row, unit) for row, unit in rows]
        elif name in ranged:
            shown[f"{heading(name, view)} (95% interval)"] = [
                interval(row, name) for row, _ in rows
            ]
        elif name in formats:
            shown[heading(name, view)] = [format_number(v, formats[name]) for v in frame[name]]
        elif name == "printed" and len(set(units)) > 1:
            shown[heading(name, view)] = [format_number(row[name], unit) for row, unit in rows]
        else:
            shown[heading(name, view)] = [cell(name, value) for value in frame[name]]
    if columns and len(shown) < len(columns):
        raise DataError("two columns under one heading", value=", ".join(shown))
    return pd.DataFrame(shown)


def interval(row: dict[str, Any], name: str) -> str:
    """Return a value with its limits, as text, from columns that share its name."""
    parts = {"estimate": row[name], "conf_low": row[f"{name}_low"]}
    return format_estimate({**parts, "conf_high": row[f"{name}_high"]})


def prediction(row: dict[str, Any], unit: str) -> str:
    """Return a prediction interval as text."""
    low, high = (format_number(row[c], unit) for c in ("pred_low", "pred_high"))
    if MISSING in (low, high):
        return MISSING if low == high else f"from {low}"
    return low if low == high else f"{low} to {high}"


def cell(name: str, value: Any) -> str:
    """Return one cell as text, by the name of its column."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return text_cell(name, value)
    if value != value or value is None:
        return "–"
    if name in ("p_value", "q_p", "between_groups_p", "fisher_p") or name.endswith("_p"):
        return f"< {LEAST_P}" if value < LEAST_P else f"{value:.3f}"
    if name in PEOPLE:
        return format_number(value, "count")
    if name in FORMATS and FORMATS[name] != "number":
        return format_number(value, FORMATS[name])
    if float(value).is_integer():
        return format_number(value, "count")
    return format_number(value, "number")


def text_cell(name: str, value: str) -> str:
    """Return a cell of text: codes of trials, sources, patients, arms and methods in words."""
    if name == "arm_key" or (name == "key" and value in arm_names()):
        return arm_names().get(value, value)
    if name in PLAIN_TEXT:
        return patients_words(value)
    found = {**POPULATIONS, **ENDPOINTS, **SAID}.get(value)
    names = [short_names().get(part) for part in value.split()]
    if found or (names and all(names)):
        return found or ", ".join(map(str, names))
    if name == "row" or re.match(r"[a-z]+-[a-z0-9_]+-", value):
        return value  # identifiers of evidence rows stay as they are
    return typeset(value if " " in value else spoken(value))


@cache
def arm_names() -> dict[str, str]:
    """Return reconstructed arms by trial, arm, patients and endpoint."""
    if not number.has("reconstruction/arms"):
        return {}
    rows = number.table("reconstruction/arms").to_dict(orient="records")
    return {row["key"]: arm_name(row) for row in rows}


def arm_name(row: dict[str, Any]) -> str:
    """Return the name of an arm: trial, arm, its patients where they are not all, endpoint."""
    patients = "" if row["patients"] == "all" else f", {patients_words(row['patients'])}"
    return f"{row['trial']}, {arm_words(row['arm'])}{patients}: {outcome_words(row['endpoint'])}"


def render(frame: pd.DataFrame, name: str, group: str | None = None) -> str:
    """Return a frame of text as the HTML of a great table."""
    numeric = [
        c for c in frame.columns if frame[c].str.match(r"^([-<–\d]|under |from |not reached)").all()
    ]
    texts = [c for c in frame.columns if c not in numeric and c != group]
    made = (
        GT(frame, id=f"gt-{name}", groupname_col=group)
        .cols_align("left", columns=texts)
        .cols_align("right", columns=numeric)
        .fmt_passthrough(columns=[c for c in frame.columns if c == BEHIND], escape=False)
        .tab_options(quarto_disable_processing=True, table_width="auto")
    )
    return made.as_raw_html().strip()


def answers(*analyses: str) -> None:
    """Show the headline results of analyses as one table."""
    here = [name for name in analyses if number.has(name)]
    lines = []
    for name in here:
        for line in words(name)["headlines"]:
            row = dict(number.row(f"{name}/{line['table']}/{line['key']}"))
            known = row.get("pred_low") == row.get("pred_low") and "pred_low" in row
            lines.append(
                {
                    "Result": line["label"],
                    "Estimate (95% interval)": format_estimate(row, line["unit"]),
                    "Prediction interval": prediction(row, line["unit"]) if known else "–",
                    "Studies": format_number(row.get("k"), "count") if "k" in row else "–",
                    BEHIND: f'<a href="results/{name}/{line["table"]}.csv">Data</a> · '
                    f'<a href="sources/{name}.html#{slug(line["table"])}">Source</a>',
                }
            )
    if not lines:
        say("*The results of this analysis are not part of this edition of the site.*")
        return
    label = slug("answers", *here)
    say(
        f"::: {{#tbl-{label}}}\n{raw(render(pd.DataFrame(lines), label))}\n\n"
        "The short answers. A prediction interval says where the result of a new, similar study "
        "would be expected.\n:::"
    )


def caveats(analysis: str) -> None:
    """Show what the authors of an analysis want readers to know before they use it."""
    if number.has(analysis):
        notes = words(analysis)["notes"]
        say("\n".join(f"- {plain(note)}" for note in notes) or "No caveat beyond the methods.")


def everything(analysis: str) -> None:
    """Show a whole analysis, apart from what the page has shown of it before."""
    if missing(analysis):
        return
    about = words(analysis)
    if not any(f" {analysis}/" in name for name in _shown):
        say(f"*{plain(about['question'])}*")
        if about["headlines"]:
            answers(analysis)
    for name in about["figures"]:
        if f"figure {analysis}/{name}" not in _shown:
            figure(f"{analysis}/{name}")
    for name in about["tables"]:
        if f"table {analysis}/{name}" not in _shown:
            table(f"{analysis}/{name}")
    if about["notes"]:
        say("**Read this with care**")
        caveats(analysis)
