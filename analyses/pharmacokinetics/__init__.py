"""Pharmacokinetics across the reviews: proportionality, and whether the numbers fit together."""

from __future__ import annotations

from metablin.pipeline import Evidence, Outcome, Words, analysis
from metablin.report.words import source_names

from .figures import dose_figure, parameter_figure
from .rows import agreement, common_units, identities, proportionality, steady_state


@analysis(reads=("pharmacokinetics", "references"), order=70)
def pharmacokinetics(evidence: Evidence, words: Words) -> Outcome:
    """Fit the power model of steady state on dose and check the identities between parameters."""
    reported = common_units(evidence.load("pharmacokinetics", all_rows=True))
    points = steady_state(reported)
    power = proportionality(points.loc[points["preferred"]])
    return words.outcome(
        {
            "reported": reported,
            "steady_state": points,
            "proportionality": power,
            "identities": identities(reported),
            "agreement": agreement(reported),
        },
        {
            "dose": dose_figure(points, power),
            "parameters": parameter_figure(reported, source_names(evidence.load("references"))),
        },
    )
