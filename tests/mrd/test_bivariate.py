"""The bivariate model of trial effects: published values, R, a slow version, invariances."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
from scipy import optimize, stats

from metablin.errors import ConvergenceError, DataError
from metablin.mrd import BivariateEffects, bivariate_effects
from tests.reference import pinned

PINNED = pinned("surrogacy")
OPTIMISED = 1e-6
"""Relative: two optimisers of one likelihood, both run to rounding."""

PROFILE = 1e-7
"""Ends of an interval: a root of a profile, each point of which is an optimisation."""

PRINTED = 0.0005
"""Half a unit in the third decimal."""


@functools.cache
def fitted(name: str) -> BivariateEffects:
    """Return the fit to a data set, made once for all tests that look at it."""
    data = {c: np.array(v) for c, v in PINNED["data"][name].items()}
    rho = data["cxy"].astype(float) / np.sqrt(data["vx"] * data["vy"])
    given = [data[c].astype(float) for c in ("x", "vx", "y", "vy")]
    return bivariate_effects(*given, correlation=rho)


def test_van_houwelingen_2002_is_reproduced() -> None:
    """Log odds of tuberculosis, vaccinated on not vaccinated (pages 604 and 605)."""
    found = fitted("bcg")
    assert found.mean == pytest.approx([-4.096, -4.834], abs=PRINTED)
    assert np.diag(found.between) == pytest.approx([2.407, 1.431], abs=PRINTED)
    assert found.correlation == pytest.approx(0.947, abs=PRINTED)
    difference = found.mean[1] - found.mean[0]
    error = (found.mean_cov[0, 0] + found.mean_cov[1, 1] - 2 * found.mean_cov[0, 1]) ** 0.5
    assert (difference, error) == (
        pytest.approx(-0.738, abs=PRINTED), pytest.approx(0.180, abs=PRINTED)
    )  # fmt: skip
    contrast = found.between[0, 0] + found.between[1, 1] - 2 * found.between[0, 1]
    assert contrast == pytest.approx(0.324, abs=PRINTED)


def test_the_correlation_of_the_cd4_trials_is_at_its_end_as_published() -> None:
    """Riley 2007 (BMC Med Res Methodol 7:3): the model estimates -1 on Daniels and Hughes' data."""
    found = fitted("daniels")
    assert found.correlation == pytest.approx(-1.0, abs=1e-6)
    assert found.tau2 == pytest.approx(0.0, abs=1e-9)
    assert found.correlation_low == -1.0


@pytest.mark.parametrize("name", ["bcg", "berkey"])
def test_the_fit_is_that_of_rma_mv(name: str) -> None:
    found, there = fitted(name), PINNED["bivariate"][name]
    for ours, theirs in (
        (found.mean, there["mean"]), (found.mean_cov, there["mean_cov"]),
        (found.between, there["between"]), (found.correlation, there["rho"]),
        (found.slope, there["slope"]), (found.intercept, there["intercept"]),
        (found.tau2, there["tau2"]), (found.loglik, there["loglik"]),
    ):  # fmt: skip
        np.testing.assert_allclose(ours, theirs, rtol=OPTIMISED)
    ends = (found.correlation_low, found.correlation_high)
    np.testing.assert_allclose(ends, (there["rho_low"], there["rho_high"]), rtol=PROFILE)


def slow(theta: np.ndarray, name: str = "bcg") -> float:
    """Minus the log likelihood in slope, intercept, mean and two variances, trial by trial."""
    slope, intercept, mean, s, t = theta
    data = PINNED["data"][name]
    total = 0.0
    for i in range(len(data["x"])):
        off = slope * s**2 + data["cxy"][i]
        cov = [[s**2 + data["vx"][i], off],
               [off, slope**2 * s**2 + t**2 + data["vy"][i]]]  # fmt: skip
        centre = [mean, intercept + slope * mean]
        total += stats.multivariate_normal.logpdf([data["x"][i], data["y"][i]], centre, cov)
    return -total


