"""The beta-binomial model against scipy's distribution, a published fit and its own limits."""

import math

import numpy as np
import pytest
from scipy import optimize, stats
from scipy.special import expit, logit

import metablin as mb
from metablin.errors import ConvergenceError, DataError
from metablin.meta.counts.betabinomial import beta_binomial

SETS = {
    "plain": ([3, 10, 4, 18, 7], [20, 31, 25, 40, 22]),
    "zeros and ones": ([0, 3, 12, 7, 0, 20, 9, 1], [15, 22, 12, 31, 8, 45, 19, 28]),
    "large": ([62, 180, 505, 29, 186], [1359, 1541, 8839, 749, 5063]),
}


def loglik(y, n, mean, rho):
    total = (1 - rho) / rho
    return stats.betabinom.logpmf(y, n, mean * total, (1 - mean) * total).sum()


@pytest.mark.parametrize("name", SETS)
def test_agrees_with_direct_maximisation_of_scipys_distribution(name):
    y, n = (np.array(v) for v in SETS[name])
    got = beta_binomial(y, n)
    assert got.loglik == pytest.approx(loglik(y, n, got.mean, got.rho), abs=1e-9)
    best = optimize.minimize(
        lambda t: -loglik(y, n, expit(t[0]), expit(t[1])),
        [logit(y.sum() / n.sum()), -2.0],
        method="Nelder-Mead",
        options={"xatol": 1e-10, "fatol": 1e-13, "maxiter": 4000},
    )
    assert got.loglik >= -best.fun - 1e-10
    assert got.beta[0] == pytest.approx(best.x[0], abs=1e-5)
    assert logit(got.rho) == pytest.approx(best.x[1], abs=1e-5)


def test_standard_errors_are_those_of_the_numerical_information():
    y, n = (np.array(v) for v in SETS["zeros and ones"])
    got = beta_binomial(y, n)
    at, h = np.array([got.beta[0], got.rho]), 1e-4

    def f(x):
        return loglik(y, n, expit(x[0]), x[1])

    hess = np.zeros((2, 2))
    for i in range(2):
        for j in range(2):
            a, b = h * np.eye(2)[i], h * np.eye(2)[j]
            hess[i, j] = (f(at + a + b) - f(at + a - b) - f(at - a + b) + f(at - a - b)) / (
                4 * h * h
            )
    cov = np.linalg.inv(-hess)
    assert got.std_error[0] == pytest.approx(math.sqrt(cov[0, 0]), rel=1e-5)
    assert got.rho_std_error == pytest.approx(math.sqrt(cov[1, 1]), rel=1e-5)


def test_sexes_in_families_of_twelve_give_the_published_estimates():
    """Geissler's 6115 Saxon families, in Lindsey and Altham (1998), Appl Stat 47:149.

    The encyclopaedia article on the distribution prints alpha = 34.09558, beta = 31.5715, AIC
    24989.74, and 25070.34 for the binomial. Its estimates stop short of the maximum (the
    likelihood is flat along alpha / beta), which the last line shows.
    """
    families = [3, 24, 104, 286, 670, 1033, 1343, 1112, 829, 478, 181, 45, 7]
    boys = np.repeat(np.arange(13), families)
    got = beta_binomial(boys, np.full(len(boys), 12))
    assert got.alpha == pytest.approx(34.09558, rel=5e-4)
    assert got.beta_shape == pytest.approx(31.5715, rel=5e-4)
    assert got.aic == pytest.approx(24989.74, abs=0.01)
    binomial_aic = 2 - 2 * (got.loglik - got.rho_lrt / 2)
    assert binomial_aic == pytest.approx(25070.34, abs=0.01)
    assert got.loglik > stats.betabinom.logpmf(boys, 12, 34.09558, 31.5715).sum()


