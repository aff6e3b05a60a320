"""Reports that describe the same patients: what they share, which one counts, and why."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from html import escape

import pandas as pd
from cells import card_table, html, line

from metablin.datasets import load
from metablin.report.words import arm_words, patients_words, short_names, typeset

HEADS = ("Report or cohort", "What is shared", "Which is counted", "Why")
MOST = 4
"""Parts of the patients that are named one by one."""
IDENTIFIER = re.compile(r"[a-z]\w*")
INCLUDED = "included"
BOTH = "both_arms"
OUTCOMES = ("proportions", "survival", "contrasts", "mrd_stratified")
"""Tables that say of which patients their rows are."""


def sets() -> dict[str, list[str]]:
    """Return the parts of cohorts that each trial describes: those of its rows, then its own."""
    trials = load("trials", all_rows=True)
    own = dict(zip(trials["trial_id"], trials["patient_set"], strict=True))
    found: dict[str, list[str]] = {t: [] for t in own}
    for table in OUTCOMES:
        rows = load(table, all_rows=True)
        for trial, patients in zip(rows["trial_id"], rows["patient_set"], strict=True):
            if trial in found:
                found[trial] += patients.split("+")
    for trial, parts in found.items():
        told = {p.split("/")[0] for p in parts}
        parts += [p for p in own[trial].split("+") if p not in told]
    return {t: list(dict.fromkeys(parts)) for t, parts in found.items()}


def screened() -> pd.DataFrame:
    """Return decision and reason of every cohort, by trial; a note where there is no reason."""
    rows = load("screening", all_rows=True)
    rows = rows.loc[rows["stage"] == "cohort"].set_index("trial_id")
    why = rows["reason"].where(rows["reason"] != "", rows["note"].fillna(""))
    return rows.assign(why=why)[["decision", "reason_code", "why"]]


def overlaps(described: Mapping[str, list[str]], decided: pd.DataFrame) -> dict[str, list[str]]:
    """Return the trials that describe patients of each trial too, by trial.

    Sets of patients say so; where the base has no set in common, the reason of the screening may
    name the other trial.
    """
    named = {trial: _named(trial, decided) for trial in described}
    return {
        one: [
            other
            for other in described
            if one != other
            and (other in named[one] or one in named[other] or any(_shared(one, other, described)))
        ]
        for one in described
    }


def _shared(one: str, other: str, described: Mapping[str, list[str]]) -> list[str]:
    """Return the parts of cohorts that `other` describes and that can hold patients of `one`.

    Patients of a control group that was borrowed from outside the base are those of no trial.
    """
    mine = [p.split("/", 2) for p in described[one]]
    return [
        part
        for part in described[other]
        if part.split("/")[0] in described and any(_meet(part.split("/", 2), m) for m in mine)
    ]


def _meet(one: list[str], other: list[str]) -> bool:
    """Tell whether two parts of cohorts can share patients: one cohort, no split between them."""
    if one[0] != other[0]:
        return False
    arms = {one[1], other[1]} if len(one) > 1 and len(other) > 1 else set()
    if len(arms - {BOTH}) > 1:
        return False
    levels = [
        dict(x.split("=", 1) for x in p[2].split(";") if "=" in x) if len(p) > 2 else {}
        for p in (one, other)
    ]
    return all(levels[1].get(name, level) == level for name, level in levels[0].items())


def _named(trial: str, decided: pd.DataFrame) -> set[str]:
    """Return the trials that the reason for leaving a cohort out as an overlap names."""
    if trial not in decided.index or decided.loc[trial, "reason_code"] != "overlap":
        return set()
    return set(IDENTIFIER.findall(str(decided.loc[trial, "why"]))) - {trial}


def overlap_words(
    trial: str,
    others: list[str],
    described: Mapping[str, list[str]],
    decided: pd.DataFrame,
) -> str:
    """Return the reports that share patients with a trial, as a table, or that there is none."""
    if not others:
        return "No other report in the base is marked as describing these patients."
    lines = []
    for other in others:
        shared = _shared_words(trial, other, described)
        cells = (escape(shared), *(escape(text) for text in _counted(trial, other, decided)))
        page = f'<a href="{other}.html">{escape(short_names()[other])}</a>'
        lines.append(line(page, cells, HEADS[1:]))
    return html(card_table(HEADS, lines))


def _shared_words(trial: str, other: str, described: Mapping[str, list[str]]) -> str:
    """Return the patients that two reports both describe, in words of the narrower one."""
    sides = [_widest(_shared(*pair, described)) for pair in ((trial, other), (other, trial))]
    narrow = min(sides, key=lambda parts: (any(p.count("/") < 2 for p in parts), len(parts)))
    groups: dict[str, list[str]] = {}
    for part in narrow:
        arm, who = _patients(part)
        groups.setdefault(arm, []).append(who)
    return "; ".join(map(_named_parts, groups, groups.values())) or "not marked row by row"


def _widest(parts: list[str]) -> list[str]:
    """Return parts of cohorts without parts of those that are there whole."""
    return [p for p in parts if not any(p.startswith(f"{whole}/") for whole in parts)]


def _patients(part: str) -> tuple[str, str]:
    """Return cohort and arm of a part of a cohort, and which patients of it, in words."""
    cohort, *rest = part.split("/", 2)
    name = short_names().get(cohort, cohort)
    if not rest:
        return f"patients of {name}", ""
    arm = "both arms" if rest[0] == BOTH else arm_words(rest[0])
    return f"{name}: {arm}", patients_words(rest[1]) if len(rest) > 1 else ""


def _named_parts(arm: str, parts: list[str]) -> str:
    """Return an arm with its parts in brackets, the first few by name."""
    named = [p for p in dict.fromkeys(parts) if p]
    more = [f"and {len(named) - MOST} more"] if len(named) > MOST else []
    return f"{arm} ({'; '.join([*named[:MOST], *more])})" if named else arm


def _counted(trial: str, other: str, decided: pd.DataFrame) -> tuple[str, str]:
    """Return which of two reports counts in pools of patients on blinatumomab, and why."""
    names = short_names()
    mine, theirs = (decided.loc[t, "decision"] == INCLUDED for t in (trial, other))
    reasons = {t: reason_words(str(decided.loc[t, "why"])) for t in (trial, other)}
    if mine and theirs:
        why = "; ".join(r for r in dict.fromkeys(reasons.values()) if r)
        return "each for quantities of its own", why or "different patients, or different outcomes"
    if mine or theirs:
        return ("this one" if mine else names[other]), reasons[other if mine else trial]
    return "neither", "; ".join(f"{names[t]}: {why}" for t, why in reasons.items())


def reason_words(text: str) -> str:
    """Return a reason of the screening with trials by name, those of one plain word too."""
    names = short_names()
    return typeset(IDENTIFIER.sub(lambda m: names[m[0]] if m[0] in identifiers() else m[0], text))


@cache
def identifiers() -> frozenset[str]:
    """Return the identifiers of all trials."""
    return frozenset(load("trials", all_rows=True)["trial_id"])
