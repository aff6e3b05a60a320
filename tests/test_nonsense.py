"""Every public function, every argument, things that make no sense: a named error or an answer."""

from __future__ import annotations

import inspect
import io
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import metablin as mb

YI, VI = [0.1, 0.3, 0.5, 0.9, 0.2], [0.01, 0.04, 0.06, 0.12, 0.05]
EFFECTS = mb.generic(YI, VI)
FIT = mb.pool(EFFECTS)
COHORTS = mb.proportions([1, 2, 3, 4], [10, 12, 9, 20])
TABLES = mb.two_by_two([1, 2, 3, 4], [10, 12, 9, 20], [2, 3, 1, 6], [11, 12, 9, 22])
RATIOS = mb.pool(TABLES)
TIME, EVENT, ARM = list(range(1, 11)), [1, 0, 1, 1, 1, 1, 0, 1, 1, 0], list("ababababab")
TRIAL = list("xxxxxyyyyy")
PATIENTS = {"time": TIME, "event": EVENT}
CLICKS = {"time": [0, 2, 4, 6, 9, 12], "survival": [1, 0.95, 0.85, 0.7, 0.6, 0.5]}
CURVE = mb.kaplan_meier(TIME, EVENT)
ARMS = pd.DataFrame({
    "study": list("aabbccdd"), "treatment": list("xyxzyzxy"), "events": [1, 2, 3, 4, 5, 6, 2, 3],
    "n": [20] * 8,
})  # fmt: skip
ANSWERS = pd.DataFrame([["a", "o", "1", "1.1", "Y", "r", "s"]], columns=[
    "study", "outcome", "domain", "question", "answer", "reason", "source"])  # fmt: skip

GOOD: dict[str, dict[str, Any]] = {
    "proportions": {"events": [1, 2], "n": [10, 12]},
    "exact_intervals": {"events": [1, 2], "n": [10, 12]},
    "generic": {"yi": YI, "vi": VI},
    "log_effects": {"log_effect": YI, "std_error": VI, "measure": "hr"},
    "hazard_ratios": {"hr": [0.7, 0.8], "low": [0.5, 0.6], "high": [0.9, 1.1]},
    "hazard_ratios_reported": {"data": {"hr": [0.7], "low": [0.5], "high": [0.9]}},
    "rates": {"events": [1, 2], "person_time": [10.0, 20]},
    "two_by_two": {"a": [1, 2], "n1": [10, 12], "c": [2, 3], "n2": [11, 12]},
    "rate_contrasts": {"x1": [1, 2], "t1": [10, 12], "x2": [2, 3], "t2": [11, 12]},
    "means": {"mean": [1, 2], "sd": [1, 2], "n": [9, 9]},
    "mean_changes": {"mean_after": [1, 2], "mean_before": [1, 1], "n": [9, 9], "sd_change": [1, 2]},
    "correlations": {"r": [0.1, 0.2], "n": [9, 12]},
    "means_from_quantiles": {"n": [50, 60], "median": [5, 6], "q1": [4, 5], "q3": [6, 7.5]},
    "standard_deviations": {"n": [9, 9], "sd": [1, 2]},
    "shared_deviation": {"n_treatment": [9, 9], "n_control": [8, 9], "difference": [1, 2],
                         "p_value": [0.1, 0.2]},
    "pool": {"e": EFFECTS},
    "pool_many": {"yi": [YI, YI], "vi": [VI, VI]},
    "pool_cohorts": {"e": COHORTS},
    "pool_contrasts": {"e": TABLES},
    "cluster_bootstrap": {"fit": FIT, "cluster": list("aabbc"), "draws": 9},
    "outlier_test": {"fit": mb.pool(EFFECTS, model="mixture"), "draws": 1},
    "clustered": {"fit": FIT, "cluster": list("aabbc")},
    "mixed": {"yi": YI, "vi": VI, "random": "1 | trial", "data": {"trial": list("aabbc")}},
    "location_scale": {"e": EFFECTS, "scale": "x", "data": {"x": [1, 2, 2, 3, 5]}},
    "sampling_covariance": {"vi": VI, "cluster": list("aabbc"), "estimate": range(5), "rho": 0.5},
    "export": {"result": FIT, "form": "markdown"},
    "write_up": {"fit": FIT},
    "load_fit": {"source": FIT.to_json()},
    "begg": {"e": EFFECTS},
    "egger": {"e": EFFECTS},
    "harbord": {"e": TABLES},
    "peters": {"e": TABLES},
    "pet_peese": {"e": EFFECTS},
    "selection_model": {"e": EFFECTS},
    "limit_meta": {"e": EFFECTS},
    "lfk_index": {"e": EFFECTS},
    "thompson": {"e": EFFECTS},
    "macaskill": {"e": TABLES},
    "deeks": {"e": TABLES},
    "pustejovsky": {"e": TABLES},
    "selection_steps": {"e": EFFECTS, "steps": [0.025]},
    "copas_selection": {"e": EFFECTS, "published": [0.5]},
    "excess_significance": {"fit": FIT},
    "robust_average": {"e": EFFECTS},
    "baujat": {"fit": FIT},
    "gosh": {"fit": FIT},
    "influence": {"fit": FIT},
    "leave_one_out": {"fit": FIT},
    "cumulative": {"fit": FIT},
    "heterogeneity": {"fit": FIT},
    "permutation_test": {"fit": FIT},
    "trim_and_fill": {"fit": FIT},
    "network": {"data": ARMS, "measure": "or"},
    "network_pool": {"n": mb.network(ARMS, measure="or")},
    "reconstruct_km": {**CLICKS, "n": 50},
    "reconstruct_many": {
        "clicks": pd.DataFrame(CLICKS).assign(id="a"),
        "totals": pd.DataFrame({"id": ["a"], "n": [50]}),
    },
    "reconstruct_summary": {"n": 50, "median": 6, "events": 20, "draws": 2},
    "reconstruct_summary_pair": {
        "treatment": {"n": 50, "median": 6, "events": 20, "followup": 9},
        "control": {"n": 50, "median": 4, "events": 25, "followup": 9}, "hr": 0.7, "draws": 2,
    },
    "kaplan_meier": PATIENTS,
    "cox_frame": {"source": {**PATIENTS, "arm": ARM}},
    "cumulative_incidence": PATIENTS,
    "patient_frame": {"source": PATIENTS},
    "pooled_cox": {"source": {**PATIENTS, "arm": ARM, "trial": TRIAL}, "covariates": ["arm"]},
    "to_lifelines": {"source": PATIENTS},
    "to_sksurv": {"source": PATIENTS},
    "cox": {**PATIENTS, "group": ARM},
    "logrank": {**PATIENTS, "group": ARM},
    "max_combo": {**PATIENTS, "group": ARM},
    "rmst": {**PATIENTS, "tau": 8},
    "milestone_difference": {**PATIENTS, "group": ARM, "times": [5]},
    "fit_parametric": PATIENTS,
    "landmark_analysis": {**PATIENTS, "response_time": [0.5, np.nan] * 5, "landmark": 1},
    "simon_makuch": {**PATIENTS, "response_time": [0.5, np.nan] * 5},
    "absolute_effect": {"fit": RATIOS, "baseline": 0.3},
    "absolute_effect_arms": {"treatment": CURVE, "control": CURVE, "at": 5},
    "probability_beyond": {"fit": RATIOS, "threshold": 0.8},
    "grade": {"fit": RATIOS, "start": "randomised", "baseline": 0.3, "threshold": 0.1},
    "risk_of_bias": {"answers": ANSWERS},
    "load": {"table": "proportions"},
    "trace": {"trial_id": "tower"},
}  # fmt: skip

