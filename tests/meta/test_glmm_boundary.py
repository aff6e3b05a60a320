"""CR/CRh in adults: the mixed model's tau2 of zero is the likelihood's, not the optimiser's."""

import math

import numpy as np
import pytest
from scipy import integrate, optimize
from scipy.special import logit

import metablin as mb
from metablin.meta.counts.glmm.fit import glmm_proportions
from tests.reference import pinned

PINNED = pinned("glmm_boundary")
EVENTS, N = np.array(PINNED["events"]), np.array(PINNED["n"])

QUADRATURE = 1e-8
"""Two adaptive quadratures of one likelihood, in log likelihood."""

OPTIMISED = 1e-6
"""Two searches of one profile, relative; its fall of 1.92 fixes the limit to the same order."""


def binomial(y, n, eta):
    """Return the probability of `y` events of `n` at log odds `eta`."""
    p = 1 / (1 + math.exp(-eta))
    return math.comb(n, y) * p**y * (1 - p) ** (n - y)


def normal(b, tau):
    """Return the normal density with mean 0 at `b`."""
    return math.exp(-0.5 * (b / tau) ** 2) / (tau * math.sqrt(2 * math.pi))


def profile(tau):
    """Return the log likelihood at `tau`, the best over mu, by slow integration."""

    def minus(mu):
        total = 0.0
        for y, n in zip(EVENTS.tolist(), N.tolist(), strict=True):
            area, _ = integrate.quad(
                lambda b, y=y, n=n: binomial(y, n, mu + b) * normal(b, tau),
                -10 * tau,
                10 * tau,
                epsabs=0,
                epsrel=1e-10,
            )
            total -= np.log(area)
        return total

    return -optimize.minimize_scalar(minus, bounds=(-1, 1), method="bounded").fun


def test_lme4_and_rma_glmm_put_tau2_at_zero_as_well():
    fit = glmm_proportions(EVENTS, N, interval="profile")
    assert PINNED["theta"] == PINNED["metafor"]["tau2"] == fit.tau2 == 0.0
    assert fit.boundary
    assert fit.beta[0] == pytest.approx(PINNED["metafor"]["estimate"], rel=OPTIMISED)
    assert fit.beta[0] == pytest.approx(logit(EVENTS.sum() / N.sum()), rel=1e-10)
    assert fit.q == pytest.approx(PINNED["metafor"]["q"], rel=1e-10)
    assert fit.q_p == pytest.approx(PINNED["metafor"]["q_p"], rel=1e-10)
    assert fit.loglik == pytest.approx(PINNED["profile"][0]["loglik"], rel=1e-10)
    assert fit.tau2_conf_high == pytest.approx(PINNED["tau2_conf_high"], rel=OPTIMISED)


def test_no_tau_has_a_higher_likelihood():
    heights = np.array([cell["loglik"] for cell in PINNED["profile"]])
    assert heights.argmax() == 0
    np.testing.assert_allclose(heights, [c["lme4"] for c in PINNED["profile"]], atol=QUADRATURE)
    for cell in PINNED["profile"][2::3]:
        assert profile(cell["tau"]) == pytest.approx(cell["loglik"], abs=QUADRATURE)
    # There is a second maximum, lower by a few hundredths: the cohorts hardly tell the two apart.
    second = PINNED["second"]
    assert heights[0] - 0.1 < second["loglik"] < heights[0]
    assert second["loglik"] > heights[2]


def test_large_cohorts_agree_with_each_other_and_the_small_ones_are_what_q_sees():
    """The slope at zero weighs a cohort by the square of its patients, Q weighs all alike."""
    share = EVENTS.sum() / N.sum()
    excess = ((EVENTS - N * share) ** 2 - N * share * (1 - share)) / 2
    np.testing.assert_allclose(excess, PINNED["excess"], rtol=1e-10)
    assert PINNED["slope"] == pytest.approx(excess.sum(), rel=1e-10)
    assert PINNED["slope"] < 0
    assert (excess[N > 80] < 0).all()


def test_the_inverse_variance_model_says_that_they_differ():
    assert mb.pool(mb.proportions(EVENTS, N)).tau2 > 0.05
