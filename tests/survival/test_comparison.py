"""Log-rank family and milestones: R's values, slow versions, reductions."""

import numpy as np
import pytest
from scipy.stats import norm

from metablin.errors import DataError
from metablin.numerics.mvn import outside_cube
from metablin.survival import kaplan_meier, logrank, max_combo, milestone_difference
from tests.reference import pinned, table

CLOSED = 1e-8
QUADRATURE = 2e-3
"""Relative error of the average over directions."""

SETS = ("lung", "veteran", "ovarian", "colon", "pbc")
PINNED = pinned("survival")["sets"]


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("stratified", [False, True])
def test_tests_match_survdiff(name, stratified):
    d = table(name)
    strata = d["stratum"] if stratified else None
    for reference in PINNED[name]["difference"]["stratified" if stratified else "plain"]:
        test = logrank(d["time"], d["event"], d["group"], (reference["rho"], 0), strata=strata)
        assert test.statistic == pytest.approx(reference["chisq"], rel=CLOSED)
        np.testing.assert_allclose(test.observed, reference["observed"], rtol=CLOSED)
        np.testing.assert_allclose(test.expected, reference["expected"], rtol=CLOSED)
        np.testing.assert_allclose(test.variance, reference["var"], rtol=CLOSED, atol=1e-10)
        assert test.df == len(reference["observed"]) - 1


def slow_fleming_harrington(time, event, treated, rho, gamma):
    """One event time after the other, hypergeometric mean and variance."""
    s, u, v = 1.0, 0.0, 0.0
    for t in sorted(set(time[event == 1])):
        n, n1 = (time >= t).sum(), ((time >= t) & treated).sum()
        d, d1 = ((time == t) & (event == 1)).sum(), ((time == t) & (event == 1) & treated).sum()
        w = s**rho * (1 - s) ** gamma
        u += w * (d1 - d * n1 / n)
        if n > 1:
            v += w * w * d * (n - d) / (n - 1) * n1 / n * (1 - n1 / n)
        s *= 1 - d / n
    return u / np.sqrt(v)


@pytest.mark.parametrize("pair", [(0, 0), (0, 1), (1, 0), (1, 1), (0.5, 2)])
def test_every_weight_is_the_slow_sum(pair):
    d = table("veteran")
    z = logrank(d["time"], d["event"], d["group"], pair).z
    slow = slow_fleming_harrington(
        d["time"].to_numpy(), d["event"].to_numpy(), (d["group"] == 2).to_numpy(), *pair
    )
    assert z == pytest.approx(slow, rel=1e-10)
    assert max_combo(d["time"], d["event"], d["group"], [pair]).z[0] == pytest.approx(slow)


def test_max_combo_correlation_follows_from_the_weights():
    d = table("colon")
    d = d[d["group"] != "Lev"]
    test = max_combo(d["time"], d["event"], d["group"], control="Obs")
    np.testing.assert_allclose(np.diag(test.correlation), 1.0)
    # 1 = S + (1 - S): the log-rank numerator is the sum of the early and the late one, so the
    # four statistics have rank three.
    assert np.linalg.matrix_rank(test.correlation, tol=1e-8) == 3
    assert test.z[0] < 0
    assert test.p_value >= test.to_frame()["p_value"].min()
    one = max_combo(d["time"], d["event"], d["group"], [(0, 0)])
    assert one.p_value == pytest.approx(logrank(d["time"], d["event"], d["group"]).p_value)


@pytest.mark.parametrize("c", [1.0, 2.2, 3.5])
def test_the_joint_tail_is_the_simulated_one(c):
    d = table("lung")
    r = max_combo(d["time"], d["event"], d["group"]).correlation
    for matrix in (r, r[:3, :3], r[1:3, 1:3], 0.5 * np.eye(4) + 0.5):
        values, vectors = np.linalg.eigh(matrix)
        root = vectors * np.sqrt(np.maximum(values, 0.0))
        z = np.random.default_rng(3).standard_normal((400_000, len(matrix))) @ root.T
        share = np.mean(np.abs(z).max(axis=1) > c)
        error = np.sqrt(share * (1 - share) / 400_000)
        assert abs(outside_cube(c, matrix) - share) < 4 * error


