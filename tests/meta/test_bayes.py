"""The Bayesian model against independent integration in R, published quantiles and its limits."""

import itertools
import json
import math
import warnings
from pathlib import Path

import numpy as np
import pytest
from scipy import integrate, stats

import metablin as mb
from metablin.errors import DataError, MetablinWarning
from metablin.meta.bayes._mixture import mixture_row
from metablin.meta.bayes.fit import bayes
from metablin.meta.bayes.priors import (
    TURNER_COMPARISONS,
    TURNER_OUTCOMES,
    half_cauchy,
    half_normal,
    log_normal,
    log_t,
    rhodes,
    turner,
    uniform,
)

REFERENCE = json.loads(
    (Path(__file__).parents[1] / "reference" / "bayes.json").read_text(encoding="utf-8")
)
CELLS = REFERENCE["cells"]
RTOL = 1e-10  # two quadratures, both good to about 1e-13
FAMILIES = {"half-normal": half_normal, "half-cauchy": half_cauchy}


def data(name):
    d = REFERENCE["data"][name]
    return np.array(d["yi"]), np.array(d["se"]) ** 2


def fit(cell, **options):
    family = FAMILIES.get(cell["prior"])
    prior = family(cell["par"]) if family else log_normal(*cell["par"])
    mu_prior = tuple(cell["mu_prior"]) if cell["mu_prior"] else None
    return bayes(*data(cell["data"]), prior, mu_prior=mu_prior, **options)


@pytest.mark.parametrize("cell", CELLS, ids=lambda c: f"{c['data']}-{c['prior']}-{c['par']}")
def test_agrees_with_integration_in_r(cell):
    got = fit(cell)
    mu, tau = got.summary_of("mu"), got.summary_of("tau")
    assert mu["mean"] == pytest.approx(cell["mean_mu"], rel=RTOL)
    assert mu["sd"] == pytest.approx(cell["sd_mu"], rel=RTOL)
    assert tau["mean"] == pytest.approx(cell["mean_tau"], rel=RTOL)
    for x, p, new in zip(cell["points"], cell["cdf_mu"], cell["cdf_new"], strict=True):
        assert 1 - got.probability(x) == pytest.approx(p, abs=1e-12)
        assert 1 - got.probability(x, of="theta_new") == pytest.approx(new, abs=1e-12)
    for x, p in zip(cell["taus"], cell["cdf_tau"], strict=True):
        assert 1 - got.probability(x, of="tau") == pytest.approx(p, abs=1e-12)
    if cell["log_marginal"] is not None:
        assert got.log_marginal == pytest.approx(cell["log_marginal"], abs=1e-10)
    means = [row["mean"] for row in got.shrunken]
    assert means == pytest.approx(cell["theta_mean"], rel=RTOL)
    assert [row["sd"] for row in got.shrunken] == pytest.approx(cell["theta_sd"], rel=RTOL)


def test_grid_is_complete():
    assert {(c["data"], c["prior"]) for c in CELLS} == {
        ("schools", "half-cauchy"),
        ("schools", "half-normal"),
        ("crins", "half-normal"),
        ("crins", "half-cauchy"),
        ("crins", "log-normal"),
    }
    assert {c["mu_prior"] is None for c in CELLS} == {True, False}


def test_eight_schools_match_the_published_table():
    """Gelman et al., Bayesian Data Analysis, 3rd ed. (2013), Table 5.3 (200 draws, whole points).

    The printed quartiles carry Monte Carlo error of about one point and rounding of half a point.
    """
    printed = {
        1: (7, 10, 16), 2: (3, 8, 12), 3: (2, 7, 11), 4: (4, 8, 11),
        5: (1, 5, 10), 6: (2, 6, 10), 7: (7, 10, 15), 8: (3, 8, 13),
    }  # fmt: skip
    y, v = data("schools")
    got = bayes(y, v, uniform(), level=0.5)
    for i, (low, middle, high) in printed.items():
        row = got.summary_of(f"study {i}")
        assert [row["conf_low"], row["median"], row["conf_high"]] == pytest.approx(
            [low, middle, high], abs=2
        )


def test_quantiles_invert_the_distribution_functions():
    got = fit(CELLS[2], level=0.9)
    for term in ("mu", "tau", "theta_new"):
        row = got.summary_of(term)
        assert got.probability(row["conf_high"], of=term) == pytest.approx(0.05, abs=1e-11)
        assert got.probability(row["conf_low"], of=term) == pytest.approx(0.95, abs=1e-11)
        assert got.probability(row["median"], of=term) == pytest.approx(0.5, abs=1e-11)


