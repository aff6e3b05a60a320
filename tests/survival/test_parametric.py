"""Parametric and cure models: R's survreg, closed forms, reductions, slow likelihoods."""

import warnings

import numpy as np
import pytest
from lifelines import GeneralizedGammaFitter
from scipy import integrate, special, stats
from sksurv.metrics import integrated_brier_score as sksurv_ibs
from sksurv.util import Surv

from metablin.errors import DataError, MetablinWarning
from metablin.numerics.newton import hessian, jacobian
from metablin.survival import (
    DEFAULT_FAMILIES,
    compare_parametric,
    fit_parametric,
    integrated_brier_score,
)
from metablin.survival.parametric.families import SIMPLE
from metablin.survival.parametric.likelihood import (
    exact_derivatives,
    log_likelihood,
    rough_start,
)
from metablin.survival.parametric.names import family_of
from metablin.survival.patients import patients
from tests.reference import pinned, table

OPTIMISED = 1e-6
"""Both sides iterate; agreement of two optimisers."""

CLOSED = 1e-10
"""A closed form on one side, Newton's method with exact derivatives on the other."""

SETS = ("lung", "veteran", "ovarian", "colon", "pbc")
PINNED = pinned("survival")["sets"]
POINTS = {
    "exponential": [-2.0],
    "weibull": [0.3, 2.0],
    "gompertz": [-0.05, -2.0],
    "lognormal": [2.0, 0.2],
    "loglogistic": [0.4, 2.0],
    "gamma": [0.6, -1.5],
    "gengamma": [2.0, -0.2, 0.7],
}


def theta_of(reference):
    mu, sigma = reference["mu"], reference["sigma"]
    return {
        "exponential": [-mu],
        "weibull": [-np.log(sigma), mu],
        "lognormal": [mu, np.log(sigma)],
        "loglogistic": [-np.log(sigma), mu],
    }[reference["family"]]


def variance_of(reference):
    v = np.atleast_2d(reference["var"])
    if reference["family"] in ("weibull", "loglogistic"):
        # survreg orders (mu, log sigma); the shape is minus log sigma.
        v = v[::-1, ::-1] * np.array([[1, -1], [-1, 1]])
    return v


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("cell", range(8))
def test_estimates_variances_and_likelihoods_match_survreg(name, cell):
    reference, d = PINNED[name]["parametric"][cell], table(name)
    weights = d["weight"] if reference["weighted"] else None
    fit = fit_parametric(d["time"], d["event"], reference["family"], weights=weights)
    np.testing.assert_allclose(fit.theta, theta_of(reference), rtol=OPTIMISED, atol=1e-7)
    np.testing.assert_allclose(fit.covariance, variance_of(reference), rtol=OPTIMISED)
    assert fit.loglik == pytest.approx(reference["loglik"], rel=1e-10)


@pytest.mark.parametrize("name", sorted(SIMPLE))
def test_density_and_survival_belong_together(name):
    family, theta = SIMPLE[name], np.array(POINTS[name])[:, None]
    for t in (0.3, 4.0, 25.0):
        area, _ = integrate.quad(
            lambda x, f=family, th=theta: float(np.exp(f.log_density(th, np.array([x])))[0]), 0, t
        )
        assert area == pytest.approx(-np.expm1(family.log_survival(theta, np.array([t]))[0]))


@pytest.mark.parametrize(
    ("q", "reduced", "theta"),
    [
        (1.0, "weibull", lambda mu, s: [-s, mu]),
        (1e-7, "lognormal", lambda mu, s: [mu, s]),
    ],
)
def test_the_generalised_gamma_contains_its_special_cases(q, reduced, theta):
    t = np.array([0.1, 1.0, 5.0, 40.0])
    mu, s = 1.5, -0.3
    whole = SIMPLE["gengamma"]
    part, at = SIMPLE[reduced], np.array(theta(mu, s))[:, None]
    point = np.array([[mu], [s], [q]])
    np.testing.assert_allclose(whole.log_survival(point, t), part.log_survival(at, t), atol=4e-4)
    np.testing.assert_allclose(whole.log_density(point, t), part.log_density(at, t), atol=4e-4)


