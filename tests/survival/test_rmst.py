"""Restricted means: R's values, the definition computed slowly, and reductions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metablin.errors import DataError
from metablin.survival import kaplan_meier, rmst, rmst_curve
from tests.reference import pinned, table

CLOSED = 1e-8
SETS = ("lung", "veteran", "ovarian", "colon", "pbc")
PINNED = pinned("survival")["sets"]


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("which", [0, 1, 2])
def test_means_and_standard_errors_match_r(name, which):
    d = table(name)
    reference = PINNED[name]["rmst"][which]
    one = rmst(d["time"], d["event"], reference["tau"])
    by_arm = rmst(d["time"], d["event"], reference["tau"], d["group"])
    expected = {"": reference["all"], **reference["groups"]}
    for fit in (one, by_arm):
        for label, m, se in zip(fit.labels, fit.estimate, fit.std_error, strict=True):
            assert m == pytest.approx(expected[label]["rmst"], rel=CLOSED)
            assert se == pytest.approx(expected[label]["std_error"], rel=CLOSED)


def slow_rmst(time, event, tau):
    """Area and variance from the definition, with a sum over every event time."""
    km = kaplan_meier(time, event)
    edges = np.r_[0.0, km.time[km.time < tau], tau]
    steps = np.r_[1.0, km.survival[km.time < tau]]
    pieces = np.diff(edges) * steps
    variance = 0.0
    for i in np.flatnonzero((km.n_event > 0) & (km.time <= tau)):
        rest = pieces[edges[:-1] >= km.time[i]].sum()
        n, d = km.n_risk[i], km.n_event[i]
        variance += 0.0 if n == d else rest**2 * d / (n * (n - d))
    return pieces.sum(), np.sqrt(variance)


follow_up = st.lists(st.tuples(st.integers(1, 15), st.booleans()), min_size=2, max_size=30).map(
    lambda rows: ([float(t) for t, _ in rows], [int(e) for _, e in rows])
)


@given(follow_up, st.floats(0.1, 1.0))
def test_the_fast_sum_is_the_definition(data, share):
    time, event = data
    tau = share * max(time)
    fit = rmst(time, event, tau)
    m, se = slow_rmst(time, event, tau)
    assert fit.estimate[0] == pytest.approx(m, abs=1e-10)
    assert fit.std_error[0] == pytest.approx(se, abs=1e-10)


@given(follow_up)
def test_the_curve_over_tau_is_many_single_horizons(data):
    time, event = data
    grid = np.linspace(0.1, 1.0, 7) * max(time)
    curve = rmst_curve(time, event, tau=grid)
    for i, tau in enumerate(grid):
        one = rmst(time, event, tau)
        assert curve.estimate[0, i] == pytest.approx(one.estimate[0], abs=1e-9)
        assert curve.std_error[0, i] == pytest.approx(one.std_error[0], abs=1e-6)


def test_without_censoring_the_mean_and_its_error_are_the_samples():
    time = np.array([1.0, 2.0, 4.0, 7.0, 9.0])
    fit = rmst(time, np.ones(5), 20.0)
    assert fit.estimate[0] == pytest.approx(time.mean())
    # Greenwood's variance divides by n, the sample variance by n - 1.
    assert fit.std_error[0] == pytest.approx(time.std() / np.sqrt(5))


def test_contrasts_follow_from_the_arms():
    d = table("veteran")
    fit = rmst(d["time"], d["event"], 300, d["group"], control="1")
    rows = fit.contrasts().set_index("term")
    m, se = fit.estimate, fit.std_error
    difference = rows.loc["RMST difference: 2 vs 1"]
    assert difference["estimate"] == pytest.approx(m[1] - m[0])
    assert difference["std_error"] == pytest.approx(np.hypot(*se))
    ratio = rows.loc["RMTL ratio: 2 vs 1"]
    assert ratio["estimate"] == pytest.approx((300 - m[1]) / (300 - m[0]))
    turned = rmst(d["time"], d["event"], 300, d["group"], control="2").contrasts()
    assert turned["estimate"].iloc[0] == pytest.approx(m[0] - m[1])
    assert turned["p_value"].iloc[0] == pytest.approx(difference["p_value"])


def test_a_horizon_beyond_follow_up_is_refused_by_name():
    with pytest.raises(DataError, match=r"beyond the last follow-up of group b.*at most 4"):
        rmst([1, 9, 2, 4], [1, 1, 1, 0], 5, ["a", "a", "b", "b"])
    assert rmst([1, 9, 2, 4], [1, 1, 1, 1], 5, ["a", "a", "b", "b"]).estimate[1] == 3.0


def test_the_default_horizon_is_the_shorter_follow_up():
    assert rmst([1, 9, 2, 4], [1, 0, 1, 0], group=["a", "a", "b", "b"]).tau == 4.0


def test_the_worked_example_of_survrm2_is_met_to_its_printed_digits():
    # Uno H. Vignette of survRM2: primary biliary cirrhosis, D-penicillamine (1) against placebo,
    # horizon 10 years.
    d = table("pbc")
    fit = rmst(d["time"] / 365.25, d["event"], 10.0, d["group"], control=2)
    arms = fit.arms().set_index("term")
    assert arms.loc["RMST: 1", ["estimate", "std_error"]].round(3).tolist() == [7.146, 0.283]
    assert arms.loc["RMST: 2", ["estimate", "std_error"]].round(3).tolist() == [7.283, 0.295]
    rows = fit.contrasts().set_index("term")[["estimate", "conf_low", "conf_high", "p_value"]]
    assert rows.loc["RMST difference: 1 vs 2"].round(3).tolist() == [-0.137, -0.939, 0.665, 0.738]
    assert rows.loc["RMST ratio: 1 vs 2"].round(3).tolist() == [0.981, 0.878, 1.096, 0.738]
    assert rows.loc["RMTL ratio: 1 vs 2"].round(3).tolist() == [1.050, 0.787, 1.402, 0.738]


def test_one_group_is_not_tested_and_nothing_prints_as_nan():
    alone = rmst([1, 2, 3, 4], [1, 1, 0, 1], tau=3)
    assert "p_value" not in alone.to_frame()
    assert alone.contrasts().empty
    two = rmst([1, 2, 3, 4, 5, 6], [1, 1, 1, 0, 1, 1], tau=4, group=list("ababab"))
    frame = two.to_frame()
    means = frame["term"].str.match("RMST:|RMTL:")
    assert (frame["note"] == "one group: nothing to test").tolist() == means.tolist()
    assert frame["p_value"].isna().tolist() == means.tolist()
    for text in (alone.summary(), two.summary(), two._repr_html_()):
        assert "nan" not in text.lower()


def test_groups_without_an_event_say_why_there_is_no_test():
    found = rmst([5, 6, 7, 8], [0, 0, 0, 0], tau=4, group=list("abab"))
    rows = found.to_dict()["contrasts"]
    assert [row["term"] for row in rows] == ["RMST difference: b vs a", "RMST ratio: b vs a"]
    assert {row["p_value"] for row in rows} == {None}
    assert {row["note"] for row in rows} == {
        "no event by tau in either group: no variance, no test"
    }


def test_a_patient_censored_at_the_last_event_ends_what_is_known():
    # At 3 one dies and one is censored: the curve is not at 0, so nothing is known beyond.
    with pytest.raises(DataError, match="column 'tau', value 4: beyond the last follow-up"):
        rmst([1, 3, 3], [1, 1, 0], 4.0)
    assert rmst([1, 3, 3], [1, 1, 1], 4.0).estimate[0] == pytest.approx(1 + 2 * 2 / 3)


def test_the_table_of_a_curve_has_groups_then_differences_to_the_control():
    time, event = [1, 2, 3, 4, 2, 4, 6, 8, 1, 3, 5, 9], [1, 1, 0, 1] * 3
    group, tau = np.repeat(["a", "b", "c"], 4), [2.0, 4.0]
    curve = rmst_curve(time, event, group, tau=tau, control="b", level=0.9)
    frame = curve.to_frame()
    assert list(frame.columns) == [
        "tau", "term", "estimate", "std_error", "conf_low", "conf_high", "conf_level",
    ]  # fmt: skip
    assert frame["term"].tolist() == [x for n in ("b", "a", "c", "a - b", "c - b") for x in (n, n)]
    assert frame["tau"].tolist() == tau * 5
    assert (frame["conf_level"] == 0.9).all()
    for j, at in enumerate(tau):
        one = rmst(time, event, at, group, control="b", level=0.9)
        rows = frame.iloc[j::2].set_index("term")
        np.testing.assert_allclose(rows["estimate"].iloc[:3], one.estimate)
        np.testing.assert_allclose(rows["std_error"].iloc[:3], one.std_error)
        difference, spread = one.estimate[1] - one.estimate[0], np.hypot(*one.std_error[:2])
        found = rows.loc["a - b", ["estimate", "std_error", "conf_low", "conf_high"]]
        half = 1.6448536269514722 * spread
        np.testing.assert_allclose(
            found.to_numpy(dtype=float),
            [difference, spread, difference - half, difference + half],
        )
    assert rmst_curve(time, event, tau=tau).to_frame()["term"].tolist() == ["all", "all"]


def test_the_result_in_full():
    fit = rmst([1, 2, 3, 4], [1, 1, 1, 0], 4.0, level=0.9)
    arms = fit.arms()
    assert arms["term"].tolist() == ["RMST", "RMTL"]
    assert arms["estimate"].tolist() == [2.5, 1.5]
    assert arms["std_error"].nunique() == 1
    assert (arms["conf_level"] == 0.9).all()
    assert fit.to_frame().equals(arms)
    two = rmst([1, 2, 3, 4], [1, 1, 1, 0], 3.0, ["x", "y", "x", "y"])
    frame = two.to_frame()
    assert frame["note"].tolist()[:2] == ["one group: nothing to test"] * 2
    assert frame["note"].tolist()[-1] == ""
    plain = two.to_dict()
    assert list(plain) == ["tau", "arms", "contrasts"]
    assert plain["tau"] == 3.0
    assert [row["term"] for row in plain["arms"]][:2] == ["RMST: x", "RMTL: x"]
    assert plain["contrasts"][0]["term"] == "RMST difference: y vs x"


@pytest.mark.parametrize(
    ("group", "where"), [(None, "follow-up$"), (["g"] * 3 + ["h"] * 3, "up of group g")]
)
def test_a_horizon_too_far_names_value_group_and_limit(group, where):
    with pytest.raises(DataError) as error:
        rmst([1, 2, 3, 9, 9, 9], [1, 1, 0, 1, 1, 1] if group else [1, 1, 1, 1, 1, 0], 9.5, group)
    said = error.value
    assert (said.column, said.value) == ("tau", "9.5")
    assert said.allowed == ("at most 3" if group else "at most 9")
    assert said.message.startswith("beyond the last follow-up")
