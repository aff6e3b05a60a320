"""Trial-level surrogacy: an independent slow likelihood, reductions, predictions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize

from metablin.errors import DataError
from metablin.mrd import surrogacy
from metablin.mrd._errors_in_variables import loglik
from tests.reference import pinned

RNG = np.random.default_rng(3)
K = 12
VX, VY = RNG.uniform(0.02, 0.4, K), RNG.uniform(0.02, 0.1, K)
THETA = RNG.normal(0.5, 1.0, K)
X = THETA + RNG.standard_normal(K) * VX**0.5
Y = 0.1 - 0.6 * THETA + RNG.standard_normal(K) * (0.05 + VY) ** 0.5
OPTIMISED = 1e-4


def slow(theta: np.ndarray) -> float:
    """Minus the log likelihood, the true effects integrated out on a grid."""
    a, b, root = theta
    total = 0.0
    for i in range(K):
        grid = np.linspace(X[i] - 10 * VX[i] ** 0.5, X[i] + 10 * VX[i] ** 0.5, 2001)
        first = np.exp(-((X[i] - grid) ** 2) / (2 * VX[i])) / np.sqrt(2 * np.pi * VX[i])
        v = VY[i] + root**2
        second = np.exp(-((Y[i] - a - b * grid) ** 2) / (2 * v)) / np.sqrt(2 * np.pi * v)
        total += np.log(np.trapezoid(first * second, grid))
    return -total


def test_the_maximum_is_that_of_the_likelihood_integrated_numerically() -> None:
    found = surrogacy(X, VX, Y, VY, draws=2).daniels_hughes
    best = optimize.minimize(
        slow, [0.0, -0.5, 0.3], method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-10}
    )
    assert found.intercept == pytest.approx(best.x[0], abs=OPTIMISED)
    assert found.slope == pytest.approx(best.x[1], abs=OPTIMISED)
    assert found.tau2 == pytest.approx(best.x[2] ** 2, abs=OPTIMISED)
    fast = loglik(*best.x[:2], best.x[2] ** 2, X, VX, Y, VY, np.zeros(K))
    assert fast == pytest.approx(-best.fun, rel=1e-9)


PINNED = pinned("surrogacy")
SAME_OPTIMUM = 1e-6
"""Relative, of two optimisers; a variance is flat near its best value: ten times that."""


@pytest.mark.parametrize("name", list(PINNED["daniels_hughes"]))
def test_daniels_and_hughes_on_published_data_is_that_of_metafor(name: str) -> None:
    """The CD4 trials of the paper itself, tuberculosis vaccines and periodontal surgery."""
    data = {c: np.array(v) for c, v in PINNED["data"][name].items()}
    rho = data["cxy"] / np.sqrt(data["vx"] * data["vy"])
    effects = [data[c] for c in ("x", "vx", "y", "vy")]
    found = surrogacy(*effects, correlation=rho, draws=2).daniels_hughes
    there = PINNED["daniels_hughes"][name]
    for column in ("slope", "intercept", "slope_low", "slope_high"):
        assert getattr(found, column) == pytest.approx(there[column], rel=SAME_OPTIMUM)
    assert found.tau2 == pytest.approx(there["tau2"], rel=10 * SAME_OPTIMUM)
    value = loglik(found.intercept, found.slope, found.tau2, *effects, data["cxy"].astype(float))
    assert value == pytest.approx(there["loglik"], rel=1e-10)


def test_the_cd4_trials_leave_no_scatter_around_the_line() -> None:
    """A rise in CD4 foretells fewer events, and nothing is left to explain (tau2 at zero)."""
    data = PINNED["data"]["daniels"]
    found = surrogacy(data["x"], data["vx"], data["y"], data["vy"], draws=2).daniels_hughes
    assert found.slope_high < 0
    assert found.tau2 == 0.0


def test_the_misfit_is_that_of_york_on_pearsons_points() -> None:
    """Pearson 1901 with the weights of York 1966: the published line and its sum of squares."""
    x = np.array([0, 0.9, 1.8, 2.6, 3.3, 4.4, 5.2, 6.1, 6.5, 7.4])
    y = np.array([5.9, 5.4, 4.4, 4.6, 3.5, 3.7, 2.8, 2.8, 2.4, 1.5])
    vx = 1 / np.array([1000, 1000, 500, 800, 200, 80, 60, 20, 1.8, 1])
    vy = 1 / np.array([1, 1.8, 4, 8, 20, 20, 70, 70, 100, 500])

    def misfit(line: np.ndarray) -> float:
        """Minus twice the log likelihood, less the part that Daniels and Hughes add to it."""
        v = vy + line[1] ** 2 * vx
        return -2 * loglik(*line, 0.0, x, vx, y, vy, np.zeros(10)) - np.log(2 * np.pi * v).sum()

    best = optimize.minimize(misfit, [5.0, -0.5], method="Nelder-Mead",
                             options={"xatol": 1e-10, "fatol": 1e-12})  # fmt: skip
    assert best.x[0] == pytest.approx(5.47991022, rel=1e-6)
    assert best.x[1] == pytest.approx(-0.480533407, rel=1e-6)
    assert best.fun == pytest.approx(11.8663531941, rel=1e-8)


def test_the_interval_of_the_slope_ends_where_the_profile_has_dropped_enough() -> None:
    found = surrogacy(X, VX, Y, VY, draws=2).daniels_hughes
    top = -slow(np.array([found.intercept, found.slope, found.tau2**0.5]))
    for end in (found.slope_low, found.slope_high):
        profile = optimize.minimize(
            lambda p, b=end: slow(np.array([p[0], b, p[1]])), [0.1, 0.2], method="Nelder-Mead"
        )
        assert 2 * (top + profile.fun) == pytest.approx(3.8415, abs=0.01)


def test_without_error_in_x_it_is_the_mixed_model_of_a_meta_regression() -> None:
    import metablin as mb

    found = surrogacy(X, np.full(K, 1e-10), Y, VY, draws=2).daniels_hughes
    fit = mb.pool(mb.generic(Y, VY), moderators="x", data={"x": X}, tau2="ML", ci="z")
    slope = fit.to_dict()["coefficients"][1]
    assert found.slope == pytest.approx(slope["estimate"], rel=1e-4)
    assert found.tau2 == pytest.approx(fit.tau2, rel=1e-3)


def test_the_weighted_line_is_least_squares_by_hand() -> None:
    found = surrogacy([0, 1, 2], [0.1] * 3, [0, -1, -1], [0.5] * 3, draws=2).weighted
    # slope -1/2, intercept -1/6; residuals 1/6, -1/3, 1/6: R2 = 1 - (1/6)/(2/3)
    assert (found.slope, found.intercept) == (pytest.approx(-0.5), pytest.approx(-1 / 6))
    assert found.r2 == pytest.approx(0.75)
    assert (found.r2_low, found.r2_high) == (0.0, 1.0)


def test_r2_has_fishers_interval() -> None:
    found = surrogacy(X, VX, Y, VY, draws=2).weighted
    z = np.arctanh(found.r2**0.5)
    half = 1.959964 / (K - 3) ** 0.5
    assert found.r2_low == pytest.approx(np.tanh(z - half) ** 2, rel=1e-5)
    assert found.r2_high == pytest.approx(np.tanh(z + half) ** 2, rel=1e-5)


def test_the_threshold_is_where_the_prediction_limit_meets_no_effect() -> None:
    found = surrogacy(X, VX, Y, VY, draws=2)
    for method in ("weighted", "daniels-hughes"):
        at = found.association(method).threshold
        assert np.isfinite(at)
        row = found.predict([at], method).iloc[0]
        assert row["pred_high"] == pytest.approx(0.0, abs=1e-6)


def test_no_threshold_exists_when_the_line_foretells_nothing() -> None:
    found = surrogacy([0, 1, 2, 3], [0.1] * 4, [0.2, -0.3, 0.25, -0.2], [0.2] * 4, draws=2)
    assert np.isinf(found.weighted.threshold)


def test_scaling_the_marker_scales_the_slope_and_leaves_r2() -> None:
    a = surrogacy(X, VX, Y, VY, draws=2)
    b = surrogacy(2 * X, 4 * VX, Y, VY, draws=2)
    assert b.daniels_hughes.slope == pytest.approx(a.daniels_hughes.slope / 2, rel=1e-5)
    assert b.weighted.r2 == pytest.approx(a.weighted.r2, rel=1e-12)


def test_order_does_not_matter() -> None:
    order = np.arange(K)[::-1]
    a = surrogacy(X, VX, Y, VY, draws=2).daniels_hughes
    b = surrogacy(X[order], VX[order], Y[order], VY[order], draws=2).daniels_hughes
    assert b.slope == pytest.approx(a.slope, rel=1e-6)


def test_correlated_errors_change_the_line() -> None:
    a = surrogacy(X, VX, Y, VY, draws=2).daniels_hughes.slope
    b = surrogacy(X, VX, Y, VY, correlation=-0.8, draws=2).daniels_hughes.slope
    assert abs(a - b) > 1e-3


@pytest.mark.parametrize("method", ["weighted", "daniels-hughes"])
def test_a_correlation_each_is_one_for_all_when_they_are_equal(method: str) -> None:
    one = surrogacy(X, VX, Y, VY, correlation=-0.3, draws=2)
    each = surrogacy(X, VX, Y, VY, correlation=np.full(K, -0.3), draws=2)
    assert one.association(method).slope == each.association(method).slope
    assert one.leave_one_out(method).equals(each.leave_one_out(method))


@pytest.mark.parametrize("method", ["weighted", "daniels-hughes"])
def test_leaving_one_out_covers_most_trials(method: str) -> None:
    table = surrogacy(X, VX, Y, VY, draws=2).leave_one_out(method)
    assert len(table) == K
    assert table["inside"].mean() > 0.8
    assert (table["pred_low"] < table["pred_high"]).all()


def test_too_few_trials_are_refused() -> None:
    with pytest.raises(DataError, match="too few"):
        surrogacy([0, 1], [0.1] * 2, [0, -1], [0.1] * 2)
    three = surrogacy([0, 1, 2], [0.1] * 3, [0, -0.4, -1], [0.1] * 3, draws=2)
    with pytest.raises(DataError, match="leave one out"):
        three.leave_one_out()


def test_equal_markers_and_bad_correlations_are_refused() -> None:
    with pytest.raises(DataError, match="equal"):
        surrogacy([1, 1, 1], [0.1] * 3, [0, 1, 2], [0.1] * 3)
    with pytest.raises(DataError, match="correlation"):
        surrogacy([0, 1, 2], [0.1] * 3, [0, 1, 2], [0.1] * 3, correlation=1.0)


def test_the_bootstrap_is_its_seed_and_the_result_is_json_ready() -> None:
    a, b = (surrogacy(X, VX, Y, VY, draws=20, seed=4).to_dict() for _ in range(2))
    assert a == b
    assert a["lines"][1]["method"] == "daniels-hughes"
