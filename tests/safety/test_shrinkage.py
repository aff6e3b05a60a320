"""Double-gamma shrinkage against a slow independent version; false-discovery control."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, optimize, stats

from metablin.errors import DataError
from metablin.safety import benjamini_hochberg, expected_counts, gamma_shrinkage

RNG = np.random.default_rng(12)
M = 60
EXPECTED = RNG.uniform(0.5, 30, M)
TRUTH = np.where(RNG.random(M) < 0.2, RNG.gamma(6, 1 / 2, M), RNG.gamma(20, 1 / 20, M))
OBSERVED = RNG.poisson(TRUTH * EXPECTED)
FIT = gamma_shrinkage(OBSERVED, EXPECTED)


def density(lam: np.ndarray, fit: object = FIT) -> np.ndarray:
    first = stats.gamma.pdf(lam, fit.alpha1, scale=1 / fit.beta1)  # type: ignore[attr-defined]
    second = stats.gamma.pdf(lam, fit.alpha2, scale=1 / fit.beta2)  # type: ignore[attr-defined]
    return fit.mixing * first + (1 - fit.mixing) * second  # type: ignore[attr-defined, no-any-return]


def slow_loglik(theta: np.ndarray) -> float:
    """Negative binomials of scipy, one component each."""
    a1, b1, a2, b2 = np.exp(theta[:4])
    p = 1 / (1 + np.exp(-theta[4]))
    f = [stats.nbinom.pmf(OBSERVED, a, b / (b + EXPECTED)) for a, b in ((a1, b1), (a2, b2))]
    return float(np.log(p * f[0] + (1 - p) * f[1]).sum())


def test_the_likelihood_is_that_of_negative_binomials() -> None:
    theta = np.append(
        np.log([FIT.alpha1, FIT.beta1, FIT.alpha2, FIT.beta2]),
        np.log(FIT.mixing / (1 - FIT.mixing)),
    )
    assert FIT.loglik == pytest.approx(slow_loglik(theta), rel=1e-10)


def test_a_search_without_gradients_finds_nothing_better() -> None:
    for start in ([0.0, 0.0, 2.0, 2.0, -1.0], [1.5, 0.7, 3.0, 3.0, -1.4]):
        found = optimize.minimize(
            lambda u: -slow_loglik(u), start, method="Nelder-Mead",
            bounds=[(-8, 8)] * 5, options={"maxiter": 4000, "xatol": 1e-7, "fatol": 1e-9},
        )  # fmt: skip
        assert FIT.loglik >= -found.fun - 1e-6


@pytest.mark.parametrize("i", [0, 7, 23, 41])
def test_the_posterior_by_numerical_integration(i: int) -> None:
    grid = np.linspace(1e-6, 25, 400_001)
    posterior = density(grid) * stats.poisson.pmf(OBSERVED[i], grid * EXPECTED[i])
    mass = integrate.cumulative_trapezoid(posterior, grid, initial=0)
    posterior, mass = posterior / mass[-1], mass / mass[-1]
    mean_log = integrate.trapezoid(posterior * np.log(grid), grid)
    assert FIT.ebgm[i] == pytest.approx(np.exp(mean_log), rel=1e-3)
    assert FIT.low[i] == pytest.approx(np.interp(0.05, mass, grid), rel=1e-3)
    assert FIT.high[i] == pytest.approx(np.interp(0.95, mass, grid), rel=1e-3)


def test_small_counts_are_pulled_in_further_than_large_ones() -> None:
    observed = np.concatenate([OBSERVED, [6, 60]])
    expected = np.concatenate([EXPECTED, [2.0, 20.0]])
    fit = gamma_shrinkage(observed, expected)
    assert fit.ratio[-1] == fit.ratio[-2] == 3.0
    assert fit.ebgm[-2] < fit.ebgm[-1] < 3.0


def test_the_order_of_terms_does_not_matter() -> None:
    order = RNG.permutation(M)
    again = gamma_shrinkage(OBSERVED[order], EXPECTED[order])
    np.testing.assert_allclose(again.ebgm, FIT.ebgm[order], rtol=1e-4)


def test_the_table_ranks_by_the_lower_limit() -> None:
    low = FIT.to_frame()["low"].to_numpy()
    assert (np.diff(low) <= 0).all()
    assert FIT.to_dict()["prior"]["mixing"] == pytest.approx(FIT.mixing)


def test_bad_counts_are_refused() -> None:
    with pytest.raises(DataError, match="at least 5"):
        gamma_shrinkage([1, 2], [1.0, 2.0])
    with pytest.raises(DataError, match="expected"):
        gamma_shrinkage([1] * 5, [0.0] * 5)


def test_expected_counts_keep_the_margins() -> None:
    counts = np.array([[3, 9, 1], [4, 0, 7]])
    found = expected_counts(counts)
    np.testing.assert_allclose(found.sum(axis=0), counts.sum(axis=0))
    np.testing.assert_allclose(found.sum(axis=1), counts.sum(axis=1))
    with pytest.raises(DataError, match="table of counts"):
        expected_counts([1, 2, 3])


def test_benjamini_and_hochbergs_own_example() -> None:
    # Benjamini and Hochberg 1995, section 3.2: fifteen p-values, four rejected at 0.05
    p = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262,
         0.5719, 0.6528, 0.7590, 1.0]  # fmt: skip
    adjusted = benjamini_hochberg(p)
    assert (adjusted <= 0.05).sum() == 4
    assert adjusted[3] == pytest.approx(0.0095 * 15 / 4)


def test_missing_p_values_stay_missing_and_do_not_count() -> None:
    found = benjamini_hochberg([0.01, np.nan, 0.03])
    assert np.isnan(found[1])
    np.testing.assert_allclose(found[[0, 2]], [0.02, 0.03])
