"""Tables with one row a study and its arms side by side, as netmeta and WinBUGS keep them."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pandas as pd

from metablin._input import is_missing
from metablin.network.arms import ARM_COLUMNS

__all__ = ["lengthened"]

STEMS = {
    "treatment": ("treatment", "treat", "trt", "t", "arm"),
    "events": ("events", "event", "responders", "r", "e"),
    "n": ("n", "total", "patients", "sample_size", "samplesize"),
    "person_time": ("person_time", "exposure", "time", "py"),
    "mean": ("mean", "y", "m"),
    "sd": ("sd", "std_dev", "s"),
    "yi": ("yi",),
    "vi": ("vi",),
}
"""Words before the number of an arm."""

EFFECTS = {"yi", "te", "log_hr", "estimate", "hr"}
"""Columns of contrasts."""

NUMBERED = re.compile(r"(.*?[a-z])[\s._\-]*\[?,?\s*(\d{1,2})\s*\]?")
"""``event1``, ``n.2``, ``sd_3`` and ``t[,1]``."""


def lengthened(frame: pd.DataFrame, measure: str) -> tuple[pd.DataFrame, str]:
    """Return one row an arm, and what was understood; the same frame when it is not wide.

    An arm without a treatment and numbers is not there. A study may stand in several rows, one a
    pair of its arms: what is the same in two rows is kept once. A table of contrasts that has the
    counts of its arms beside them stays one.
    """
    if measure not in ARM_COLUMNS or EFFECTS & {str(c).strip().lower() for c in frame.columns}:
        return frame, ""
    wanted = ("treatment", *ARM_COLUMNS[measure])
    sides = _sides(frame, wanted)
    arms = [arm for arm, columns in sorted(sides.items()) if set(columns) == set(wanted)]
    if len(arms) < 2:
        return frame, ""
    placed = [c for columns in sides.values() for c in columns.values()]
    parts = []
    for arm in arms:
        names = {sides[arm][role]: role for role in wanted}
        part = frame.drop(columns=[c for c in placed if c not in names]).rename(columns=names)
        there = ~part[list(wanted)].map(is_missing).all(axis=1)
        parts.append(part[there])
    whole = pd.concat(parts).sort_index(kind="stable")
    first = pd.Series(whole.index, index=whole.index).groupby(
        [whole[c] for c in whole.columns], dropna=False, sort=False
    ).transform("first")  # fmt: skip
    again = whole.duplicated() & (first != whole.index)
    return whole[~again].reset_index(
        drop=True
    ), f"one row a study, its arms side by side: {', '.join(map(str, arms))}"


def _sides(frame: pd.DataFrame, wanted: tuple[str, ...]) -> Mapping[int, Mapping[str, str]]:
    """Return the columns of every arm by their meaning; none where a column serves all arms."""
    role_of = {stem: role for role in wanted for stem in STEMS.get(role, ())}
    found: dict[int, dict[str, str]] = {}
    for column in frame.columns:
        text = str(column).strip().lower()
        if text in STEMS["treatment"]:
            return {}
        match = NUMBERED.fullmatch(text)
        role = role_of.get(re.sub(r"[\s.\-]+", "_", match[1])) if match else None
        if match and role:
            found.setdefault(int(match[2]), {}).setdefault(role, column)
    return found
