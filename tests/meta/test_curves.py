"""Pooled survival curves: identities, the method of moments slowly, and a simulation."""

import numpy as np
import pytest

from metablin.errors import DataError
from metablin.meta.survival.curves import (
    between_covariance,
    combine_pooled_curves,
    conditional_survival,
    log_cumulative_hazard,
    pool_curves,
)
from metablin.meta.survival.pooled_curve import falling
from metablin.plots.km import pooled_curve
from metablin.survival import kaplan_meier


def trials(k, sd, seed, n=80):
    rng = np.random.default_rng(seed)
    out = {}
    for i in range(k):
        time = rng.exponential(12.0 * np.exp(rng.normal(0, sd)), n)
        censor = rng.uniform(12.0, 48.0, n)
        out[f"trial {i}"] = kaplan_meier(np.minimum(time, censor), (time <= censor).astype(int))
    return out


def test_identical_trials_give_their_own_curve_without_heterogeneity():
    one = next(iter(trials(1, 0.0, 1, n=2000).values()))
    times = [6.0, 12.0, 18.0]
    found = pool_curves({"a": one, "b": one, "c": one}, times)
    np.testing.assert_allclose(found.survival, one.survival_at(times)["estimate"], atol=2e-3)
    assert found.i2.tolist() == [0.0, 0.0, 0.0]
    pointwise = pool_curves({"a": one, "b": one, "c": one}, times, method="pointwise")
    np.testing.assert_allclose(pointwise.survival, one.survival_at(times)["estimate"], rtol=1e-9)


def test_conditional_survivals_multiply_to_the_curve():
    curve = trials(1, 0.0, 2)["trial 0"]
    grid = np.array([3.0, 6.0, 12.0])
    p, n = conditional_survival(curve, grid)
    np.testing.assert_allclose(np.cumprod(p), curve.survival_at(grid)["estimate"])
    rows = curve.at_risk([0.0, 3.0, 6.0])
    assert n[0] == 80 - 0.5 * rows["n_censored"].iloc[1]


def diagonal(v):
    return v[:, :, None] * np.eye(v.shape[1])


def slow_between(y, v, seen):
    """One pair of intervals after the other, as the paper writes it."""
    g = y.shape[1]
    out = np.zeros((g, g))
    for j in range(g):
        for m in range(g):
            both = seen[:, j] & seen[:, m]
            w = 1 / np.sqrt(v[both, j] * v[both, m])
            a, b = y[both, j], y[both, m]
            q = np.sum(w * (a - np.average(a, weights=w)) * (b - np.average(b, weights=w)))
            sampling = both.sum() - 1 if j == m else 0.0
            out[j, m] = (q - sampling) / (w.sum() - (w**2).sum() / w.sum())
    values, vectors = np.linalg.eigh(out)
    return (vectors * np.maximum(values, 0)) @ vectors.T


def test_the_covariance_is_the_slow_one_and_has_dersimonian_lairds_diagonal():
    rng = np.random.default_rng(4)
    y = rng.normal(0, 1, (9, 3)) @ np.array([[1, 0.5, 0.2], [0, 1, 0.5], [0, 0, 1]])
    v = rng.uniform(0.05, 0.2, (9, 3))
    seen = np.ones((9, 3), bool)
    seen[0, 2] = seen[1, 1] = seen[1, 2] = False
    found = between_covariance(y, diagonal(v), seen)
    np.testing.assert_allclose(found, slow_between(y, v, seen))
    w = 1 / v[:, :1]
    q = np.sum(w * (y[:, :1] - np.average(y[:, 0], weights=w[:, 0])) ** 2)
    tau2 = (q - 8) / (w.sum() - (w**2).sum() / w.sum())
    one = between_covariance(y[:, :1], diagonal(v[:, :1]), seen[:, :1])
    assert one[0, 0] == pytest.approx(tau2)


