"""Exact intervals of one table: base R, scipy, the definition, coverage, invariances."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import optimize, stats

import metablin as mb
from metablin.meta.counts.one_table import exact_two_by_two, score_tail
from tests.reference import pinned

CELLS = pinned("one_table")["cells"]
# R finds its roots to about 1e-4 of an odds ratio.
R_ROOTS = 2e-3
EXACT = 1e-8  # tail probabilities at a root that is good to 1e-10
SEARCHED = 1e-4  # of a tail probability, found on a grid of risks


@pytest.mark.parametrize("cell", CELLS, ids=lambda c: str(c["table"]))
def test_fisher_agrees_with_r(cell: dict[str, object]) -> None:
    r = exact_two_by_two(*cell["table"])
    for name in ("estimate", "conf_low", "conf_high"):
        assert getattr(r, name) == pytest.approx(float(cell[name]), rel=R_ROOTS, abs=1e-12), name


@pytest.mark.parametrize("cell", CELLS, ids=lambda c: str(c["table"]))
def test_the_limits_of_fisher_leave_their_tails(cell: dict[str, object]) -> None:
    a, n1, c, n2 = cell["table"]
    r = exact_two_by_two(a, n1, c, n2, level=0.9)
    if r.conf_low > 0:
        at = stats.nchypergeom_fisher(n1 + n2, n1, a + c, r.conf_low)
        assert at.sf(a - 1) == pytest.approx(0.05, rel=EXACT)
    if math.isfinite(r.conf_high):
        at = stats.nchypergeom_fisher(n1 + n2, n1, a + c, r.conf_high)
        assert at.cdf(a) == pytest.approx(0.05, rel=EXACT)


def test_swapped_arms_invert_the_odds_ratio() -> None:
    one, two = exact_two_by_two(3, 20, 9, 22), exact_two_by_two(9, 22, 3, 20)
    assert (1 / two.conf_high, 1 / two.estimate) == pytest.approx(
        (one.conf_low, one.estimate), rel=EXACT
    )


def test_zero_cells_give_the_ends_of_the_scale() -> None:
    none, every = exact_two_by_two(0, 9, 4, 9), exact_two_by_two(9, 9, 4, 9)
    assert (none.estimate, none.conf_low) == (0, 0)
    assert (every.estimate, every.conf_high) == (math.inf, math.inf)


def test_mehta_and_senchaudhuri_2003() -> None:
    """Seven of 15 against 12 of 15: the unconditional one-sided p-value is 0.0341."""
    assert round(score_tail(12, 15, 7, 15, 0.0), 4) == 0.0341


@pytest.mark.parametrize("table", [(7, 15, 12, 15), (2, 9, 6, 8), (5, 20, 0, 11)])
def test_at_no_difference_it_is_the_test_of_barnard(table: tuple[int, int, int, int]) -> None:
    a, n1, c, n2 = table
    grid = np.array([[a, c], [n1 - a, n2 - c]])
    peer = stats.barnard_exact(grid, alternative="greater", pooled=True, n=256).pvalue
    # scipy's search may stop a little below the maximum
    assert score_tail(a, n1, c, n2, 0.0) == pytest.approx(peer, rel=2e-3)


def slow_score(x1: int, n1: int, x2: int, n2: int, d: float) -> float:
    """The score with a risk found by an optimiser in place of the cubic."""
    low, high = max(0.0, -d), min(1.0, 1 - d)

    def minus(p: float) -> float:
        return -float(stats.binom.logpmf(x1, n1, p + d) + stats.binom.logpmf(x2, n2, p))

    inner = optimize.minimize_scalar(
        minus, bounds=(low, high), method="bounded", options={"xatol": 1e-12}
    )
    p = min([inner.x, low, high], key=minus)
    variance = (p + d) * (1 - p - d) / n1 + p * (1 - p) / n2
    gap = x1 / n1 - x2 / n2 - d
    return 0.0 if abs(gap) < 1e-12 else gap / math.sqrt(max(variance, 1e-300))


@pytest.mark.parametrize("d", [-0.35, 0.0, 0.22])
def test_the_tail_is_that_of_going_through_all_tables(d: float) -> None:
    a, n1, c, n2 = 3, 6, 2, 7
    observed = slow_score(a, n1, c, n2, d)
    extreme = [
        (i, j)
        for i, j in itertools.product(range(n1 + 1), range(n2 + 1))
        if slow_score(i, n1, j, n2, d) >= observed - 1e-6
    ]
    risks = np.linspace(max(0.0, -d), min(1.0, 1 - d), 4001)
    total = sum(
        stats.binom.pmf(i, n1, risks + d) * stats.binom.pmf(j, n2, risks) for i, j in extreme
    )
    assert score_tail(a, n1, c, n2, d) == pytest.approx(float(np.max(total)), rel=SEARCHED)


def test_the_unconditional_interval_covers_whatever_the_risks() -> None:
    n1, n2, level = 4, 5, 0.9
    tables = list(itertools.product(range(n1 + 1), range(n2 + 1)))
    found = [exact_two_by_two(a, n1, c, n2, "unconditional", level) for a, c in tables]
    low, high = (np.array([getattr(r, side) for r in found]) for side in ("conf_low", "conf_high"))
    grid = np.linspace(0.02, 0.98, 25)
    one, two = (stats.binom.pmf(np.arange(n + 1), n, grid[:, None]) for n in (n1, n2))
    worst = 1.0
    for i, j in itertools.product(range(len(grid)), repeat=2):
        p, (p1, p2) = np.outer(one[i], two[j]).ravel(), grid[[i, j]]
        worst = min(worst, float(p[(low <= p1 - p2) & (p1 - p2 <= high)].sum()))
    assert level - 1e-6 <= worst < 1


def test_swapped_arms_change_the_sign_of_the_difference() -> None:
    one = exact_two_by_two(3, 20, 9, 22, "unconditional")
    two = exact_two_by_two(9, 22, 3, 20, "unconditional")
    assert (-two.conf_high, -two.conf_low, two.p_value) == (
        one.conf_low,
        one.conf_high,
        one.p_value,
    )


def test_counting_non_events_changes_the_sign_of_the_difference() -> None:
    one = exact_two_by_two(3, 12, 9, 14, "unconditional")
    two = exact_two_by_two(9, 12, 5, 14, "unconditional")
    assert (-two.conf_high, -two.conf_low) == pytest.approx((one.conf_low, one.conf_high), abs=1e-6)


@pytest.mark.parametrize(
    ("table", "options", "word"),
    [
        ((0, 9, 0, 9), {}, "events_treatment"),
        ((9, 9, 9, 9), {}, "events_treatment"),
        ((10, 9, 0, 9), {}, "events_treatment"),
        ((1, 9, 1.5, 9), {}, "events_control"),
        ((1, 0, 1, 9), {}, "n_treatment"),
        ((1, 900, 1, 9), {"method": "unconditional"}, "250"),
        ((1, 9, 1, 9), {"method": "barnard"}, "fisher"),
    ],
)
def test_what_it_cannot_take_is_named(
    table: tuple[int, int, int, int], options: dict[str, str], word: str
) -> None:
    with pytest.raises(mb.DataError, match=word):
        exact_two_by_two(*table, **options)
