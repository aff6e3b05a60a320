"""Reviews as RevMan saves them: ``.rm5`` of RevMan 5, its data as CSV, data packages of RevMan Web.

All three hold several analyses, each with its studies and with what RevMan computed. They are read
as they are; :mod:`metablin.effects.revman` makes effect sizes of them.
"""

from __future__ import annotations

import csv
import math
import re
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO, StringIO
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from metablin.errors import DataError
from metablin.io.source import read_bytes

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

__all__ = ["NUMBERS", "RevManAnalysis", "RevManReview", "parse_revman"]

NUMBERS = (
    "events_treatment", "n_treatment", "events_control", "n_control", "mean_treatment",
    "sd_treatment", "mean_control", "sd_control", "o_minus_e", "variance", "entered", "estimate",
    "std_error", "conf_low", "conf_high", "weight",
)  # fmt: skip
"""What a row of a study may hold; ``entered`` is an estimate on the scale it was typed in."""

PRINTED = ("estimate", "conf_low", "conf_high", "q", "q_df", "i2", "tau2", "statistic", "p_value")

_ROW = {
    "events_treatment": ("EVENTS_1", "Events 1", "Experimental cases"),
    "n_treatment": ("TOTAL_1", "Total 1", "Experimental N"),
    "events_control": ("EVENTS_2", "Events 2", "Control cases"),
    "n_control": ("TOTAL_2", "Total 2", "Control N"),
    "mean_treatment": ("MEAN_1", "Mean 1", "Experimental mean"),
    "sd_treatment": ("SD_1", "SD 1", "Experimental SD"),
    "mean_control": ("MEAN_2", "Mean 2", "Control mean"),
    "sd_control": ("SD_2", "SD 2", "Control SD"),
    "o_minus_e": ("O_E", "O-E", "O-E"),
    "variance": ("VAR", "Var", "Variance"),
    "entered": ("ESTIMATE", "", "GIV Mean"),
    "estimate": ("EFFECT_SIZE", "Effect Estimate", "Mean"),
    "std_error": ("SE", "SE", "GIV SE"),
    "conf_low": ("CI_START", "CI Start", "CI start"),
    "conf_high": ("CI_END", "CI End", "CI end"),
    "weight": ("WEIGHT", "Weight", "Weight"),
}
_RESULT = {
    "estimate": ("EFFECT_SIZE", "Effect Estimate", "Mean"),
    "conf_low": ("CI_START", "CI Start", "CI start"),
    "conf_high": ("CI_END", "CI End", "CI end"),
    "q": ("CHI2", "Q", "Heterogeneity Chi²"),
    "q_df": ("DF", "df", "Heterogeneity df"),
    "i2": ("I2", "I²(Q)", "Heterogeneity I²"),
    "tau2": ("TAU2", "Tau²", "Heterogeneity Tau²"),
    "statistic": ("Z", "Z", "Effect Z"),
    "p_value": ("P_Z", "P(Z)", "Effect P"),
}
_XML, _CSV, _WEB = 0, 1, 2

_KINDS = {
    "DICH": "dichotomous", "DIC": "dichotomous", "DICHOTOMOUS": "dichotomous",
    "CONT": "continuous", "CON": "continuous", "CONTINUOUS": "continuous",
    "IV": "generic", "INV": "generic", "GIV": "generic", "CONTRAST LEVEL": "generic",
    "IPD": "o-e", "OEV": "o-e", "O-E AND VARIANCE": "o-e",
}  # fmt: skip
_MEASURES = {
    "or": "or", "odds ratio": "or", "peto_or": "peto", "peto odds ratio": "peto", "rr": "rr",
    "risk ratio": "rr", "rd": "rd", "risk difference": "rd", "md": "md", "mean difference": "md",
    "smd": "smd", "std. mean difference": "smd", "standardized mean difference": "smd",
    "standardised mean difference": "smd", "hr": "hr", "hazard ratio": "hr",
    "rate ratio": "irr",
}  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class RevManAnalysis:
    """One analysis of a review, as the file has it.

    Attributes
    ----------
    number : str
        ``comparison.outcome``, such as ``1.2``.
    comparison, outcome : str
        Their names.
    kind : str
        ``dichotomous``, ``continuous``, ``generic`` or ``o-e``.
    measure : str
        ``or``, ``peto``, ``rr``, ``rd``, ``md``, ``smd``, ``hr``, ``irr``, or the words of the
        file.
    method, model : str
        ``MH``, ``IV``, ``PETO`` or ``EXP_O_E_VAR``; ``common`` or ``random``.
    level : float
        Of the studies' intervals.
    swapped : bool
        Whether RevMan analyses those without the event.
    labels : (str, str)
        Treatment and control.
    printed : mapping
        What RevMan computed; I2 is a share of 1.
    rows : sequence of mapping
        ``study, year, subgroup`` and :data:`NUMBERS`; NaN where the file has none.
    """

    number: str
    comparison: str
    outcome: str
    kind: str
    measure: str
    method: str
    model: str
    level: float
    swapped: bool
    labels: tuple[str, str]
    printed: Mapping[str, float]
    rows: Sequence[Mapping[str, object]]


