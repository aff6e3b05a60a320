"""The sums behind deletions by themselves: ordinary studies need no refit, every sum is right."""

import numpy as np
import pytest

from metablin.numerics.deletion import Deletion, tau2_without_each
from metablin.numerics.tau2 import TAU2_METHODS, estimate_tau2

ROUNDING = 1e-10
"""Sums of forty ordinary studies less one lose two or three digits."""

K = 40
RNG = np.random.default_rng(11)
V = RNG.uniform(0.05, 0.3, K)
Y = RNG.normal(1.0, np.sqrt(V + 0.3))
OTHERS = ~np.eye(K, dtype=bool)


@pytest.mark.parametrize("method", TAU2_METHODS)
def test_ordinary_studies_need_no_refit(method):
    _, tau2, sure = tau2_without_each(method, Y, V, 0.0)
    assert sure.dtype == bool
    assert sure.all()
    expected = [float(estimate_tau2(method, Y[keep], V[keep])) for keep in OTHERS]
    np.testing.assert_allclose(tau2, expected, rtol=1e-9)
    assert min(expected) > 0.1


@pytest.mark.parametrize("method", TAU2_METHODS)
def test_studies_that_agree_need_no_refit_either(method):
    y = 1.0 + 0.01 * (Y - 1.0)
    _, tau2, sure = tau2_without_each(method, y, V, 0.0)
    assert sure.all()
    expected = [float(estimate_tau2(method, y[keep], V[keep])) for keep in OTHERS]
    np.testing.assert_allclose(tau2, expected, rtol=1e-8, atol=1e-12)


def test_a_known_tau2_stays():
    sums, tau2, sure = tau2_without_each(None, Y, V, 0.2)
    np.testing.assert_array_equal(tau2, np.full(K, 0.2))
    assert sure.all()
    assert sums.k == K


def test_only_the_study_that_holds_the_sum_is_refitted():
    v = V.copy()
    v[7] = 1e-4
    for method in TAU2_METHODS:
        _, _, sure = tau2_without_each(method, Y, v, 0.0)
        assert not sure[7], method
        assert np.delete(sure, 7).sum() >= K - 2, method
    assert Deletion(Y, v, 0.0).dominant(np.zeros(K)).tolist() == [i == 7 for i in range(K)]


@pytest.mark.parametrize("most", [0.0, 0.4, 50.0])
def test_every_sum_is_that_of_the_others(most):
    sums = Deletion(Y, V, most)
    tau2 = np.linspace(0.0, most, K)
    m = sums.at(tau2)
    for i, keep in enumerate(OTHERS):
        w, z = 1 / (V[keep] + tau2[i]), Y[keep] - sums.centre
        for r in (1, 2, 3):
            expected = [(w**r).sum(), (w**r * z).sum(), (w**r * z**2).sum()]
            found = [m.a[r - 1][i], m.b[r - 1][i], m.c[r - 1][i]]
            np.testing.assert_allclose(found, expected, rtol=ROUNDING, atol=ROUNDING * (w**r).sum())
        assert m.logs[i] == pytest.approx(np.log(w).sum(), rel=ROUNDING, abs=1e-9)
        p = np.diag(w) - np.outer(w, w) / w.sum()
        y = Y[keep]
        mean = w @ y / w.sum()
        assert m.mean[i] + sums.centre == pytest.approx(mean, rel=ROUNDING)
        for r in (1, 2, 3):
            assert m.squares(r)[i] == pytest.approx(w**r @ (y - mean) ** 2, rel=1e-8)
        assert m.trace_p[i] == pytest.approx(np.trace(p), rel=ROUNDING)
        assert m.trace_pp[i] == pytest.approx(np.trace(p @ p), rel=ROUNDING)
        assert m.y_ppp_y[i] == pytest.approx(y @ p @ p @ p @ y, rel=1e-7)
        height = (np.log(w).sum() - y @ p @ y) / 2
        assert m.log_likelihood(False)[i] == pytest.approx(height, rel=1e-9)
        restricted = height - np.log(w.sum()) / 2
        assert m.log_likelihood(True)[i] == pytest.approx(restricted, rel=1e-9)


def test_some_studies_can_be_asked_for_in_any_order():
    sums = Deletion(Y, V, 0.4)
    gone = np.array([5, 2, 5])
    tau2 = np.array([0.0, 0.1, 0.4])
    found = sums.at(tau2, gone)
    for j, i in enumerate(gone):
        whole = sums.at(np.full(K, tau2[j]))
        np.testing.assert_allclose(found.a[:, j], whole.a[:, i], rtol=1e-14)
        np.testing.assert_allclose(found.logs[j], whole.logs[i], rtol=1e-14)


def test_many_studies_are_summed_in_pieces():
    k = 3000
    v = RNG.uniform(0.05, 0.3, k)
    y = RNG.normal(size=k)
    m = Deletion(y, v, 1.0).at(np.full(k, 0.5))
    w = 1 / (v + 0.5)
    np.testing.assert_allclose(m.a[0], w.sum() - w, rtol=1e-12)
    np.testing.assert_allclose(m.a[2], (w**3).sum() - w**3, rtol=1e-12)
