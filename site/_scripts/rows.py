"""Evidence rows as sentences: what was reported, of whom, and the value as people say it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from metablin.datasets import entry, load
from metablin.report import format_number
from metablin.report.words import (
    arm_words,
    outcome_words,
    patients_words,
    typeset,
)

NOTHING = "see the note"

Row = Mapping[str, Any]


def sentences() -> pd.DataFrame:
    """Return ``what`` and ``value`` of every row of the tables of results, by row identifier."""
    lines = {}
    for table, (what, value) in TABLES.items():
        for line in load(table, all_rows=True).to_dict(orient="records"):
            row = {str(name): value for name, value in line.items()}
            text = what(row)
            lines[row["row_id"]] = (text[:1].upper() + text[1:], value(row) or NOTHING)
    return pd.DataFrame.from_dict(lines, orient="index", columns=["what", "value"])


def known(row: Row, *names: str) -> bool:
    """Tell whether a row has all of these numbers."""
    return all(row[name] == row[name] and row[name] is not None for name in names)


def plain_number(value: float) -> str:
    """Return a number as it was printed, without zeros that it does not need."""
    return f"{value:,.10g}"


def share(value: float) -> str:
    """Return a share as a percentage with the digits that it has."""
    return f"{100 * value:.4g}%"


def state(code: str) -> str:
    """Return why a median or a limit is no number; nothing where it is not said."""
    return entry("state", code).words if code else ""


def limits(row: Row, low: str, high: str, words: Callable[[float], str]) -> str:
    """Return an interval in brackets; a side in words where it is not a number, or nothing."""
    ends = [
        words(row[n]) if known(row, n) else state(str(row.get(f"{n}_state", "")))
        for n in (low, high)
    ]
    return f" ({ends[0]} to {ends[1]})" if all(ends) else ""


def joined(*parts: str) -> str:
    """Return the parts that say something, as one text."""
    return ", ".join(part for part in parts if part)


def of_whom(row: Row) -> str:
    """Return the patients of a row unless they are all of them."""
    return "" if row["subgroup"] == "all" else patients_words(row["subgroup"])


def p_value(row: Row) -> str:
    """Return a printed p-value with its sign."""
    if not known(row, "p_value"):
        return ""
    return f"P {row['p_operator'] or '='} {plain_number(row['p_value'])}"


def counted(row: Row) -> str:
    """Return a count of patients with its share."""
    if known(row, "events", "n") and row["n"]:
        events, n = (format_number(row[c], "count") for c in ("events", "n"))
        return f"{events} of {n} ({100 * row['events'] / row['n']:.1f}%)"
    if known(row, "n"):
        return f"n = {format_number(row['n'], 'count')}"
    return f"{format_number(row['events'], 'count')} patients" if known(row, "events") else ""


def proportion_what(row: Row) -> str:
    """Say which outcome of which arm."""
    return joined(f"{arm_words(row['arm'])}: {outcome_words(row['outcome'])}", of_whom(row))


def survival_what(row: Row) -> str:
    """Say which curve."""
    return joined(f"{arm_words(row['arm'])}: {outcome_words(row['endpoint'])}", of_whom(row))


def survival_value(row: Row) -> str:
    """Return medians, landmarks and counts."""
    parts = []
    if known(row, "median_months"):
        ends = limits(row, "median_ci_low", "median_ci_high", plain_number)
        parts.append(f"median {plain_number(row['median_months'])}{ends} months")
    elif row["median_state"]:
        ends = limits(row, "median_ci_low", "median_ci_high", plain_number)
        parts.append(f"median {state(row['median_state'])}{ends}")
    if known(row, "survival"):
        ends = limits(row, "survival_ci_low", "survival_ci_high", share)
        when = f" at {plain_number(row['time_months'])} months" if known(row, "time_months") else ""
        parts.append(f"{share(row['survival'])}{ends}{when}")
    if known(row, "events"):
        parts.append(f"{row['events']:,.0f} events")
    if known(row, "n"):
        parts.append(f"n = {row['n']:,.0f}")
    if known(row, "followup_months"):
        parts.append(f"follow-up {plain_number(row['followup_months'])} months")
    return joined(*parts)


def contrast_what(row: Row) -> str:
    """Say what was compared."""
    arms = f"{arm_words(row['arm_treatment'])} against {arm_words(row['arm_control'])}"
    return joined(f"{arms}: {outcome_words(row['endpoint'])}", of_whom(row))


def contrast_value(row: Row) -> str:
    """Return the measure with its interval and p-value."""
    words = entry("measure", row["measure"]).words
    number = share if row["measure"] == "rd" else plain_number
    ends = limits(row, "ci_low", "ci_high", number)
    known_level = ends and known(row, "ci_level") and row["ci_level"] != 0.95
    level = f", {100 * row['ci_level']:g}% interval" if known_level else ""
    effect = f"{words} {number(row['estimate'])}{ends}{level}" if known(row, "estimate") else ""
    return joined(effect or (f"{words} not printed"), p_value(row))


def mrd_what(row: Row) -> str:
    """Say which responders were compared with the others, and when they were told apart."""
    about = joined(row["population"], row["mrd_timepoint"])
    return f"MRD responders against others: {outcome_words(row['endpoint'])}, {about}"


def mrd_value(row: Row) -> str:
    """Return medians, ratio and numbers of responders and others."""
    medians = [_median(row, side) for side in ("responders", "nonresponders")]
    ratio = ""
    if known(row, "hr"):
        ends = limits(row, "hr_ci_low", "hr_ci_high", plain_number)
        ratio = f"hazard ratio {plain_number(row['hr'])}{ends}"
    sizes = [format_number(row[f"n_{s}"], "count") for s in ("responders", "nonresponders")]
    return joined(
        f"medians {medians[0]} and {medians[1]} months" if any(m != "–" for m in medians) else "",
        ratio,
        p_value(row),
        f"n = {sizes[0]} and {sizes[1]}" if known(row, "n_responders") else "",
    )


def _median(row: Row, side: str) -> str:
    name = f"median_{side}"
    return plain_number(row[name]) if known(row, name) else state(row[f"{name}_state"]) or "–"


def safety_what(row: Row) -> str:
    """Say which event of which grade in which arm."""
    grade = entry("grade", row["grade"]).words if row["grade"] else ""
    return joined(f"{arm_words(row['arm'])}: {row['term']}", grade)


def safety_value(row: Row) -> str:
    """Return counts, time on treatment and rates."""
    parts = [counted(row)]
    if known(row, "exposure"):
        ends = limits(row, "exposure_low", "exposure_high", plain_number)
        parts.append(f"{plain_number(row['exposure'])}{ends} {row['exposure_unit']}")
    if known(row, "events_per_patient_year"):
        parts.append(f"{plain_number(row['events_per_patient_year'])} events a patient-year")
    return joined(*parts)


def pharmacokinetic_what(row: Row) -> str:
    """Say which parameter, of whom and at which dose."""
    dose = ""
    if known(row, "dose"):
        dose = f"{plain_number(row['dose'])} {typeset(row['dose_unit'])}"
    whom = "" if row["population"] == "not stated" else row["population"]
    route = entry("route", row["route"], "pharmacokinetics").words if row["route"] else ""
    return joined(entry("parameter", row["parameter"]).words, dose, whom, route)


def pharmacokinetic_value(row: Row) -> str:
    """Return an estimate with its spread and range."""
    unit = typeset(str(row["unit"]))
    parts = []
    if known(row, "estimate"):
        kind = "" if row["estimate_type"] in ("", "point") else f"{row['estimate_type']} "
        spread = ""
        if known(row, "spread"):
            spread = f" ({row['spread_type'].upper()} {plain_number(row['spread'])})"
        parts.append(f"{kind}{plain_number(row['estimate'])}{spread} {unit}")
    if known(row, "low", "high"):
        ends = (plain_number(row[c]) for c in ("low", "high"))
        parts.append(f"{' to '.join(ends)} {unit}")
    elif known(row, "low") or known(row, "high"):
        side = "low" if known(row, "low") else "high"
        sign = {"low": "≥", "high": "≤"}[side]
        parts.append(f"{sign} {plain_number(row[side])} {unit}")
    if known(row, "n"):
        parts.append(f"n = {row['n']:,.0f}")
    return joined(*parts)


TABLES: dict[str, tuple[Callable[[Row], str], Callable[[Row], str]]] = {
    "proportions": (proportion_what, counted),
    "survival": (survival_what, survival_value),
    "contrasts": (contrast_what, contrast_value),
    "mrd_stratified": (mrd_what, mrd_value),
    "safety": (safety_what, safety_value),
    "pharmacokinetics": (pharmacokinetic_what, pharmacokinetic_value),
}
"""How the rows of every table of results are said: what it is, and its value."""