@dataclass(frozen=True, slots=True, eq=False)
class RevManReview:
    """A review: its title and its analyses."""

    title: str
    analyses: tuple[RevManAnalysis, ...]
    left_out: tuple[str, ...] = field(default=())


def parse_revman(path: Path) -> RevManReview:
    """Read a review of RevMan.

    Parameters
    ----------
    path : Path
        ``.rm5``, the data of RevMan 5 exported as CSV, or of RevMan Web the exported zip, its inner
        ``-data.zip``, or ``-data-rows.csv`` with ``-overall-estimates-and-settings.csv`` beside it.

    Raises
    ------
    DataError
        For a file that is none of these, or holds no analysis with studies.
    """
    raw = read_bytes(path)
    start = raw.lstrip(b"\xef\xbb\xbf \t\r\n")[:2000]
    if start.startswith(b"PK"):
        review = _from_zip(path, raw)
    elif start.startswith(b"<") and b"<COCHRANE_REVIEW" in start:
        review = _from_xml(path, raw)
    else:
        review = _from_csv(path, _text(raw))
    if not review.analyses:
        raise DataError(f"{path.name} holds no analysis with data of studies")
    return review


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("cp1252", errors="replace")


def _not_revman(name: str) -> DataError:
    return DataError(
        f"{name} is no review of RevMan", allowed=".rm5, RevMan 5 data as CSV, or the export of "
        "RevMan Web (zip, or data-rows.csv beside overall-estimates-and-settings.csv)",
    )  # fmt: skip


def _number(text: str | None, where: str, column: str) -> float:
    if text is None or text.strip() in ("", "#N/A", "NaN"):
        return math.nan
    try:
        value = float(text.replace(",", ""))
    except ValueError:
        raise DataError("not a number", study=where, column=column, value=text) from None
    return value if math.isfinite(value) else math.nan


def _numbers(
    cells: Mapping[str, str], names: Mapping[str, tuple[str, str, str]], form: int, where: str
) -> dict[str, float]:
    out = {
        role: _number(cells.get(sources[form]), where, sources[form])
        for role, sources in names.items()
    }
    if "i2" in out:
        out["i2"] /= 100
        if out["conf_low"] == out["conf_high"]:  # zeros stand for what was not computed
            out = dict.fromkeys(out, math.nan)
    return out


def _measure(text: str) -> tuple[str, bool]:
    """Return the measure, and whether it is that of those without the event."""
    plain, non_event = re.subn(r"\s*\(non-event\)", "", text.strip().lower())
    return _MEASURES.get(plain, text.strip()), bool(non_event)


def _kind(text: str) -> str:
    return _KINDS.get(text.strip().upper(), text.strip().lower())


def _order(number: str) -> tuple[int, ...]:
    return tuple(int(x) if x.isdigit() else 0 for x in number.split("."))


# RevMan 5, XML


