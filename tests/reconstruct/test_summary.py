from __future__ import annotations

import numpy as np
import pytest
from lifelines import KaplanMeierFitter
from lifelines.utils import median_survival_times

from metablin import DataError
from metablin.reconstruct import reconstruct_summary, reconstruct_summary_pair

CASES = {
    "rich": {
        "n": 120, "events": 78, "median": (9.2, 7.1, 12.4), "landmarks": [(6, 0.64), (12, 0.42)],
        "followup": 20.5,
    },
    "small": {"n": 24, "events": 14, "median": (5.5, 2.0, None), "landmarks": [(3, 0.67)]},
    "landmarks": {"n": 271, "landmarks": [(6, 0.55, 0.49, 0.61), (12, 0.36, 0.30, 0.42)]},
    "not reached": {"n": 60, "events": 18, "median": None, "landmarks": [(12, 0.74), (24, 0.69)],
                    "followup": (30, 6, 60)},
    "table": {"n": 80, "events": 40, "median": 14.0, "at_risk": ([0, 6, 12, 18], [80, 60, 41, 22])},
    "median only": {"n": 50, "median": 7.7},
}  # fmt: skip


@pytest.fixture(scope="module", params=list(CASES))
def drawn(request):
    items = CASES[request.param]
    return items, reconstruct_summary(**items, draws=8)


def survival(ipd, at):
    fit = KaplanMeierFitter().fit(ipd.time, ipd.event)
    return fit.survival_function_at_times(at).to_numpy()


def test_every_set_has_all_patients_and_the_printed_events(drawn):
    items, sets = drawn
    assert len(sets) == 8
    for s in sets:
        assert s.time.size == items["n"]
        assert np.all(np.diff(s.time) >= 0)
        assert np.all(np.isfinite(s.time))
        if items.get("events") is not None:
            assert s.event.sum() == items["events"]


def test_every_set_meets_landmarks_within_half_a_patient_or_rounding(drawn):
    items, sets = drawn
    for t, s, *_ in items.get("landmarks", ()):
        found = np.array([survival(x, [t])[0] for x in sets])
        assert np.abs(found - s).max() <= max(0.5 / items["n"], 0.005) + 1e-9


def test_every_set_has_the_printed_median(drawn):
    items, sets = drawn
    printed = items.get("median")
    if printed is None:
        assert sets.grade in "CD"
        return
    value = printed[0] if isinstance(printed, tuple) else printed
    for s in sets:
        found = KaplanMeierFitter().fit(s.time, s.event).median_survival_time_
        assert found == pytest.approx(value, rel=1e-8)


def test_numbers_at_risk_are_met():
    sets = reconstruct_summary(**CASES["table"], draws=5)
    times, counts = CASES["table"]["at_risk"]
    for s in sets:
        assert [(s.time >= t).sum() for t in times] == counts


def test_intervals_of_the_median_come_out_close_to_print():
    low, high = [], []
    for s in reconstruct_summary(**CASES["rich"], draws=30):
        fit = KaplanMeierFitter().fit(s.time, s.event)
        a, b = median_survival_times(fit.confidence_interval_).to_numpy().ravel()
        low.append(a)
        high.append(b)
    width = 12.4 - 7.1
    assert np.mean(low) == pytest.approx(7.1, abs=0.2 * width)
    assert np.mean(high) == pytest.approx(12.4, abs=0.2 * width)


def test_a_narrower_interval_means_more_patients_at_risk():
    def at_risk(width: float) -> float:
        marks = [(12, 0.5), (36, 0.4, 0.4 - width, 0.4 + width)]
        sets = reconstruct_summary(n=100, landmarks=marks, draws=20)
        return float(np.mean([(s.time >= 36).sum() for s in sets]))

    assert at_risk(0.10) > at_risk(0.14)


def test_draws_differ_and_the_seed_fixes_them():
    a = reconstruct_summary(**CASES["rich"], draws=6, seed=4)
    b = reconstruct_summary(**CASES["rich"], draws=6, seed=4)
    c = reconstruct_summary(**CASES["rich"], draws=6, seed=5)
    assert [s.time.tobytes() for s in a] == [s.time.tobytes() for s in b]
    assert a[0].time.tobytes() != c[0].time.tobytes()
    assert len({s.time.tobytes() for s in a}) == 6


