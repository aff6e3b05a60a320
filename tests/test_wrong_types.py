"""Arguments of the wrong kind, anywhere in the library: one clear line, no error of numpy's."""

import datetime

import numpy as np
import pandas as pd
import pytest

import metablin as mb
from metablin.meta.counts.glmm.fit import glmm_proportions, glmm_two_by_two
from metablin.survival import analyse_trial
from tests.odd_input import one_clear_line

TIME, EVENT, GROUP = [1, 2, 3, 4, 5, 6], [1, 0, 1, 1, 1, 1], list("ababab")
EFFECTS = mb.generic([0.1, 0.3, 0.5, 0.9], [0.01, 0.04, 0.06, 0.12])

NO_NUMBERS = {
    "nested lists": ([[1], [2, 3]], "must be one-dimensional"),
    "a matrix": (np.ones((2, 2)), r"shape \(2, 2\)"),
    "complex numbers": ([1j, 2.0], "value 1j: not a number"),
    "numbers beyond a double": ([10**400, 1], "not a number"),
    "masked": (np.ma.array([1.0, 2.0], mask=[False, True]), "row 2, .*value missing"),
    "dates": ([datetime.date(2020, 1, 1)] * 2, "not a number"),
    "a word": ("abc", "value 'abc': not a number"),
    "a mapping": ({"a": 1}, "not a number"),
    "missing integers": (pd.array([1, None], dtype="Int64"), "row 2, "),
}

TAKE_NUMBERS = {
    "proportions": lambda x: mb.proportions(x, [10, 12]),
    "two_by_two": lambda x: mb.two_by_two([1, 2], [9, 9], x, [9, 9]),
    "hazard_ratios": lambda x: mb.hazard_ratios(x, [0.3, 0.4], [0.9, 1.3]),
    "rates": lambda x: mb.rates(x, [100, 200]),
    "generic": lambda x: mb.generic(x, [0.1, 0.2]),
    "glmm_proportions": lambda x: glmm_proportions(x, [10, 12]),
    "kaplan_meier": lambda x: mb.kaplan_meier(x, [1, 0]),
    "cox": lambda x: mb.cox(x, [1, 0], ["a", "b"]),
    "fit_parametric": lambda x: mb.fit_parametric(x, [1, 1]),
}


@pytest.mark.parametrize("kind", NO_NUMBERS)
@pytest.mark.parametrize("function", TAKE_NUMBERS)
def test_what_is_no_column_of_numbers_is_named(function, kind):
    values, words = NO_NUMBERS[kind]
    one_clear_line(lambda: TAKE_NUMBERS[function](values), words)


TAKE_EFFECTS = {
    "pool": mb.pool,
    "pool_cohorts": mb.pool_cohorts,
    "egger": mb.egger,
    "begg": mb.begg,
    "peters": mb.peters,
    "harbord": mb.harbord,
    "pet_peese": mb.pet_peese,
    "selection_model": mb.selection_model,
}
TAKE_FITS = {
    "trim_and_fill": mb.trim_and_fill,
    "influence": mb.influence,
    "leave_one_out": mb.leave_one_out,
    "cumulative": mb.cumulative,
    "gosh": mb.gosh,
    "baujat": mb.baujat,
    "permutation_test": mb.permutation_test,
    "heterogeneity": mb.heterogeneity,
}
OTHERS = [None, "abc", 3, [1, 2], {"a": 1}, pd.DataFrame({"a": [1]})]


@pytest.mark.parametrize("value", OTHERS, ids=lambda v: type(v).__name__)
@pytest.mark.parametrize("function", TAKE_EFFECTS)
def test_what_are_no_effect_sizes_is_named(function, value):
    one_clear_line(lambda: TAKE_EFFECTS[function](value), "not effect sizes")


@pytest.mark.parametrize("value", [*OTHERS, EFFECTS], ids=lambda v: type(v).__name__)
@pytest.mark.parametrize("function", TAKE_FITS)
def test_what_is_no_fit_is_named(function, value):
    one_clear_line(lambda: TAKE_FITS[function](value), "not a fitted meta-analysis.*what pool")


@pytest.mark.parametrize("value", [5, "ab", 2.5, len], ids=repr)
def test_labels_are_a_list(value):
    words = "not a list of labels"
    one_clear_line(lambda: mb.proportions([3, 5], [10, 12], studies=value), words)
    one_clear_line(lambda: mb.hazard_ratios([0.5], [0.3], [0.9], studies=value), words)
    one_clear_line(lambda: mb.logrank(TIME, EVENT, value), words)
    one_clear_line(lambda: mb.cox(TIME, EVENT, GROUP, strata=value), words)
    one_clear_line(lambda: analyse_trial(TIME, EVENT, value), words)
    one_clear_line(lambda: mb.compare_parametric(TIME, EVENT, value), words)