def test_shortest_intervals_hold_their_level_and_are_shorter():
    central, shortest = fit(CELLS[2]), fit(CELLS[2], interval="shortest")
    for term in ("mu", "tau", "theta_new"):
        a, b = central.summary_of(term), shortest.summary_of(term)
        inside = shortest.probability(b["conf_low"], of=term) - shortest.probability(
            b["conf_high"], of=term
        )
        assert inside == pytest.approx(0.95, abs=1e-9)
        assert b["conf_high"] - b["conf_low"] < a["conf_high"] - a["conf_low"]
    assert shortest.summary_of("tau")["conf_low"] == 0


def test_a_tiny_prior_of_tau_gives_the_common_effect_model():
    y, v = data("crins")
    got = bayes(y, v, half_normal(1e-7)).summary_of("mu")
    w = 1 / v
    assert got["mean"] == pytest.approx((w * y).sum() / w.sum(), rel=1e-10)
    assert got["sd"] == pytest.approx(w.sum() ** -0.5, rel=1e-10)


def test_a_concentrated_prior_of_tau_gives_the_conjugate_posterior():
    y, v = data("crins")
    got = bayes(y, v, log_normal(math.log(0.4), 1e-5), mu_prior=(0.3, 0.5))
    w = 1 / (v + 0.4**2)
    precision = w.sum() + 1 / 0.25
    row = got.summary_of("mu")
    assert row["mean"] == pytest.approx(((w * y).sum() + 0.3 / 0.25) / precision, rel=1e-7)
    assert row["sd"] == pytest.approx(precision**-0.5, rel=1e-7)


def test_likelihood_agrees_with_the_multivariate_normal():
    y, v = data("crins")
    prior = half_normal(0.7)

    def joint(t):
        cov = np.diag(v + t**2) + 4.0**2
        density = stats.multivariate_normal(np.zeros(6), cov).pdf(y)
        return density * math.exp(float(prior.log_density(t)))

    total, _ = integrate.quad(joint, 0, 8, epsrel=1e-12, epsabs=0, limit=400)
    got = bayes(y, v, prior, mu_prior=(0.0, 4.0))
    assert got.log_marginal == pytest.approx(math.log(total), abs=1e-9)


@pytest.mark.parametrize(
    "prior",
    [
        half_normal(0.4),
        half_cauchy(0.4),
        log_normal(-1, 0.8),
        log_t(-1.7, 1.3, 5),
        turner(),
        rhodes(),
    ],
)
def test_prior_densities_integrate_to_one(prior):
    x = np.linspace(-700, 300, 400_001)
    mass = np.exp(prior.log_density(np.exp(x)) + x).sum() * (x[1] - x[0])
    assert mass == pytest.approx(1, abs=1e-8)


def test_one_study_returns_the_prior_of_tau():
    got = bayes([0.3], [0.04], half_normal(0.5))
    assert got.summary_of("tau")["median"] == pytest.approx(0.5 * stats.norm.ppf(0.75), rel=1e-10)
    assert got.summary_of("mu")["mean"] == pytest.approx(0.3, rel=1e-12)


def test_one_study_under_a_prior_of_any_tau_has_limits():
    got = bayes([100.0], [0.04], log_t(-1.7, 2.0, 3), level=0.9)
    for term in ("mu", "theta_new"):
        row = got.summary_of(term)
        assert got.probability(row["conf_low"], of=term) == pytest.approx(0.95, abs=1e-11)
        assert got.probability(row["median"], of=term) == pytest.approx(0.5, abs=1e-11)
        assert got.probability(row["conf_high"], of=term) == pytest.approx(0.05, abs=1e-11)


def test_moments_that_do_not_exist_are_not_invented():
    got = bayes([0.3, 0.1], [0.04, 0.05], half_cauchy(0.5))
    assert got.summary_of("mu")["sd"] == math.inf
    assert math.isfinite(got.summary_of("mu")["mean"])
    one = bayes([0.3], [0.04], half_cauchy(0.5))
    assert one.summary_of("tau")["mean"] == math.inf
    assert math.isnan(one.summary_of("mu")["mean"])
    assert one.summary_of("mu")["median"] == pytest.approx(0.3, rel=1e-12)


def test_mode_of_tau_is_where_the_density_is_flat():
    got = fit(CELLS[3])
    mode = got.summary_of("tau")["mode"]
    h = 1e-3
    mass = [got.probability(mode + j * h, of="tau") for j in (-1.5, -0.5, 0.5, 1.5)]
    left, middle, right = (mass[i] - mass[i + 1] for i in range(3))
    assert middle > left
    assert middle > right
    assert fit(CELLS[0]).summary_of("tau")["mode"] == 0


def test_scaling_the_data_scales_the_posterior():
    y, v = data("crins")
    one = bayes(y, v, half_normal(0.5)).summary_of("mu")
    two = bayes(10 * y, 100 * v, half_normal(5.0)).summary_of("mu")
    for key in ("mean", "sd", "median", "conf_low", "conf_high"):
        assert two[key] == pytest.approx(10 * one[key], rel=1e-9)