@pytest.mark.parametrize("k", [2, 3, 4, 5])
@pytest.mark.parametrize("c", [1.0, 2.0, 4.0])
def test_independent_and_equicorrelated_statistics_match_one_integral(k, c):
    exact = -np.expm1(k * np.log1p(-2 * norm.sf(c)))
    assert outside_cube(c, np.eye(k)) == pytest.approx(exact, rel=QUADRATURE)
    u = np.linspace(-9, 9, 20_001)
    weight = norm.pdf(u) / norm.pdf(u).sum()
    s = np.sqrt(0.5)
    inside = norm.cdf((c - s * u) / s) - norm.cdf((-c - s * u) / s)
    exact = float(weight @ -np.expm1(k * np.log(np.maximum(inside, 1e-300))))
    found = outside_cube(c, 0.5 * np.eye(k) + 0.5)
    assert found == pytest.approx(exact, rel=QUADRATURE)


def test_groups_can_be_named_in_any_order():
    d = table("lung")
    a = logrank(d["time"], d["event"], d["group"], control=1)
    b = logrank(d["time"], d["event"], d["group"], control=2)
    assert a.statistic == pytest.approx(b.statistic, rel=1e-12)
    assert a.z == pytest.approx(-b.z)


def test_milestones_are_the_difference_of_the_curves():
    d = table("lung")
    frame = milestone_difference(d["time"], d["event"], d["group"], [180, 365], control=1)
    men, women = (
        kaplan_meier(d["time"][d["group"] == g], d["event"][d["group"] == g]).survival_at(
            [180, 365]
        )
        for g in (1, 2)
    )
    np.testing.assert_allclose(frame["estimate"], women["estimate"] - men["estimate"])
    np.testing.assert_allclose(frame["std_error"], np.hypot(women["std_error"], men["std_error"]))
    s0, s1 = men["estimate"], women["estimate"]
    z = (np.log(-np.log(s0)) - np.log(-np.log(s1))) / np.hypot(
        men["std_error"] / (s0 * np.log(s0)), women["std_error"] / (s1 * np.log(s1))
    )
    np.testing.assert_allclose(frame["statistic"], z)
    low = frame["estimate"] - np.hypot(s1 - women["conf_low"], men["conf_high"] - s0)
    np.testing.assert_allclose(frame["conf_low"], low)


def test_a_milestone_without_variance_says_why_there_is_no_test():
    frame = milestone_difference([1, 2, 3, 4, 1, 4], [1, 1, 1, 0, 0, 1], list("aabbba"), [0.5, 2.5])
    assert frame["p_value"].isna().tolist() == [True, False]
    assert frame["note"].tolist() == ["both curves at 0 or 1: no variance, no test", ""]


def test_a_milestone_beyond_follow_up_is_refused():
    with pytest.raises(DataError, match="row 2, column 'times', value 9"):
        milestone_difference([1, 2, 3, 4], [1, 0, 1, 0], list("aabb"), [1, 9])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"group": ["a", "a", "a", "a"]}, "at least 2 groups"),
        ({"group": ["a", None, "b", "b"]}, "row 2, column 'group'"),
        ({"fleming_harrington": (-1, 0)}, "column 'fleming_harrington'"),
        ({"fleming_harrington": 3}, "column 'fleming_harrington'"),
        ({"control": "z"}, "column 'control'"),
        ({"event": [0, 0, 0, 0]}, "no events"),
    ],
)
def test_bad_input_is_named(change, words):
    arguments = {"time": [1, 2, 3, 4], "event": [1, 1, 1, 0], "group": list("aabb")}
    with pytest.raises(DataError, match=words):
        logrank(**{**arguments, **change})


def test_the_old_name_of_the_family_still_works_and_says_the_new_one():
    data = [1, 2, 3, 4], [1, 1, 1, 0], list("aabb")
    new = logrank(*data, fleming_harrington=(1, 0))
    with pytest.warns(DeprecationWarning, match=r"logrank\(weights=\) is now fleming_harrington="):
        old = logrank(*data, weights=(1, 0))
    with pytest.warns(DeprecationWarning, match="weights is now fleming_harrington"):
        assert old.weights == new.fleming_harrington == (1.0, 0.0)
    assert old.statistic == new.statistic
