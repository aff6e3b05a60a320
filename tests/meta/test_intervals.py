import numpy as np
import pytest

from metablin.effects import generic
from metablin.errors import DataError
from metablin.meta import pool
from metablin.meta.checks.intervals import heterogeneity
from metablin.numerics.gls import gls
from metablin.numerics.inference import q_profile
from metablin.numerics.tau2 import _bisect_score, _score_reml, estimate_tau2, solve_q
from tests.meta.test_regression import data_of
from tests.reference import pinned

ROOT = 1e-7
"""Roots of a likelihood ratio: metafor's profile likelihood is good to about 1e-9 near the limit,
and the limit moves with its square root where the profile is flat."""

PINS = pinned("metafor_heterogeneity")
IDS = [f"{c['data']}-{c['mods']}-{c['method']}" for c in PINS["intervals"]]


@pytest.mark.parametrize("cell", PINS["intervals"], ids=IDS)
def test_intervals_of_heterogeneity_agree_with_metafor(cell: dict[str, object]) -> None:
    d = data_of(str(cell["data"]))
    d["x"] = d["ablat"] if cell["data"] == "bcg" else d["x"]
    options = {} if cell["mods"] == "none" else {"moderators": "x", "data": d}
    fit = pool(generic(d["yi"], d["vi"]), tau2=str(cell["method"]), **options)
    for method, key in (("q-profile", "qp"), ("profile-likelihood", "pl")):
        found = heterogeneity(fit, method=method).to_frame()
        ours = found[["estimate", "conf_low", "conf_high"]].to_numpy()
        np.testing.assert_allclose(ours, np.array(cell[key], float), rtol=ROOT, atol=1e-9)


@pytest.mark.parametrize("cell", PINS["groups"], ids=lambda c: f"{c['data']}-{c['test']}")
def test_subgroups_with_one_tau2_are_the_meta_regression_of_metafor(
    cell: dict[str, object],
) -> None:
    d = data_of(str(cell["data"]))
    labels = d["alloc"] if cell["data"] == "bcg" else d["g"]
    ci = {"z": "z", "knha": "hksj", "t": "t"}[str(cell["test"])]
    fit = pool(generic(d["yi"], d["vi"]), ci=ci, by=labels, subgroup_tau2="common")
    for j, level in enumerate(cell["levels"]):  # type: ignore[arg-type]
        group = fit.subgroups[level]
        assert group.tau2 == pytest.approx(cell["tau2"], rel=1e-9)
        for name in ("estimate", "std_error", "conf_low"):
            want = cell[name][j]  # type: ignore[index]
            assert getattr(group.analysis, name) == pytest.approx(want, rel=1e-9)
    assert fit.subgroup_test.df == len(fit.subgroups) - 1
    assert fit.subgroup_test.statistic == pytest.approx(cell["statistic"], rel=1e-8)
    assert fit.subgroup_test.p_value == pytest.approx(cell["p_value"], rel=1e-8)


def test_the_profile_likelihood_needs_a_likelihood() -> None:
    fit = pool(generic([0.1, 0.4, 0.9], [0.1, 0.1, 0.1]), tau2="DL")
    with pytest.raises(DataError, match=r"ML \| REML"):
        heterogeneity(fit, method="profile-likelihood")
    with pytest.raises(DataError, match="random-effects"):
        heterogeneity(pool(generic([0.1, 0.2], [0.1, 0.1]), model="common"))


def test_one_tau2_needs_random_effects_and_spare_studies() -> None:
    e = generic([0.1, 0.2, 0.3], [0.1, 0.1, 0.1])
    with pytest.raises(DataError, match="model='random'"):
        pool(e, model="common", by=list("aab"), subgroup_tau2="common")
    with pytest.raises(DataError, match="as many subgroups as studies"):
        pool(e, by=list("abc"), subgroup_tau2="common")


def test_bisection_finds_the_maximum_newton_finds() -> None:
    rng = np.random.default_rng(2)
    v = rng.uniform(0.05, 0.2, (20, 9))
    y = rng.normal(0, np.sqrt(v + 0.3))
    slow = _bisect_score(_score_reml, y, v, None)
    np.testing.assert_allclose(slow, estimate_tau2("REML", y, v), rtol=1e-10, atol=1e-14)


def test_a_likelihood_with_two_maxima_gives_the_higher() -> None:
    d = data_of("bcg")
    fit = pool(generic(d["yi"], d["vi"]), tau2="ML", moderators="ablat + alloc", data=d)
    assert fit.tau2 == pytest.approx(0.02938986943695, rel=1e-9)


def test_the_q_equation_is_solved_where_it_has_a_root_and_is_zero_elsewhere() -> None:
    rng = np.random.default_rng(8)
    v = rng.uniform(1e-4, 2.0, (200, 12))
    y = rng.normal(0, 2.0, (200, 12)) * rng.choice([0.01, 1.0, 100.0], (200, 1))
    tau2 = solve_q(y, v, 5.0)
    w = 1 / (v + tau2[:, None])
    mean = (w * y).sum(1) / w.sum(1)
    q = (w * (y - mean[:, None]) ** 2).sum(1)
    np.testing.assert_allclose(q[tau2 > 0], 5.0, rtol=1e-10)
    assert (q[tau2 == 0] <= 5.0).all()
    assert 0 < (tau2 > 0).sum() < 200


def test_the_hts_prediction_interval_has_k_minus_2_degrees_of_freedom() -> None:
    e = generic([0.1, 0.9, 0.3, 0.7], [0.02, 0.03, 0.05, 0.02])
    fit = pool(e, prediction="hts")
    wald = pool(e, ci="z").analysis.std_error
    half = 4.302652729911275 * np.sqrt(wald**2 + fit.tau2)
    assert fit.analysis.pred_high == pytest.approx(fit.analysis.estimate + half, rel=1e-10)
    two = pool(generic([0.1, 0.9], [0.02, 0.03]), prediction="hts")
    assert np.isnan(two.pred_low)
    assert "needs 3 studies" in two.notes[-1]


def test_intervals_of_many_sets_are_those_of_each() -> None:
    rng = np.random.default_rng(4)
    v = rng.uniform(0.02, 0.3, (6, 8))
    y = rng.normal(0, np.sqrt(v + 0.1))
    many = q_profile(y, v, 0.9)
    for i in range(6):
        one = q_profile(y[i], v[i], 0.9)
        np.testing.assert_allclose([many[0][i], many[1][i]], one, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("method", ["q-profile", "profile-likelihood"])
def test_one_study_has_no_interval_of_heterogeneity(method: str) -> None:
    with pytest.raises(DataError, match="two studies or more"):
        heterogeneity(pool(generic([0.3], [0.1])), method=method)
    two = heterogeneity(pool(generic([0.3, 1.5], [0.1, 0.2])), method=method).to_frame()
    assert (two["conf_low"] <= two["estimate"]).all()
    assert (two["estimate"] <= two["conf_high"]).all()


def test_traces_keep_their_digits_when_one_study_has_all_the_weight():
    fit = gls(np.array([0.0, 1.0]), np.array([1e-16, 1.0]))
    # P = W - W 11' W / sum(W) has rank one here: its trace is 2 w1 w2 / (w1 + w2).
    assert fit.trace_p() == pytest.approx(2e-16, rel=1e-6)
    assert fit.trace_pp() == pytest.approx(4e-32, rel=1e-6)
    even = gls(np.array([0.0, 1.0]), np.array([2.0, 3.0]))
    assert even.trace_p() == pytest.approx(2 * 2 * 3 / 5)
    assert even.trace_pp() == pytest.approx((2 * 2 * 3 / 5) ** 2)
