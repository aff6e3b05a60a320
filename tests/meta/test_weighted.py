"""Given weights, and the interval of Henmi and Copas: metafor, slow versions, invariances."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate, stats

import metablin as mb
from metablin.meta.normal.henmi_copas import pivot_of
from tests.reference import pinned

REFERENCE = pinned("breadth_normal")
SETS = REFERENCE["moments"]
CLOSED = 1e-12  # closed forms on both sides
# R's integrate() stops at 1e-4 of its error bound; what is left of it shows in the eighth digit.
INTEGRATED = 2e-7
SAME = 1e-10  # rounding through another order of sums


def effects(data: str) -> mb.EffectSizes:
    return mb.generic(SETS[data]["yi"], SETS[data]["vi"])


@pytest.mark.parametrize("kind", ["equal_fixed", "equal_random", "user_fixed", "user_random",
                                  "user_t"])  # fmt: skip
@pytest.mark.parametrize("data", SETS)
def test_given_weights_agree_with_metafor(data: str, kind: str) -> None:
    e, cell = effects(data), REFERENCE["weighted"][data][kind]
    fit = mb.pool(
        e,
        model="weighted",
        tau2=0 if kind.endswith("fixed") else "DL",
        ci="t" if kind.endswith("t") else "z",
        weights="equal" if kind.startswith("equal") else np.arange(1, e.k + 1),
    )
    inner = fit.analysis
    got = [inner.estimate, inner.std_error, inner.conf_low, inner.conf_high, fit.tau2]
    names = ("estimate", "std_error", "conf_low", "conf_high", "tau2")
    assert got == pytest.approx([cell[n] for n in names], rel=CLOSED, abs=CLOSED)


def test_miller_1978_is_the_plain_mean_of_the_double_arcsines() -> None:
    e = mb.proportions([3, 6, 10, 1], [11, 17, 21, 6], transform="freeman-tukey")
    fit = mb.pool(e, model="weighted", tau2=0)
    assert fit.analysis.estimate == pytest.approx(float(np.mean(e.yi)), rel=CLOSED)
    assert fit.analysis.std_error == pytest.approx(math.sqrt(e.vi.sum()) / e.k, rel=CLOSED)
    assert fit.estimate == pytest.approx(float(e.back([np.mean(e.yi)])[0]), rel=CLOSED)


def test_the_weights_of_the_variances_give_the_usual_pool() -> None:
    e = effects("bcg")
    usual = mb.pool(e, tau2="REML", ci="z")
    fit = mb.pool(e, model="weighted", tau2="REML", weights=7 * usual.weights)
    assert fit.estimate == pytest.approx(usual.estimate, rel=SAME)
    assert fit.analysis.std_error == pytest.approx(usual.analysis.std_error, rel=SAME)


def test_a_study_of_no_weight_moves_the_mean_nowhere() -> None:
    e = mb.generic([0.1, 0.5, 9.0], [0.04, 0.05, 0.03])
    fit = mb.pool(e, model="weighted", tau2=0, weights=[1, 1, 0])
    assert fit.estimate == pytest.approx(0.3, rel=CLOSED)


@pytest.mark.parametrize(
    ("weights", "word"),
    [([1, -1, 1], "weights"), ([0, 0, 0], "weight"), ([1, 2], "rows"), ("size", "equal"),
     (3.0, "row")],
)  # fmt: skip
def test_weights_that_are_none_are_named(weights: object, word: str) -> None:
    e = mb.generic([0.1, 0.5, 0.9], [0.04, 0.05, 0.03])
    with pytest.raises(mb.DataError, match=word):
        mb.pool(e, model="weighted", weights=weights)


@pytest.mark.parametrize("data", SETS)
def test_henmi_and_copas_agree_with_metafor(data: str) -> None:
    cell = REFERENCE["henmi_copas"][data]
    fit = mb.pool(effects(data), model="henmi-copas")
    assert fit.tau2 == pytest.approx(cell["tau2"], rel=CLOSED)
    assert fit.analysis.std_error == pytest.approx(cell["std_error"], rel=CLOSED)
    for name in ("estimate", "conf_low", "conf_high"):
        assert getattr(fit, name) == pytest.approx(cell[name], rel=INTEGRATED), name


@pytest.mark.parametrize("t", [0.5, 1.9, 4.0])
def test_the_tail_is_that_of_direct_integration(t: float) -> None:
    v, tau2 = np.array([0.04, 0.2, 0.5, 0.1]), 0.15
    p = pivot_of(v, tau2)
    w = 1 / v
    w1, w2 = w.sum(), (w**2).sum() / w.sum()

    def beyond(r: float) -> float:
        mean, variance = p.mean + p.mean_r2 * r**2, p.variance + p.variance_r2 * r**2
        bound = 3 + (w1 - w2) / w2 * (r**2 * (1 + tau2 * w2) / t**2 - 1)
        gamma = stats.gamma(mean**2 / variance, scale=variance / mean)
        return float(gamma.cdf(bound) * stats.norm.pdf(r))

    at = t / math.sqrt(1 + tau2 * w2)
    direct = 2 * integrate.quad(beyond, at, 12, epsabs=1e-13, limit=400)[0]
    assert p.tail(t) == pytest.approx(direct, rel=1e-8)


def test_the_moments_of_q_are_those_of_drawn_studies() -> None:
    v, tau2, n = np.array([0.04, 0.2, 0.5, 0.1]), 0.15, 200_000
    p = pivot_of(v, tau2)
    y = np.random.default_rng(7).normal(size=(n, 4)) * np.sqrt(v + tau2)
    w = 1 / v
    mean = y @ w / w.sum()
    q = ((y - mean[:, None]) ** 2) @ w
    r2 = (mean * math.sqrt(w.sum() / p.spread)) ** 2
    slope = np.cov(q, r2)[0, 1] / r2.var()
    # five standard errors of the simulation
    assert slope == pytest.approx(p.mean_r2, abs=5 * q.std() / math.sqrt(2 * n))
    residual = (q - p.mean - p.mean_r2 * r2) ** 2 - p.variance - p.variance_r2 * r2
    assert residual.mean() == pytest.approx(0, abs=5 * residual.std() / math.sqrt(n))


def test_equal_variances_and_scale_leave_henmi_and_copas_alone() -> None:
    e = effects("collins1985b")
    one = mb.pool(e, model="henmi-copas")
    two = mb.pool(mb.generic(-10 * e.yi, 100 * e.vi), model="henmi-copas")
    assert [two.conf_low, two.conf_high] == pytest.approx(
        [-10 * one.conf_high, -10 * one.conf_low], rel=1e-9
    )
    assert two.p_value == pytest.approx(one.p_value, rel=1e-9)


def test_the_p_value_and_the_interval_of_henmi_and_copas_agree() -> None:
    e = effects("bcg")
    p = mb.pool(e, model="henmi-copas").p_value
    edge = mb.pool(e, model="henmi-copas", level=1 - p)
    assert edge.conf_high == pytest.approx(0, abs=1e-9)


def test_henmi_and_copas_need_two_studies() -> None:
    with pytest.raises(mb.DataError, match="two studies"):
        mb.pool(mb.generic([0.1], [0.2]), model="henmi-copas")


def test_equal_variances_have_a_pivot() -> None:
    fit = mb.pool(mb.generic([0.1, 0.4, 0.9], [0.1] * 3), model="henmi-copas")
    assert fit.conf_low < fit.estimate < fit.conf_high


def test_subgroups_take_their_own_rows_of_the_weights() -> None:
    e = mb.generic([0.1, 0.5, 0.9, 0.2], [0.04, 0.05, 0.03, 0.04])
    fit = mb.pool(e, model="weighted", tau2=0, weights=[1, 3, 1, 4], by=["a", "b", "a", "b"])
    assert fit.subgroups["b"].estimate == pytest.approx((3 * 0.5 + 4 * 0.2) / 7, rel=CLOSED)


def test_given_weights_are_not_forgotten_when_a_study_is_left_out() -> None:
    e = mb.generic([0.1, 0.5, 0.9, 0.2], [0.04, 0.05, 0.03, 0.04])
    fit = mb.pool(e, model="weighted", tau2=0, weights=[1, 3, 1, 4])
    with pytest.raises(mb.DataError, match="options of its model"):
        mb.leave_one_out(fit)