def test_the_slow_likelihood_agrees_and_falls_by_the_right_amount_at_the_slopes_limits() -> None:
    found = fitted("bcg")
    at = [found.slope, found.intercept, found.mean[0], found.between[0, 0] ** 0.5, found.tau2**0.5]
    top = -slow(np.array(at))
    assert top == pytest.approx(found.loglik, rel=1e-12)
    for end in (found.slope_low, found.slope_high):
        profile = optimize.minimize(
            lambda p, b=end: slow(np.array([b, *p])), at[1:], method="Nelder-Mead",
            options={"xatol": 1e-6, "fatol": 1e-9, "maxfev": 4000},
        )  # fmt: skip
        assert 2 * (top + profile.fun) == pytest.approx(3.8414588, abs=1e-4)


def test_a_slope_the_data_leave_open_has_infinite_limits() -> None:
    found = fitted("berkey")
    assert (found.slope_low, found.slope_high) == (-np.inf, np.inf)
    assert (found.r2_low, found.r2_high) == (0.0, 1.0)


def test_units_of_the_marker_change_the_slope_alone() -> None:
    data = PINNED["data"]["bcg"]
    x, vx = 3 * np.array(data["x"]) + 2, 9 * np.array(data["vx"])
    one, two = fitted("bcg"), bivariate_effects(x, vx, data["y"], data["vy"])
    assert two.slope == pytest.approx(one.slope / 3, rel=OPTIMISED)
    assert two.r2 == pytest.approx(one.r2, rel=OPTIMISED)
    assert two.tau2 == pytest.approx(one.tau2, rel=OPTIMISED)


def test_order_and_direction_do_not_matter() -> None:
    data = {c: np.array(v)[::-1] for c, v in PINNED["data"]["bcg"].items() if c != "study"}
    one = fitted("bcg")
    two = bivariate_effects(data["x"], data["vx"], data["y"], data["vy"])
    other = bivariate_effects(data["y"], data["vy"], data["x"], data["vx"])
    assert two.slope == pytest.approx(one.slope, rel=OPTIMISED)
    assert other.r2 == pytest.approx(one.r2, rel=OPTIMISED)
    assert other.loglik == pytest.approx(one.loglik, rel=1e-10)


def test_without_error_it_is_least_squares() -> None:
    rng = np.random.default_rng(5)
    x = rng.normal(size=30)
    y = 0.3 - 0.7 * x + 0.2 * rng.normal(size=30)
    tiny = np.full(30, 1e-12)
    found = bivariate_effects(x, tiny, y, tiny)
    plain = stats.linregress(x, y)
    assert found.slope == pytest.approx(plain.slope, rel=OPTIMISED)
    assert found.intercept == pytest.approx(plain.intercept, rel=OPTIMISED)
    assert found.r2 == pytest.approx(plain.rvalue**2, rel=OPTIMISED)


def test_a_marker_that_does_not_vary_is_refused_by_name() -> None:
    with pytest.raises(ConvergenceError, match="do not vary"):
        bivariate_effects([1, 1.01, 0.99, 1], [1.0] * 4, [0, -0.1, 0.1, 0.05], [1.0] * 4)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"x": [1, 2, 3]}, "too few|values where"),
        ({"vx": [0.1, -0.1, 0.1, 0.1]}, "row 2, column 'vx'"),
        ({"y": [0, np.nan, 1, 2]}, "row 2, column 'y', value missing"),
        ({"correlation": [0.1, 0.2]}, "1 or 4"),
        ({"correlation": [0, 0, 1.0, 0]}, "row 3 .*column 'correlation'"),
        ({"studies": ["a", "b", "a", "c"]}, "one trial twice"),
        ({"level": 95}, "level"),
    ],
)
def test_bad_input_is_one_line(changes: dict[str, Any], match: str) -> None:
    good: dict[str, Any] = {"x": [0, 1, 2, 3.5], "vx": [0.1] * 4, "y": [0, -1, -1, -2],
                            "vy": [0.1] * 4}  # fmt: skip
    with pytest.raises(DataError, match=match):
        bivariate_effects(**{**good, **changes})


def test_the_result_is_json_ready_and_frames_like_the_other_lines() -> None:
    from metablin.mrd import surrogacy

    found = fitted("bcg")
    data = PINNED["data"]["bcg"]
    lines = surrogacy(data["x"], data["vx"], data["y"], data["vy"], draws=2).to_frame()
    assert set(found.to_frame().columns) <= set(lines.columns)
    assert found.to_dict()["correlation"] == found.correlation
