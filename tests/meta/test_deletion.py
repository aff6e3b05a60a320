"""Fits without each study from sums, against refits on masks, in memory linear in the studies."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import metablin as mb
from metablin.meta.checks.deletion import FAST_FROM, covariance_at, without_each
from metablin.meta.checks.refit import Spec, refit
from metablin.numerics.gls import gls
from metablin.numerics.tau2 import TAU2_METHODS

ROUNDING = 1e-9
"""Sums less one term lose digits in proportion to the share of that term, at most one half."""

K = FAST_FROM + 40
FIELDS = ("estimate", "std_error", "p_value", "conf_low", "conf_high", "pred_low", "tau2", "i2",
          "h2", "q", "q_p")  # fmt: skip


def data(kind, k=K, seed=3):
    rng = np.random.default_rng(seed)
    v = rng.uniform(0.01, 0.5, k)
    if kind == "wide":
        v = np.exp(rng.normal(-3, 2.5, k))
    if kind == "dominant":
        v[7] = 1e-9
    y = rng.normal(3.0, np.sqrt(v + {"homogeneous": 0.0, "spread": 40.0}.get(kind, 0.1)))
    if kind == "outlier":
        y[11] = 60.0
    if kind == "equal but one":
        y = np.where(np.arange(k) == 5, 4.0, 3.0)
    return y, v


KINDS = ("usual", "homogeneous", "spread", "wide", "dominant", "outlier", "equal but one")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", [*TAU2_METHODS, None, 0.2])
def test_sums_agree_with_refits(kind, method):
    y, v = data(kind)
    name, known = (None, method) if isinstance(method, float) else (method, None)
    spec = Spec(name, known, "hksj", 0.95)
    fast = without_each(y, v, spec)
    slow = refit(y, v, ~np.eye(K, dtype=bool), spec)
    scale = float(np.abs(y).max())
    for field in FIELDS:
        a, b = getattr(fast, field), getattr(slow, field)
        np.testing.assert_allclose(a, b, rtol=ROUNDING, atol=ROUNDING * scale, err_msg=field)


@settings(max_examples=20, deadline=None)
@given(
    st.integers(0, 10**6),
    st.sampled_from(TAU2_METHODS),
    st.floats(-6, 3),
    st.floats(0, 3),
    st.sampled_from(["z", "t", "hksj", "hksj-adhoc"]),
)
def test_any_data_agree(seed, method, scale, spread, ci):
    rng = np.random.default_rng(seed)
    v = np.exp(scale + spread * rng.normal(size=FAST_FROM))
    y = rng.normal(0, np.sqrt(v + np.exp(scale) * rng.choice([0.0, 1.0, 10.0])))
    spec = Spec(method, None, ci, 0.95)
    fast = without_each(y, v, spec)
    slow = refit(y, v, ~np.eye(FAST_FROM, dtype=bool), spec)
    np.testing.assert_allclose(fast.tau2, slow.tau2, rtol=1e-8, atol=1e-9 * float(v.mean()))
    np.testing.assert_allclose(fast.std_error, slow.std_error, rtol=1e-8)
    np.testing.assert_allclose(fast.estimate, slow.estimate, rtol=1e-8, atol=1e-9)


def test_the_unit_and_the_order_do_not_matter():
    y, v = data("usual")
    spec = Spec("REML", None, "z", 0.95)
    one = without_each(y, v, spec)
    far = without_each(1e3 * y + 1e5, 1e6 * v, spec)
    np.testing.assert_allclose(far.tau2, 1e6 * one.tau2, rtol=1e-8)
    turn = np.random.default_rng(1).permutation(K)
    np.testing.assert_allclose(without_each(y[turn], v[turn], spec).tau2, one.tau2[turn], rtol=1e-9)


@pytest.mark.parametrize("k", [50, K])
def test_covariances_at_many_tau2(k):
    _, v = data("wide", k)
    tau2 = np.linspace(0.0, 3.0, 17)
    slow = np.array([gls(np.zeros(k), 1 / (v + t)).cov for t in tau2])
    np.testing.assert_allclose(covariance_at(v, tau2), slow, rtol=1e-12)


CALLS = {
    "leave_one_out": mb.leave_one_out,
    "influence": mb.influence,
    "baujat": mb.baujat,
    "cumulative": mb.cumulative,
}


@pytest.mark.parametrize("name", CALLS)
def test_memory_is_linear(name):
    k = 3000
    y, v = data("usual", k)
    fit = mb.pool(mb.generic(y, v), tau2="DL")
    tracemalloc.start()
    CALLS[name](fit)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # A matrix of all pairs of studies alone would take 72 MB; cumulative works through chunks.
    assert peak < (80e6 if name == "cumulative" else 15e6)


def test_subsets_can_be_asked_for():
    y, v = data("usual", 5)
    fit = mb.pool(mb.generic(y, v))
    np.testing.assert_array_equal(mb.leave_one_out(fit).keep, ~np.eye(5, dtype=bool))
    grown = mb.cumulative(fit, order=[3, 1, 2, 5, 4]).keep
    np.testing.assert_array_equal(grown[0], [False, True, False, False, False])
    np.testing.assert_array_equal(grown[2], [True, True, True, False, False])
    assert grown[-1].all()
