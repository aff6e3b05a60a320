"""Patients out to lifelines and scikit-survival, and in from both."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars
import pytest
from lifelines import CoxPHFitter, KaplanMeierFitter
from sksurv.metrics import concordance_index_censored
from sksurv.nonparametric import kaplan_meier_estimator
from sksurv.util import Surv

import metablin as mb
from metablin.errors import DataError
from tests.reference import table

CLOSED = 1e-12
"""The same closed form, written twice."""
NEWTON = 1e-6
"""lifelines stops its search there."""


@pytest.fixture(scope="module")
def ipd() -> mb.PseudoIPD:
    at_risk = ([0, 4], [50, 28])
    return mb.reconstruct_km([0, 2, 4, 6], [1, 0.8, 0.6, 0.5], n=50, at_risk=at_risk)


def test_the_structured_array_is_scikit_survivals_own(ipd: mb.PseudoIPD) -> None:
    ours, theirs = ipd.to_sksurv(), Surv.from_arrays(ipd.event == 1, ipd.time)
    assert ours.dtype == theirs.dtype
    np.testing.assert_array_equal(ours, theirs)
    time, survival = kaplan_meier_estimator(ours["event"], ours["time"])
    curve = mb.kaplan_meier("time", "event", data=mb.patient_frame(ours))
    np.testing.assert_array_equal(time, curve.time)
    np.testing.assert_allclose(survival, curve.survival, rtol=CLOSED)


def test_the_fitted_curve_of_lifelines_is_ours(ipd: mb.PseudoIPD) -> None:
    fitter = ipd.to_lifelines()
    assert isinstance(fitter, KaplanMeierFitter)
    curve = mb.kaplan_meier(ipd.time, ipd.event)
    theirs = fitter.survival_function_at_times(curve.time).to_numpy()
    np.testing.assert_allclose(theirs, curve.survival, rtol=CLOSED)
    low = fitter.confidence_interval_.iloc[1:, 0].to_numpy()
    np.testing.assert_allclose(low, curve.conf_low, rtol=1e-9)


def test_patients_come_back_as_they_went(ipd: mb.PseudoIPD) -> None:
    frame = mb.patient_frame(ipd)
    for there in (ipd.to_sksurv(), ipd.to_lifelines(), polars.from_pandas(frame)):
        pd.testing.assert_frame_equal(mb.patient_frame(there), frame)
    turned = Surv.from_arrays(ipd.event == 1, ipd.time, name_event="died", name_time="months")
    pd.testing.assert_frame_equal(mb.patient_frame(turned), frame)


def test_weights_and_late_entry_go_along() -> None:
    d = table("lung").head(40)
    frame = d[["time", "event", "entry"]].assign(weights=np.ceil(d["weight"]))
    fitter = mb.to_lifelines(frame, level=0.9, entry="entry", weights="weights")
    curve = mb.kaplan_meier("time", "event", entry="entry", weights="weights", data=frame)
    theirs = fitter.survival_function_at_times(curve.time).to_numpy()
    np.testing.assert_allclose(theirs, curve.survival, rtol=CLOSED)
    back = mb.patient_frame(fitter)
    np.testing.assert_array_equal(back["entry"], frame["entry"])
    np.testing.assert_array_equal(back["weights"], frame["weights"])
    assert fitter.alpha == pytest.approx(0.1)


def test_lifelines_fits_the_cox_frame_as_we_do() -> None:
    d = table("colon")
    frame = mb.cox_frame(d, ["group", "x"], strata="stratum", control={"group": "Lev"})
    assert frame.columns.tolist() == [
        "time", "event", "group: Lev+5FU vs Lev", "group: Obs vs Lev", "x", "stratum",
    ]  # fmt: skip
    theirs = CoxPHFitter().fit(frame, "time", "event", strata=["stratum"])
    ours = mb.cox(d["time"], d["event"], d["group"], d["stratum"], covariates=d[["x"]],
                  control="Lev")  # fmt: skip
    np.testing.assert_allclose(theirs.params_, ours.log_hr, atol=NEWTON)
    assert mb.patient_frame(theirs)["time"].sum() == d["time"].sum()


def test_scikit_survivals_concordance_takes_our_array() -> None:
    d = table("lung")
    y = mb.to_sksurv(d)
    theirs = concordance_index_censored(y["event"], y["time"], d["x"])[0]
    assert theirs == mb.survival.concordance(d["time"], d["event"], d["x"])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: mb.patient_frame([1, 2]), "not patients"),
        (lambda: mb.patient_frame({"time": [1]}), "column 'event'"),
        (lambda: mb.patient_frame({"time": [1, -2], "event": [1, 1]}), "row 2, column 'time'"),
        (lambda: mb.to_sksurv(np.zeros(2, dtype=[("time", float), ("event", bool)])), "two fields"),
        (lambda: mb.cox_frame({"time": [1], "event": [1]}), "nothing to regress on"),
        (lambda: mb.cox_frame({"time": [1, 2], "event": [1, 1], "arm": ["a", "a"]}), "the same in"),
        (lambda: mb.cox_frame({"time": [1, 2], "event": [1, 1], "age": [7, None]}), "row 2"),
        (lambda: mb.cox_frame({"time": [1, 2], "event": [1, 1], "age": [7, 8]}, ["sex"]), "'sex'"),
    ],
)
def test_what_is_no_patient_is_named(call, words: str) -> None:
    with pytest.raises(DataError, match=words):
        call()
