"""How result tables are shown: which columns, under which headings, in which units, grouped."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FORMATS", "HIDDEN", "LABELS", "SAID", "VIEWS", "View"]


@dataclass(frozen=True)
class View:
    """How one table is shown.

    Attributes
    ----------
    columns : tuple of str
        Columns in order; all but those that only machines read when there is none.
    by : str
        Column whose values become headings of groups of rows.
    estimate : str
        Heading of the estimate with its interval.
    heads : tuple of (str, str)
        Headings of other columns, where the usual one would not be understood.
    formats : tuple of (str, str)
        Units of columns whose names do not say them.
    value, limits, unit : str, (str, str), str
        Columns to show as the estimate and its interval where a table has no column `estimate`,
        and how to print them.
    """

    columns: tuple[str, ...] = ()
    by: str = ""
    estimate: str = "Estimate (95% interval)"
    heads: tuple[tuple[str, str], ...] = ()
    formats: tuple[tuple[str, str], ...] = ()
    value: str = ""
    limits: tuple[str, str] = ("conf_low", "conf_high")
    unit: str = ""


HIDDEN = {
    "key",
    "row_ids",
    "source_key",
    "source_keys",
    "std_error",
    "statistic",
    "conf_level",
    "q",
    "q_df",
    "h2",
    "model",
    "tau2_method",
    "ci_method",
    "trial_id",
    "mixed_denominators",
    "mean_logit",
    "sd_logit",
    "vx",
    "vy",
}
"""What readers do not need in a table: it is in the CSV file."""

LABELS = {
    "aic_above_best": "AIC above the best",
    "at_boundary": "At the boundary",
    "between_groups_p": "P, between groups",
    "between_share": "Variance between draws",
    "between": "Lies between",
    "bias_se": "± (bias)",
    "conf_level": "Level",
    "cook_d": "Cook's distance",
    "cov_ratio": "Covariance ratio",
    "coverage_se": "± (coverage)",
    "dffits": "DFFITS",
    "dose_unit": "Unit of dose",
    "eb05": "Lower 5%",
    "eb95": "Upper 5%",
    "ebgm": "Shrunk ratio",
    "events_control": "Events, control",
    "events_relapse": "Events, relapse",
    "events_remission": "Events, remission",
    "events_treatment": "Events, treatment",
    "fisher_p": "P, Fisher",
    "followed": "Arms followed",
    "grade_words": "Grade",
    "i2": "I²",
    "i2_median": "I², median",
    "k": "Studies",
    "kaplan_meier": "Kaplan-Meier",
    "lognormal": "Log-normal",
    "mc_error": "± (bias)",
    "median_months": "Median, months",
    "n": "Patients",
    "n_blinatumomab": "Patients, blinatumomab",
    "n_chemotherapy": "Patients, chemotherapy",
    "n_control": "Patients, control",
    "n_patients": "Planned patients",
    "n_relapse": "Patients, relapse",
    "n_remission": "Patients, remission",
    "n_treatment": "Patients, treatment",
    "n_trials": "Trials",
    "new_trial_se": "± (new trial)",
    "p_value": "P",
    "prediction_se": "± (prediction)",
    "printed_hr": "Printed ratio",
    "q_p": "P, heterogeneity",
    "q_value": "False discovery rate",
    "r2": "R²",
    "reconstructed_hr": "Reconstructed ratio",
    "rejected_se": "±",
    "rstudent": "Studentised residual",
    "sd": "SD",
    "tau2": "τ²",
    "tau2_method": "τ² by",
    "time": "Month",
    "time_months": "Month",
    "true_hr": "True ratio",
    "why_not": "Why not",
}
"""Headings of columns; others are their names with a capital letter."""

FORMATS = {
    "average_coverage": "proportion",
    "between_share": "proportion",
    "cured": "proportion",
    "coverage": "proportion",
    "coverage_se": "points",
    "followed_months": "months",
    "half_window": "ratio",
    "hazard_ratio": "ratio",
    "hat": "proportion",
    "high": "number",
    "i2": "proportion",
    "i2_median": "proportion",
    "kaplan_meier": "months",
    "lognormal": "months",
    "low": "number",
    "lowest_time": "proportion",
    "median_months": "months",
    "mrd_survival": "proportion",
    "naive": "ratio",
    "new_trial": "proportion",
    "new_trial_se": "points",
    "nonresponders": "months",
    "odds_ratio": "ratio",
    "printed_hr": "ratio",
    "prospective_share": "proportion",
    "prediction": "proportion",
    "prediction_se": "points",
    "rate": "proportion",
    "reconstructed_hr": "ratio",
    "rejected": "proportion",
    "rejected_se": "points",
    "responders": "months",
    "risk_difference": "proportion",
    "risk_ratio": "ratio",
    "share": "proportion",
    "survival": "proportion",
    "survival_12": "proportion",
    "survival_24": "proportion",
    "survival_36": "proportion",
    "threshold_odds_ratio": "ratio",
    "true_median": "months",
    "weibull": "months",
    "weight": "proportion",
    "whole": "months",
    "whole_if_exponential": "months",
    "wilson_high": "proportion",
    "wilson_low": "proportion",
}
"""Units of columns by their names; `expected` numbers of patients are whole."""

SAID = {
    "any": "any grade",
    "grade3plus": "grade 3 or worse",
    "hr_interval": "hazard ratio and interval",
    "p_medians": "medians and p",
    "p_expected_events": "p, events expected",
    "medians_expected_events": "medians, events expected",
    "time-dependent": "response changes with time",
    "naive": "ever against never",
    "rct": "randomised",
    "meta_analysis": "meta-analysis",
    "meta analysis": "meta-analysis",
    "half_life": "half-life",
    "weighted": "weighted regression",
    "daniels-hughes": "Daniels-Hughes",
    "bayes": "Bayesian",
    "random": "random effects",
    "common": "common effect",
    "unadjusted": "time ignored: risks",
    "total": "events over all time on treatment",
    "fixed": "first events, everybody treated for the median",
    "exponential": "first events, exponential time on treatment",
    "rr_blinatumomab": "Overall survival on blinatumomab, relapsed or refractory adults",
    "rr_control": "Overall survival without it, relapsed or refractory adults",
    "mrd_rfs": "Relapse-free survival on blinatumomab, MRD-positive adults",
    "mrd_os": "Overall survival on blinatumomab, MRD-positive adults",
    "combescure": "distribution-free",
    "pointwise": "each time on its own",
    "parametric": "Weibull parameters",
    "freeman-tukey": "Freeman-Tukey",
    "weibull": "Weibull",
    "lognormal": "log-normal",
    "loglogistic": "log-logistic",
    "weibull-mixture-cure": "Weibull with a cured share (mixture)",
    "lognormal-mixture-cure": "log-normal with a cured share (mixture)",
    "weibull-non-mixture-cure": "Weibull with a cured share (non-mixture)",
    "hksj": "Hartung-Knapp",
    "hksj-adhoc": "Hartung-Knapp, ad hoc",
    "z": "Wald",
    "wald": "Wald",
    "glmm": "binomial-normal",
    "or": "odds ratio",
    "rr": "risk ratio",
    "rd": "risk difference",
    "peters": "Peters",
    "egger": "Egger",
    "begg": "Begg",
    "median": "median, months",
}
"""Values of cells in words, where they are codes of a method or a grade."""

ROW = (("key", "Row"),)
VIEWS = {
    "response/excluded": View(("key", "reason"), heads=(("key", "Cohort"),)),
    "response_checks/moderators": View(
        ("feature", "k", "estimate", "p_value", "tau2", "r2"), estimate="Odds ratio (95% interval)"
    ),
    "response_checks/influence": View(
        ("study", "rstudent", "dffits", "cook_d", "cov_ratio", "hat", "weight", "influential"),
        by="population",
    ),
    "response_checks/leave_one_out": View(("left_out", "estimate", "tau2", "i2"), by="population"),
    "response_checks/small_study": View(
        ("method", "k", "estimate", "p_value"),
        by="population",
        estimate="Slope or rank correlation",
        heads=(("method", "Test"),),
    ),
    "response_checks/subsets": View(
        ("population", "subsets", "median", "low", "high", "i2_median"),
        heads=(("low", "Lower 2.5%"), ("high", "Upper 2.5%")),
        formats=(("median", "proportion"), ("low", "proportion"), ("high", "proportion")),
    ),
    "randomised/leave_one_out": View(("left_out", "estimate", "tau2", "i2"), by="endpoint"),
    "mrd/response_cohorts": View(
        ("study", "denominator", "outcome", "timepoint", "events", "n", "estimate"),
        by="population",
        heads=(("denominator", "Of whom"),),
    ),
    "mrd/anchors": View(
        ("study", "subgroup", "estimate"),
        by="endpoint",
        estimate="Hazard ratio (95% interval)",
        heads=(("subgroup", "Patients"),),
    ),
    "mrd/immortal_time": View(
        ("study", "endpoint", "window_months", "naive", "low", "half_window", "high", "why_not"),
        formats=(("low", "ratio"), ("high", "ratio")),
        heads=(
            ("window_months", "Window, months"),
            ("naive", "As printed"),
            ("half_window", "Middle"),
            ("low", "Lowest"),
            ("high", "Highest"),
        ),
    ),
    "mrd/consistency": View(
        ("study", "endpoint", "responders", "nonresponders", "share", "whole",
         "whole_if_exponential", "between"),
        heads=(
            ("responders", "Responders, months"),
            ("nonresponders", "Others, months"),
            ("share", "Responders among all"),
            ("whole", "All, months"),
            ("whole_if_exponential", "All, if hazards were constant"),
        ),
    ),
    "mrd/transplant": View(("of_whom", "events", "n", "k", "estimate", "i2"), by="group"),
    "mrd/transplant_outcomes": View(
        ("study", "outcome", "group", "events", "n", "estimate"), heads=(("group", "Who"),)
    ),
    "mrd/transplant_survival": View(
        ("study", "endpoint", "group", "n", "time_months", "survival"),
        heads=(("group", "Who"),),
    ),
    "mrd/simulation": View(
        ("method", "window", "estimate", "bias", "mc_error", "coverage"),
        by="true_hr",
        estimate="Mean ratio",
        heads=(("window", "Latest response, months"),),
    ),
    "surrogacy/pairs": View(
        ("study", "drug", "events_treatment", "n_treatment", "events_control", "n_control",
         "odds_ratio", "hazard_ratio"),
        by="endpoint",
        heads=(
            ("events_treatment", "Cleared, new drug"),
            ("n_treatment", "of"),
            ("events_control", "Cleared, control"),
            ("n_control", "of "),
        ),
    ),
    "surrogacy/lines": View(
        ("trials", "method", "k", "slope", "estimate", "threshold_odds_ratio"),
        by="endpoint",
        estimate="R² (95% interval)",
        heads=(("threshold_odds_ratio", "Threshold, odds ratio"),),
    ),
    "surrogacy/bivariate": View(
        ("endpoint", "k", "correlation", "estimate", "slope"), estimate="R² (95% interval)"
    ),
    "surrogacy/left_out": View(
        ("study", "observed", "estimate", "inside"),
        by="endpoint",
        estimate="Predicted (95% interval)",
        heads=(("observed", "Observed hazard ratio"),),
        formats=(("observed", "ratio"),),
        value="predicted",
        limits=("pred_low", "pred_high"),
        unit="ratio",
    ),
    "survival/pooled": View(
        ("term", "method", "k", "n", "estimate", "i2", "between_share", "grades"), by="pool"
    ),
    "survival/pooled_curves": View(
        ("time", "k", "estimate", "i2", "between_share"), by="pool", estimate="Survival (95% band)",
        value="survival", unit="proportion",
    ),
    "survival/arms": View(
        ("arm", "design", "n", "term", "estimate", "printed", "grade"), by="pool"
    ),
    "survival/sensitivity": View(("choice", "term", "k", "estimate", "i2"), by="pool"),
    "survival/medians": View(
        ("arm", "design", "n", "printed", "kaplan_meier", "weibull", "lognormal"),
        by="pool",
        formats=(("printed", "months"),),
    ),
    "survival/cure_models": View(
        ("family", "k", "n", "aic_above_best", "best_in_draws", "survival_36", "estimate"),
        by="set",
        estimate="Cured share (95% interval)",
        heads=(("survival_36", "Survival at month 36"), ("best_in_draws", "Best in draws")),
    ),
    "survival/comparisons": View(
        ("trial", "n_blinatumomab", "n_chemotherapy", "printed_hr", "reconstructed_hr", "agrees"),
        by="endpoint",
    ),
    "survival/first_relapse": View(("measure", "k", "estimate"), by="endpoint"),
    "survival/first_relapse_trials": View(
        ("trial", "measure", "estimate", "printed", "grade"), by="endpoint"
    ),
    "survival/first_relapse_apart": View(("measure", "k", "estimate", "p_value"), by="endpoint"),
    "reconstruction/summary": View(("what", "estimate", "k"), heads=(("k", "of"),)),
    "reconstruction/arms": View(
        ("trial", "arm", "patients", "endpoint", "n", "median", "landmarks", "status", "grade",
         "verdict"),
        heads=(
            ("n", "n"),
            ("median", "Median, months"),
            ("landmarks", "Survival at month"),
            ("status", "Outcome"),
            ("verdict", "Against the print"),
        ),
    ),
    "reconstruction/held_out": View(
        ("arm_key", "time", "printed", "reconstructed", "covered", "grade"),
        heads=(("arm_key", "Arm"),),
        formats=(("printed", "proportion"), ("reconstructed", "proportion")),
    ),
    "reconstruction/missing": View(("trial", "endpoint", "missing", "median", "landmarks")),
    "reconstruction/inconsistent": View(
        ("arm_key", "conflict", "used_instead"), heads=(("arm_key", "Arm"),)
    ),
    "safety/unanswered": View(("question",), by="group"),
    "safety/rates": View(
        ("term", "grade_words", "k", "events", "n", "estimate", "i2"), by="group"
    ),
    "safety/randomised": View(
        ("study", "term", "period", "grade", "events_treatment", "n_treatment", "events_control",
         "n_control", "estimate", "p_value", "q_value", "ebgm"),
        estimate="Difference, percentage points (95% interval)",
    ),
    "safety/pooled_differences": View(
        ("method", "measure", "k", "estimate", "p_value"),
        by="term",
    ),
    "safety/printed_rates": View(
        ("term", "treatment", "control", "estimate"),
        estimate="Ratio",
        heads=(("treatment", "Blinatumomab"), ("control", "Chemotherapy")),
    ),
    "safety/time_on_treatment": View(
        ("study", "arm", "estimate", "low", "high", "unit", "n"),
        estimate="Median",
        heads=(("low", "Shortest"), ("high", "Longest")),
    ),
    "safety/exposure": View(
        ("assumption", "treatment", "control", "estimate", "exposure_ratio", "tipping_ratio"),
        by="term",
        estimate="Ratio (95% interval)",
    ),
    "safety/burden": View(
        ("term", "grade", "events_relapse", "n_relapse", "events_remission", "n_remission",
         "estimate", "p_value"),
        estimate="Difference, percentage points (95% interval)",
    ),
    "safety/answers": View(
        ("question", "expected", "low", "high", "k", "n", "grade"),
        by="group",
        heads=(("low", "From"), ("high", "To")),
    ),
    "safety/class_shares": View(
        ("organ_class", "rank", "events", "all_events", "estimate"), by="grade", estimate="Share"
    ),
    "safety/reporting": View(
        ("collected_to", "kind", "category", "counted", "count", "total", "estimate"),
        by="database",
        estimate="Share",
    ),
    "adverse_events/totals": View(("term", "events", "n", "k", "estimate"), by="grade"),
    "adverse_events/rates": View(
        ("term", "trial_id", "events", "n", "estimate"),
        by="grade",
        heads=(("trial_id", "Trial"),),
    ),
    "simulation/coverage": View(
        ("k", "tau2", "interval", "coverage", "coverage_se", "width", "prediction",
         "prediction_se", "repetitions"),
    ),
    "simulation/transforms": View(
        ("p", "scale", "bias", "bias_se", "coverage", "coverage_se", "repetitions"),
        heads=(("p", "True proportion"),),
    ),
    "landscape/totals": View(("phase", "n_trials", "n_patients", "without_patient_number")),
    "landscape/evidence": View(
        ("design", "estimate", "patients", "trials"),
        by="population",
        estimate="Reports",
        heads=(("trials", "Which"),),
    ),
    "pharmacokinetics/reported": View(
        ("parameter", "population", "dose", "dose_unit", "estimate", "sd", "low", "high", "unit",
         "source_key", "preferred"),
        estimate="Value",
        heads=(("low", "From"), ("high", "To"), ("source_key", "Review"), ("preferred", "Used")),
    ),
    "pharmacokinetics/steady_state": View(
        ("population", "dose", "dose_unit", "estimate", "sd", "low", "high", "unit", "source_key"),
        estimate="Concentration",
        heads=(("low", "From"), ("high", "To"), ("source_key", "Review")),
    ),
    "pharmacokinetics/proportionality": View(
        ("key", "k", "estimate", "df"), heads=(("key", "Term"),)
    ),
    "pharmacokinetics/identities": View(
        ("source_key", "identity", "quoted", "implied", "ratio", "unit"),
        heads=(("source_key", "Review"),),
    ),
    "arithmetic/contrasts": View(
        ("key", "p_two_sided", "p_one_sided", "estimate_from_interval"), heads=ROW
    ),
    "arithmetic/survival": View(
        ("key", "events_implied", "survivors_implied", "median_years"), heads=ROW
    ),
    "arithmetic/two_by_two": View(
        ("key", "odds_ratio", "risk_ratio", "risk_difference", "fisher_p"),
        heads=(("key", "Trial and outcome"),),
    ),
    "arithmetic/sums": View(("statement", "value", "operation")),
}  # fmt: skip
