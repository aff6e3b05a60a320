"""One trial: Kaplan-Meier, restricted means, tests, Cox, parametric and cure models."""

from metablin.survival.comparison import (
    LogRank,
    MaxCombo,
    logrank,
    max_combo,
    milestone_difference,
)
from metablin.survival.cox import CoxFit, cox, proportional_hazards_test, schoenfeld_residuals
from metablin.survival.km import KMCurve, kaplan_meier, kaplan_meier_by, reverse_kaplan_meier
from metablin.survival.parametric import (
    DEFAULT_FAMILIES,
    ParametricComparison,
    ParametricFit,
    brier_score,
    compare_parametric,
    fit_parametric,
    integrated_brier_score,
)
from metablin.survival.rmst import RMST, RMSTCurve, rmst, rmst_curve

__all__ = [
    "DEFAULT_FAMILIES",
    "RMST",
    "CoxFit",
    "KMCurve",
    "LogRank",
    "MaxCombo",
    "ParametricComparison",
    "ParametricFit",
    "RMSTCurve",
    "brier_score",
    "compare_parametric",
    "cox",
    "fit_parametric",
    "integrated_brier_score",
    "kaplan_meier",
    "kaplan_meier_by",
    "logrank",
    "max_combo",
    "milestone_difference",
    "proportional_hazards_test",
    "reverse_kaplan_meier",
    "rmst",
    "rmst_curve",
    "schoenfeld_residuals",
]
