"""Prediction intervals, Kenward-Roger and median-unbiased PM against meta, pimeta, metafor."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special, stats

import metablin as mb
from metablin.meta.normal.prediction import (
    kenward_roger,
    nagashima,
    prediction_limits,
    sidik_jonkman_variance,
)
from metablin.numerics.chi2_sums import chi2_sum_cdf, q_weights
from metablin.numerics.gls import gls_at
from metablin.numerics.tau2 import estimate_tau2
from tests.reference import pinned

CELLS = pinned("prediction")["cells"]

CLOSED_FORM = 1e-9
"""Given tau2, which both iterate to 1e-13, the rest is closed."""
DRAWS = 0.02
"""50,000 draws leave this share of the width of an interval open."""


def data(cell):
    return np.array(cell["yi"]), np.array(cell["vi"])


@pytest.mark.parametrize("name", CELLS)
def test_kenward_roger_is_metas(name):
    cell = CELLS[name]
    e = mb.generic(*data(cell))
    fit = mb.pool(e, ci="kenward-roger", prediction="kenward-roger")
    found = [fit.analysis.std_error, fit.df, fit.conf_low, fit.conf_high]
    assert found == pytest.approx(cell["kr"], rel=1e-6)  # meta passes no tighter stop rule on
    if not cell.get("kr_predict"):
        assert np.isnan(fit.pred_low)
        assert any("degrees of freedom by Kenward" in note for note in fit.notes)
    else:
        assert [fit.pred_low, fit.pred_high] == pytest.approx(cell["kr_predict"], rel=1e-5)


@pytest.mark.parametrize("name", CELLS)
def test_sidik_and_jonkmans_prediction_is_pimetas(name):
    y, v = data(CELLS[name])
    sj = CELLS[name]["sj"]
    limits, _ = prediction_limits("sidik-jonkman", y, v, sj["tau2"], 0.95)
    assert limits == pytest.approx(sj["predict"], rel=CLOSED_FORM)


@pytest.mark.parametrize("name", [n for n in CELLS if CELLS[n].get("boot")])
def test_nagashimas_interval_is_the_limit_of_pimetas_draws(name):
    cell = CELLS[name]
    low, high = nagashima(*data(cell), 0.95)
    assert [low, high] == pytest.approx(cell["boot"], abs=DRAWS * (high - low))


@pytest.mark.parametrize("name", CELLS)
def test_the_median_unbiased_estimator_is_metafors(name):
    y, v = data(CELLS[name])
    assert float(estimate_tau2("PMM", y, v)) == pytest.approx(CELLS[name]["pmm"], rel=1e-10)


def test_half_of_the_median_unbiased_estimates_are_too_small():
    rng = np.random.default_rng(7)
    v = np.array([0.1, 0.2, 0.05, 0.4, 0.15])
    y = rng.normal(0, np.sqrt(v + 0.3), (4000, 5))
    found = estimate_tau2("PMM", y, np.broadcast_to(v, y.shape))
    assert float((found < 0.3).mean()) == pytest.approx(0.5, abs=0.025)  # three standard errors


@pytest.mark.parametrize("weights", [[1, 1, 1, 1], [0.2, 1, 5], [3.0], [0.01, 1]])
def test_sums_of_chi_squares_have_their_distribution(weights):
    w = np.array(weights, dtype=float)
    if np.ptp(w) == 0:
        assert chi2_sum_cdf(4.2, w) == pytest.approx(stats.chi2(len(w)).cdf(4.2 / w[0]), abs=1e-9)
    rng = np.random.default_rng(5)
    draws = rng.chisquare(1, (200_000, len(w))) @ w
    for share in (0.05, 0.5, 0.95):
        x = float(np.quantile(draws, share))
        assert chi2_sum_cdf(x, w) == pytest.approx(share, abs=0.003)


def test_weights_of_q_have_its_mean():
    v, tau2 = np.array([0.1, 0.2, 0.05, 0.4]), 0.3
    w = 1 / v
    expected = 3 + tau2 * (w.sum() - (w**2).sum() / w.sum())
    assert q_weights(v, tau2).sum() == pytest.approx(expected)


def test_nagashima_by_plain_draws_from_the_definition():
    y, v = np.array([0.1, 0.5, 0.9, 0.2, 0.6]), np.array([0.04, 0.05, 0.03, 0.04, 0.2])
    rng = np.random.default_rng(2)
    grid = np.concatenate([[0.0], np.geomspace(1e-5, 1e3, 400)])
    q = float(gls_at(y, v, 0.0).rss)
    heights = [1 - chi2_sum_cdf(q, q_weights(v, t)) for t in grid]
    tau2 = np.interp(rng.random(200_000), heights, grid)
    w = 1 / (v + tau2[:, None])
    mu = w @ y / w.sum(1)
    se = np.sqrt((w * (y - mu[:, None]) ** 2).sum(1) / (4 * w.sum(1)))
    draws = mu + rng.normal(size=200_000) * np.sqrt(tau2) - rng.standard_t(4, 200_000) * se
    low, high = nagashima(y, v, 0.9)
    expected = np.quantile(draws, [0.05, 0.95])
    assert [low, high] == pytest.approx(expected, abs=0.01 * (high - low))


def test_equal_variances_make_kenward_roger_hartung_and_knapp_like():
    """With equal v the mean is the plain one: k - 1 degrees of freedom, variance (v + tau2) / k."""
    variance, df = kenward_roger(np.full(6, 0.1), 0.2)
    assert variance == pytest.approx(0.3 / 6)
    assert df == pytest.approx(5)
    y = np.array([0.1, 0.5, 0.9, 0.2, 0.6, 0.4])
    assert sidik_jonkman_variance(y, np.full(6, 0.1), 0.2) == pytest.approx(y.var(ddof=1) / 6)


def test_kinds_of_prediction_intervals_through_pool():
    e = mb.hazard_ratios([0.7, 0.5, 0.9, 0.6], [0.5, 0.3, 0.6, 0.4], [1.0, 0.8, 1.3, 0.9])
    widths = {}
    for kind in ("match", "hts", "kenward-roger", "sidik-jonkman", "nagashima"):
        fit = mb.pool(e, prediction=kind)
        widths[kind] = fit.pred_high - fit.pred_low
        assert fit.pred_low < fit.estimate < fit.pred_high
    assert len({round(w, 6) for w in widths.values()}) == 5
    two = mb.pool(e.select([0, 1]), prediction="nagashima")
    assert np.isnan(two.pred_low)
    assert any("needs 3 studies" in note for note in two.notes)


def test_kenward_roger_rests_on_reml_and_a_mean_alone():
    e = mb.generic([0.1, 0.5, 0.9, 0.2], [0.04, 0.05, 0.03, 0.04])
    for kwargs in ({"ci": "kenward-roger"}, {"prediction": "kenward-roger"}):
        with pytest.raises(mb.DataError, match="rests on REML"):
            mb.pool(e, tau2="DL", **kwargs)
    with pytest.raises(mb.DataError, match="'kenward-roger'"):
        mb.pool(e, ci="kenward-roger", moderators="x", data={"x": [1, 2, 3, 4]})
    fit = mb.pool(e, ci="KR")
    p = 2 * special.stdtr(fit.df, -abs(fit.statistic))
    assert fit.p_value == pytest.approx(p)
    assert mb.leave_one_out(fit).to_frame().shape[0] >= 4
