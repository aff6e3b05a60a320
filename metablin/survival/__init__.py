"""One trial: Kaplan-Meier, restricted means, tests, Cox, parametric and cure models."""

from metablin.numerics.rubin import rubin
from metablin.survival.bootstrap import bootstrap_hazard_ratios
from metablin.survival.comparison import (
    LogRank,
    MaxCombo,
    logrank,
    max_combo,
    milestone_difference,
)
from metablin.survival.cox import CoxFit, cox, proportional_hazards_test, schoenfeld_residuals
from metablin.survival.draws import combine_curves
from metablin.survival.exchange import cox_frame, patient_frame, to_lifelines, to_sksurv
from metablin.survival.hazard import (
    HazardCurve,
    nelson_aalen,
    piecewise_hazard_ratio,
    smoothed_hazard,
    time_varying_hazard_ratio,
)
from metablin.survival.km import KMCurve, kaplan_meier, kaplan_meier_by, reverse_kaplan_meier
from metablin.survival.landmark import ResponseComparison, landmark_analysis, simon_makuch
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
from metablin.survival.scores import concordance, cumulative_incidence
from metablin.survival.trial import TrialSurvival, analyse_trial

__all__ = [
    "DEFAULT_FAMILIES",
    "RMST",
    "CoxFit",
    "HazardCurve",
    "KMCurve",
    "LogRank",
    "MaxCombo",
    "ParametricComparison",
    "ParametricFit",
    "RMSTCurve",
    "ResponseComparison",
    "TrialSurvival",
    "analyse_trial",
    "bootstrap_hazard_ratios",
    "brier_score",
    "combine_curves",
    "compare_parametric",
    "concordance",
    "cox",
    "cox_frame",
    "cumulative_incidence",
    "fit_parametric",
    "integrated_brier_score",
    "kaplan_meier",
    "kaplan_meier_by",
    "landmark_analysis",
    "logrank",
    "max_combo",
    "milestone_difference",
    "nelson_aalen",
    "patient_frame",
    "piecewise_hazard_ratio",
    "proportional_hazards_test",
    "reverse_kaplan_meier",
    "rmst",
    "rmst_curve",
    "rubin",
    "schoenfeld_residuals",
    "simon_makuch",
    "smoothed_hazard",
    "time_varying_hazard_ratio",
    "to_lifelines",
    "to_sksurv",
]