def test_the_generalised_gamma_is_the_gamma_when_sigma_is_q():
    a, rate = 2.5, 0.4
    t = np.array([0.1, 2.0, 9.0])
    q = a**-0.5
    point = np.array([[np.log(a / rate)], [np.log(q)], [q]])
    np.testing.assert_allclose(
        np.exp(SIMPLE["gengamma"].log_survival(point, t)), stats.gamma.sf(t, a, scale=1 / rate)
    )


def test_tails_do_not_vanish():
    t = np.array([1e4])
    point = np.array([[1.0], [0.0]])
    # Gamma(e, 1): log S ~ (a - 1) log t - t - log Gamma(a)
    found = SIMPLE["gamma"].log_survival(point, t)[0]
    a = np.e
    assert found == pytest.approx((a - 1) * np.log(1e4) - 1e4 - special.gammaln(a), rel=1e-6)


@pytest.mark.parametrize("name", ["lung", "pbc"])
def test_the_generalised_gamma_beats_or_meets_lifelines(name):
    d = table(name)
    fit = fit_parametric(d["time"], d["event"], "gengamma")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = GeneralizedGammaFitter().fit(d["time"], d["event"])
    assert fit.loglik >= theirs.log_likelihood_ - 1e-4


@pytest.mark.parametrize(
    ("spline", "simple"),
    [("rp-hazard-0", "weibull"), ("rp-odds-0", "loglogistic"), ("rp-normal-0", "lognormal")],
)
def test_splines_without_knots_are_the_simple_families(spline, simple):
    d = table("veteran")
    a = fit_parametric(d["time"], d["event"], spline)
    b = fit_parametric(d["time"], d["event"], simple)
    assert a.loglik == pytest.approx(b.loglik, rel=1e-10)
    np.testing.assert_allclose(
        a.survival([10, 100, 500])[["estimate", "conf_low", "conf_high"]],
        b.survival([10, 100, 500])[["estimate", "conf_low", "conf_high"]],
        rtol=1e-5,
    )


@pytest.mark.parametrize(
    "name", ["rp-hazard-2", "rp-odds-1", "rp-normal-3", "piecewise-exponential"]
)
def test_exact_derivatives_are_the_differences(name):
    d = table("pbc")
    p = patients(d["time"], d["event"], d["entry"], d["weight"])
    family = family_of(name, p)
    theta = family.start(rough_start(p))[0]
    value, gradient, curvature = exact_derivatives(family, p)(theta)
    f = log_likelihood(family, p)
    scale = family.scale(rough_start(p))
    assert value == f(theta[:, None])[0]
    slopes = jacobian(lambda x: f(x)[:, None], theta, scale)[:, 0]
    np.testing.assert_allclose(gradient * scale, slopes * scale, rtol=1e-6, atol=1e-5)
    whole = np.outer(scale, scale)
    np.testing.assert_allclose(
        curvature * whole, hessian(f, theta, scale) * whole, rtol=1e-4, atol=1e-3
    )


@pytest.mark.parametrize("scale", ["hazard", "odds", "normal"])
@pytest.mark.parametrize("knots", [1, 2, 3, 4])
def test_splines_converge_on_a_plateau_and_gain_with_knots(scale, knots):
    time, event = cured(150, 0.35, 0)
    fit = fit_parametric(time, event, f"rp-{scale}-{knots}")
    assert fit.converged
    less = fit_parametric(time, event, f"rp-{scale}-0")
    assert fit.loglik > less.loglik
    p = patients(time, event)
    _, gradient, _ = exact_derivatives(fit.family, p)(fit.theta)
    decrement = gradient @ fit.covariance @ gradient
    assert decrement < 1e-8


def test_the_piecewise_exponential_has_its_closed_form():
    d = table("pbc")
    cuts = [1000.0, 2000.0]
    fit = fit_parametric(
        d["time"], d["event"], "piecewise-exponential", cuts=cuts, entry=d["entry"]
    )
    edges = [0.0, *cuts, np.inf]
    for j, row in fit.to_frame().iterrows():
        low, high = edges[j], edges[j + 1]
        exposure = (d["time"].clip(upper=high) - d["entry"].clip(lower=low)).clip(lower=0)
        events = ((d["time"] > low) & (d["time"] <= high) & (d["event"] == 1)).sum()
        assert row["estimate"] == pytest.approx(events / exposure.sum(), rel=CLOSED)
        assert row["std_error"] == pytest.approx(row["estimate"] / np.sqrt(events), rel=CLOSED)


