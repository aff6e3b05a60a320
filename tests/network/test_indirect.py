"""Bucher, MAIC and STC against R, by simulation and by invariance."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from scipy import optimize

import metablin as mb
from metablin.errors import DataError
from metablin.network.indirect import bucher, maic, matching_weights, stc
from tests.network.pinned import HERE

PIN = json.loads((HERE / "indirect.json").read_text())
DATA = pd.DataFrame(PIN["data"])
TARGET = PIN["target"]

OPTIM = 1e-5
"""optim's BFGS stops on the value, which is flat to the root of rounding."""

NEWTON = 1e-9


def test_bucher_is_the_difference_of_two_pools():
    a = mb.pool(mb.hazard_ratios([0.7, 0.8], [0.5, 0.6], [0.98, 1.07]), model="common")
    b = mb.hazard_ratios([0.9], [0.7], [1.16])
    found = bucher(a, b)
    assert found.measure == "hr"
    assert found.estimate == pytest.approx(a.estimate / 0.9)
    assert found.std_error**2 == pytest.approx(a.analysis.std_error**2 + b.vi[0])
    assert found.conf_low == pytest.approx(np.exp(found.effect - 1.959964 * found.std_error))
    back = bucher(b, a)
    assert back.effect == pytest.approx(-found.effect)
    assert back.p_value == pytest.approx(found.p_value)
    with pytest.raises(DataError, match="effects of two measures"):
        bucher(a, (0.1, 0.2))
    with pytest.raises(DataError, match="'second', value str"):
        bucher(a, "b")


def test_weights_are_those_of_optim():
    found = matching_weights(DATA, TARGET)
    assert found.weights == pytest.approx(PIN["weights"], rel=OPTIM)
    assert found.ess == pytest.approx(PIN["ess"], rel=OPTIM)
    assert found.balance["after"].to_numpy() == pytest.approx([57, 0.4], abs=1e-8)
    assert found.weights.mean() == pytest.approx(1)


def test_moments_and_entropy_are_one_and_base_weights_are_kept():
    a = matching_weights(DATA, TARGET)
    b = matching_weights(DATA, TARGET, method="entropy")
    assert a.weights == pytest.approx(b.weights, rel=1e-12)
    base = np.linspace(0.5, 2, len(DATA))
    c = matching_weights(DATA, TARGET, method="entropy", base=base)
    assert c.balance["after"].to_numpy() == pytest.approx([57, 0.4], abs=1e-8)
    # Nearest to the base weights: no exchange along the constraints lowers the distance.
    x = np.column_stack([np.ones(len(DATA)), DATA["age"] - 57, DATA["male"] - 0.4])
    logs = np.log(c.weights / base)
    assert logs - x @ np.linalg.lstsq(x, logs, rcond=None)[0] == pytest.approx(0, abs=1e-8)


def test_standard_deviations_are_matched_too():
    found = matching_weights(DATA, {"age": (57, 9)})
    w, age = found.weights, DATA["age"]
    mean = w @ age / w.sum()
    assert mean == pytest.approx(57, abs=1e-7)
    assert np.sqrt(w @ (age - mean) ** 2 / w.sum()) == pytest.approx(9, abs=1e-6)
    assert found.distribution()["weight"].iloc[-1] == pytest.approx(w.max())


def test_the_unit_of_a_covariate_does_not_matter():
    other = DATA.assign(age=DATA["age"] * 12)
    a = matching_weights(DATA, TARGET).weights
    assert matching_weights(other, {"age": 57 * 12, "male": 0.4}).weights == pytest.approx(a)


@pytest.mark.parametrize(
    ("measure", "outcome", "pin"), [("hr", "dead", "cox"), ("or", "event", "odds")]
)
def test_anchored_effects_and_robust_variances_are_those_of_r(measure, outcome, pin):
    found = maic(DATA, TARGET, (0.1, 0.2), measure=measure, treatment="arm", outcome=outcome)
    assert found.anchored
    assert found.parts[0][1] == pytest.approx(PIN[pin]["effect"], rel=OPTIM)
    assert found.parts[0][2] == pytest.approx(PIN[pin]["variance"], rel=OPTIM)
    assert found.effect == pytest.approx(found.parts[0][1] - 0.1)
    assert found.std_error**2 == pytest.approx(found.parts[0][2] + 0.04)


@pytest.mark.parametrize(("measure", "outcome"), [("or", "event"), ("md", "score"), ("hr", "dead")])
def test_regressions_are_those_of_r(measure, outcome):
    found = stc(DATA, TARGET, (0.0, 0.1), measure=measure, treatment="arm", outcome=outcome)
    want = PIN["stc"][measure]
    assert found.parts[0][1] == pytest.approx(want["effect"], rel=NEWTON * 100)
    assert found.parts[0][2] == pytest.approx(want["variance"], rel=1e-6)


