"""Likelihoods, nested fits, contrasts, study predictions: metafor, slow versions, invariances."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import metablin as mb
from tests.reference import pinned, table

REFERENCE = pinned("breadth_normal")
# metafor's iterations for ML and REML stop when tau2 moves by less than 1e-11, and its designs hold
# a calendar year beside the intercept.
RTOL = 2e-7
SAME = 1e-9  # rounding through another order of sums
BCG = table("bcg")


def effects() -> mb.EffectSizes:
    columns = ("events_treatment", "n_treatment", "events_control", "n_control")
    return mb.two_by_two(*(BCG[c] for c in columns), measure="rr")


def fits(method: str, ci: str = "z") -> tuple[mb.MetaFit, mb.MetaFit]:
    options = {"model": "common"} if method == "EE" else {"tau2": method}
    small = mb.pool(effects(), ci=ci, **options)
    return small, mb.pool(effects(), ci=ci, moderators="ablat + year", data=BCG, **options)


@pytest.mark.parametrize("method", ["ML", "REML", "EE", "DL"])
def test_likelihoods_and_criteria_agree_with_metafor(method: str) -> None:
    for fit, size in zip(fits(method), ("small", "large"), strict=True):
        got, cell = mb.fit_statistics(fit), REFERENCE["likelihood"][method][size]
        for name in ("log_likelihood", "aic", "bic", "aicc"):
            assert getattr(got, name) == pytest.approx(cell[name], rel=RTOL), (size, name)


@pytest.mark.parametrize("method", ["ML", "EE"])
def test_the_likelihood_ratio_agrees_with_metafor(method: str) -> None:
    got, cell = mb.likelihood_ratio(*fits(method)), REFERENCE["likelihood"][method]["lrt"]
    assert got.df == cell["df"]
    assert got.statistic == pytest.approx(cell["statistic"], rel=RTOL)
    assert got.p_value == pytest.approx(cell["p_value"], rel=1e-5)  # far in the tail


def test_the_likelihood_is_the_density_of_the_effects() -> None:
    small, large = fits("ML")
    for fit in (small, large):
        e = fit.effects
        mean = (
            small.analysis.estimate
            if fit is small
            else (fit.regression.design.matrix @ fit.regression.beta)
        )
        slow = stats.norm.logpdf(e.yi, mean, np.sqrt(e.vi + fit.tau2)).sum()
        assert mb.fit_statistics(fit).log_likelihood == pytest.approx(float(slow), rel=SAME)


def test_the_restricted_likelihood_is_the_density_of_error_contrasts() -> None:
    fit = fits("REML")[1]
    e, x = fit.effects, fit.regression.design.matrix
    q = np.linalg.qr(x, mode="complete")[0][:, x.shape[1] :]
    cov = q.T @ np.diag(e.vi + fit.tau2) @ q
    slow = stats.multivariate_normal(np.zeros(len(cov)), cov).logpdf(q.T @ e.yi)
    assert mb.fit_statistics(fit).log_likelihood == pytest.approx(float(slow), rel=SAME)


def test_a_tau2_more_is_one_parameter_more() -> None:
    small, large = mb.pool(effects(), model="common"), mb.pool(effects(), tau2="ML")
    t = mb.likelihood_ratio(small, large)
    assert t.df == 1
    assert t.statistic == pytest.approx(2 * (-12.6650763482768 + 70.2235699044309), rel=RTOL)


def test_the_unit_of_a_moderator_does_not_matter_to_the_test() -> None:
    e, far = effects(), BCG.assign(year=1000 * (BCG["year"] - 1950))
    tests = [
        mb.likelihood_ratio(mb.pool(e, tau2="ML"), mb.pool(e, tau2="ML", moderators="year", data=d))
        for d in (BCG, far)
    ]
    assert tests[1].statistic == pytest.approx(tests[0].statistic, rel=1e-7)


@pytest.mark.parametrize(
    ("small", "large", "word"),
    [
        (lambda: fits("REML")[0], lambda: fits("REML")[1], "restricted"),
        (lambda: fits("DL")[0], lambda: fits("DL")[1], "maximised"),
        (lambda: fits("ML")[1], lambda: fits("ML")[0], "part"),
        (lambda: mb.pool(effects(), tau2="ML", moderators="alloc", data=BCG),
         lambda: mb.pool(effects(), tau2="ML", moderators="ablat + year + I(ablat**2)", data=BCG),
         "part"),
        (lambda: mb.pool(mb.generic([0.1, 0.2], [1, 2]), tau2="ML"), lambda: fits("ML")[1],
         "same studies"),
        (lambda: mb.pool(effects(), model="weighted"), lambda: fits("ML")[1], "model"),
    ],
)  # fmt: skip
def test_fits_that_do_not_compare_are_refused(small, large, word: str) -> None:
    with pytest.raises(mb.DataError, match=word):
        mb.likelihood_ratio(small(), large())


CI = {"z": "z", "knha": "hksj"}


@pytest.mark.parametrize("cell", REFERENCE["contrasts"], ids=lambda c: f"{c['method']}-{c['test']}")
def test_contrasts_agree_with_metafor(cell: dict[str, object]) -> None:
    fit = fits(str(cell["method"]), CI[str(cell["test"])])[1]
    three, two = mb.contrasts(fit, cell["X"]), mb.contrasts(fit, cell["X"][:2])
    for name in ("estimate", "std_error", "p_value"):
        assert getattr(three, name) == pytest.approx(cell[name], rel=1e-5), name
    got = [two.joint, two.joint_p, three.joint, three.joint_p]
    assert got == pytest.approx([cell[n] for n in ("q2", "q2_p", "q3", "q3_p")], rel=1e-5)


def test_a_contrast_of_one_coefficient_is_that_coefficient() -> None:
    fit = fits("REML", "hksj")[1]
    c, r = mb.contrasts(fit, np.eye(3)), fit.regression
    for name in ("estimate", "std_error", "p_value", "conf_low", "conf_high"):
        there = r.beta if name == "estimate" else getattr(r, name)
        assert getattr(c, name) == pytest.approx(there, rel=SAME), name
    joint = mb.contrasts(fit, [[0, 1, 0], [0, 0, 1]])
    assert (joint.joint, joint.joint_p) == pytest.approx((r.qm, r.qm_p), rel=1e-6)


def test_dependent_contrasts_have_no_joint_test_and_say_so() -> None:
    c = mb.contrasts(fits("DL")[1], [[0, 1, 0], [0, 2, 0]])
    assert math.isnan(c.joint_p)
    assert "depend on each other" in c.summary()


@pytest.mark.parametrize(
    ("matrix", "word"),
    [([[1, 2]], "coefficient"), ([[0, 0, 0]], "empty"), ([["a", 1, 2]], "numbers"),
     ([[1, 2, math.nan]], "finite"), (np.empty((0, 3)), "coefficient")],
)  # fmt: skip
def test_contrasts_that_are_none_are_named(matrix: object, word: str) -> None:
    with pytest.raises(mb.DataError, match=word):
        mb.contrasts(fits("DL")[1], matrix)


def test_contrasts_need_moderators() -> None:
    with pytest.raises(mb.DataError, match="moderators"):
        mb.contrasts(fits("DL")[0], [[1]])


@pytest.mark.parametrize(
    "cell", REFERENCE["prediction"], ids=lambda c: f"{c['method']}-{c['test']}"
)
def test_predictions_of_studies_agree_with_metafor(cell: dict[str, object]) -> None:
    pair = fits(str(cell["method"]), CI[str(cell["test"])])
    for fit, name in zip(pair, ("plain", "mods"), strict=True):
        got, want = mb.blup(fit), cell[name]
        for ours, theirs in (("estimate", "pred"), ("std_error", "se"), ("low", "low"),
                             ("high", "high")):  # fmt: skip
            assert getattr(got, ours) == pytest.approx(want[theirs], rel=1e-6, abs=1e-8), ours


def test_predictions_are_the_conditional_mean_of_the_joint_normal() -> None:
    """Henderson's mixed-model equations solved densely, and the inverse of their left side."""
    fit = mb.pool(effects(), tau2=0.3, ci="z")
    e, k = fit.effects, fit.k
    x, r = np.ones((k, 1)), np.diag(1 / e.vi)
    left = np.block([[x.T @ r @ x, x.T @ r], [r @ x, r + np.eye(k) / 0.3]])
    inverse = np.linalg.inv(left)
    solved = inverse @ np.concatenate([x.T @ r @ e.yi, r @ e.yi])
    pick = np.column_stack([x, np.eye(k)])
    got = mb.blup(fit)
    assert got.estimate == pytest.approx(pick @ solved, rel=SAME)
    assert got.std_error == pytest.approx(np.sqrt(np.diag(pick @ inverse @ pick.T)), rel=SAME)


def test_no_spread_predicts_the_mean_and_much_spread_the_study() -> None:
    none, much = (mb.blup(mb.pool(effects(), tau2=t, ci="z")) for t in (0.0, 1e9))
    assert np.ptp(none.estimate) == pytest.approx(0, abs=1e-12)
    assert much.estimate == pytest.approx(effects().yi, abs=1e-6)


def test_predictions_need_a_random_effects_model() -> None:
    with pytest.raises(mb.DataError, match="model"):
        mb.blup(mb.pool(effects(), model="common"))


def test_records_are_tables() -> None:
    small, large = fits("ML")
    assert mb.likelihood_ratio(small, large).to_frame()["parameters"].tolist() == [2, 4]
    assert mb.contrasts(large, [0, -1, 0.5]).to_frame()["contrast"].tolist() == [
        "- ablat + 0.5 year"
    ]
    assert isinstance(mb.blup(small).to_frame(), pd.DataFrame)
    assert len(mb.blup(small).to_dict()["studies"]) == small.k
