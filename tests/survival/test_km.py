"""Kaplan-Meier curves against R's survival, a slow version, and their own invariances."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metablin.errors import DataError
from metablin.survival import kaplan_meier, kaplan_meier_by, reverse_kaplan_meier
from metablin.survival.km import FLAT_END
from tests.reference import pinned, table

CLOSED = 1e-8
"""Closed forms; the pinned values carry 15 digits."""

SETS = ("lung", "veteran", "ovarian", "colon", "pbc")
PINNED = pinned("survival")
COLUMNS = {
    "n_risk": "n_risk",
    "n_event": "n_event",
    "survival": "survival",
    "std_error": "std_error",
    "conf_low": "conf_low",
    "conf_high": "conf_high",
    "cumulative_hazard": "cumulative_hazard",
    "std_error_hazard": "std_error_hazard",
}


def floats(values):
    return np.array([np.nan if v is None else v for v in values], dtype=float)


def agrees(curve, reference):
    index = np.searchsorted(curve.time, reference["time"])
    np.testing.assert_array_equal(curve.time[index], reference["time"])
    certain = curve.survival[index] == 1.0
    for ours, theirs in COLUMNS.items():
        # Where S(t) is 1 nothing is uncertain; R's log-log interval is missing there, ours is 1.
        expected = np.where(certain & ("conf" in ours), 1.0, floats(reference[theirs]))
        np.testing.assert_allclose(getattr(curve, ours)[index], expected, rtol=CLOSED, err_msg=ours)
    q = reference["quantiles"]
    found = curve.quantile(q["p"]).replace(np.inf, np.nan)
    flat = np.abs(curve.survival[-1] - (1.0 - np.array(q["p"]))) < CLOSED
    np.testing.assert_array_equal(found["note"] != "", flat)
    # R's quantile moves with the last censoring there; its printed median is the first time.
    first = [curve.time[curve.survival <= 1.0 - p + CLOSED][:1] for p in np.array(q["p"])[flat]]
    expected = floats(q["estimate"])
    expected[flat] = np.array(first).ravel()
    np.testing.assert_allclose(found["estimate"], expected, rtol=CLOSED)
    for name in ("conf_low", "conf_high"):
        np.testing.assert_allclose(found[name], floats(q[name]), rtol=CLOSED, err_msg=name)


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("conf_type", ["log", "log-log", "plain"])
def test_curves_intervals_and_quantiles_match_r(name, conf_type):
    d = table(name)
    curve = kaplan_meier(d["time"], d["event"], conf_type=conf_type)
    agrees(curve, PINNED["sets"][name]["km"][conf_type])


@pytest.mark.parametrize("name", SETS)
def test_weighted_truncated_and_grouped_curves_match_r(name):
    d = table(name)
    reference = PINNED["sets"][name]
    weighted = kaplan_meier(d["time"], d["event"], weights=d["weight"], conf_type="log")
    agrees(weighted, reference["km"]["weighted"])
    late = kaplan_meier(d["time"], d["event"], entry=d["entry"], conf_type="log")
    agrees(late, reference["km"]["truncated"])
    for label, curve in kaplan_meier_by(d["time"], d["event"], d["group"]).items():
        agrees(curve, reference["groups"][label])


@pytest.mark.parametrize("name", SETS)
def test_median_follow_up_matches_r(name):
    d = table(name)
    row = reverse_kaplan_meier(d["time"], d["event"]).quantile().iloc[0]
    ours = [row["estimate"], row["conf_low"], row["conf_high"]]
    theirs = floats(PINNED["sets"][name]["km"]["reverse"])
    np.testing.assert_allclose(ours, np.where(np.isnan(theirs), np.inf, theirs), rtol=CLOSED)


@pytest.mark.parametrize("corner", PINNED["corners"])
@pytest.mark.parametrize("conf_type", ["log", "log-log", "plain"])
def test_flat_stretches_and_unreached_quantiles_match_r(corner, conf_type):
    agrees(kaplan_meier(corner["time"], corner["event"], conf_type=conf_type), corner[conf_type])


def slow_survival(time, event, t):
    """The product-limit estimate, one patient and one time after the other."""
    s = 1.0
    for u in sorted(set(time)):
        if u <= t:
            at_risk = sum(x >= u for x in time)
            s *= 1 - sum(x == u and e for x, e in zip(time, event, strict=True)) / at_risk
    return s


follow_up = st.lists(st.tuples(st.integers(1, 12), st.booleans()), min_size=1, max_size=25).map(
    lambda rows: ([float(t) for t, _ in rows], [int(e) for _, e in rows])
)


@given(follow_up)
def test_the_curve_is_the_slow_one_and_stays_in_bounds(data):
    time, event = data
    curve = kaplan_meier(time, event)
    slow = [slow_survival(time, event, t) for t in curve.time]
    np.testing.assert_allclose(curve.survival, slow, atol=1e-12)
    assert np.all(np.diff(curve.survival) <= 0)
    known = ~np.isnan(curve.conf_low)
    assert np.all(curve.conf_low[known] <= curve.survival[known] + 1e-12)
    assert np.all(curve.conf_high[known] >= curve.survival[known] - 1e-12)


@given(follow_up, st.randoms(use_true_random=False), st.sampled_from([0.25, 2.0, 8.0]))
def test_order_of_patients_and_unit_of_time_do_not_matter(data, random, unit):
    time, event = data
    rows = list(zip(time, event, strict=True))
    random.shuffle(rows)
    moved = kaplan_meier([t * unit for t, _ in rows], [e for _, e in rows])
    curve = kaplan_meier(time, event)
    np.testing.assert_array_equal(curve.survival, moved.survival)
    assert curve.median * unit == moved.median


@given(follow_up)
def test_a_weight_of_two_is_two_patients(data):
    time, event = data
    twice = kaplan_meier(time + time, event + event)
    weighted = kaplan_meier(time, event, weights=[2.0] * len(time))
    np.testing.assert_allclose(weighted.to_frame(), twice.to_frame(), rtol=1e-12)


def test_numbers_at_risk_add_up_from_row_to_row():
    d = table("pbc")
    for entry in (None, d["entry"]):
        curve = kaplan_meier(d["time"], d["event"], entry=entry)
        rows = curve.at_risk([0, 500, 1000, 2500, 4000, 6000])
        carried = rows["n_risk"].shift(1, fill_value=0.0)
        np.testing.assert_allclose(
            rows["n_risk"], carried - rows["n_event"] - rows["n_censored"] + rows["n_entered"]
        )
        start = 0 if entry is None else d["entry"]
        at_1000 = ((d["time"] >= 1000) & ((start < 1000) | (start == 0))).sum()
        assert rows["n_risk"].iloc[2] == at_1000


def test_landmarks_beyond_follow_up_say_so():
    frame = kaplan_meier([1, 2, 3], [1, 0, 0]).survival_at([0, 1, 2.5, 4])
    assert frame["estimate"].iloc[:3].tolist() == [1.0, pytest.approx(2 / 3), pytest.approx(2 / 3)]
    assert np.isnan(frame["estimate"].iloc[3])
    assert frame["note"].tolist() == ["", "", "", "beyond follow-up"]
    ended = kaplan_meier([1, 2], [1, 1]).survival_at([5])
    assert ended["estimate"].tolist() == [0.0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([1, -2], [1, 0]), "row 2, column 'time', value -2"),
        (([1, 2], [1, 2]), "row 2, column 'event', value 2"),
        (([1, float("nan")], [1, 0]), "row 2, column 'time'"),
        (([1, 2], [1]), "column 'event'"),
        (([], []), "at least one row"),
    ],
)
def test_bad_follow_up_is_named(arguments, words):
    with pytest.raises(DataError, match=words):
        kaplan_meier(*arguments)


def test_an_entry_after_the_end_is_named():
    with pytest.raises(DataError, match="row 2, column 'entry', value 3"):
        kaplan_meier([4, 3], [1, 1], entry=[0, 3])


def test_a_lower_limit_that_is_not_defined_is_not_beyond_the_estimate():
    # R gives NA: at 0 the curve has no limits.
    row = kaplan_meier([3.0], [1]).quantile().iloc[0]
    assert row["estimate"] == 3.0
    assert np.isnan(row["conf_low"])
    assert "not defined to not reached" in kaplan_meier([3.0], [1]).summary()


def test_a_limit_that_rises_again_counts_where_it_first_crosses():
    # Late entries: few at risk at 2, so the lower limit starts below one half.
    curve = kaplan_meier([2, 4, 5, 6, 7, 8, 9], [1] * 7, entry=[0, 0, 0, 3, 3, 3, 3])
    below = curve.time[np.flatnonzero(curve.conf_low <= 0.5)[0]]
    assert curve.quantile()["conf_low"].iloc[0] == below
    assert not (np.diff(curve.conf_low[:-1]) <= 0).all()


def test_the_result_speaks():
    curve = kaplan_meier([1, 2, 3, 4], [1, 1, 0, 0], label="all")
    assert curve.summary().startswith("all: 4 patients, 2 events, median 2")
    assert curve.to_dict()["median"]["conf_high"] is None
    assert list(curve.to_frame()["group"].unique()) == ["all"]
    with pytest.raises(ValueError, match="read-only"):
        curve.survival[0] = 0.0


def test_the_last_follow_up_is_not_beyond_it():
    curve = kaplan_meier([1, 2, 3], [1, 1, 0])
    frame = curve.survival_at([3.0, np.nextafter(3.0, 4.0), 3.1])
    assert frame["note"].tolist() == ["", "", "beyond follow-up"]
    assert frame["estimate"].iloc[0] == pytest.approx(1 / 3)
    np.testing.assert_array_equal(curve.beyond(np.array([3.0, 3.1])), [False, True])


FLAT = kaplan_meier([1, 2, 3, 4], [1, 1, 0, 0], level=0.9, label="A")


def test_every_word_of_a_flat_end_is_printed():
    note = FLAT.quantile()["note"].iloc[0]
    assert note == FLAT_END.format(0.5)
    assert (
        FLAT.summary()
        == f"A: 4 patients, 2 events, median 2 (90% CI 1 to not reached; log-log); {note}"
    )
    plain = kaplan_meier([1, 2, 3], [1, 1, 1], conf_type="plain")
    assert plain.summary() == "3 patients, 3 events, median 2 (95% CI 1 to not reached; plain)"


def test_quantiles_are_a_row_each_with_their_names():
    curve = kaplan_meier([1, 2, 3, 4, 5], [1, 1, 1, 1, 0], level=0.9)
    found = curve.quantile([0.5, 0.25, 0.9])
    columns = ["term", "p", "estimate", "conf_low", "conf_high", "conf_level", "note"]
    assert list(found) == columns
    assert found["term"].tolist() == ["median", "quantile 0.25", "quantile 0.9"]
    assert found["p"].tolist() == [0.5, 0.25, 0.9]
    assert found["estimate"].tolist() == [3.0, 2.0, np.inf]
    assert found["conf_level"].tolist() == [0.9] * 3
    assert found["note"].tolist() == [""] * 3


@pytest.mark.parametrize("value", [0.0, 1.0, -0.1, 1.1])
def test_a_share_outside_zero_to_one_is_named(value):
    with pytest.raises(DataError, match=r"^row 1, column 'p'.*greater than 0"):
        FLAT.quantile(value)


def test_landmarks_and_tables_name_their_times():
    with pytest.raises(DataError, match=r"^row 2, column 'times', value -1"):
        FLAT.survival_at([0.0, -1.0])
    with pytest.raises(DataError, match=r"^row 2, column 'times', value -1"):
        FLAT.at_risk([0.0, -1.0])
    found = FLAT.survival_at([0, 1, 2.5, 9])
    assert list(found) == [
        "term", "time", "estimate", "std_error", "conf_low", "conf_high", "conf_level", "n_risk",
        "note",
    ]  # fmt: skip
    assert found["term"].tolist() == [
        "survival at 0",
        "survival at 1",
        "survival at 2.5",
        "survival at 9",
    ]
    assert found["time"].tolist() == [0, 1, 2.5, 9]
    np.testing.assert_array_equal(found["estimate"], [1.0, 0.75, 0.5, np.nan])
    assert found["n_risk"].tolist() == [4, 4, 2, 0]
    assert found["conf_level"].tolist() == [0.9] * 4
    assert found["note"].tolist() == ["", "", "", "beyond follow-up"]
    assert (found["conf_low"].iloc[0], found["std_error"].iloc[0], found["conf_high"].iloc[0]) == (
        1,
        0,
        1,
    )


def test_numbers_at_risk_count_late_entries_and_come_in_order_of_time():
    curve = kaplan_meier([2, 4, 5, 6], [1, 0, 1, 1], entry=[0, 1, 3, 0], weights=[1, 2, 1, 3])
    table = curve.at_risk([6, 0, 4])
    assert list(table) == [
        "time", "n_risk", "n_event", "n_censored", "n_entered", "cumulative_events",
    ]  # fmt: skip
    assert table["time"].tolist() == [0, 4, 6]
    assert table["n_risk"].tolist() == [4, 6, 3]
    assert table["n_event"].tolist() == [0, 1, 1]
    assert table["n_censored"].tolist() == [0, 0, 2]
    assert table["n_entered"].tolist() == [4, 3, 0]
    assert table["cumulative_events"].tolist() == [0, 1, 2]


def test_the_curve_as_a_mapping_holds_all_of_it():
    found = FLAT.to_dict()
    assert list(found) == ["n", "events", "conf_type", "conf_level", "median", "curve"]
    assert (found["n"], found["events"], found["conf_type"], found["conf_level"]) == (
        4,
        2,
        "log-log",
        0.9,
    )
    assert list(found["median"]) == ["estimate", "conf_low", "conf_high"]
    assert found["median"]["estimate"] == 2.0
    assert found["curve"]["time"] == [1, 2, 3, 4]
    assert found["curve"]["survival"] == [0.75, 0.5, 0.5, 0.5]
    assert "group" not in found["curve"]
    frame = FLAT.to_frame()
    assert frame.columns[0] == "group"
    assert set(frame["group"]) == {"A"}


def test_the_middle_of_a_flat_stretch_is_the_median_when_the_curve_falls_later():
    assert kaplan_meier([1, 3], [1, 1]).median == 2.0
    assert kaplan_meier([1, 3, 3], [1, 1, 1]).median == 3.0
    assert kaplan_meier([1, 2, 3, 7], [1, 1, 0, 1]).median == 4.5
    assert kaplan_meier([1, 2], [0, 0]).median == np.inf
