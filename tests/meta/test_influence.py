"""Leave-one-out, cumulative, influence, Baujat: metafor's values, single refits, reductions."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from metablin.effects import generic, proportions, two_by_two
from metablin.errors import DataError, MetablinWarning
from metablin.meta import MetaFit, pool
from metablin.meta.bayes.priors import half_normal
from metablin.meta.checks.baujat import baujat
from metablin.meta.checks.influence import cumulative, influence, influence_of, leave_one_out
from metablin.plots.influence import influence_frame
from tests.reference import pinned, table

CLOSED = 1e-10
"""Closed forms and diagnostics given tau2: only the order of operations differs."""

OPTIMISED = 1e-8
"""Iterated tau2: metafor stops at a change of 1e-13 of the variance of the effects."""

ZERO = {CLOSED: 1e-12, OPTIMISED: 1e-9}
"""Below this an absolute difference counts as agreement (metafor's REML may stop just above 0)."""

PIN = pinned("influence")
SETS = ["bcg_or", "bcg_rr", "proportions_logit", "log_hr", "normand1999"]
SETS += [f"sim_k{k}" for k in ("03", "05", "10", "20")]
METHODS = {"FE": CLOSED, "DL": CLOSED, "REML": OPTIMISED, "PM": OPTIMISED}
TESTS = {"z": "z", "knha": "hksj"}

MEASURES = {
    "rstudent": "rstudent",
    "dffits": "dffits",
    "cook.d": "cook_d",
    "cov.r": "cov_ratio",
    "tau2.del": "tau2_del",
    "QE.del": "q_del",
    "hat": "hat",
}
COLUMNS = {
    "estimate": "estimate",
    "se": "std_error",
    "zval": "statistic",
    "pval": "p_value",
    "ci.lb": "conf_low",
    "ci.ub": "conf_high",
    "Q": "q",
    "Qp": "q_p",
    "H2": "h2",
}


def fitted(name: str, method: str, ci: str) -> MetaFit:
    e = generic(PIN["grid"][name]["yi"], PIN["grid"][name]["vi"])
    if method == "FE":
        return pool(e, model="common", ci=ci)
    return pool(e, tau2=method, ci=ci)


def agree(ours: Any, theirs: Any, rtol: float, what: str) -> None:
    np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=ZERO[rtol], err_msg=what)


def cases() -> list[tuple[str, str, str]]:
    return list(itertools.product(SETS, METHODS, TESTS))


def test_the_grid_has_every_set_estimator_and_interval() -> None:
    assert set(PIN["grid"]) == set(SETS)
    for name, method, test in cases():
        cell = PIN["grid"][name]["fits"][method][test]
        assert set(cell) == {"leave_one_out", "cumulative", "influence", "baujat"}
        assert set(MEASURES) <= set(cell["influence"])
        assert set(COLUMNS) <= set(cell["leave_one_out"])
        assert set(COLUMNS) <= set(cell["cumulative"])


@pytest.mark.parametrize(("name", "method", "test"), cases())
def test_influence_agrees_with_metafor(name: str, method: str, test: str) -> None:
    ours = influence(fitted(name, method, TESTS[test]))
    theirs = PIN["grid"][name]["fits"][method][test]["influence"]
    for column, attribute in MEASURES.items():
        agree(getattr(ours, attribute), theirs[column], METHODS[method], column)
    agree(100 * ours.weight, theirs["weight"], METHODS[method], "weight")
    agree(ours.dfbetas[:, 0], theirs["dfbetas"], METHODS[method], "dfbetas")
    assert ours.influential.tolist() == theirs["influential"]


@pytest.mark.parametrize(("name", "method", "test"), cases())
def test_leave_one_out_and_cumulative_agree_with_metafor(name: str, method: str, test: str) -> None:
    fit = fitted(name, method, TESTS[test])
    cell = PIN["grid"][name]["fits"][method][test]
    sequences = {
        "leave_one_out": leave_one_out(fit),
        "cumulative": cumulative(fit, order=-fit.effects.vi),
    }
    for kind, ours in sequences.items():
        for column, attribute in COLUMNS.items():
            agree(getattr(ours, attribute), cell[kind][column], METHODS[method], column)
        agree(ours.i2, np.array(cell[kind]["I2"]) / 100, METHODS[method], "I2")
        if method != "FE":
            agree(ours.tau2, cell[kind]["tau2"], METHODS[method], "tau2")


@pytest.mark.parametrize(("name", "method", "test"), cases())
def test_baujat_agrees_with_metafor(name: str, method: str, test: str) -> None:
    ours = baujat(fitted(name, method, TESTS[test]))
    theirs = PIN["grid"][name]["fits"][method][test]["baujat"]
    agree(ours.heterogeneity, theirs["x"], METHODS[method], "x")
    agree(ours.influence, theirs["y"], METHODS[method], "y")