def test_turner_table_is_complete_and_halves_the_published_scale():
    assert len(TURNER_OUTCOMES) == 17
    assert len(TURNER_COMPARISONS) == 5
    prior = turner("adverse events", "non-pharmacological vs pharmacological")
    assert (prior.location, prior.scale) == (-0.42, 0.62)
    # the published location is that of log(tau2), so its exponential is the median of tau2
    assert turner("all-cause mortality").size ** 2 == pytest.approx(math.exp(-3.95), rel=1e-12)


def test_pool_back_transforms_the_posterior():
    d = REFERENCE["data"]["crins"]
    low = np.exp(np.array(d["yi"]) - 1.959963984540054 * np.array(d["se"]))
    high = np.exp(np.array(d["yi"]) + 1.959963984540054 * np.array(d["se"]))
    e = mb.hazard_ratios(np.exp(d["yi"]), low, high)
    got = mb.pool(e, model="bayes", prior=half_normal(1.0))
    direct = bayes(e.yi, e.vi, half_normal(1.0))
    row, new = direct.summary_of("mu"), direct.summary_of("theta_new")
    assert got.estimate == pytest.approx(math.exp(row["median"]), rel=1e-12)
    assert got.conf_low == pytest.approx(math.exp(row["conf_low"]), rel=1e-12)
    assert got.pred_high == pytest.approx(math.exp(new["conf_high"]), rel=1e-12)
    assert got.weights.sum() == pytest.approx(1, rel=1e-12)
    assert got.to_dict()["probability_above_zero"] == direct.probability(0.0)
    assert list(direct.to_frame()["term"])[:3] == ["mu", "tau", "theta_new"]


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: bayes([1, 2], [1, 0], half_normal(1)), "row 2.*vi"),
        (lambda: bayes([1, 2], [1, 1], uniform()), "improper"),
        (lambda: bayes([1, 2], [1, 1], half_normal(1), mu_prior=(0, 0)), "normal prior"),
        (lambda: bayes([1, 2], [1, 1], half_normal(1), interval="hpd"), "unknown option"),
        (lambda: half_normal(0), "greater than 0"),
        (lambda: log_t(-1, 0.01, 5), "too narrow"),
        (lambda: turner("hair loss"), "unknown option"),
        (lambda: mb.pool(mb.generic([1, 2], [1, 1]), model="bayes"), "needs a prior"),
    ],
)
def test_unusable_input_is_refused_by_name(call, text):
    with pytest.raises(DataError, match=text):
        call()


# A last step of 1e-9 of the narrowest deviation; where that is below the last digit of the
# quantile, or the tail is deep, the share itself has no more digits.
QUANTILES = 1e-8


def mixtures():
    rng = np.random.default_rng(26)
    yield np.array([0.4, 0.6]), np.zeros(2), np.array([1e-9, 1.0])  # a spike in the middle
    for spread, apart in itertools.product([0.3, 4.0], [0.0, 1.0, 100.0]):
        for _ in range(40):
            k = int(rng.integers(2, 60))
            s = np.exp(spread * rng.normal(size=k))
            yield rng.dirichlet(np.full(k, 0.3)), apart * rng.normal(size=k), s


def test_quantiles_of_unlike_normals_leave_their_share():
    shares = (1e-12, 1e-6, 0.025, 0.3, 0.45, 0.5, 0.7, 0.975, 1 - 1e-6)
    for p, m, s in mixtures():
        quantiles = []

        def find(quantile, density, level, quantiles=quantiles):
            quantiles += [quantile(q) for q in shares]
            return math.nan, math.nan

        mixture_row("x", p, m, s, 0.95, find, math.inf, mode=False)
        for q, x in zip(shares, quantiles, strict=True):
            tail, side = (q, 1.0) if q <= 0.5 else (1 - q, -1.0)
            near, far = (
                float(p @ stats.norm.cdf(side * (x - m) / s + step))
                for step in (-QUANTILES, QUANTILES)
            )
            assert near <= tail * (1 + QUANTILES)
            assert far >= tail * (1 - QUANTILES)


def test_far_limits_do_not_depend_on_the_order_of_the_studies() -> None:
    hr, low, high = (5.0, 7.0, 1.0), (0.677, 2.96, 0.43), (36.9, 16.5, 2.33)
    level = 0.999999999
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MetablinWarning)
        one = mb.pool_contrasts(mb.hazard_ratios(hr, low, high), level=level)
        turned = mb.hazard_ratios(hr[::-1], low[::-1], high[::-1])
        two = mb.pool_contrasts(turned, level=level)
    found, other = (np.log([f.conf_low, f.conf_high]) for f in (one, two))
    np.testing.assert_allclose(found, other, rtol=1e-9)