def _from_xml(path: Path, raw: bytes) -> RevManReview:
    if b"<!ENTITY" in raw:
        raise DataError(f"{path.name} defines entities, which no review needs")
    try:
        root = ElementTree.fromstring(raw)
    except ElementTree.ParseError as error:
        raise DataError(f"{path.name} is damaged XML: {error}") from None
    names = {s.get("ID", ""): s for s in root.iter("STUDY")}
    analyses, left = [], []
    for comparison in root.iter("COMPARISON"):
        for outcome in comparison:
            if not outcome.tag.endswith("_OUTCOME"):
                continue
            found = _analysis_of(comparison, outcome, names)
            if found.rows:
                analyses.append(found)
            else:
                left.append(found.number)
    title = (root.findtext("COVER_SHEET/TITLE") or "").strip()
    return RevManReview(title, tuple(analyses), tuple(left))


def _analysis_of(
    comparison: Element, outcome: Element, names: Mapping[str, Element]
) -> RevManAnalysis:
    number = f"{comparison.get('NO', '')}.{outcome.get('NO', '')}"
    kind = outcome.tag.removesuffix("_OUTCOME")
    rows = [_xml_row(d, "", names) for d in outcome.findall(f"{kind}_DATA")]
    for group in outcome.findall(f"{kind}_SUBGROUP"):
        label = (group.findtext("NAME") or "").strip()
        rows += [_xml_row(d, label, names) for d in group.findall(f"{kind}_DATA")]
    text = outcome.get("EFFECT_MEASURE") or outcome.findtext("EFFECT_MEASURE") or ""
    measure, swapped = _measure(text)
    cells = dict(outcome.attrib)
    level = _number(cells.get("CI_STUDY"), number, "CI_STUDY") / 100
    return RevManAnalysis(
        number, _name(comparison), _name(outcome), _kind(kind), measure,
        outcome.get("METHOD", "IV"), "random" if outcome.get("RANDOM") == "YES" else "common",
        0.95 if math.isnan(level) else level,
        swapped or outcome.get("SWAP_EVENTS", "NO") == "YES",
        ((outcome.findtext("GROUP_LABEL_1") or "").strip(),
         (outcome.findtext("GROUP_LABEL_2") or "").strip()),
        _numbers(cells, _RESULT, _XML, number), rows,
    )  # fmt: skip


def _name(element: Element) -> str:
    return (element.findtext("NAME") or "").strip()


def _xml_row(data: Element, subgroup: str, names: Mapping[str, Element]) -> dict[str, object]:
    key = data.get("STUDY_ID", "")
    study = names.get(key)
    label = key.removeprefix("STD-") if study is None else study.get("NAME", key)
    year = "" if study is None else study.get("YEAR", "")
    numbers = _numbers(dict(data.attrib), _ROW, _XML, label)
    return {"study": label, "year": year, "subgroup": subgroup, **numbers}


# RevMan 5, CSV


def _table(text: str) -> list[dict[str, str]]:
    return [
        {str(k).strip(): v or "" for k, v in row.items() if k is not None}
        for row in csv.DictReader(StringIO(text))
    ]


def _from_csv(path: Path, text: str) -> RevManReview:
    rows = _table(text)
    header = set(rows[0]) if rows else set()
    if {"Analysis group", "Analysis number", "Study"} <= header:
        return _beside(path, rows)
    if not {"Comparison Number", "Outcome Number", "Subgroup Number", "Name"} <= header:
        raise _not_revman(path.name)
    comparisons: dict[str, str] = {}
    heads: dict[str, dict[str, str]] = {}
    studies: dict[str, list[dict[str, object]]] = {}
    groups: dict[tuple[str, str], str] = {}
    for row in rows:
        first, second, third = (row[f"{x} Number"] for x in ("Comparison", "Outcome", "Subgroup"))
        number = f"{first}.{second}"
        if second == "0":
            comparisons[first] = row["Name"]
        elif row.get("Data Type"):
            heads[number] = row
        elif _is_study(row):
            label = groups.get((number, third), "")
            values = _numbers(row, _ROW, _CSV, row["Name"])
            studies.setdefault(number, []).append(
                {
                    "study": row["Name"],
                    "year": row.get("Year of study", ""),
                    "subgroup": label,
                    **values,
                }
            )
        else:
            groups[number, third] = row["Name"]
    analyses = [
        _csv_analysis(number, comparisons.get(number.split(".")[0], ""), head, studies[number])
        for number, head in heads.items()
        if studies.get(number)
    ]
    left = tuple(n for n in heads if not studies.get(n))
    return RevManReview(path.stem, tuple(analyses), left)