@pytest.mark.parametrize(
    "value", [None, 3, pd.Series(["weibull"]), np.ones((2, 2))], ids=lambda v: type(v).__name__
)
def test_a_family_is_a_word(value):
    one_clear_line(lambda: mb.fit_parametric(TIME, EVENT, value), "unknown family")


def test_options_that_are_single_values():
    one_clear_line(lambda: mb.rmst(TIME, EVENT, [2, 3]), "column 'tau'.*not one number")
    one_clear_line(lambda: mb.rmst(TIME, EVENT, []), "column 'tau'.*not one number")
    one_clear_line(lambda: mb.pool(EFFECTS, by=5), "column 'by', value 5: not one value a row")
    one_clear_line(lambda: mb.pet_peese(EFFECTS, alpha=2), "column 'alpha', value 2")
    one_clear_line(lambda: mb.pet_peese(EFFECTS, alpha="x"), "column 'alpha', value 'x'")
    one_clear_line(lambda: mb.hazard_ratios([0.5], [0.3], [0.9], level="x"), "'level', value 'x'")


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda: mb.generic([1e200, 0.1], [1, 1]),
            r"row 1 .*column 'yi', value 1e\+200",
        ),
        (lambda: mb.generic([0.1, 0.2], [1, 1e-300]), r"row 2 .*column 'vi', value 1e-300.*1e-60"),
        (lambda: mb.generic([0.1, 0.2], [1e300, 1]), r"row 1 .*column 'vi', value 1e\+300"),
        (lambda: mb.pool_many([[0.1, 1e200]], [[1, 1]]), r"column 'yi', value 1e\+200"),
        (lambda: mb.pool_many([[0.1, 0.2]], [[1, 1e-300]]), r"column 'vi', value 1e-300"),
        (lambda: mb.pool_many([[10**400, 1]], [[1, 1]]), "column 'yi': not numbers"),
        (lambda: mb.proportions([2**53, 1], [2**54, 2]), r"column 'n', value 1.8.*9.0072e\+15"),
    ],
)
def test_numbers_too_large_to_compute_with_are_refused_before_they_overflow(call, words):
    one_clear_line(call, words)


def test_a_limit_beyond_the_largest_double_is_infinite_without_a_warning(recwarn):
    fit = mb.pool(mb.generic([600.0, 700.0], [1.0, 1.0]), ci="z")
    assert np.isfinite(fit.conf_high)
    ratios = mb.pool(mb.hazard_ratios([1e300, 1e-300], [1e299, 1e-301], [1e301, 1e-299]))
    assert np.isposinf(ratios.pred_high)
    assert not [w for w in recwarn if "overflow" in str(w.message)]


def test_a_study_left_out_of_a_count_model_is_told_from_its_namesake():
    """I2 rests on the variances of the studies in the fit, and two may share a name."""
    table = ([0, 9, 4, 20], [10, 30, 40, 60], [0, 2, 9, 6], [10, 31, 42, 59])
    twins = mb.pool(mb.two_by_two(*table, studies=["A", "A", "B", "C"]), model="glmm")
    apart = mb.pool(mb.two_by_two(*table, studies=["X", "A", "B", "C"]), model="glmm")
    assert apart.i2 > 0
    assert (twins.i2, twins.h2) == (apart.i2, apart.h2)
    assert glmm_two_by_two(*table).rows.tolist() == [1, 2, 3]


@pytest.mark.parametrize("formula", ["", " ", 5, ["year"], b"year", "__import__('os').system('')"])
def test_what_is_no_formula_is_named(formula):
    data = {"year": [1, 2, 3, 4]}
    one_clear_line(lambda: mb.pool(EFFECTS, moderators=formula, data=data), "not a formula")


def test_times_and_weights_that_would_overflow_are_refused():
    one_clear_line(lambda: mb.kaplan_meier([1e300, 1], [1, 0]), r"'time', value 1e\+300.*1e\+60")
    one_clear_line(lambda: mb.kaplan_meier([2, 1], [1, 0], weights=[1, 1e300]), "'weights'")


def test_a_family_the_events_cannot_carry_is_listed_and_the_others_are_fitted():
    found = mb.compare_parametric([1, 2, 3], [1, 1, 0], ["rp-hazard-1", "exponential"], times=[1])
    assert [fit.family.name for fit in found.fits] == ["exponential"]
    [(name, reason)] = found.failed
    assert name == "rp-hazard-1"
    assert "2 distinct event times" in reason
    assert reason in found.to_frame()["note"].tolist()
    one_clear_line(
        lambda: mb.compare_parametric([1, 2, 3], [1, 1, 0], ["rp-hazard-1"]), "distinct event times"
    )
    one_clear_line(lambda: mb.compare_parametric([1, 2, 3], [1, 1, 0], []), "no family to fit")
