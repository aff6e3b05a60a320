"""Covariates on patients of several trials against R's survival."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from lifelines import CoxPHFitter

import metablin as mb
from metablin.errors import ConvergenceError, DataError, MetablinWarning
from tests.reference import pinned, table

NEWTON = 1e-8
"""Both climb by Newton's method; the last steps differ by rounding."""
SEARCH = 1e-9
"""R stops its search for accelerated failure times this near; shares of a standard error."""

PINNED = pinned("covariates")
TERMS = ["group", "x"]
CONTROL = {"group": "Lev"}


@pytest.fixture(scope="module")
def patients() -> pd.DataFrame:
    d = table("colon").rename(columns={"stratum": "trial"})
    return d.assign(months=np.ceil(d["time"] / 30.4375))


def agrees(fit: mb.CovariateFit, reference: dict, tolerance: float) -> None:
    scale = np.sqrt(np.diag(reference["model"]))
    np.testing.assert_allclose(fit.beta / scale, reference["beta"] / scale, atol=tolerance)
    np.testing.assert_allclose(fit.model_std_error, scale, rtol=tolerance)
    outer = np.sqrt(np.outer(np.diag(reference["robust"]), np.diag(reference["robust"])))
    np.testing.assert_allclose(fit.cov / outer, reference["robust"] / outer, atol=tolerance)
    assert fit.loglik == pytest.approx(reference["loglik"], rel=1e-9)


@pytest.mark.parametrize("name", ["cox", "tied", "clustered"])
def test_cox_stratified_by_trial_is_rs(patients: pd.DataFrame, name: str) -> None:
    d = patients if name == "cox" else patients.assign(time=patients["months"])
    cluster = "trial" if name == "clustered" else None
    fit = mb.pooled_cox(d, TERMS, control=CONTROL, cluster=cluster)
    agrees(fit, PINNED[name], NEWTON)
    assert fit.variance == ("robust by trial" if cluster else "robust")


@pytest.mark.parametrize("family", ["weibull", "lognormal", "loglogistic"])
def test_accelerated_failure_time_is_rs(patients: pd.DataFrame, family: str) -> None:
    fit = mb.pooled_aft(patients, TERMS, control=CONTROL, family=family)
    agrees(fit, PINNED[family], SEARCH)
    shape = fit.baseline["log shape Intercept"]
    turn = 1 if family == "lognormal" else -1
    assert turn * shape == pytest.approx(np.log(PINNED[family]["scale"]), abs=SEARCH)


def test_each_trial_may_have_its_own_shape(patients: pd.DataFrame) -> None:
    fit = mb.pooled_aft(patients, TERMS, control=CONTROL, own_shape=True)
    agrees(fit, PINNED["own_shape"], SEARCH)
    own = [v for k, v in fit.baseline.items() if k.startswith("log shape trial")]
    scales = np.log(PINNED["own_shape"]["scale"])
    np.testing.assert_allclose(own, -(scales[1:] - scales[0]), atol=10 * SEARCH)


def test_without_ties_the_sandwich_is_lifelines(patients: pd.DataFrame) -> None:
    d = patients.assign(time=patients["time"] + np.linspace(0, 0.5, len(patients)))
    frame = mb.cox_frame(d, TERMS, strata="trial", control=CONTROL)
    theirs = CoxPHFitter().fit(frame, "time", "event", strata=["trial"], robust=True)
    ours = mb.pooled_cox(d, TERMS, control=CONTROL)
    np.testing.assert_allclose(ours.std_error, theirs.standard_errors_, rtol=1e-4)


def test_model_variance_and_coefficients_are_those_of_our_own_cox(patients: pd.DataFrame) -> None:
    d = patients
    ours = mb.cox(d["months"], d["event"], d["group"], d["trial"], covariates=d[["x"]],
                  control="Lev")  # fmt: skip
    theirs = mb.pooled_cox(d.assign(time=d["months"]), TERMS, control=CONTROL, robust=False)
    np.testing.assert_allclose(theirs.beta, ours.log_hr, atol=NEWTON)
    np.testing.assert_allclose(theirs.std_error, ours.std_error, rtol=NEWTON)
    np.testing.assert_array_equal(theirs.std_error, theirs.model_std_error)


def test_the_unit_of_time_and_the_order_of_patients_do_not_matter(patients: pd.DataFrame) -> None:
    d = patients[patients["trial"] != 3]
    one = mb.pooled_aft(d, TERMS, control=CONTROL)
    turned = d.iloc[::-1].assign(time=d["time"] / 30.4375)
    two = mb.pooled_aft(turned, TERMS, control=CONTROL)
    np.testing.assert_allclose(one.beta, two.beta, atol=10 * SEARCH)
    np.testing.assert_allclose(one.std_error, two.std_error, rtol=10 * SEARCH)


def test_a_trial_without_events_is_left_out_and_said(patients: pd.DataFrame) -> None:
    seen = patients.assign(event=patients["event"] * (patients["trial"] != 4))
    with pytest.warns(MetablinWarning, match=r"trial 4 \(43 patients\)"):
        one = mb.pooled_aft(seen, TERMS, control=CONTROL)
    two = mb.pooled_aft(patients[patients["trial"] != 4], TERMS, control=CONTROL)
    np.testing.assert_array_equal(one.beta, two.beta)
    np.testing.assert_array_equal(one.cov, two.cov)
    assert one.trials == two.trials == ("1", "2", "3")


def test_the_result_is_a_table_a_frame_and_json(patients: pd.DataFrame) -> None:
    fit = mb.pooled_cox(patients, TERMS, control=CONTROL)
    assert repr(fit) == fit.summary()
    assert "hazard ratios, robust variance" in repr(fit)
    frame = fit.to_frame()
    assert frame["term"].tolist() == list(fit.terms)
    np.testing.assert_allclose(frame["estimate"], np.exp(frame["log_ratio"]))
    assert (frame["conf_low"] < frame["estimate"]).all()
    read = json.loads(fit.to_json())
    assert read["terms"] == list(fit.terms)
    assert read["trials"] == ["1", "2", "3", "4"]
    assert (read["n"], read["events"]) == (len(patients), patients["event"].sum())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"trial": None}, "row 1, column 'trial'"),
        ({"x": 7.0}, "column 'x'"),
        ({"event": 0}, "no events"),
        ({"time": 0.0}, "above 0"),
    ],
)
def test_bad_patients_are_named(patients: pd.DataFrame, change: dict, words: str) -> None:
    with pytest.raises(DataError, match=words):
        mb.pooled_aft(patients.assign(**change), TERMS)


def test_a_covariate_that_tells_all_deaths_apart_is_refused() -> None:
    d = {"time": [1, 2, 3, 4, 5, 6], "event": [1, 1, 1, 0, 0, 0], "x": [1, 1, 1, 0, 0, 0],
         "trial": ["a"] * 6}  # fmt: skip
    with pytest.raises(ConvergenceError, match="no finite maximum"):
        mb.pooled_cox(d, ["x"])