def test_the_order_of_trials_and_the_unit_of_time_do_not_matter():
    some = trials(6, 0.3, 5)
    times = np.array([4.0, 8.0, 16.0])
    a = pool_curves(some, times)
    b = pool_curves(dict(reversed(some.items())), times)
    np.testing.assert_allclose(a.to_frame(), b.to_frame())
    assert a.median()["estimate"].iloc[0] == pytest.approx(b.median()["estimate"].iloc[0])


def test_bands_contain_each_other_and_landmarks_lie_on_the_curve():
    found = pool_curves(trials(10, 0.4, 6))
    frame = found.to_frame()
    assert (frame["pred_low"] <= frame["conf_low"]).all()
    assert (frame["conf_low"] <= frame["survival"]).all()
    assert (frame["survival"] <= frame["conf_high"]).all()
    assert (frame["conf_high"] <= frame["pred_high"]).all()
    assert frame["survival"].is_monotonic_decreasing
    assert found.i2[-1] > 0.2
    at = found.at(found.time[[1, 3]])
    np.testing.assert_allclose(at["estimate"], found.survival[[1, 3]])
    m = found.median().iloc[0]
    assert found.at([m["estimate"]])["estimate"].iloc[0] == pytest.approx(0.5)
    assert m["conf_low"] < m["estimate"] < m["conf_high"]


@pytest.mark.parametrize("method", ["combescure", "pointwise", "parametric"])
def test_bands_cover_the_curve_they_are_for(method):
    times = np.array([6.0, 12.0, 24.0])
    truth = np.exp(-times / 12.0)
    inside = np.zeros((60, 3))
    for i in range(60):
        found = pool_curves(trials(8, 0.3, 100 + i, n=60), times, method=method)
        inside[i] = (found.conf_low <= truth) & (truth <= found.conf_high)
    # 60 runs: 0.95 less three Monte-Carlo errors is 0.866.
    assert (inside.mean(axis=0) > 0.86).all()


def test_trials_with_short_follow_up_tell_about_early_intervals():
    some = trials(5, 0.2, 8)
    short = some["trial 0"]
    early = kaplan_meier([2.0, 3.0, 5.0, 5.5], [1, 1, 0, 0])
    found = pool_curves({**some, "short": early}, [4.0, 8.0, 16.0])
    assert found.k.tolist() == [6, 5, 5]
    assert short.n == 80


def test_sampling_covariance_is_taken_out_of_the_between_trial_covariance():
    # Trials with one true effect and correlated errors: nothing is left between them.
    rng = np.random.default_rng(7)
    error = np.array([[0.04, 0.03], [0.03, 0.04]])
    found = np.zeros((2, 2))
    for _ in range(200):
        y = rng.multivariate_normal([0, 0], error + 0.02 * np.eye(2), 30)
        found += between_covariance(y, np.tile(error, (30, 1, 1)), np.ones((30, 2), bool)) / 200
    np.testing.assert_allclose(found, 0.02 * np.eye(2), atol=0.004)


def test_a_parametric_curve_follows_its_family():
    some = trials(12, 0.2, 21)
    found = pool_curves(some, [3.0, 12.0, 24.0], method="parametric", family="exponential")
    rates = -np.log(found.survival) / found.time
    np.testing.assert_allclose(rates, rates[0])
    assert rates[0] == pytest.approx(1 / 12, rel=0.2)
    with pytest.raises(DataError, match="simple families"):
        pool_curves(some, [3.0], method="parametric", family="rp-hazard-2")


def test_draws_widen_the_bands_of_a_pooled_curve():
    times = [6.0, 12.0]
    draws = [pool_curves(trials(6, 0.2, seed), times) for seed in (31, 32, 33)]
    combined, share = combine_pooled_curves(draws)
    assert ((share > 0) & (share < 1)).all()
    same, none = combine_pooled_curves([draws[0], draws[0]])
    np.testing.assert_allclose(none, 0.0)
    np.testing.assert_allclose(same.to_frame(), draws[0].to_frame())
    scaled = np.log(-np.log([d.survival for d in draws]))
    np.testing.assert_allclose(np.log(-np.log(combined.survival)), scaled.mean(axis=0))
    within = np.mean([d.std_error**2 for d in draws], axis=0)
    total = within + (4 / 3) * scaled.var(axis=0, ddof=1)
    np.testing.assert_allclose(combined.std_error**2, total)
    assert (combined.conf_low < combined.survival).all()


