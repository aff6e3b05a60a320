"""Arguments of the wrong kind, anywhere in the library: one clear line, no error of numpy's."""

import datetime
import warnings

import numpy as np
import pandas as pd
import pytest

import metablin as mb
from metablin.meta.counts.glmm.fit import glmm_proportions, glmm_two_by_two
from metablin.meta.normal.robust import robust
from metablin.meta.survival.ipd import one_stage
from metablin.survival import analyse_trial, bootstrap_hazard_ratios, kaplan_meier_by
from tests.odd_input import one_clear_line

TIME, EVENT, GROUP = [1, 2, 3, 4, 5, 6], [1, 0, 1, 1, 1, 1], list("ababab")
EFFECTS = mb.generic([0.1, 0.3, 0.5, 0.9], [0.01, 0.04, 0.06, 0.12])

NO_NUMBERS = {
    "nested lists": ([[1], [2, 3]], "must be one-dimensional"),
    "a matrix": (np.ones((2, 2)), r"shape \(2, 2\)"),
    "complex numbers": ([1j, 2.0], "value 1j: not a number"),
    "numbers beyond a double": ([10**400, 1], "not a number"),
    "masked": (np.ma.array([1.0, 2.0], mask=[False, True]), "row 2, .*value missing"),
    "dates": ([datetime.date(2020, 1, 1)] * 2, "a date is no number"),
    "dates of numpy": (np.array(["2020-01-01"] * 2, "M8[D]"), "a date is no number"),
    "durations": ([datetime.timedelta(days=3)] * 2, r"divide by the unit first"),
    "durations of pandas": (pd.to_timedelta([1, 2], unit="D"), r"divide by the unit first"),
    "a column of durations": (pd.Series(pd.to_timedelta([1, 2], unit="D")), "a duration has no"),
    "masked objects": (np.ma.array([1.0, 2.0], mask=[0, 1], dtype=object), "row 2, .*value missi"),
    "digits with an underscore": (["1_0", "2"], "value '1_0': not a number"),
    "a word": ("abc", "value 'abc': (not a number|the name of a column without a table)"),
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
    "pool_contrasts": mb.pool_contrasts,
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
    words = "not a list of labels|the name of a column without a table"
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


SHORT = {"studies": ("a",)}
SHORT_LABELS = {
    "generic": lambda: mb.generic([0.1, np.nan], [0.1, 0.1], **SHORT),
    "proportions": lambda: mb.proportions([1, -2], [10, 10], **SHORT),
    "rates": lambda: mb.rates([1, -2], [10, 10], **SHORT),
    "two_by_two": lambda: mb.two_by_two([1, -2], [10, 10], [1, 1], [9, 9], **SHORT),
    "hazard_ratios": lambda: mb.hazard_ratios([1, -2], [0.5, 0.5], [3, 3], **SHORT),
}


@pytest.mark.parametrize("function", SHORT_LABELS)
def test_a_bad_value_beyond_the_labels_is_still_named(function):
    one_clear_line(SHORT_LABELS[function], "row 2, column")


FIT = mb.pool(EFFECTS)
with warnings.catch_warnings():
    warnings.simplefilter("ignore", mb.MetablinWarning)
    EQUAL = mb.pool(mb.generic([0.0, 0.0, 0.0], [1.0, 1.0, 2.0]))
OPTIONS = {
    "covariates": (lambda: mb.cox(TIME, EVENT, covariates=[1]), "not a table"),
    "no table": (lambda: mb.load(None), "no such table"),
    "a list as table": (lambda: mb.load([]), "no such table"),
    "subsets": (lambda: mb.gosh(FIT, subsets="x"), "column 'subsets', value 'x'"),
    "too many subsets": (lambda: mb.gosh(FIT, subsets=10**400), "column 'subsets'"),
    "subsets beyond memory": (lambda: mb.gosh(FIT, subsets=10**12), "column 'subsets'.*at most"),
    "arrangements": (lambda: mb.permutation_test(FIT, n="x"), "column 'n', value 'x'"),
    "step": (lambda: mb.selection_model(EFFECTS, step="x"), "column 'step', value 'x'"),
    "samples": (lambda: bootstrap_hazard_ratios(TIME, EVENT, GROUP, samples="x"), "'samples'"),
    "robust": (lambda: robust(FIT, [1, 2, 3, 4]), "not a multilevel fit"),
    "a list as option": (lambda: mb.pool(EFFECTS, model=["random"]), "unknown option"),
    "an array as option": (lambda: mb.pool(EFFECTS, ci=np.array([1, 2])), "unknown option"),
    "a standard error beyond squares": (lambda: mb.log_effects([1], [1e300]), "'std_error'"),
    "a time beyond squares": (lambda: mb.rates([1], [1e300], "raw"), "column 'person_time'"),
    "a number beyond doubles": (
        lambda: mb.hazard_ratios_reported(
            pd.DataFrame({"hr": pd.Series([10**400], dtype=object), "p_value": [0.1]})
        ),
        "column 'hr'.*a number",
    ),
    "no spread for Baujat": (lambda: mb.baujat(EQUAL), "all effects are equal"),
    "no spread for signs": (lambda: mb.permutation_test(EQUAL), "all effects are equal"),
    "effects on a line": (
        lambda: mb.pet_peese(mb.generic([0.0, 1.0, 1.0, 1.0], [2.0, 1.0, 1.0, 1.0])),
        "all effects lie on the line",
    ),
    "draws": (lambda: mb.reconstruct_summary(n=20, median=5, draws="x"), "column 'draws'"),
    "patients": (lambda: mb.reconstruct_summary(n=10**400, median=5), "column 'n'"),
    "a negative seed": (lambda: mb.reconstruct_summary(n=20, median=5, seed=-1), "not a seed"),
    "a level beside 1": (lambda: mb.pool(EFFECTS, level=1 - 1e-16), "not a confidence level"),
    "a level beside 0": (lambda: mb.kaplan_meier(TIME, EVENT, level=1e-300), "confidence level"),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_options_of_the_wrong_kind_are_named(name):
    one_clear_line(*OPTIONS[name])


SEEDED = {
    "gosh": lambda seed: mb.gosh(FIT, subsets=10, seed=seed),
    "permutation_test": lambda seed: mb.permutation_test(FIT, n=10, seed=seed),
    "bootstrap": lambda seed: bootstrap_hazard_ratios(TIME, EVENT, GROUP, samples=5, seed=seed),
}


@pytest.mark.parametrize("seed", [-1, 1.5, "x", None, True], ids=repr)
@pytest.mark.parametrize("function", SEEDED)
def test_a_seed_is_a_whole_number(function, seed):
    one_clear_line(lambda: SEEDED[function](seed), "column 'seed'.*not a seed")


@pytest.mark.parametrize("function", SEEDED)
def test_any_whole_number_is_a_seed(function):
    one, two = (SEEDED[function](10**30) for _ in range(2))
    assert repr(one) == repr(two)


def test_missing_responses_of_pandas_are_no_response():
    responses = [None, 1, None, 2, 1, None]
    nullable = pd.array(responses, dtype="Float64")
    for function in (mb.simon_makuch, lambda t, e, r: mb.landmark_analysis(t, e, r, 1.5)):
        plain = function([3, 4, 6, 12, 5, 7], [1, 1, 1, 1, 1, 0], responses)
        for column in (nullable, pd.Series(nullable)):
            found = function([3, 4, 6, 12, 5, 7], [1, 1, 1, 1, 1, 0], column)
            pd.testing.assert_frame_equal(found.to_frame(), plain.to_frame())


HIDDEN = "\x1b[2J\x1b]0;owned\x07A\u202eB\nC"
SHOWN = r"\x1b[2J\x1b]0;owned\x07A\u202eB\nC"


def test_what_a_terminal_would_obey_is_written_out():
    e = mb.generic([0.1, 0.2], [0.1, 0.1], studies=[HIDDEN, "plain"])
    assert e.studies == (SHOWN, "plain")
    curve = mb.kaplan_meier([1, 2], [1, 1], label=HIDDEN)
    curves = kaplan_meier_by([1, 2], [1, 1], [HIDDEN, "b"])
    fit = mb.pool(mb.generic([0.1, 0.2], [0.1, 0.1]), by=[HIDDEN, "b"])
    for text in (curve.summary(), fit.summary(), *curves, mb.pool(e).summary()):
        assert not any(c in text for c in "\x1b\x07\u202e")
    one_clear_line(lambda: mb.pool(e, model=HIDDEN), "unknown option")
    one_clear_line(lambda: mb.generic([0.1, -0.1], [1, -1], studies=["a", HIDDEN]), "row 2")


def test_arms_that_are_numbers_are_sorted_as_numbers_also_as_text():
    time, event = [1, 2, 3, 4, 5, 6], [1] * 6
    for arms in (["28", "9", "100"] * 2, [28, 9, 100] * 2, [28.0, 9.0, 100.0] * 2):
        assert mb.logrank(time, event, arms).labels == ("9", "28", "100")
    assert mb.logrank(time, event, ["b", "9", "28"] * 2).labels == ("9", "28", "b")
    assert mb.logrank(time, event, ["1e400", "-2", "inf"] * 2).labels == ("-2", "1e400", "inf")


def test_an_arm_may_have_vs_in_its_name():
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(
        {"trial": np.repeat(["t", "u"], 40), "time": rng.exponential(5, 80), "event": 1}
    )
    plain = frame.assign(group=["a", "b"] * 40)
    named = frame.assign(group=["A vs B", "B vs A vs C"] * 40)
    pd.testing.assert_frame_equal(one_stage(named).to_frame(), one_stage(plain).to_frame())
