"""The helpers that every interval rests on, against scipy's distributions and by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from metablin.numerics.inference import (
    chi2_tail,
    critical,
    f_tail,
    hksj_factor,
    i2_h2,
    q_profile,
    two_sided,
    wald,
)

DIGITS = 1e-9
"""scipy's quantile of t is right to eleven digits only; the rest are closed forms."""

LEVELS = (0.5, 0.8, 0.95, 0.999)
FREEDOM = (0.5, 1.0, 2.0, 7.0, 300.0)


@pytest.mark.parametrize("level", LEVELS)
def test_critical_values_are_quantiles_of_t_and_normal(level: float) -> None:
    upper = (1 + level) / 2
    df = np.array([*FREEDOM, np.inf])
    expected = [*(stats.t.ppf(upper, d) for d in FREEDOM), stats.norm.ppf(upper)]
    np.testing.assert_allclose(critical(level, df), expected, rtol=DIGITS)
    assert float(critical(level)) == pytest.approx(stats.norm.ppf(upper), rel=DIGITS)
    assert float(critical(level, 1.0)) == pytest.approx(stats.t.ppf(upper, 1.0), rel=DIGITS)


def test_a_column_of_levels_gives_a_column_of_critical_values() -> None:
    level, df = np.array([[0.9], [0.95]]), np.array([3.0, np.inf])
    expected = [[stats.t.ppf(x, 3), stats.norm.ppf(x)] for x in (0.95, 0.975)]
    np.testing.assert_allclose(critical(level, df), expected, rtol=DIGITS)


def test_two_sided_p_values_are_twice_a_tail() -> None:
    statistic = np.array([-2.5, -0.3, 0.0, 1.0, 4.0])
    for df in FREEDOM:
        expected = 2 * stats.t.sf(np.abs(statistic), df)
        np.testing.assert_allclose(two_sided(statistic, df), expected, rtol=DIGITS)
    normal = 2 * stats.norm.sf(np.abs(statistic))
    np.testing.assert_allclose(two_sided(statistic), normal, rtol=DIGITS)
    np.testing.assert_allclose(two_sided(statistic, np.inf), normal, rtol=DIGITS)
    mixed = two_sided(np.array([2.0, 2.0]), np.array([np.inf, 1.0]))
    np.testing.assert_allclose(mixed, [2 * stats.norm.sf(2), 2 * stats.t.sf(2, 1)], rtol=DIGITS)


@pytest.mark.parametrize(("df", "law"), [(math.inf, stats.norm()), (4.0, stats.t(4))])
def test_wald_is_estimate_plus_and_minus_half_a_width(df: float, law: stats.rv_continuous) -> None:
    beta, cov = np.array([0.5, -1.0]), np.array([[0.04, 0.01], [0.01, 0.25]])
    found = wald(beta, cov, df, 0.9)
    error = np.array([0.2, 0.5])
    half = law.ppf(0.95) * error
    expected = {
        "std_error": error,
        "statistic": beta / error,
        "p_value": 2 * law.sf(np.abs(beta / error)),
        "conf_low": beta - half,
        "conf_high": beta + half,
    }
    assert list(found) == list(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=DIGITS, err_msg=name)
    one = wald(beta[:1], cov[:1, :1], df, 0.9)
    assert one["p_value"].shape == (1,)
    np.testing.assert_allclose(one["p_value"], expected["p_value"][:1], rtol=DIGITS)


def test_tails_of_chi_squared_and_f() -> None:
    q, df = np.array([0.0, 0.5, 3.0, 20.0]), np.array([1.0, 2.0, 3.0, 10.0])
    np.testing.assert_allclose(chi2_tail(q, df), stats.chi2.sf(q, df), rtol=DIGITS)
    np.testing.assert_allclose(chi2_tail(np.array([-1e-12, 3.0]), 1.0), [1.0, stats.chi2.sf(3, 1)])
    np.testing.assert_array_equal(chi2_tail(np.array([5.0, 0.0]), np.array([0.0, -1.0])), [1, 1])
    assert float(chi2_tail(1.5, 0.5)) == pytest.approx(stats.chi2.sf(1.5, 0.5), rel=DIGITS)
    for f in (0.3, 1.0, 4.0):
        assert float(f_tail(f, 2, 9)) == pytest.approx(stats.f.sf(f, 2, 9), rel=DIGITS)
    assert float(f_tail(-1e-12, 2, 9)) == 1.0


def test_hartung_and_knapp_scale_the_variance_both_ways_unless_ad_hoc() -> None:
    rss = np.array([2.0, 8.0])
    np.testing.assert_array_equal(hksj_factor(rss, 4), [0.5, 2.0])
    np.testing.assert_array_equal(hksj_factor(rss, 4, ad_hoc=False), [0.5, 2.0])
    np.testing.assert_array_equal(hksj_factor(rss, 4, ad_hoc=True), [1.0, 2.0])


def test_i2_is_the_share_of_tau2_beside_the_typical_variance_of_higgins_and_thompson() -> None:
    v = np.array([0.1, 0.2, 0.4, 0.05])
    w = 1 / v
    typical = (len(v) - 1) * w.sum() / (w.sum() ** 2 - (w**2).sum())
    i2, h2 = i2_h2(v, 0.3)
    assert float(i2) == pytest.approx(0.3 / (0.3 + typical), rel=DIGITS)
    assert float(h2) == pytest.approx(1 + 0.3 / typical, rel=DIGITS)
    x = np.column_stack([np.ones(4), [0.0, 1.0, 2.0, 5.0]])
    p = np.diag(w) - (w[:, None] * x) @ np.linalg.solve(x.T @ (w[:, None] * x), x.T * w)
    typical = 2 / np.trace(p)
    i2, h2 = i2_h2(v, 0.3, x)
    assert float(i2) == pytest.approx(0.3 / (0.3 + typical), rel=DIGITS)
    assert float(h2) == pytest.approx(1 + 0.3 / typical, rel=DIGITS)
    left_out, _ = i2_h2(np.array([*v, np.inf]), 0.3)
    assert float(left_out) == pytest.approx(float(i2_h2(v, 0.3)[0]), rel=DIGITS)


def test_limits_of_the_q_profile_put_q_at_its_quantiles() -> None:
    y, v = np.array([0.1, 0.9, -0.4, 1.6, 0.2]), np.array([0.04, 0.05, 0.03, 0.1, 0.02])
    x = np.column_stack([np.ones(5), [0.0, 1.0, 0.5, 2.0, 4.0]])
    for design, df in ((None, 4), (x, 3)):
        for limit, tail in zip(q_profile(y, v, 0.9, design), (0.95, 0.05), strict=True):
            w = 1 / (v + float(limit))
            each = np.ones((5, 1)) if design is None else design
            beta = np.linalg.solve(each.T @ (w[:, None] * each), each.T @ (w * y))
            q = float(w @ (y - each @ beta) ** 2)
            assert q == pytest.approx(stats.chi2.ppf(tail, df), rel=1e-8)
