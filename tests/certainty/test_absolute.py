"""Absolute effects: published examples, values from R, and what may not matter."""

import math

import numpy as np
import pandas as pd
import pytest

import metablin as mb
from metablin.certainty import needed_to_treat
from metablin.certainty.scale import risk_with
from tests.odd_input import one_clear_line
from tests.reference import pinned, table

R = pinned("certainty")

ROOT = 1e-6
"""REML and DL roots, and R's own fits, agree to about this much in tail probabilities."""

EXACT = 1e-12
"""The same sums in another order."""

FIT = mb.pool(mb.hazard_ratios([0.7, 0.5, 0.9], [0.5, 0.3, 0.6], [0.98, 0.83, 1.35]))


def pooled(estimate: float, low: float, high: float, measure: str) -> mb.MetaFit:
    """One study with a printed interval, which the pool gives back."""
    z = 1.959963984540054
    if measure == "rd":
        variance = ((high - low) / (2 * z)) ** 2
        e = mb.generic([estimate], [variance])
        return mb.pool(
            type(e)(**{n: getattr(e, n) for n in e.__slots__} | {"measure": "rd"}), ci="z"
        )
    e = mb.hazard_ratios([estimate], [low], [high])
    names = {n: getattr(e, n) for n in e.__slots__}
    return mb.pool(type(e)(**names | {"measure": measure}), ci="z")


# Clarke MJ et al. (2016), doi:10.1002/14651858.CD004002.pub3, summary of findings: odds ratio with
# interval, risk without per 1,000, risk with per 1,000 and its limits.
STOCKINGS = [
    ((0.10, 0.04, 0.25), 10, (1, 0, 3)),
    ((0.10, 0.04, 0.25), 30, (3, 1, 8)),
    ((0.45, 0.18, 1.13), 13, (6, 2, 15)),
]


@pytest.mark.parametrize(("odds", "without", "expected"), STOCKINGS)
def test_the_summary_of_findings_of_a_cochrane_review(
    odds: tuple[float, float, float], without: int, expected: tuple[int, int, int]
) -> None:
    effect = mb.absolute_effect(pooled(*odds, "or"), without / 1000).table.iloc[0]
    found = [effect.per_1000_treatment, 1000 * effect.risk_low, 1000 * effect.risk_high]
    assert [round(float(x)) for x in found] == list(expected)


def test_altmans_number_needed_to_treat_runs_through_infinity() -> None:
    # Altman DG (1998), doi:10.1136/bmj.317.7168.1309: a reduction of 10% (-5% to 25%).
    nnt, low, high, text = needed_to_treat(-0.10, -0.25, 0.05)
    assert (nnt, low, high) == (10, 4, math.inf)
    assert text == "NNTB 10 (NNTB 4 to infinity to NNTH 20)"


def test_a_published_number_needed_to_treat_with_a_finite_interval() -> None:
    # Barrowman NJ (2002), CMAJ 166:1676: a reduction of 16.6% (0.9% to 32.2%).
    nnt, low, high, text = needed_to_treat(-0.166, -0.322, -0.009)
    assert (round(nnt), round(low, 1), round(high, 1)) == (6, 3.1, 111.1)
    assert text == "NNTB 6 (3 to 111)"


def test_harm_is_named_and_no_difference_is_infinite() -> None:
    assert needed_to_treat(0.05, 0.02, 0.10)[3] == "NNTH 20 (10 to 50)"
    assert needed_to_treat(0.0, -0.1, 0.1)[0] == math.inf
    assert needed_to_treat(0.0, -0.1, 0.1)[3] == "infinite (NNTB 10 to infinity to NNTH 10)"


def test_newcombes_hybrid_score_interval_is_the_interval_of_two_landmarks() -> None:
    # Newcombe RG (1998), doi:10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I,
    # table II (a), 56/70 and 48/80 by method 10: 0.0524 to 0.3339.
    def arm(events: int, n: int) -> pd.DataFrame:
        z2, p = 1.959963984540054**2, events / n
        middle, half = p + z2 / (2 * n), math.sqrt(z2 * (p * (1 - p) + z2 / (4 * n)) / n)
        low, high = ((middle + s * half) / (1 + z2 / n) for s in (-1, 1))
        return pd.DataFrame({"time": [12], "survival": [p], "conf_low": [low], "conf_high": [high]})

    row = mb.absolute_effect_arms(arm(56, 70), arm(48, 80), at=12).table.iloc[0]
    assert [round(float(x), 2) for x in (row.points, row.points_low, row.points_high)] == [
        20.0, 5.24, 33.39,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "ci", "name"), [("REML", "hksj", "above"), ("DL", "z", "above_z")]
)
def test_predictive_probabilities_agree_with_metafor(method: str, ci: str, name: str) -> None:
    h = table("log_hr")
    fit = mb.pool(
        mb.hazard_ratios(h["estimate"], h["conf_low"], h["conf_high"]), tau2=method, ci=ci
    )
    found = mb.probability_beyond(fit, R["beyond"]["cuts"])
    np.testing.assert_allclose(found, R["beyond"][name], rtol=ROOT)