NONSENSE: dict[str, Callable[[], Any]] = {
    "nothing": lambda: None,
    "a word": lambda: "abc",
    "a negative number": lambda: -1,
    "a number beyond a double": lambda: 10**400,
    "not a number": lambda: float("nan"),
    "an empty list": list,
    "uneven lists": lambda: [[1], [2, 3]],
    "a matrix": lambda: np.ones((2, 2)),
    "an array without a dimension": lambda: np.array(3.0),
    "an object": object,
    "a generator": lambda: (i for i in (1, 2, 3)),
    "a table with two columns of one name": lambda: pd.DataFrame([[1, 2]], columns=["a", "a"]),
    "missing integers": lambda: pd.array([1, None, 3], dtype="Int64"),
    "masked": lambda: np.ma.masked_array([1.0, 2, 3], mask=[0, 1, 0]),
    "a long word": lambda: "x" * 10_000,
    "durations": lambda: pd.to_timedelta([1, 2], unit="D"),
}
MOST_WORDS = 1500  # characters of one line that a person still reads


@pytest.mark.parametrize("function", GOOD)
def test_what_makes_no_sense_is_refused_by_name(function: str) -> None:
    call = getattr(mb, function)
    for argument in inspect.signature(call).parameters:
        for kind, make in NONSENSE.items():
            try:
                with redirect_stdout(io.StringIO()):
                    call(**{**GOOD[function], argument: make()})
            except (mb.DataError, mb.ConvergenceError) as error:
                line = str(error)
                assert "\n" not in line, (argument, kind)
                assert "np." not in line, (argument, kind, line)
                assert len(line) < MOST_WORDS, (argument, kind, line)
            except Exception as error:  # what no user should meet
                pytest.fail(f"{function}({argument}={kind}): {error!r}")


def test_a_saved_fit_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(mb.DataError, match="no file that can be read"):
        mb.load_fit(tmp_path / "fit.json")


def test_a_number_of_numpy_is_shown_as_a_number() -> None:
    error = mb.DataError("bad", value="np.float64(1.5), np.load('x')")
    assert str(error) == "value 1.5, np.load('x'): bad"