@pytest.mark.parametrize("name", DEFAULT_FAMILIES)
def test_the_likelihood_is_the_slow_sum_over_patients(name):
    d = table("ovarian")
    p = patients(d["time"], d["event"], d["entry"], d["weight"])
    family = family_of(name, p)
    theta = family.start(rough_start(p))[0]
    slow = 0.0
    for row in d.itertuples():
        at = theta[:, None]
        t, a = np.array([float(row.time)]), np.array([float(row.entry)])
        term = family.log_density(at, t)[0] if row.event else family.log_survival(at, t)[0]
        if row.entry > 0:
            term -= family.log_survival(at, a)[0]
        slow += row.weight * term
    assert log_likelihood(family, p)(theta[:, None])[0] == pytest.approx(slow, rel=1e-10)


@pytest.mark.parametrize("name", ["weibull", "gompertz", "gengamma", "weibull-mixture-cure"])
def test_the_unit_of_time_changes_nothing_but_the_unit(name):
    d = table("colon")
    days = fit_parametric(d["time"], d["event"], name)
    years = fit_parametric(d["time"] / 365.25, d["event"], name)
    shift = d["event"].sum() * np.log(365.25)
    assert years.loglik == pytest.approx(days.loglik + shift, rel=1e-9)
    np.testing.assert_allclose(
        years.survival([1, 5])["conf_low"],
        days.survival([365.25, 5 * 365.25])["conf_low"],
        rtol=1e-5,
    )


def test_left_truncation_of_memoryless_times_only_shortens_exposure():
    d = table("lung")
    fit = fit_parametric(d["time"], d["event"], "exponential", entry=d["entry"])
    rate = d["event"].sum() / (d["time"] - d["entry"]).sum()
    assert fit.to_frame()["estimate"][0] == pytest.approx(rate, rel=1e-8)


def cured(n, share, seed):
    rng = np.random.default_rng(seed)
    time = np.where(rng.random(n) < share, np.inf, rng.weibull(1.3, n) * 8.0)
    censor = rng.uniform(30.0, 90.0, n)
    return np.minimum(time, censor), (time <= censor).astype(int)


@pytest.mark.parametrize("kind", ["mixture", "non-mixture"])
def test_a_cure_fraction_is_found_again(kind):
    time, event = cured(2000, 0.35, 5)
    fit = fit_parametric(time, event, f"weibull-{kind}-cure")
    estimate, low, high = fit.cure_fraction()
    assert low < 0.35 < high
    assert high - low < 0.06
    assert estimate == pytest.approx(0.35, abs=0.04)
    assert fit.mean() == np.inf


def test_the_profile_interval_is_where_the_likelihood_falls():
    time, event = cured(150, 0.3, 8)
    fit = fit_parametric(time, event, "weibull-mixture-cure")
    wald = fit_parametric(time, event, "weibull-mixture-cure", cure_interval="wald")
    _, low, high = fit.cure_fraction()
    for limit in (low, high):
        # Among fits with the cure fraction held there, the best is 1.92 below the top.
        p = patients(time, event)
        f = log_likelihood(fit.family, p)
        grid = np.linspace(-0.6, 0.6, 121)
        a, b = np.meshgrid(fit.theta[1] + grid, fit.theta[2] + grid)
        points = np.vstack([np.full(a.size, special.logit(limit)), a.ravel(), b.ravel()])
        assert f(points).max() == pytest.approx(fit.loglik - 1.920729, abs=0.02)
    assert wald.cure_fraction()[1:] == pytest.approx((low, high), abs=0.02)


def test_without_a_plateau_the_cure_fraction_is_zero_and_says_so():
    rng = np.random.default_rng(2)
    time = rng.weibull(1.5, 300) * 10
    with pytest.warns(MetablinWarning, match="boundary 0"):
        fit = fit_parametric(time, np.ones(300), "weibull-mixture-cure")
    plain = fit_parametric(time, np.ones(300), "weibull")
    assert fit.loglik == pytest.approx(plain.loglik, abs=1e-4)
    estimate, low, high = fit.cure_fraction()
    assert (round(estimate, 6), low) == (0.0, 0.0)
    assert 0 < high < 0.05


