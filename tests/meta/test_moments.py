"""Two-step estimators of tau2, Sidik-Jonkman from Hedges, and the interval of Sidik and Jonkman."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import metablin as mb
from tests.reference import pinned

MOMENTS = pinned("breadth_normal")["moments"]
METHODS = ("SJ-HE", "DL2", "CA2")
CLOSED = 1e-12  # closed forms on both sides
SAME = 1e-10  # rounding through another order of sums


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("data", MOMENTS)
def test_agrees_with_metafor(data: str, method: str) -> None:
    cell = MOMENTS[data]
    fit = mb.pool(mb.generic(cell["yi"], cell["vi"]), tau2=method)
    assert fit.tau2 == pytest.approx(cell[method], rel=CLOSED)


@pytest.mark.parametrize(("method", "name"), [("SJ", "sj_limits"), ("SJ-HE", "sj_he_limits")])
@pytest.mark.parametrize("data", MOMENTS)
def test_the_interval_agrees_with_the_formula_of_viechtbauer_2007(
    data: str, method: str, name: str
) -> None:
    cell = MOMENTS[data]
    fit = mb.pool(mb.generic(cell["yi"], cell["vi"]), tau2=method)
    got = mb.heterogeneity(fit, method="sidik-jonkman").to_frame().iloc[0]
    assert [got["conf_low"], got["conf_high"]] == pytest.approx(cell[name], rel=CLOSED)


def slow(y: np.ndarray, v: np.ndarray, x: np.ndarray, first: float) -> float:
    """Generalised moment estimator with dense matrices (DerSimonian and Kacker 2007)."""
    w = np.diag(1 / (v + first))
    p = w - w @ x @ np.linalg.inv(x.T @ w @ x) @ x.T @ w
    return max(float((y @ p @ y - np.trace(p @ np.diag(v))) / np.trace(p)), 0.0)


@pytest.mark.parametrize(("method", "first"), [("DL2", "DL"), ("CA2", "HE")])
def test_the_second_step_is_that_of_dense_matrices_with_moderators(method: str, first: str) -> None:
    cell = MOMENTS["bcg"]
    y, v = np.array(cell["yi"]), np.array(cell["vi"])
    z = np.linspace(-1, 1, len(y)) ** 2
    e = mb.generic(y, v)
    one = mb.pool(e, tau2=first, moderators="z", data={"z": z})
    two = mb.pool(e, tau2=method, moderators="z", data={"z": z})
    x = np.column_stack([np.ones_like(z), z])
    assert two.tau2 == pytest.approx(slow(y, v, x, one.tau2), rel=SAME)


@pytest.mark.parametrize("method", METHODS)
def test_order_and_sign_do_not_matter(method: str) -> None:
    cell = MOMENTS["collins1985b"]
    y, v = np.array(cell["yi"]), np.array(cell["vi"])
    order = np.random.default_rng(1).permutation(len(y))
    once, again = (mb.pool(mb.generic(a, b), tau2=method).tau2
                   for a, b in ((y, v), (3 - y[order], v[order])))  # fmt: skip
    assert again == pytest.approx(once, rel=SAME)


@pytest.mark.parametrize("method", METHODS)
def test_many_at_once_are_each_alone(method: str) -> None:
    cell = MOMENTS["hine1989"]
    y, v = np.array(cell["yi"]), np.array(cell["vi"])
    from metablin.numerics.tau2 import estimate_tau2

    many = estimate_tau2(method, np.stack([y, 5 * y]), np.stack([v, v]))
    assert many == pytest.approx([float(estimate_tau2(method, a, v)) for a in (y, 5 * y)], rel=SAME)


def test_sidik_jonkman_starts_at_a_hundredth_where_hedges_is_below() -> None:
    v = np.array([0.5, 0.4, 0.6])
    y = np.array([0.1, 0.12, 0.08])
    w = 1 / (v + 0.01)
    mean = w @ y / w.sum()
    expected = 0.01 * float(w @ (y - mean) ** 2) / 2
    assert mb.pool(mb.generic(y, v), tau2="SJ-HE").tau2 == pytest.approx(expected, rel=SAME)


def test_the_interval_is_where_its_chi_square_says() -> None:
    cell = MOMENTS["bcg"]
    fit = mb.pool(mb.generic(cell["yi"], cell["vi"]), tau2="SJ")
    low, high = (
        mb.heterogeneity(fit, level=0.8, method="sidik-jonkman")
        .to_frame()
        .iloc[0][["conf_low", "conf_high"]]
    )
    share = stats.chi2.cdf((fit.k - 1) * fit.tau2 / np.array([high, low], dtype=float), fit.k - 1)
    assert share == pytest.approx([0.1, 0.9], rel=SAME)


def test_the_interval_needs_its_estimator_and_no_moderators() -> None:
    e = mb.generic([0.1, 0.5, 0.9, 0.2], [0.04, 0.05, 0.03, 0.04])
    with pytest.raises(mb.DataError, match="tau2"):
        mb.heterogeneity(mb.pool(e), method="sidik-jonkman")
    fit = mb.pool(e, tau2="SJ", moderators="z", data={"z": [1, 2, 3, 5]})
    with pytest.raises(mb.DataError, match="moderators"):
        mb.heterogeneity(fit, method="sidik-jonkman")
