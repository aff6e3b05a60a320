"""MRD: who clears it, what clearing it is worth, and whether its effect foretells survival.

Response rates by denominator (:mod:`metablin.mrd.response`), hazard ratios of responders from
whatever a paper prints (:mod:`metablin.mrd.routes`), groups formed after baseline
(:mod:`metablin.mrd.postbaseline`, :mod:`metablin.mrd.simulation`), subgroup curves against the
whole (:mod:`metablin.mrd.consistency`) and trial-level surrogacy (:mod:`metablin.mrd.surrogacy`,
:mod:`metablin.mrd.bivariate`).
"""

from metablin.mrd.bivariate import BivariateEffects, bivariate_effects
from metablin.mrd.consistency import Consistency, mixture_bounds, mixture_check, mixture_median
from metablin.mrd.postbaseline import (
    PostBaseline,
    compare_counts_after_baseline,
    compare_groups_after_baseline,
    immortal_time_bounds,
    simon_makuch,
)
from metablin.mrd.response import ResponsePools, response_rates
from metablin.mrd.routes import (
    LogHR,
    ResponderHR,
    expected_events,
    hr_from_medians,
    hr_from_oe,
    hr_from_p,
    hr_from_patients,
    responder_hazard_ratios,
)
from metablin.mrd.simulation import ImmortalTime, simulate_cohort, simulate_immortal_time
from metablin.mrd.surrogacy import Association, Surrogacy, surrogacy

__all__ = [
    "Association",
    "BivariateEffects",
    "Consistency",
    "ImmortalTime",
    "LogHR",
    "PostBaseline",
    "ResponderHR",
    "ResponsePools",
    "Surrogacy",
    "bivariate_effects",
    "compare_counts_after_baseline",
    "compare_groups_after_baseline",
    "expected_events",
    "hr_from_medians",
    "hr_from_oe",
    "hr_from_p",
    "hr_from_patients",
    "immortal_time_bounds",
    "mixture_bounds",
    "mixture_check",
    "mixture_median",
    "responder_hazard_ratios",
    "response_rates",
    "simon_makuch",
    "simulate_cohort",
    "simulate_immortal_time",
    "surrogacy",
]