def test_the_spread_shows_what_is_open():
    sets = reconstruct_summary(**CASES["rich"], draws=40)
    sd = np.array([survival(s, [3, 6, 9, 12, 20]) for s in sets]).std(axis=0)
    assert sd[1] < sd[0]
    assert sd[3] < sd[4]
    assert sd[4] > 0.01


@pytest.mark.parametrize(
    ("name", "grade"), [("rich", "C"), ("landmarks", "C"), ("median only", "D"), ("small", "C")]
)
def test_the_grade_follows_the_information(name, grade):
    assert reconstruct_summary(**CASES[name], draws=1).grade == grade


def test_a_rule_of_scale_time_in_other_units_gives_the_same_shape():
    items = {"n": 90, "events": 50, "landmarks": [(6, 0.6), (12, 0.45)], "followup": 15}
    years = {**items, "landmarks": [(0.5, 0.6), (1.0, 0.45)], "followup": 1.25}
    a, b = reconstruct_summary(**items, draws=3), reconstruct_summary(**years, draws=3)
    for x, y in zip(a, b, strict=True):
        assert y.time * 12 == pytest.approx(x.time, rel=1e-6)


@pytest.mark.parametrize(
    ("items", "column", "words"),
    [
        ({"n": 20, "events": 30, "median": 5}, "events", ["30", "n = 20"]),
        ({"n": 100, "median": 5, "landmarks": [(6, 0.6)]}, "median", ["S(6) = 0.6", "median of 5"]),
        ({"n": 100, "median": 9, "landmarks": [(6, 0.3)]}, "median", ["S(6) = 0.3", "median of 9"]),
        ({"n": 100, "median": (None, 8, None), "landmarks": [(6, 0.3)]}, "median", ["not reached"]),
        (
            {"n": 100, "landmarks": [(6, 0.6), (12, 0.7)]},
            "landmarks",
            ["S(12) = 0.7", "S(6) = 0.6"],
        ),
        ({"n": 100, "landmarks": [(6, 0.6, 0.58, 0.62)]}, "landmarks", ["S(6) = 0.6", "n = 100"]),
        (
            {"n": 100, "events": 10, "landmarks": [(6, 0.6), (12, 0.2)], "followup": 30},
            "events",
            ["10 events", "S(12) = 0.2"],
        ),
        ({"n": 50, "events": 0, "landmarks": [(6, 0.6)]}, "events", ["no events", "S(6) = 0.6"]),
        ({"n": 50, "median": 20, "followup": (10, 2, 15)}, "median", ["follow-up of 15"]),
        ({"n": 50, "landmarks": [(24, 0.5)], "followup": (10, 2, 15)}, "followup", ["S(24) = 0.5"]),
        ({"n": 50, "median": 8, "at_risk": ([0, 6], [50, 60])}, "at_risk", ["increase"]),
        ({"n": 50, "landmarks": [(6, 0.5)], "at_risk": ([6], [40])}, "at_risk", ["S(6) = 0.5"]),
        ({"n": 50, "median": (8, 9, 12)}, "median", ["limits"]),
        ({"n": 50, "median": -3}, "median", ["above 0"]),
        ({"n": 50, "landmarks": [(6, 55)]}, "landmarks", ["percent"]),
        ({"n": 50, "landmarks": [(6, 0.5, 0.6, 0.7)]}, "landmarks", ["S(6)"]),
        ({"n": 50, "landmarks": [(6,)]}, "landmarks", ["time, survival"]),
        ({"n": 50, "landmarks": [("six", 0.5)]}, "landmarks", ["number"]),
        ({"n": 50}, "median", ["nothing to reconstruct"]),
        ({"n": 50, "median": (None, None, None)}, "median", ["nothing to reconstruct"]),
        ({"n": 0, "median": 5}, "n", ["at least 1"]),
        ({"n": 50, "median": 5, "draws": 0}, "draws", ["draws"]),
    ],
)
def test_contradictions_name_the_two_items(items, column, words):
    with pytest.raises(DataError) as caught:
        reconstruct_summary(**items)
    assert caught.value.column == column
    for word in words:
        assert word in str(caught.value)


