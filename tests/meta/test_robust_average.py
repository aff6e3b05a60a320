"""The Bayesian average over models of bias: draws from the priors, limits and invariances."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import metablin as mb
from metablin.meta.bias.average import BIASES, _marginal

Y = np.array([0.9, 0.6, 0.35, 0.2, 0.7, 0.1])
S = np.sqrt([0.2, 0.1, 0.03, 0.01, 0.12, 0.02])

DRAWN = 0.08
"""Error of a mean over 50,000 draws from the priors, on the log scale, three of its errors."""


def drawn(effect, spread, bias):
    """The marginal likelihood as the mean likelihood over draws from the priors."""
    rng = np.random.default_rng(4)
    n = 50_000
    mu = rng.normal(size=(n, 1)) * effect
    tau = 0.15 / rng.exponential(size=(n, 1)) * spread  # inverse gamma(1, 0.15)
    mean = mu + np.zeros_like(S)
    if bias in ("pet", "peese"):
        b = np.abs(rng.standard_cauchy((n, 1)))
        mean = mu + (b * S if bias == "pet" else 5 * b * S**2)
    total = np.sqrt(S**2 + tau**2)
    like = stats.norm(mean, total).pdf(Y).prod(axis=1)
    if bias.endswith("sided"):
        omega, cut = rng.random((n, 1)), stats.norm.isf(0.025)
        seen, hidden = stats.norm.sf(cut * S, mu, total), cut > Y / S
        if bias == "two-sided":
            seen, hidden = seen + stats.norm.cdf(-cut * S, mu, total), np.abs(Y / S) < cut
        like = like * (np.where(hidden, omega, 1) / (omega + (1 - omega) * seen)).prod(axis=1)
    return float(np.log(like.mean()))


@pytest.mark.parametrize("bias", BIASES)
def test_marginal_likelihoods_are_means_over_the_priors(bias):
    for effect, spread in ((True, True), (False, True)):
        found = _marginal(Y, S, effect, spread, bias)[0]
        assert found == pytest.approx(drawn(effect, spread, bias), abs=DRAWN), (effect, spread)


def test_a_common_effect_without_bias_is_conjugate():
    log, mu, mass = _marginal(Y, S, True, False, "none")
    law = stats.multivariate_normal(np.zeros(6), np.diag(S**2) + 1)
    assert log == pytest.approx(law.logpdf(Y), abs=1e-9)
    precision = 1 + (1 / S**2).sum()
    assert float(mu @ mass) == pytest.approx((Y / S**2).sum() / precision, abs=1e-9)
    assert float(mu**2 @ mass) - float(mu @ mass) ** 2 == pytest.approx(1 / precision, rel=1e-6)


def test_a_true_null_without_parameters_is_the_density_itself():
    log, mu, mass = _marginal(Y, S, False, False, "none")
    assert log == pytest.approx(stats.norm(0, S).logpdf(Y).sum())
    assert (mu.tolist(), mass.tolist()) == ([0.0], [1.0])


def test_posteriors_and_factors_belong_together():
    r = mb.robust_average(mb.generic(Y, S**2))
    table = r.to_frame()
    assert table["prior"].sum() == pytest.approx(1)
    assert table["posterior"].sum() == pytest.approx(1)
    has = table["effect"]
    assert r.bf_effect == pytest.approx(table["posterior"][has].sum()
                                        / table["posterior"][~has].sum())  # fmt: skip
    assert r.estimate == pytest.approx(r.conditional * table["posterior"][has].sum())
    assert r.cred_low <= r.estimate <= r.cred_high
    assert r.conditional_low < r.conditional < r.conditional_high


def test_signs_and_units_do_not_matter():
    a = mb.robust_average(mb.generic(Y, S**2))
    b = mb.robust_average(mb.generic(-1.81 * Y, (1.81 * S) ** 2), 1.81, "less")
    assert b.bf_bias == pytest.approx(a.bf_bias, rel=1e-9)
    assert b.estimate == pytest.approx(-1.81 * a.estimate, rel=1e-9)
    assert [b.cred_low, b.cred_high] == pytest.approx(
        [-1.81 * a.cred_high, -1.81 * a.cred_low], abs=1e-4
    )


def test_many_studies_leave_no_doubt_and_no_bias_is_found_in_a_symmetric_funnel():
    s = np.repeat(np.geomspace(0.05, 0.3, 20), 2)
    y = 0.3 + np.tile([1.0, -1.0], 20) * np.hypot(s, 0.1)
    r = mb.robust_average(mb.generic(y, s**2))
    assert r.bf_effect > 100
    assert r.bf_bias < 1
    assert r.cred_low < 0.3 < r.cred_high


def test_two_studies_are_refused():
    with pytest.raises(mb.DataError, match="three studies"):
        mb.robust_average(mb.generic([1, 2], [1, 1]))