def test_combined_limits_fall_although_draws_differ_more_at_some_times():
    times = [3.0, 6.0, 9.0, 12.0, 18.0]
    draws = [pool_curves(trials(4, 0.3, seed, n=25), times) for seed in range(60, 65)]
    combined, _ = combine_pooled_curves(draws)
    for name in ("survival", "conf_low", "conf_high", "pred_low", "pred_high"):
        assert (np.diff(getattr(combined, name)) <= 0).all(), name


def test_limits_hold_for_earlier_and_later_times_and_stay_beside_the_curve():
    curve = np.array([0.9, 0.5, 0.5, 0.4])
    low, high = falling(
        curve, np.array([0.2, 0.3, 0.55, np.nan]), np.array([0.95, 0.7, 0.8, np.nan])
    )
    np.testing.assert_array_equal(low, [0.55, 0.5, 0.5, np.nan])
    np.testing.assert_array_equal(high, [0.95, 0.7, 0.7, np.nan])


def test_a_curve_at_1_or_0_keeps_its_trial():
    # Half an event among those at risk: log hazard of 1/2, variance 1/(1/2) for many patients.
    early = kaplan_meier(np.arange(1001.0, 2001.0), np.ones(1000))
    y, v = log_cumulative_hazard(early, np.array([500.0]))
    assert np.exp(y[0]) == pytest.approx(0.5 / 1000, rel=1e-3)
    assert v[0] == pytest.approx(2.0, rel=1e-3)
    # 1/2 of the last one of four lives on: S = 1/2 * 1/4 ... by Greenwood with the same half.
    ended = kaplan_meier([1.0, 2.0, 3.0, 4.0], [1, 1, 1, 1])
    y, v = log_cumulative_hazard(ended, np.array([3.0, 5.0]))
    log_s = np.log(0.25) + np.log(0.5 / 2.0)
    assert y[1] == pytest.approx(np.log(-log_s))
    greenwood = 1 / (4 * 3) + 1 / (3 * 2) + 1 / (2 * 1) + 1.5 / (2 * 0.5)
    assert v[1] == pytest.approx(greenwood / log_s**2)
    some = {**trials(4, 0.2, 12), "none yet": early}
    assert pool_curves(some, [6.0], method="pointwise").k.tolist() == [5]


def test_the_figure_shows_both_bands():
    some = trials(5, 0.2, 9)
    found = pool_curves(some)
    ax = pooled_curve(found, trials=list(some.values()))
    names = {t.get_text() for t in ax.get_legend().get_texts()}
    assert names == {"mean", "mean, interval", "new trial"}
    assert found.plot().get_ylabel() == "Survival"


def test_bad_requests_are_named():
    some = trials(2, 0.1, 3)
    with pytest.raises(DataError, match="two or more"):
        pool_curves({"a": some["trial 0"]})
    open_ended = kaplan_meier([2.0, 4.0, 9.0], [1, 1, 0])
    with pytest.raises(DataError, match=r"fewer than two trials.*at most 9"):
        pool_curves({"a": open_ended, "b": open_ended}, [5.0, 500.0])
    with pytest.raises(DataError, match="no times"):
        pool_curves(some, [])
    with pytest.raises(DataError, match=r"study b, value list: not a curve"):
        pool_curves({**some, "b": [1, 2]}, [3.0])
    with pytest.raises(DataError, match="combescure"):
        pool_curves(some, method="mean")


def test_the_result_speaks():
    found = pool_curves(trials(4, 0.2, 2), [6.0, 12.0])
    assert found.summary().startswith("4 trials, combescure: median")
    assert len(found.to_dict()["curve"]) == 2
