"""Cox regression against R, lifelines and statsmodels; invariances."""

import numpy as np
import pandas as pd
import pytest
from lifelines import CoxPHFitter
from statsmodels.duration.hazard_regression import PHReg

from metablin.errors import ConvergenceError, DataError
from metablin.survival import cox, logrank, proportional_hazards_test, schoenfeld_residuals
from tests.reference import pinned, table

OPTIMISED = 1e-6
"""Both sides iterate to a maximum."""

SETS = ("lung", "veteran", "ovarian", "colon", "pbc")
PINNED = pinned("survival")["sets"]
CELLS = [(name, i) for name in SETS for i in range(16)]


def arguments(name, reference):
    d = table(name)
    model = reference["model"]
    out = {"time": d["time"], "event": d["event"], "group": d["group"], "ties": reference["ties"]}
    if model != "group":
        out["covariates"] = d[["x"]]
    if model == "stratified":
        out["strata"] = d["stratum"]
    if model == "truncated":
        out["entry"] = d["entry"]
    return out, d


@pytest.mark.parametrize(("name", "cell"), CELLS)
def test_coefficients_variances_and_likelihoods_match_coxph(name, cell):
    reference = PINNED[name]["cox"][cell]
    options, d = arguments(name, reference)
    fit = cox(**options, weights=d["weight"] if reference["weighted"] else None)
    np.testing.assert_allclose(fit.log_hr, reference["coef"], rtol=OPTIMISED, atol=1e-9)
    np.testing.assert_allclose(fit.covariance, reference["var"], rtol=OPTIMISED, atol=1e-10)
    assert [fit.loglik_null, fit.loglik] == pytest.approx(reference["loglik"], rel=1e-10)
    assert fit.score_statistic == pytest.approx(reference["score"], rel=OPTIMISED)
    assert fit.wald_statistic == pytest.approx(reference["wald"], rel=OPTIMISED)


@pytest.mark.parametrize(("name", "cell"), [c for c in CELLS if c[1] % 2 == 0])
@pytest.mark.parametrize("transform", ["km", "rank", "identity", "log"])
def test_the_proportional_hazards_test_matches_cox_zph(name, cell, transform):
    reference = PINNED[name]["cox"][cell]
    assert not reference["weighted"]
    options, _ = arguments(name, reference)
    found = proportional_hazards_test(**options, transform=transform)
    expected = np.array(reference["zph"][transform], dtype=float)
    if expected.shape[0] == 2 and found.shape[0] != 2:
        expected = expected.T
    np.testing.assert_allclose(found["statistic"], expected[:, 0], rtol=OPTIMISED)
    np.testing.assert_array_equal(found["df"], expected[:, 1])


def test_lifelines_and_statsmodels_agree():
    d = table("pbc").assign(treated=lambda x: (x["group"] == 2).astype(float))
    fit = cox(d["time"], d["event"], d["group"], covariates=d[["x"]])
    theirs = CoxPHFitter().fit(d[["time", "event", "treated", "x"]], "time", "event")
    np.testing.assert_allclose(fit.log_hr, theirs.params_, rtol=1e-5)
    breslow = cox(d["time"], d["event"], d["group"], covariates=d[["x"]], ties="breslow")
    other = PHReg(d["time"], d[["treated", "x"]], status=d["event"], ties="breslow").fit()
    np.testing.assert_allclose(breslow.log_hr, other.params, rtol=1e-5)
    np.testing.assert_allclose(breslow.std_error, other.bse, rtol=1e-5)


def test_without_ties_the_score_test_is_the_log_rank_test():
    rng = np.random.default_rng(4)
    time, group = rng.exponential(1, 80), rng.integers(0, 2, 80)
    event = rng.integers(0, 2, 80)
    fit = cox(time, event, group)
    assert fit.score_statistic == pytest.approx(logrank(time, event, group).statistic, rel=1e-10)


def test_swapping_the_arms_turns_the_ratio_over():
    d = table("lung")
    one = cox(d["time"], d["event"], d["group"], control=1)
    two = cox(d["time"], d["event"], d["group"], control=2)
    assert one.hr == pytest.approx(1 / two.hr)
    assert (one.terms, two.terms) == (("2 vs 1",), ("1 vs 2",))
    row, turned = one.to_frame().iloc[0], two.to_frame().iloc[0]
    assert row["conf_low"] == pytest.approx(1 / turned["conf_high"])


def test_only_the_order_of_times_matters():
    d = table("veteran")
    a = cox(d["time"], d["event"], d["group"], d["stratum"])
    b = cox(np.sqrt(d["time"]) * 7, d["event"], d["group"], d["stratum"])
    np.testing.assert_allclose(a.log_hr, b.log_hr, rtol=1e-12)


def test_residuals_sum_to_zero_and_scale_to_the_coefficient():
    d = table("colon")
    frame = schoenfeld_residuals(d["time"], d["event"], d["group"], covariates=d[["x"]])
    fit = cox(d["time"], d["event"], d["group"], covariates=d[["x"]])
    sums = frame.groupby("term")["residual"].sum()
    np.testing.assert_allclose(sums, 0, atol=1e-7)
    means = frame.groupby("term")["scaled"].mean()
    np.testing.assert_allclose(means.loc[list(fit.terms)], fit.log_hr, rtol=1e-6)


def test_a_group_without_events_is_not_estimable_and_says_so():
    with pytest.raises(ConvergenceError, match="not estimable"):
        cox([1, 2, 3, 4, 5, 6], [1, 1, 1, 0, 0, 0], list("aaabbb"))


def test_bad_covariates_are_named():
    frame = pd.DataFrame({"age": [50, None, 60, 70]})
    with pytest.raises(DataError, match="row 2, column 'age'"):
        cox([1, 2, 3, 4], [1, 1, 1, 0], list("abab"), covariates=frame)
    with pytest.raises(DataError, match="a group or covariates"):
        cox([1, 2, 3, 4], [1, 1, 1, 0])