def _is_study(row: Mapping[str, str]) -> bool:
    """Tell a study from the heading of a subgroup, which has results but no year or order."""
    return bool(row.get("User defined order") or row.get("Year of study") or row.get("SE"))


def _csv_analysis(
    number: str, comparison: str, head: Mapping[str, str], rows: list[dict[str, object]]
) -> RevManAnalysis:
    measure, swapped = _measure(head.get("Effect Measure", ""))
    swap = head.get("Swap event and non-event", "").lower()
    return RevManAnalysis(
        number, comparison, head["Name"], _kind(head["Data Type"]), measure,
        head.get("Statistical Method", "IV"),
        "random" if head.get("Analysis Model", "").lower().startswith("random") else "common",
        0.95, swapped or swap in ("yes", "true"),
        (head.get("Group Label 1", ""), head.get("Group Label 2", "")),
        _numbers(head, _RESULT, _CSV, number), rows,
    )  # fmt: skip


# RevMan Web


def _from_zip(path: Path, raw: bytes) -> RevManReview:
    try:
        with zipfile.ZipFile(BytesIO(raw)) as archive:
            inner = [n for n in archive.namelist() if n.endswith("-data.zip")]
            if inner:
                return _from_zip(path, archive.read(inner[0]))
            found = {
                name.rpartition("/")[2]: _text(archive.read(name))
                for name in archive.namelist()
                if name.endswith(("-data-rows.csv", "-overall-estimates-and-settings.csv"))
            }
    except zipfile.BadZipFile:
        raise DataError(f"{path.name} is a damaged archive") from None
    rows = [t for n, t in found.items() if n.endswith("-data-rows.csv")]
    settings = [t for n, t in found.items() if n.endswith("-settings.csv")]
    if len(rows) != 1 or len(settings) != 1:
        raise _not_revman(path.name)
    return _web(path.stem, _table(rows[0]), _table(settings[0]))


def _beside(path: Path, rows: list[dict[str, str]]) -> RevManReview:
    """Read the settings that stand beside the rows of a data package that was unpacked."""
    stem = path.name.removesuffix("-data-rows.csv")
    other = path.with_name(f"{stem}-overall-estimates-and-settings.csv")
    if not other.is_file():
        raise DataError(f"{path.name} needs the settings of its analyses beside it",
                        allowed=other.name)  # fmt: skip
    return _web(stem, rows, _table(_text(read_bytes(other))))


def _web(
    title: str, rows: Iterable[Mapping[str, str]], settings: Iterable[Mapping[str, str]]
) -> RevManReview:
    studies: dict[str, list[dict[str, object]]] = {}
    for row in rows:
        number = f"{row['Analysis group']}.{row['Analysis number']}"
        values = _numbers(row, _ROW, _WEB, row["Study"])
        studies.setdefault(number, []).append(
            {"study": row["Study"], "year": row.get("Study year", ""),
             "subgroup": row.get("Subgroup", ""), **values}
        )  # fmt: skip
    analyses, left = [], []
    for head in settings:
        number = f"{head['Analysis group']}.{head['Analysis number']}"
        if number not in studies:
            left.append(number)
            continue
        measure, swapped = _measure(head.get("Effect measure", ""))
        level = _number(head.get("Study CI", "").rstrip("%"), number, "Study CI") / 100
        analyses.append(RevManAnalysis(
            number, head.get("Analysis group name", ""), head.get("Analysis name", ""),
            _kind(head.get("Data type", "")), measure, head.get("Statistical method", "IV"),
            "random" if head.get("Analysis model", "").lower().startswith("random") else "common",
            0.95 if math.isnan(level) else level,
            swapped or head.get("Swap event and non-event", "").lower() == "true",
            (head.get("Experimental group label", ""), head.get("Control group label", "")),
            _numbers(head, _RESULT, _WEB, number), studies[number],
        ))  # fmt: skip
    return RevManReview(title, tuple(sorted(analyses, key=lambda a: _order(a.number))), tuple(left))