def test_profile_limits_have_the_right_fall_in_likelihood():
    y, n = (np.array(v) for v in SETS["zeros and ones"])
    got = beta_binomial(y, n, interval="profile")
    cut = stats.chi2.ppf(0.95, 1)
    for limit in (got.conf_low[0], got.conf_high[0]):
        best = optimize.minimize_scalar(
            lambda r, b=limit: -loglik(y, n, expit(b), expit(r)), bounds=(-6, 6), method="bounded",
            options={"xatol": 1e-10},
        )  # fmt: skip
        assert 2 * (got.loglik + best.fun) == pytest.approx(cut, abs=1e-7)
    for limit in (got.rho_conf_low, got.rho_conf_high):
        best = optimize.minimize_scalar(
            lambda b, r=limit: -loglik(y, n, expit(b), r), bounds=(-6, 6), method="bounded",
            options={"xatol": 1e-10},
        )  # fmt: skip
        assert 2 * (got.loglik + best.fun) == pytest.approx(cut, abs=1e-7)


def test_homogeneous_data_sit_at_the_binomial_boundary():
    got = beta_binomial([5, 10, 15], [20, 40, 60], interval="profile")
    assert got.boundary
    assert got.rho == 0
    assert got.mean == pytest.approx(0.25, rel=1e-12)
    assert got.std_error[0] == pytest.approx((120 * 0.25 * 0.75) ** -0.5, rel=1e-10)
    assert got.rho_lrt_p == 1
    assert got.rho_conf_low == 0
    assert 0 < got.rho_conf_high < 1
    assert math.isnan(beta_binomial([5, 10, 15], [20, 40, 60]).rho_conf_high)


def test_complement_and_order_do_not_matter():
    y, n = (np.array(v) for v in SETS["zeros and ones"])
    one, two = beta_binomial(y, n), beta_binomial((n - y)[::-1], n[::-1])
    assert two.beta[0] == pytest.approx(-one.beta[0], rel=1e-9)
    assert two.rho == pytest.approx(one.rho, rel=1e-8)


def test_moderators_shift_the_logit_of_the_mean():
    y, n = (np.array(v) for v in SETS["zeros and ones"])
    design = np.column_stack([np.ones(8), [0, 0, 1, 1, 0, 1, 1, 0]])
    got = beta_binomial(y, n, design=design, test="t", terms=["intercept", "line"])
    mean, total = expit(design @ got.beta), (1 - got.rho) / got.rho
    direct = stats.betabinom.logpmf(y, n, mean * total, (1 - mean) * total).sum()
    assert got.loglik == pytest.approx(direct, abs=1e-9)
    assert got.loglik > beta_binomial(y, n).loglik
    assert got.df == 6
    assert list(got.to_frame()["term"]) == ["intercept", "line"]


def test_pool_reports_the_mean_proportion_and_rho():
    y, n = SETS["zeros and ones"]
    direct = beta_binomial(y, n, test="t")
    got = mb.pool(mb.proportions(y, n), model="beta-binomial", ci="t")
    assert got.estimate == pytest.approx(direct.mean, rel=1e-12)
    assert got.conf_low == pytest.approx(expit(direct.conf_low[0]), rel=1e-12)
    out = got.to_dict()
    assert out["rho"] == pytest.approx(direct.rho)
    spread = stats.beta(direct.alpha, direct.beta_shape).std()
    assert out["sd_proportions"] == pytest.approx(spread, rel=1e-9)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: beta_binomial([0, 0], [9, 12]), "no events or only events"),
        (lambda: beta_binomial([0, 12], [9, 12]), "no finite maximum"),
        (lambda: beta_binomial([5], [4]), "row 1 .*more events than patients"),
        (lambda: beta_binomial([1], [4], design=[[1, 2]]), "more coefficients than studies"),
        (
            lambda: mb.pool(mb.proportions([1, 2], [4, 5], transform="log"), model="beta-binomial"),
            "logit scale",
        ),
        (lambda: mb.pool(mb.generic([1, 2], [4, 5]), model="beta-binomial"), "this measure"),
    ],
)
def test_unusable_counts_are_refused_by_name(call, text):
    with pytest.raises(DataError, match=text):
        call()


def test_separation_by_a_moderator_is_named():
    design = np.column_stack([np.ones(4), [0, 0, 1, 1]])
    with pytest.raises(ConvergenceError, match="separation"):
        beta_binomial([3, 9, 0, 0], [20, 25, 30, 33], design=design)