def arms() -> tuple[mb.survival.KMCurve, mb.survival.KMCurve]:  # type: ignore[name-defined]
    a, b = (R["arms"][name] for name in ("treatment", "control"))
    return mb.kaplan_meier(a["time"], a["event"]), mb.kaplan_meier(b["time"], b["event"])


def test_months_within_a_horizon_agree_with_r() -> None:
    effect = mb.absolute_effect_arms(*arms(), at=[12, R["tau"]])
    a, b = (R["area"][name] for name in ("treatment", "control"))
    se = math.hypot(a["se"], b["se"])
    assert effect.months == pytest.approx(a["rmean"] - b["rmean"], rel=ROOT)
    assert effect.months_high - effect.months == pytest.approx(1.959963984540054 * se, rel=ROOT)


def test_survival_by_arm_is_that_of_the_curves() -> None:
    treatment, control = arms()
    effect = mb.absolute_effect_arms(treatment, control, at=[12, 24]).table
    for name, curve in (("survival_treatment", treatment), ("survival_control", control)):
        np.testing.assert_allclose(
            effect[name], curve.survival_at([12, 24])["estimate"], rtol=EXACT
        )


def test_months_of_a_hazard_ratio_are_the_area_by_integration() -> None:
    from scipy import integrate

    def survival(t: float) -> float:
        hazard = -math.log(0.7) / 12 if t < 12 else math.log(0.7 / 0.5) / 12
        return math.exp(-hazard * t) if t < 12 else 0.7 * math.exp(-hazard * (t - 12))

    area = [
        integrate.quad(lambda t, x=x: survival(t) ** x, 0, 24, points=[12])[0]
        for x in (1.0, FIT.estimate)
    ]
    effect = mb.absolute_effect(FIT, [0.3, 0.5], [12, 24])
    assert effect.months == pytest.approx(area[1] - area[0], rel=1e-9)


def test_a_curve_as_baseline_gives_the_risk_it_shows_and_steps_for_months() -> None:
    _, control = arms()
    effect = mb.absolute_effect(FIT, control, [12, 24])
    expected = 1 - control.survival_at([12, 24])["estimate"]
    np.testing.assert_allclose(effect.table["risk_control"], expected, rtol=EXACT)
    fine = np.linspace(0, 24, 240001)[:-1] + 24 / 480000
    s = control.values_at(fine)[0]
    slow = (s**FIT.estimate - s).mean() * 24
    assert effect.months == pytest.approx(slow, abs=1e-3)


@pytest.mark.parametrize("measure", ["hr", "or", "rr", "rd"])
@pytest.mark.parametrize("p0", [0.05, 0.4, 0.9])
def test_no_effect_leaves_the_risk_and_more_effect_moves_it_further(
    measure: str, p0: float
) -> None:
    null = 0.0 if measure == "rd" else 1.0
    steps = null + np.array([-0.04, -0.02, 0.0, 0.02, 0.04])
    risks = risk_with(measure, steps, p0)
    assert risks[2] == pytest.approx(p0, rel=EXACT)
    assert (np.diff(risks) > 0).all()
    assert ((risks > 0) & (risks < 1)).all()


def test_exchanging_the_arms_turns_every_sign() -> None:
    treatment, control = arms()
    one = mb.absolute_effect_arms(treatment, control, at=[12, 24])
    other = mb.absolute_effect_arms(control, treatment, at=[12, 24])
    np.testing.assert_allclose(one.table["difference"], -other.table["difference"], rtol=EXACT)
    np.testing.assert_allclose(one.table["conf_low"], -other.table["conf_high"], rtol=EXACT)
    assert one.months == pytest.approx(-other.months, rel=EXACT)
    assert one.months_low == pytest.approx(-other.months_high, rel=EXACT)