def test_influence_of_a_meta_regression_agrees_with_metafor() -> None:
    cell, data = PIN["regression"], PIN["grid"]["bcg_rr"]
    e = generic(data["yi"], data["vi"])
    fit = pool(e, ci="z", moderators="ablat", data={"ablat": cell["x"]})
    ours = influence(fit)
    for column, attribute in MEASURES.items():
        agree(getattr(ours, attribute), cell["influence"][column], OPTIMISED, column)
    for j, name in enumerate(("intrcpt", "ablat")):
        agree(ours.dfbetas[:, j], cell["influence"]["dfbetas"][name], OPTIMISED, name)
    assert list(ours.to_frame().filter(like="dfbetas")) == ["dfbetas_0", "dfbetas_1"]


@pytest.mark.parametrize("ci", ["z", "t", "hksj", "hksj-adhoc"])
@pytest.mark.parametrize("tau2", ["DL", "REML", "SJ", 0.05])
def test_every_deletion_is_the_pool_of_the_others(ci: str, tau2: str | float) -> None:
    d = table("sim_k07")
    e = generic(d["yi"], d["vi"])
    fit = pool(e, tau2=tau2, ci=ci)
    ours, inf = leave_one_out(fit), influence(fit)
    for i in range(e.k):
        slow = pool(e.select(np.arange(e.k) != i), tau2=tau2, ci=ci)
        inner = ("estimate", "std_error", "conf_low", "conf_high", "pred_low", "pred_high")
        for name in inner:
            assert getattr(ours, name)[i] == pytest.approx(getattr(slow.analysis, name), rel=1e-12)
        for name in ("statistic", "p_value", "tau2", "i2", "h2", "q", "q_p"):
            assert getattr(ours, name)[i] == pytest.approx(getattr(slow, name), rel=1e-9, abs=1e-15)
        ratio = (slow.analysis.std_error / fit.analysis.std_error) ** 2
        assert inf.cov_ratio[i] == pytest.approx(ratio, rel=1e-12)
        moved = (fit.analysis.estimate - slow.analysis.estimate) / fit.analysis.std_error
        assert inf.cook_d[i] == pytest.approx(moved**2, rel=1e-10)


def test_the_common_effect_pool_is_deleted_as_such() -> None:
    d = table("sim_k05")
    fit = pool(generic(d["yi"], d["vi"]), model="common")
    ours = leave_one_out(fit)
    slow = pool(fit.effects.select(np.arange(fit.k) != 2), model="common")
    assert ours.estimate[2] == pytest.approx(slow.analysis.estimate, rel=1e-14)
    assert (ours.i2[2], ours.h2[2]) == pytest.approx((slow.i2, slow.h2), rel=1e-12)
    assert np.isnan(ours.pred_low).all()


def test_models_without_weights_are_refitted_one_by_one() -> None:
    fit = pool(proportions([4, 9, 3, 20], [20, 30, 24, 50]), model="glmm")
    ours = leave_one_out(fit)
    slow = pool(fit.effects.select([0, 1, 3]), model="glmm")
    assert ours.estimate[2] == pytest.approx(slow.analysis.estimate, rel=1e-9)
    with pytest.raises(DataError, match="inverse-variance weights"):
        influence(fit)


@pytest.mark.parametrize("model", ["mantel-haenszel", "peto"])
def test_stratified_models_without_one_study_agree_with_metafor(model: str) -> None:
    d = table("bcg")
    columns = ("events_treatment", "n_treatment", "events_control", "n_control")
    e = two_by_two(*(d[c] for c in columns), measure="or" if model != "peto" else "peto")
    ours, theirs = leave_one_out(pool(e, model=model)), PIN["stratified"][model]
    for column in ("estimate", "se", "zval", "pval", "ci.lb", "ci.ub", "Q", "Qp"):
        agree(getattr(ours, COLUMNS[column]), theirs[column], CLOSED, column)


def test_options_that_cannot_be_repeated_are_noticed() -> None:
    e = proportions([4, 9, 3, 20], [20, 30, 24, 50])
    assert len(leave_one_out(pool(e, model="bayes")).terms) == 4
    with pytest.raises(DataError, match="cannot be repeated on subsets"):
        leave_one_out(pool(e, model="bayes", prior=half_normal(0.01)))


def test_the_last_cumulative_fit_is_the_whole_and_the_first_one_study() -> None:
    d = table("sim_k10")
    fit = pool(generic(d["yi"], d["vi"]))
    ours = cumulative(fit, order=d["x"])
    assert ours.estimate[-1] == pytest.approx(fit.analysis.estimate, rel=1e-12)
    first = int(np.argmin(d["x"]))
    assert ours.terms[0] == f"study {first + 1}"
    assert ours.estimate[0] == fit.effects.yi[first]
    assert ours.std_error[0] == pytest.approx(np.sqrt(fit.effects.vi[first]), rel=1e-15)
    assert np.isnan(ours.pred_low[0])


def test_the_order_may_be_text_and_ties_keep_their_places() -> None:
    fit = pool(generic([0.1, 0.2, 0.3], [0.1, 0.1, 0.2], studies=["b", "c", "a"]))
    assert cumulative(fit, order=["2020", "2019", "2019"]).terms == ("c", "a", "b")
    with pytest.raises(DataError, match="no value to sort by"):
        cumulative(fit, order=[1.0, np.nan, 2.0])


