"""Where nothing happened: exact answers of single arms, and comparisons that are refused."""

import math

import numpy as np
import pytest
from scipy import stats

import metablin as mb
from metablin.errors import DataError

CLOSED = 1e-12
"""Closed forms on both sides."""

NONE = mb.proportions([0, 0, 0], [10, 20, 15])
ALL = mb.proportions([10, 12, 9], [10, 12, 9])
TRANSFORMS = ("logit", "log", "raw", "arcsine", "freeman-tukey")
MODELS = ("random", "common", "bayes")


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("model", MODELS)
def test_proportions_are_those_of_one_cohort(transform, model):
    none = mb.pool(mb.proportions([0, 0, 0], [10, 20, 15], transform), model=model)
    every = mb.pool(mb.proportions([10, 12, 9], [10, 12, 9], transform), model=model)
    # The limit at which 0 of n has probability 2.5%.
    assert none.conf_high == pytest.approx(1 - 0.025 ** (1 / 45), rel=CLOSED)
    assert every.conf_low == pytest.approx(0.025 ** (1 / 31), rel=CLOSED)
    assert (none.estimate, none.conf_low) == (0.0, 0.0)
    assert (every.estimate, every.conf_high) == (1.0, 1.0)
    assert round(none.conf_high, 3) == 0.079
    assert round(every.conf_low, 3) == 0.888
    assert none.model == "exact"
    assert "exact interval" in none.summary()


@pytest.mark.parametrize("transform", ["log", "sqrt", "raw"])
def test_rates_are_those_of_one_cohort(transform):
    fit = mb.pool(mb.rates([0, 0, 0], [50, 60, 70], transform))
    assert (fit.estimate, fit.conf_low) == (0.0, 0.0)
    assert stats.poisson.pmf(0, 180 * fit.conf_high) == pytest.approx(0.025, rel=1e-9)
    assert round(fit.conf_high, 4) == 0.0205


def test_the_rule_for_cohorts_takes_rates():
    assert mb.pool_cohorts(mb.rates([0, 0], [50, 60])).model == "exact"
    assert mb.pool_cohorts(mb.rates([3, 5], [50, 60])).model == "bayes"
    assert mb.pool_cohorts(mb.rates([3, 5, 0], [50, 60, 70])).model == "glmm"


def test_the_answer_does_not_depend_on_how_patients_are_divided():
    one = mb.pool(mb.proportions([0], [45]))
    many = mb.pool(mb.proportions([0] * 9, [5] * 9))
    assert one.conf_high == pytest.approx(many.conf_high, rel=CLOSED)


TABLES = [("or", 0), ("rr", 0), ("peto", 0), ("rd", 0), ("asd", 0), ("or", 1), ("rd", 1)]


@pytest.mark.parametrize(("measure", "share"), TABLES)
@pytest.mark.parametrize("model", MODELS)
def test_comparisons_are_refused(measure, share, model):
    n1, n2 = np.array([50, 60, 70]), np.array([25, 30, 35])
    e = mb.two_by_two(n1 * share, n1, n2 * share, n2, measure=measure)
    if measure == "peto":
        # Tables without a variance are set aside already.
        assert e.k in (0, 3)
    words = "ratio is not identified" if measure in ("or", "rr", "peto") else "no variance"
    with pytest.raises(DataError, match=f"{words}|no study to pool"):
        mb.pool(e, model=model)


@pytest.mark.parametrize("measure", ["irr", "ird", "irsd"])
def test_comparisons_of_rates_are_refused(measure):
    with pytest.raises(DataError, match="no event in either arm of any study"):
        mb.pool(mb.rate_contrasts([0, 0], [50, 60], [0, 0], [30, 20], measure=measure))


def test_one_event_is_enough():
    fit = mb.pool(mb.two_by_two([1, 0], [50, 60], [0, 0], [25, 30]))
    assert fit.model == "random"
    assert mb.pool(mb.proportions([1, 0], [10, 20])).model == "random"


def test_a_subgroup_is_answered_exactly_and_not_tested():
    fit = mb.pool(mb.proportions([0, 0, 3, 4], [10, 20, 15, 18]), by=["a", "a", "b", "b"])
    assert fit.subgroups["a"].model == "exact"
    assert fit.subgroups["b"].model == "random"
    assert fit.subgroup_test is None
    with pytest.raises(DataError, match=r"subgroup a: .*not identified"):
        mb.pool(mb.two_by_two([0, 3], [9, 9], [0, 4], [9, 9]), by=["a", "b"])


def test_deletion_and_accumulation_are_exact_where_nothing_is_left():
    fit = mb.pool(mb.proportions([2, 0, 0], [10, 20, 15]))
    gone = mb.leave_one_out(fit).to_frame().iloc[0]
    assert gone["estimate"] == 0.0
    assert gone["conf_high"] == pytest.approx(1 - 0.025 ** (1 / 35), rel=CLOSED)
    steps = mb.cumulative(fit, order=[3, 1, 2]).to_frame()
    assert steps["conf_high"].iloc[1] == pytest.approx(1 - 0.025 ** (1 / 35), rel=CLOSED)
    assert math.isfinite(steps["estimate"].iloc[2])
