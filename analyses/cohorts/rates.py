"""How certain a rate in one group is: GRADE for the question how often."""

from __future__ import annotations

from typing import Any

import pandas as pd

import metablin as mb
from metablin.certainty import Certainty

from ..lines import effect_sizes
from .populations import PROSPECTIVE

ACCEPTED = 0.10
"""Half-width of an interval that a reader of a rate accepts: ten patients of a hundred."""
SURROGATES = {
    "mrd": "MRD stands in for survival",
    "mrd_of_treated": "MRD stands in for survival",
    "mrd_of_responders": "MRD stands in for survival",
}
"""Questions about an outcome that stands in for what patients feel."""


def rated_rate(
    rows: pd.DataFrame,
    key: str = "",
    *,
    outcome: str = "the outcome",
    population: str = "",
    overrides: Any = None,
) -> Certainty:
    """Return the certainty of the pooled rate of cohorts of one design.

    Rows need ``study, design, events, n``. Tools for the bias of comparisons do not judge a rate:
    patients followed from a plan count as low risk, those found in records as high, because who
    got into the records may depend on how they fared.
    """
    fit = mb.pool_cohorts(effect_sizes(rows))
    planned = rows["design"].isin(PROSPECTIVE)
    judged = dict(zip(rows["study"], planned.map({True: "low", False: "high"}), strict=True))
    why = SURROGATES.get(key)
    aspects = [] if why is None else [{"aspect": "outcome", "severity": "serious", "reason": why}]
    return mb.grade(
        fit,
        "rate",
        risk_of_bias=judged,
        indirectness=aspects,
        outcome=outcome,
        population=population,
        half_width=ACCEPTED,
        patients=float(rows["n"].sum()),
        overrides=overrides,
    )