def test_freeman_tukey_goes_back_with_the_sizes_of_each_subset() -> None:
    e = proportions([1, 9, 30], [10, 40, 200], transform="freeman-tukey")
    frame = leave_one_out(pool(e)).to_frame()
    for i in range(3):
        slow = pool(e.select(np.arange(3) != i))
        assert frame.loc[i, "estimate"] == pytest.approx(slow.estimate, rel=1e-12)
        assert frame.loc[i, "conf_high"] == pytest.approx(slow.conf_high, rel=1e-12)


def test_influence_does_not_depend_on_order_or_scale() -> None:
    d = table("sim_k10")
    y, v = d["yi"].to_numpy(), d["vi"].to_numpy()
    base = influence(pool(generic(y, v), ci="z"))
    turn = np.array([3, 1, 4, 0, 5, 9, 2, 6, 8, 7])
    turned = influence(pool(generic(y[turn], v[turn]), ci="z"))
    scaled = influence(pool(generic(-10 * y, 100 * v), ci="z"))
    for name in ("dffits", "cook_d", "cov_ratio", "hat", "rstudent"):
        np.testing.assert_allclose(getattr(turned, name), getattr(base, name)[turn], rtol=1e-9)
        sign = -1 if name in ("dffits", "rstudent") else 1
        np.testing.assert_allclose(getattr(scaled, name), sign * getattr(base, name), rtol=1e-9)


def test_hat_values_and_weights_sum_to_the_coefficients_and_to_one() -> None:
    inf = influence(fitted("bcg_rr", "REML", "z"))
    assert inf.hat.sum() == pytest.approx(1.0, rel=1e-12)
    assert inf.weight.sum() == pytest.approx(1.0, rel=1e-12)
    np.testing.assert_allclose(inf.hat, inf.weight, rtol=1e-12)


def test_common_effect_baujat_adds_up_to_q() -> None:
    fit = fitted("bcg_rr", "FE", "z")
    assert baujat(fit).heterogeneity.sum() == pytest.approx(fit.q, rel=1e-12)


def test_a_lone_factor_level_is_named() -> None:
    e = generic([0.1, 0.2, 0.3, 0.5, 0.4], [0.1] * 5, studies=list("abcde"))
    fit = pool(e, moderators="g", data={"g": [0, 0, 1, 0, 0]})
    with pytest.raises(DataError, match="study c: the coefficients cannot be estimated without it"):
        influence(fit)
    with pytest.raises(DataError, match="without moderators"):
        leave_one_out(fit)


def test_equal_effects_have_an_influence_only_without_hartung_and_knapp() -> None:
    equal, odd = generic([0.2] * 4, [0.1, 0.2, 0.1, 0.3]), generic([0.2, 0.2, 0.2, 0.9], [0.1] * 4)
    assert influence(pool(equal, ci="z")).cook_d == pytest.approx(np.zeros(4), abs=1e-20)
    with pytest.warns(MetablinWarning, match="all effects are equal"):
        fit = pool(equal)
    with pytest.raises(DataError, match="all effects are equal"):
        influence(fit)
    with pytest.raises(DataError, match="without it all effects are equal"):
        influence(pool(odd))
    assert influence(pool(odd, ci="hksj-adhoc")).influential.tolist() == [False] * 3 + [True]


def test_too_few_studies_are_refused() -> None:
    two = pool(generic([0.1, 0.2], [0.1, 0.1]))
    with pytest.raises(DataError, match="at least 3"):
        influence(two)
    assert leave_one_out(two).estimate == pytest.approx([0.2, 0.1])
    with pytest.raises(DataError, match="cannot be left out"):
        leave_one_out(pool(generic([0.1], [0.1])))
    line = pool(generic([0.1, 0.2, 0.4], [0.1] * 3), moderators="x", data={"x": [1, 2, 4]})
    with pytest.raises(DataError, match="at least 4"):
        influence(line)


def test_records_are_read_only_and_carry_tables_and_text() -> None:
    fit = fitted("log_hr", "REML", "hksj")
    inf, loo = influence(fit), leave_one_out(fit)
    with pytest.raises(ValueError, match="read-only"):
        inf.dffits[0] = 1.0
    assert inf.to_frame()["study"].tolist() == list(fit.effects.studies)
    assert "Influential: none" in inf.summary()
    assert inf.to_dict()["cutoffs"]["hat"] == pytest.approx(3 / 8)
    assert loo.to_dict()["kind"] == "leave-one-out"
    assert loo.to_dict()["refits"][0]["term"] == "study 1"
    assert "Leaving out one study" in loo.summary()
    assert set(influence_frame(inf)["measure"]) == set(
        ("rstudent", "dffits", "cook_d", "cov_ratio", "tau2_del", "q_del", "hat", "weight")
    )


def test_arrays_without_labels_get_study_numbers() -> None:
    from metablin.meta.checks.refit import Spec

    inf = influence_of(np.array([0.1, 0.2, 0.9]), np.ones(3), Spec(None, None, "z", 0.95))
    assert inf.studies == ("study 1", "study 2", "study 3")