A = {"n": 90, "events": 55, "median": (11.0, 8.0, 15.5), "followup": 18}
B = {"n": 88, "events": 66, "median": (7.0, 5.2, 9.0), "followup": 18}


def test_two_arms_meet_the_printed_hazard_ratio_and_their_own_summaries():
    from lifelines import CoxPHFitter

    a, b = reconstruct_summary_pair(A, B, hr=0.66, draws=4)
    for x, y in zip(a, b, strict=True):
        frame = x.to_frame().assign(arm=1)._append(y.to_frame().assign(arm=0))
        hr = float(np.exp(CoxPHFitter().fit(frame, "time", "event").params_["arm"]))
        assert hr == pytest.approx(0.66, abs=0.005 + 1e-6)
        assert (x.event.sum(), y.event.sum()) == (55, 66)
        assert KaplanMeierFitter().fit(x.time, x.event).median_survival_time_ == pytest.approx(11)
        assert x.quality.checks[-1].item == "log HR"
        assert x.quality.verdict == "agrees with print"


def test_a_ratio_against_the_arms_is_an_error_that_names_both():
    with pytest.raises(DataError, match=r"hazard ratio of 3 .* medians") as caught:
        reconstruct_summary_pair(A, B, hr=3.0, draws=2)
    assert caught.value.column == "hr"
    with pytest.raises(DataError, match="above 0"):
        reconstruct_summary_pair(A, B, hr=-1.0)
    with pytest.raises(DataError, match="unknown item"):
        reconstruct_summary_pair({**A, "size": 3}, B, hr=0.7)


def test_results_have_tables_text_and_json():
    sets = reconstruct_summary(**CASES["rich"], draws=2, label="arm A")
    assert sets.to_frame().columns.tolist() == ["draw", "time", "event"]
    assert sets.summary() == "arm A: 2 draws of 120 patients, grade C"
    assert sets.to_dict()["sets"][1]["quality"]["verdict"] == "agrees with print"
    assert len(sets[0:1]) == 1


def test_landmarks_may_be_a_mapping_of_time_to_survival() -> None:
    pairs = reconstruct_summary(n=60, landmarks=[(12, 0.5), (24, 0.4)], draws=2)
    mapped = reconstruct_summary(n=60, landmarks={12: 0.5, 24: 0.4}, draws=2)
    for here, there in zip(pairs, mapped, strict=True):
        np.testing.assert_array_equal(here.time, there.time)


@pytest.mark.parametrize("landmarks", [[12, 0.5], "12", 12, ["ab"]])
def test_landmarks_of_another_shape_are_refused(landmarks: object) -> None:
    with pytest.raises(DataError, match="not a landmark"):
        reconstruct_summary(n=60, landmarks=landmarks)


RESTING = [
    {"n": 4, "events": 2, "median": 0.53, "at_risk": ([0.8, 1.6, 2.4], [2, 2, 2])},
    {"n": 6, "median": 12.0, "at_risk": ([7.13, 14.26, 21.39], [4, 3, 2])},
    {"n": 8, "events": 8, "median": 4.8, "landmarks": [(6.0, 0.5), (11.9, 0.25)]},
]


@pytest.mark.parametrize("items", RESTING, ids=["total", "table", "landmark"])
def test_a_curve_that_rests_at_one_half_is_no_contradiction(items):
    for one in reconstruct_summary(**items, draws=5):
        assert all(check.agrees for check in one.quality.checks)
        at, count = items.get("at_risk", ([], []))
        assert [int((one.time >= x).sum()) for x in at] == list(count)


def test_summaries_that_few_curves_meet_are_looked_for_long_enough():
    items = {"n": 102, "median": (39.5, 28.5, None), "landmarks": [(39.3, 0.52)],
             "followup": 60.0, "at_risk": ([15.0, 30.0, 45.0], [79, 57, 51])}  # fmt: skip
    assert all(c.agrees for c in reconstruct_summary(**items, draws=1)[0].quality.checks)
