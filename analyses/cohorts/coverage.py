"""What the simulation of few studies promises of a pool like this one."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path

import pandas as pd

import metablin as mb
from metablin.meta.bayes import prior_of
from metablin.meta.cohorts import TAU_SCALE

SIMULATED = Path(__file__).parents[1] / "simulation" / "few_studies.csv"
RULE, MIXED = "half-Cauchy 0.5", "GLMM t"
RATIO = "log hazard ratio"


def simulated_coverage(fit: mb.MetaFit) -> float:
    """Return the lowest simulated coverage of the interval of such a pool.

    That is over the simulated differences between studies, and for proportions over both kinds
    of cohorts, at its number of studies (the next smaller one simulated; ten for more). NaN for a
    single study and for intervals that are not of the rule for few studies.
    """
    interval = _interval(fit)
    return lowest_coverage(fit.k if interval else 0, fit.measure != "proportion", interval)


def lowest_coverage(k: int, ratio: bool | None = None, interval: str = RULE) -> float:
    """Return the lowest simulated coverage of an interval with `k` studies, NaN with fewer than 2.

    Of ratios or of proportions; of both where `ratio` is None, for what was not simulated itself
    (survival of an arm at a time).
    """
    if k < 2:
        return math.nan
    lines = _lines()
    part = lines.loc[lines["interval"] == interval]
    if ratio is not None:
        part = part.loc[(part["kind"] == RATIO) == ratio]
    reached = max(x for x in part["k"].unique() if x <= k)
    return float(part.loc[part["k"] == reached, "coverage"].min())


def _interval(fit: mb.MetaFit) -> str:
    if fit.model == "bayes":
        prior = prior_of(fit)
        return RULE if (prior.family, prior.scale) == ("half-cauchy", TAU_SCALE) else ""
    return MIXED if fit.model == "glmm" and fit.ci_method == "t" else ""


@cache
def _lines() -> pd.DataFrame:
    return pd.read_csv(SIMULATED)
