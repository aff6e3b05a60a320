"""Survival arms rebuilt patient by patient from what is printed, and held against it."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from metablin.pipeline import Evidence, Outcome, Words, analysis

from ..cohorts.populations import known_trials
from ..rebuilt import DRAWS, rebuild_all
from .checks import comparison, curves_of, grid_of, held_out
from .figures import GRADES, panels
from .rows import PAGES, inconsistent, listed, missing, notes, page, summary


@analysis(reads=("trials", "survival", "references", "screening", "at_risk"), order=30)
def reconstruction(evidence: Evidence, words: Words) -> Outcome:
    """Reconstruct every arm with enough in print, grade it and compare it with the print."""
    arms = rebuild_all(
        evidence.load("survival"),
        known_trials(evidence),
        at_risk=evidence.load("at_risk"),
        curves=evidence.curves(),
    )
    rebuilt = [a for a in arms if a.draws is not None]
    drawn = {a.printed.key: curves_of(a) for a in rebuilt}
    checks = pd.concat([comparison(a, drawn[a.printed.key]) for a in rebuilt], ignore_index=True)
    curves = pd.concat([grid_of(a, drawn[a.printed.key]) for a in rebuilt], ignore_index=True)
    withheld = pd.DataFrame([line for a in rebuilt for line in held_out(a)])
    found = words.outcome(
        {
            "summary": summary(arms, checks, withheld),
            "arms": listed(arms, checks),
            "comparison": checks,
            "held_out": withheld,
            "missing": missing(arms),
            "inconsistent": inconsistent(arms),
            "curves": curves,
        },
        {
            name: panels(page(rebuilt, endpoints, relapsed), curves)
            for name, (endpoints, relapsed) in PAGES.items()
        },
        draws=DRAWS,
        **GRADES,
    )
    return replace(found, notes=notes(arms, found.notes))