def test_without_covariates_that_differ_nothing_changes():
    means = {"age": float(DATA["age"].mean()), "male": float(DATA["male"].mean())}
    found = maic(DATA, means, (0.0, 0.1), measure="rd", treatment="arm")
    plain = DATA.groupby("arm")["event"].mean()
    assert found.weights.ess == pytest.approx(len(DATA))
    assert found.effect == pytest.approx(plain[1] - plain[0])


def test_the_bootstrap_is_near_the_sandwich_and_repeats_with_its_seed():
    robust = maic(DATA, TARGET, (0.0, 0.1), measure="or", treatment="arm")
    options = {"measure": "or", "treatment": "arm", "variance": "bootstrap", "draws": 300}
    first = maic(DATA, TARGET, (0.0, 0.1), **options)
    again = maic(DATA, TARGET, (0.0, 0.1), **options)
    assert first.std_error == again.std_error
    assert first.parts[0][2] == pytest.approx(robust.parts[0][2], rel=0.35)


def test_unanchored_comparisons_take_a_printed_arm_and_say_what_they_assume():
    one_arm = DATA[DATA["arm"] == 1].reset_index(drop=True)
    found = maic(one_arm, TARGET, {"events": 30, "n": 90}, measure="or")
    w = found.weights.weights
    p = w @ one_arm["event"] / w.sum()
    assert not found.anchored
    assert "assumes that every prognostic factor" in found.notes[0]
    assert found.effect == pytest.approx(np.log(p / (1 - p)) - np.log(30 / 60))
    assert found.parts[1][2] == pytest.approx(1 / 30 + 1 / 60)
    other = stc(one_arm, TARGET, {"events": 30, "n": 90}, measure="or")
    assert other.parts[1] == found.parts[1]
    with pytest.raises(DataError, match="'n': the comparator lacks it"):
        maic(one_arm, TARGET, {"events": 30}, measure="or")


def test_pseudo_patients_stand_in_for_the_other_arm_and_their_draws_count():
    one_arm = DATA[DATA["arm"] == 1].reset_index(drop=True)
    rng = np.random.default_rng(2)
    sets = [pd.DataFrame({"time": rng.exponential(15, 80).round(1) + 0.1, "event": 1, "draw": i})
            for i in range(5)]  # fmt: skip
    options = {"measure": "hr", "outcome": "dead"}
    single = [maic(one_arm, TARGET, s, **options) for s in sets]
    found = maic(one_arm, TARGET, pd.concat(sets), **options)
    effects = np.array([s.effect for s in single])
    assert found.effect == pytest.approx(effects.mean())
    within = np.mean([s.std_error**2 for s in single])
    assert found.std_error**2 == pytest.approx(within + 1.2 * effects.var(ddof=1))


def test_what_no_weights_can_reach_is_named():
    with pytest.raises(DataError, match="'age', value 120: no weights give"):
        matching_weights(DATA, {"age": 120})
    corner = pd.DataFrame({"a": [0, 1, 0, 1.0], "b": [0, 1, 0, 1.0]})
    with pytest.raises(DataError, match="no weights reach all averages at once"):
        matching_weights(corner, {"a": 0.2, "b": 0.8})
    with pytest.raises(DataError, match="nothing to match"):
        matching_weights(DATA, {})
    with pytest.raises(DataError, match="two labels"):
        maic(DATA, TARGET, (0, 1), treatment="age")


def test_adjustment_takes_away_the_bias_of_an_effect_modifier():
    rng = np.random.default_rng(8)
    n = 4000
    x = rng.normal(0, 1, n)
    arm = np.tile([0, 1], n // 2)
    y = 0.5 * x + arm * (1 + 0.8 * x) + rng.normal(0, 1, n)
    frame = pd.DataFrame({"x": x, "arm": arm, "y": y})
    for method in (maic, stc):
        found = method(frame, {"x": 0.5}, (1.0, 0.05), measure="md", treatment="arm", outcome="y")
        assert found.effect == pytest.approx(0.4, abs=4 * found.std_error)
        assert found.std_error < 0.09
    plain = y[arm == 1].mean() - y[arm == 0].mean() - 1.0
    assert abs(plain - 0.4) > 4 * 0.09


def test_weights_minimise_the_sum_of_exponentials():
    found = matching_weights(DATA, TARGET).weights
    x = np.column_stack([DATA["age"] - 57, DATA["male"] - 0.4])
    best = optimize.minimize(lambda a: np.exp(x @ a).sum(), [0, 0], method="Nelder-Mead",
                             options={"xatol": 1e-9, "fatol": 1e-9})  # fmt: skip
    w = np.exp(x @ best.x)
    assert found == pytest.approx(w * len(w) / w.sum(), rel=1e-4)