def test_the_two_probabilities_and_the_rest_share_all_there_is() -> None:
    effect = mb.absolute_effect(FIT, [0.3, 0.5], [12, 24], threshold=0.05).table
    assert ((effect["p_benefit"] + effect["p_harm"]) < 1).all()
    wide = mb.absolute_effect(FIT, [0.3, 0.5], [12, 24], threshold=0.2).table
    assert (wide["p_benefit"] < effect["p_benefit"]).all()
    tiny = mb.absolute_effect(FIT, [0.3], [12], threshold=1e-9).table.iloc[0]
    assert tiny.p_benefit + tiny.p_harm == pytest.approx(1, abs=1e-6)


def test_benefit_that_the_baseline_does_not_hold_has_no_probability() -> None:
    row = mb.absolute_effect(FIT, 0.1, 12, threshold=0.2).table.iloc[0]
    assert row.p_benefit == 0
    assert row.p_harm > 0


def test_a_risk_difference_below_zero_risk_has_no_probability_either() -> None:
    e = mb.generic([-0.05, -0.08, -0.02], [0.001, 0.002, 0.001])
    names = {n: getattr(e, n) for n in e.__slots__}
    fit = mb.pool(type(e)(**names | {"measure": "rd"}))
    row = mb.absolute_effect(fit, 0.1, threshold=0.2).table.iloc[0]
    assert row.p_benefit == 0
    assert mb.probability_beyond(fit, -0.1) < 1


def test_one_study_names_why_it_has_no_probability_in_a_new_setting() -> None:
    effect = mb.absolute_effect(pooled(0.7, 0.5, 0.98, "hr"), 0.5, 24, threshold=0.05)
    assert math.isnan(effect.table.loc[0, "p_benefit"])
    assert any("no predictive distribution" in note for note in effect.notes)


def test_results_are_ready_for_json_and_infinity_is_null_beside_its_text() -> None:
    row = mb.absolute_effect(FIT, 0.5, 24).to_dict()["times"][0]
    assert row["nnt_high"] is None
    assert "infinity" in row["nnt_text"]


LANDMARKS = pd.DataFrame(
    {"time": [12, 24], "survival": [0.5, 0.4], "conf_low": [0.4, 0.3], "conf_high": [0.6, 0.5]}
)

MISTAKES = {
    "a risk above 1": (lambda: mb.absolute_effect(FIT, 31, 12), "column 'baseline', value 31"),
    "survival for risk": (
        lambda: mb.absolute_effect(FIT, [0.7, 0.5], [12, 24]),
        "row 2, column 'baseline', value 0.5: a risk that falls",
    ),
    "no time": (lambda: mb.absolute_effect(FIT, 0.5), "column 'at'.*needs the time"),
    "times out of order": (
        lambda: mb.absolute_effect(FIT, [0.3, 0.5], [24, 12]),
        "row 2, column 'at', value 12",
    ),
    "two times for one ratio": (
        lambda: mb.absolute_effect(pooled(0.7, 0.5, 0.98, "rr"), [0.2, 0.3], [12, 24]),
        "belongs to one time",
    ),
    "another number of risks": (lambda: mb.absolute_effect(FIT, [0.3], [12, 24]), "1 value"),
    "a threshold outside its scale": (
        lambda: mb.absolute_effect(FIT, 0.5, 12, threshold=5),
        "column 'threshold', value 5.*threshold outside its scale",
    ),
    "a proportion": (
        lambda: mb.absolute_effect(mb.pool(mb.proportions([4, 5], [9, 9])), 0.5, 12),
        "no risk follows",
    ),
    "not a fit": (lambda: mb.absolute_effect(0.7, 0.5, 12), "not a fitted meta-analysis"),
    "beyond the curve": (
        lambda: mb.absolute_effect_arms(*arms(), at=[12, 600]),
        "beyond the follow-up",
    ),
    "a time that was not printed": (
        lambda: mb.absolute_effect_arms(LANDMARKS, LANDMARKS, at=[36]),
        "column 'treatment', value 36: 0 rows at this time; allowed: 12 24",
    ),
    "percent for a share": (
        lambda: mb.absolute_effect_arms(LANDMARKS.assign(survival=[50, 40]), LANDMARKS, at=12),
        "row 1, column 'survival', value 50",
    ),
}


@pytest.mark.parametrize("mistake", list(MISTAKES))
def test_mistakes_are_refused_in_one_line(mistake: str) -> None:
    call, words = MISTAKES[mistake]
    one_clear_line(call, words)
