"""Tables of the reconstruction."""

from __future__ import annotations

from typing import Any

import pandas as pd

from metablin.report.words import arm_words

from ..cohorts.arms import PrintedArm
from ..cohorts.populations import POPULATIONS
from ..lines import join_ids
from ..rebuilt import Rebuilt
from .checks import endpoint_conflicts, name_of
from .figures import GRADES

RELAPSED = ("adult_rr_ph_negative", "adult_rr_ph_positive", "paediatric_rr")
EVENT_FREE = ("rfs", "dfs", "efs", "pfs")
PAGES: dict[str, tuple[tuple[str, ...], bool]] = {
    "os_relapsed": (("os",), True),
    "os_remission": (("os",), False),
    "event_free_relapsed": (EVENT_FREE, True),
    "event_free_remission": (EVENT_FREE, False),
}
"""Endpoints of the pages of panels, and whether the disease is relapsed or refractory."""


def page(arms: list[Rebuilt], endpoints: tuple[str, ...], relapsed: bool) -> list[Rebuilt]:
    """Return the arms of one page of panels, by population and trial."""
    kept = [
        a
        for a in arms
        if a.printed.endpoint in endpoints and (a.printed.population in RELAPSED) == relapsed
    ]
    order = list(POPULATIONS)
    return sorted(kept, key=lambda a: (order.index(a.printed.population), a.printed.key))


def _median_text(arm: PrintedArm) -> str:
    if arm.median is None:
        return ""
    middle, low, high = arm.median
    text = "not reached" if middle is None else f"{middle:g}"
    if low is None:
        return text
    return f"{text} ({low:g} to {'not reached' if high is None else f'{high:g}'})"


def _landmark_text(arm: PrintedArm) -> str:
    parts = []
    for t, s, *limits in arm.landmarks:
        extra = f" ({limits[0]:g} to {limits[1]:g})" if limits else ""
        parts.append(f"{s:g}{extra} at {t:g}")
    return "; ".join(parts)


def listed(arms: list[Rebuilt], checks: pd.DataFrame) -> pd.DataFrame:
    """Return one line an arm: what is printed, status, grade and verdict."""
    bad = checks.loc[~checks["agrees"]].groupby("arm_key")["item"].agg(", ".join)
    failing = {str(key): items for key, items in bad.items()}
    return pd.DataFrame([_listing(a, failing) for a in arms])


def _listing(arm: Rebuilt, failing: dict[str, str]) -> dict[str, Any]:
    p = arm.printed
    verdict = ""
    if arm.draws is not None:
        verdict = "differs" if p.key in failing else "agrees"
    return {
        "key": p.key,
        "trial": p.label,
        "population": POPULATIONS[p.population],
        "arm": arm_words(p.arm),
        "patients": p.patients,
        "endpoint": p.endpoint,
        "n": p.n,
        "events": p.events,
        "median": _median_text(p),
        "landmarks": _landmark_text(p),
        "followup_months": p.followup,
        "status": arm.status,
        "grade": arm.draws.grade if arm.draws else "",
        "draws": len(arm.draws) if arm.draws else 0,
        "verdict": verdict,
        "differing_items": failing.get(p.key, ""),
        "note": "; ".join(x for x in (p.note, curve_words(p)) if x),
        "source_keys": join_ids(p.source_keys),
        "row_ids": join_ids(p.row_ids),
    }


def curve_words(arm: PrintedArm) -> str:
    """Return where the curve of an arm was read off, and how; empty without one."""
    c = arm.curve
    return "" if c is None else f"curve of {c.source_key}, {c.locator}, read by {c.read_by}"


def notes(arms: list[Rebuilt], otherwise: tuple[str, ...]) -> tuple[str, ...]:
    """Return the notes, of which the first says how many arms rest on curves."""
    grades = [a.draws.grade for a in arms if a.draws and a.printed.curve is not None]
    if not grades:
        return otherwise
    counted = ", ".join(f"{grades.count(g)} of grade {g}" for g in sorted(set(grades)))
    first = (
        f"{len(grades)} of {len(arms)} arms rest on a curve read off a published figure "
        f"({counted}); the others on medians, landmarks, counts and follow-up in print."
    )
    return (first, *otherwise[1:])


def missing(arms: list[Rebuilt]) -> pd.DataFrame:
    """Return the arms that cannot be reconstructed, with what is missing."""
    lines = [
        {
            "key": a.printed.key,
            "trial": a.printed.label,
            "endpoint": a.printed.endpoint,
            "missing": a.printed.missing,
            "median": _median_text(a.printed),
            "landmarks": _landmark_text(a.printed),
            "row_ids": join_ids(a.printed.row_ids),
        }
        for a in arms
        if a.printed.missing
    ]
    return pd.DataFrame(lines)


def inconsistent(arms: list[Rebuilt]) -> pd.DataFrame:
    """Return items that exclude each other, within an arm and between endpoints."""
    lines = [
        {
            "key": a.printed.key,
            "arm_key": a.printed.key,
            "arm": name_of(a.printed),
            "conflict": a.conflict,
            "used_instead": f"left out: {a.dropped}" if a.draws else "nothing: not reconstructed",
            "row_ids": join_ids(a.printed.row_ids),
        }
        for a in arms
        if a.conflict
    ]
    between = endpoint_conflicts([a.printed for a in arms])
    own = pd.DataFrame(lines, columns=between.columns)
    return pd.concat([own, between], ignore_index=True) if len(between) else own


def summary(arms: list[Rebuilt], checks: pd.DataFrame, withheld: pd.DataFrame) -> pd.DataFrame:
    """Return counts of arms by status and grade, and the share of items met."""
    status = pd.Series([a.status for a in arms])
    grades = pd.Series([a.draws.grade for a in arms if a.draws])
    exact = checks.loc[checks["kind"].isin(["median", "survival"])]
    limits = checks.loc[checks["kind"] == "limit"]
    exact, kept = exact.loc[exact["used"]], checks.loc[checks["kind"] == "events"]
    lines: list[tuple[str, str, float, int]] = [
        ("arms", "Arms and endpoints in print", len(arms), len(arms)),
        ("reconstructed", "Reconstructed", len(grades), len(arms)),
        *(
            (f"grade_{g.lower()}", f"Grade {g}: {GRADES[g]}", int((grades == g).sum()), len(arms))
            for g in GRADES
        ),
        ("without", "Reconstructed without what conflicts",
         int((status == "reconstructed without what conflicts").sum()), len(arms)),
        ("missing", "Too little in print", int((status == "too little printed").sum()), len(arms)),
        ("exact", "Medians and landmarks met in every draw", exact["agrees"].mean(), len(exact)),
        ("events", "Event counts met in every draw", kept["agrees"].mean(), len(kept)),
        ("limits", "Limits of intervals near the printed ones", limits["agrees"].mean(),
         len(limits)),
        ("held_out", "Landmarks covered when withheld", withheld["covered"].mean(), len(withheld)),
    ]  # fmt: skip
    ids = join_ids(i for a in arms for i in a.printed.row_ids)
    frame = pd.DataFrame(lines, columns=["key", "what", "estimate", "k"])
    shares = frame["key"].isin(["exact", "events", "limits", "held_out"])
    frame["unit"] = shares.map({True: "proportion", False: "count"})
    return frame.assign(conf_low=float("nan"), conf_high=float("nan"), row_ids=ids)
