"""Tables for papers: Markdown, LaTeX and HTML that a word processor takes as a table."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd

from metablin._input import choice
from metablin.effects import exact_intervals
from metablin.errors import DataError
from metablin.io import write_text
from metablin.meta import MetaFit
from metablin.options import words
from metablin.records import Record, Table, Unit
from metablin.report.format import MISSING, format_estimate, format_number, format_range
from metablin.report.render import Shown, shown

__all__ = ["Form", "export", "paper_table", "unit_of"]

Form: TypeAlias = Literal["markdown", "latex", "html"]
ENDINGS = {".md": "markdown", ".tex": "latex", ".html": "html", ".htm": "html"}

UNITS: dict[str, Unit] = {
    "proportion": "proportion", "or": "ratio", "rr": "ratio", "hr": "ratio", "irr": "ratio",
    "peto": "ratio", "rom": "ratio",
}  # fmt: skip
HEADINGS = {
    "proportion": "Proportion", "or": "Odds ratio", "peto": "Peto odds ratio", "rr": "Risk ratio",
    "rd": "Risk difference", "hr": "Hazard ratio", "rate": "Rate", "irr": "Rate ratio",
    "ird": "Rate difference", "asd": "Arcsine difference", "md": "Mean difference",
    "smd": "Standardised mean difference",
}  # fmt: skip
LIMITS = ("estimate", "conf_low", "conf_high")
TESTS = {"p_value", "q_p", "qm_p"}
GROUPED = ("treatment", "control")


def export(result: Record | Table | pd.DataFrame, form: Form | str | Path) -> str:
    r"""Return a result as a table for a paper.

    Parameters
    ----------
    result : Record, Table or DataFrame
        A pooled result gives a row for every study (of proportions with the exact interval),
        subgroup and pool; any other its ``to_frame()``
        with the limits of an estimate beside it.
    form : {"markdown", "latex", "html"} or path
        With the name of a file (``.md``, ``.tex``, ``.html``) the table is also written there. The
        LaTeX needs the package booktabs; the HTML has its borders in the cells, so that word
        processors take it as a table.

    Returns
    -------
    str

    Raises
    ------
    DataError
        For another form, or a result that is no table.

    Examples
    --------
    >>> import metablin as mb
    >>> fit = mb.pool(mb.proportions([3, 9], [20, 25], studies=["A", "B"]), ci="z")
    >>> print(export(fit, "markdown"))
    | Study               | Events/n |    Proportion (95% CI) | Weight |
    |:--------------------|---------:|-----------------------:|-------:|
    | A                   |     3/20 |  15.0% (3.2% to 37.9%) |  41.9% |
    | B                   |     9/25 | 36.0% (18.0% to 57.5%) |  58.1% |
    | Pooled              |          | 25.7% (10.1% to 51.5%) |        |
    | Prediction interval |          |          6.2% to 64.5% |        |
    """
    path = _target(form)
    kind = choice("form", ENDINGS[path.suffix.lower()] if path else form, words(Form))
    text = WRITERS[kind](_shown(result))
    if path is not None:
        write_text(path, text + "\n")
    return text


def _target(form: object) -> Path | None:
    if isinstance(form, str) and form.lower() in words(Form):
        return None
    if isinstance(form, str | Path) and Path(form).suffix.lower() in ENDINGS:
        return Path(form)
    raise DataError("no such form", column="form", value=repr(form),
                    allowed=" | ".join([*words(Form), "a file .md, .tex or .html"]))  # fmt: skip


def _shown(result: object) -> Shown:
    if isinstance(result, MetaFit) and result.regression is None:
        return paper_table(result)
    if isinstance(result, Table):
        return shown(result)
    frame = result.to_frame() if isinstance(result, Record) else result
    if not isinstance(frame, pd.DataFrame):
        raise DataError("not a result that is a table", column="result",
                        value=type(result).__name__)  # fmt: skip
    if not frame.columns.is_unique:
        raise DataError("two columns have one name", column="result")
    return _plain(frame)


def unit_of(measure: str) -> tuple[Unit, int | None]:
    """Return the unit in which a measure is printed, and its digits where the unit has none."""
    return UNITS.get(measure, "number"), None if measure in UNITS else 2


def paper_table(fit: MetaFit) -> Shown:
    """Return the table of a pooled result: studies, subgroups, pools, prediction intervals."""
    heading = f"{HEADINGS.get(fit.measure, 'Effect')} ({100 * fit.level:g}% CI)"
    rows: list[dict[str, str]] = []
    for name, part in fit.subgroups.items():
        rows += [row | {"Subgroup": name} for row in _studies(part, heading)]
        rows += [row | {"Subgroup": name} for row in _pools(part, heading, "Pooled")]
    if not rows:
        rows = _studies(fit, heading)
    rows += [row | {"Subgroup": "All studies"} if fit.subgroups else row
             for row in _pools(fit, heading, "Pooled")]  # fmt: skip
    frame = pd.DataFrame(rows).fillna("")
    order = ["Subgroup", "Study", *[c for c in frame if c not in ("Subgroup", "Study")]]
    frame = frame[[c for c in order if c in frame and (frame[c] != "").any()]]
    group = "Subgroup" if fit.subgroups else ""
    right = tuple(str(c) for c in frame if c not in ("Subgroup", "Study"))
    return Shown(frame, group, right)


def _studies(fit: MetaFit, heading: str) -> list[dict[str, str]]:
    unit, digits = unit_of(fit.measure)
    counts = _counts(fit)
    studies = fit.studies
    if fit.measure == "proportion" and "events" in fit.effects.counts:
        # what was counted, not what a correction made of it
        c = fit.effects.counts
        studies[list(LIMITS)] = exact_intervals(c["events"], c["n"], level=fit.level)[list(LIMITS)]
    rows = []
    for i, row in enumerate(studies.to_dict(orient="records")):
        weight = "" if math.isnan(row["weight"]) else format_number(row["weight"], "proportion")
        said = format_estimate({str(k): v for k, v in row.items()}, unit, digits)
        rows.append({"Study": str(row["study"]), **{k: v[i] for k, v in counts.items()},
                     heading: said, "Weight": weight})  # fmt: skip
    return rows


def _counts(fit: MetaFit) -> dict[str, list[str]]:
    counts = fit.effects.counts
    if "events" in counts:
        size = "n" if "n" in counts else "person_time"
        pairs = {f"Events/{'n' if size == 'n' else 'time'}": ("events", size)}
    elif "events_treatment" in counts:
        size = "n" if "n_treatment" in counts else "person_time"
        pairs = {arm.title(): (f"events_{arm}", f"{size}_{arm}") for arm in GROUPED}
    else:
        return {}
    return {
        name: [f"{x:g}/{n:,g}" for x, n in zip(counts[a], counts[b], strict=True)]
        for name, (a, b) in pairs.items()
    }


def _pools(fit: MetaFit, heading: str, label: str) -> list[dict[str, str]]:
    unit, digits = unit_of(fit.measure)
    numbers = {name: getattr(fit, name) for name in LIMITS}
    rows = [{"Study": label, heading: format_estimate(numbers, unit, digits)}]
    if not math.isnan(fit.pred_low):
        text = format_range(fit.pred_low, fit.pred_high, unit, digits)
        rows.append({"Study": "Prediction interval", heading: text})
    return rows


def _plain(frame: pd.DataFrame) -> Shown:
    """Return any frame as text, the limits of an estimate beside it."""
    out: dict[str, list[str]] = {}
    right = []
    bounded = set(LIMITS) <= set(frame)
    levels: list[float] = list(frame["conf_level"].unique()) if "conf_level" in frame else []
    for name in frame:
        column = frame[name]
        if bounded and name in (*LIMITS[1:], "conf_level"):
            continue
        heading = str(name).replace("_", " ")
        numeric = pd.api.types.is_numeric_dtype(column) and column.dtype != bool
        if bounded and name == "estimate":
            level = f" ({100 * levels[0]:g}% CI)" if len(levels) == 1 else " (CI)"
            rows = frame[list(LIMITS)].to_dict(orient="records")
            out[heading + level] = [
                format_estimate({str(k): v for k, v in r.items()}, "number") for r in rows
            ]
        else:
            out[heading] = [_cell(x, str(name) in TESTS) for x in column]
        if numeric:
            right.append(list(out)[-1])
    return Shown(pd.DataFrame(out, index=range(len(frame))), "", tuple(right))


def _cell(value: Any, test: bool) -> str:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool):
        return format_number(value, "flag")
    if isinstance(value, float) and math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if value is None or isinstance(value, int | float):
        return format_number(value, "p" if test else "number")
    return str(value) or MISSING


# Forms


def _lines(found: Shown) -> list[tuple[str, list[str]]]:
    """Return rows as (heading of the group, or empty; cells), headings on lines of their own."""
    frame = found.frame.drop(columns=found.group) if found.group else found.frame
    groups = found.frame[found.group] if found.group else [""] * len(frame)
    out: list[tuple[str, list[str]]] = []
    last = ""
    for group, cells in zip(groups, frame.itertuples(index=False, name=None), strict=True):
        if group != last:
            out.append((str(group), []))
            last = group
        out.append(("", [str(c) for c in cells]))
    return out


def _columns(found: Shown) -> list[str]:
    return [str(c) for c in found.frame.columns if c != found.group]


def _markdown(found: Shown) -> str:
    names = _columns(found)
    body = [[f"**{_bar(g)}**"] + [""] * (len(names) - 1) if g else [_bar(c) for c in cells]
            for g, cells in _lines(found)]  # fmt: skip
    wide = [max(3, len(n), *(len(row[i]) for row in body)) for i, n in enumerate(names)]
    right = [n in found.right for n in names]

    def line(cells: list[str]) -> str:
        padded = [
            c.rjust(w) if r else c.ljust(w) for c, w, r in zip(cells, wide, right, strict=True)
        ]
        return "| " + " | ".join(padded) + " |"

    rule = ["-" * (w + 1) + ":" if r else ":" + "-" * (w + 1)
            for w, r in zip(wide, right, strict=True)]  # fmt: skip
    return "\n".join([line([_bar(n) for n in names]), "|" + "|".join(rule) + "|", *map(line, body)])


_MARKS = re.compile(r"([\\`*_$<|])")


def _bar(text: str) -> str:
    """Return text whose signs Markdown takes as they are."""
    return _MARKS.sub(r"\\\1", text.replace("\n", " "))


_TEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "–": "--",
    "²": r"$^2$", "≥": r"$\ge$", "≤": r"$\le$", "∞": r"$\infty$", "<": r"$<$", ">": r"$>$",
}  # fmt: skip


def _tex(text: str) -> str:
    return "".join(_TEX.get(c, c) for c in text.replace("\n", " "))


def _latex(found: Shown) -> str:
    names = _columns(found)
    places = "".join("r" if n in found.right else "l" for n in names)
    rows = [
        rf"\multicolumn{{{len(names)}}}{{l}}{{\textbf{{{_tex(group)}}}}} \\" if group
        else " & ".join(map(_tex, cells)) + r" \\"
        for group, cells in _lines(found)
    ]  # fmt: skip
    head = " & ".join(map(_tex, names)) + r" \\"
    return "\n".join([rf"\begin{{tabular}}{{{places}}}", r"\toprule", head, r"\midrule", *rows,
                      r"\bottomrule", r"\end{tabular}"])  # fmt: skip


_LINE = "1px solid #000"


def _html(found: Shown) -> str:
    names = _columns(found)
    lines = _lines(found)

    def cell(tag: str, text: str, right: bool, border: str, more: str = "") -> str:
        place = "right" if right else "left"
        style = f"padding:2px 8px;text-align:{place};{border}"
        return f'<{tag}{more} style="{style}">{escape(text)}</{tag}>'

    top = f"border-top:{_LINE};border-bottom:{_LINE}"
    head = "".join(cell("th", n, n in found.right, top) for n in names)
    rows = [f"<tr>{head}</tr>"]
    for i, (group, cells) in enumerate(lines):
        border = f"border-bottom:{_LINE}" if i + 1 == len(lines) else ""
        if group:
            inside = cell("th", group, False, border, f' colspan="{len(names)}"')
        else:
            inside = "".join(
                cell("td", c, n in found.right, border) for c, n in zip(cells, names, strict=True)
            )
        rows.append(f"<tr>{inside}</tr>")
    body = "\n".join(rows)
    return f'<table style="border-collapse:collapse">\n{body}\n</table>'


WRITERS: dict[str, Callable[[Shown], str]] = {
    "markdown": _markdown, "latex": _latex, "html": _html,
}  # fmt: skip