def test_means_quantiles_and_areas_agree_with_the_distribution():
    d = table("lung")
    fit = fit_parametric(d["time"], d["event"], "weibull")
    shape, scale = fit.to_frame()["estimate"]
    law = stats.weibull_min(shape, scale=scale)
    assert fit.mean() == pytest.approx(law.mean(), rel=1e-6)
    assert fit.quantile(0.5) == pytest.approx(law.median(), rel=1e-6)
    area, _ = integrate.quad(law.sf, 0, 500)
    assert fit.rmst(500)[0] == pytest.approx(area, rel=1e-8)
    hazard = fit.hazard([100.0])["estimate"][0]
    assert hazard == pytest.approx(law.pdf(100) / law.sf(100), rel=1e-9)


def test_the_delta_method_is_the_exponentials_own():
    d = table("veteran")
    fit = fit_parametric(d["time"], d["event"], "exponential")
    rate, events = fit.to_frame()["estimate"][0], d["event"].sum()
    row = fit.survival([100]).iloc[0]
    assert row["std_error"] == pytest.approx(100 * np.exp(-100 * rate) * rate / events**0.5)
    m, se = fit.rmst(100)
    slope = (100 * np.exp(-100 * rate) / rate) - (1 - np.exp(-100 * rate)) / rate**2
    assert m == pytest.approx((1 - np.exp(-100 * rate)) / rate, rel=1e-9)
    assert se == pytest.approx(abs(slope) * rate / events**0.5, rel=1e-6)


def test_the_integrated_brier_score_is_sksurvs():
    d = table("lung")
    fit = fit_parametric(d["time"], d["event"], "weibull")
    tau = 800.0
    times = np.linspace(5.1, tau, 400)
    outcome = Surv.from_arrays(d["event"].astype(bool), d["time"])
    s = np.tile(fit.survival(times)["estimate"], (len(d), 1))
    theirs = sksurv_ibs(outcome, outcome, s, times)
    ours = integrated_brier_score(fit, d["time"], d["event"], tau)
    # They average over [5.1, tau], we over [0, tau]; scores near 0 are tiny.
    assert ours * tau == pytest.approx(theirs * (tau - 5.1), rel=2e-3)


def test_the_table_compares_and_names_what_failed():
    d = table("ovarian")
    found = compare_parametric(
        d["time"], d["event"], ["weibull", "lognormal", "weibull-mixture-cure"], times=[365, 730]
    )
    frame = found.to_frame()
    assert frame["aic"].is_monotonic_increasing
    assert {"survival_365", "survival_730", "cure_fraction", "mean", "ibs"} <= set(frame.columns)
    assert frame.set_index("family").loc["weibull-mixture-cure", "mean"] == np.inf
    assert found.to_dict()["table"][0]["family"] == found.best.family.name
    row = frame.set_index("family").loc["lognormal"]
    assert row["aic"] == pytest.approx(4 - 2 * row["loglik"])
    assert row["bic"] == pytest.approx(2 * np.log(26) - 2 * row["loglik"])


def test_one_event_is_enough_for_a_rate():
    fit = fit_parametric([1, 2, 3, 4], [0, 1, 0, 0], "exponential")
    assert fit.theta[0] == pytest.approx(np.log(0.1))
    assert fit.covariance[0, 0] == pytest.approx(1.0)
    with pytest.raises(DataError, match="no events"):
        fit_parametric([1, 2], [0, 0], "exponential")


@pytest.mark.parametrize(
    ("family", "change", "words"),
    [
        ("weibul", {}, "unknown family.*weibull"),
        ("weibull", {"time": [0, 2, 3, 4]}, "row 1, column 'time'"),
        ("weibull", {"event": [0, 1, 0, 0]}, "too few events"),
        ("rp-hazard-4", {}, "at least 6"),
        ("piecewise-exponential", {"cuts": [3.5]}, "no event between 3.5 and inf"),
    ],
)
def test_bad_requests_are_named(family, change, words):
    arguments = {"time": [1, 2, 3, 4], "event": [1, 1, 1, 0], **change}
    with pytest.raises(DataError, match=words):
        fit_parametric(family=family, **arguments)
