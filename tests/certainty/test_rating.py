"""GRADE: each rule by a case that meets it, orders that must hold, and what mistakes come to."""

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

import metablin as mb
from metablin.certainty import LEVELS, START, SUGGESTED, information_size
from metablin.certainty.precision import needed_information
from tests.odd_input import one_clear_line
from tests.reference import pinned

UNPOOLED = 0.02
"""R's power.prop.test pools the variance under the null; the formula of GRADE does not."""


def ratios(*effects: tuple[float, float], model: str = "common") -> mb.MetaFit:
    """Pool log hazard ratios given as ratio and standard error."""
    hr, se = (np.array(x) for x in zip(*effects, strict=True))
    z = 1.959963984540054
    names = [chr(65 + i) for i in range(len(hr))]
    e = mb.hazard_ratios(hr, hr * np.exp(-z * se), hr * np.exp(z * se), studies=names)
    return mb.pool(e, model=model)


def rate(fit: mb.MetaFit, domain: str, start: str = "randomised", **more: Any) -> Any:
    rated = mb.grade(fit, start, **more)
    return next(d for d in rated.domains if d.domain == domain)


LOW = {"A": "low", "B": "low", "C": "low", "D": "low"}
ALIKE = ratios((0.7, 0.1), (0.7, 0.1), (0.7, 0.1))


@pytest.mark.parametrize(
    ("start", "level"),
    [("randomised", 4), ("non-randomised", 2), ("robins-i", 4), ("rate", 4), ("single-arm", 1)],
)
def test_where_certainty_starts(start: str, level: int) -> None:
    rated = mb.grade(ALIKE, start)
    assert rated.start_level == level
    assert rated.convention == START[start][1]


# Risk of bias: judgements of three studies of equal weight, and what the body loses.
BIAS = [
    (("low", "low", "low"), "randomised", 0, "RB1"),
    (("high", "high", "high"), "randomised", -1, "RB2"),
    (("high", "high", "low"), "randomised", -1, "RB2"),
    (("high", "low", "low"), "randomised", 0, "RB3"),
    (("some concerns", "some concerns", "some concerns"), "randomised", 0, "RB1"),
    (("moderate", "moderate", "moderate"), "robins-i", -1, "RB2"),
    (("serious", "serious", "moderate"), "robins-i", -2, "RB2"),
    (("critical", "critical", "serious"), "robins-i", -3, "RB2"),
    (("critical", "serious", "moderate"), "robins-i", -2, "RB2"),
    (("critical", "critical", "low"), "rate", -2, "RB2"),
]


@pytest.mark.parametrize(("words", "start", "levels", "rule"), BIAS)
def test_risk_of_bias_counts_by_weight(
    words: tuple[str, ...], start: str, levels: int, rule: str
) -> None:
    found = rate(ALIKE, "risk of bias", start, risk_of_bias=dict(zip("ABC", words, strict=True)))
    assert (found.suggested, found.rule[:3]) == (levels, rule)


@pytest.mark.parametrize("others", [1.02, 0.8], ids=["other side", "outside the interval"])
def test_a_minority_at_high_risk_costs_a_level_when_the_others_say_otherwise(
    others: float,
) -> None:
    fit = ratios((0.4, 0.1), (others, 0.1), (others, 0.1))
    found = rate(fit, "risk of bias", risk_of_bias={"A": "high", "B": "low", "C": "low"})
    assert (found.suggested, found.rule[:3]) == (-1, "RB4")
    assert found.numbers["weight_high_risk"] == pytest.approx(1 / 3)


def test_two_domains_with_some_concerns_make_a_study_high() -> None:
    fine = {"3.1": "Y", "4.1": "N", "4.2": "N", "4.3": "N", "5.1": "Y", "5.2": "N", "5.3": "N"}
    one = {"1.1": "Y", "1.2": "NI", "1.3": "N", "2.1": "N", "2.2": "N", "2.6": "Y"}
    two = one | {"2.1": "Y", "2.3": "NI"}
    rows = [
        {"study": s, "domain": f"D{q[0]}", "question": q, "answer": a}
        for s, own in (("A", one), ("B", two))
        for q, a in (fine | own).items()
    ]
    fit = ratios((0.7, 0.1), (0.7, 0.1))
    found = rate(fit, "risk of bias", risk_of_bias=mb.risk_of_bias(pd.DataFrame(rows)))
    assert found.numbers["studies_high_risk"] == 1
    assert "1 some concerns, 1 some concerns in 2 domains" in found.inputs


def test_leaving_out_studies_at_high_risk_is_the_pool_of_the_others() -> None:
    fit = ratios((0.4, 0.1), (0.8, 0.1), (0.9, 0.1), model="random")
    kept = mb.certainty.without_high_risk(fit, {"A": "high", "B": "low", "C": "low"})  # type: ignore[attr-defined]
    assert kept.estimate == pytest.approx(ratios((0.8, 0.1), (0.9, 0.1), model="random").estimate)


# Inconsistency: studies, options, levels.
SPREAD = [
    (ratios((0.7, 0.1)), {}, 0, "IC0"),
    (ratios((0.7, 0.1), (0.75, 0.1), (0.8, 0.1), model="random"), {}, 0, "IC1"),
    (ratios((0.9, 0.2), (1.1, 0.2)), {}, 0, "IC1"),
    (ratios((0.5, 0.1), (1.5, 0.1)), {}, -1, "IC2"),
    (ratios((0.4, 0.1), (0.6, 0.1), (0.9, 0.1), (0.5, 0.1), (0.8, 0.1), (0.45, 0.1),
            (0.7, 0.1), (0.62, 0.1), model="random"), {}, -1, "IC2"),
    (ratios((0.3, 0.05), (0.6, 0.05), (1.3, 0.05), (0.5, 0.05), (0.4, 0.05), (0.45, 0.05),
            (0.7, 0.05), (0.62, 0.05), model="random"), {}, -2, "IC3"),
]  # fmt: skip


@pytest.mark.parametrize(("fit", "options", "levels", "rule"), SPREAD)
def test_inconsistency_by_sides_overlap_and_prediction(
    fit: mb.MetaFit, options: dict[str, Any], levels: int, rule: str
) -> None:
    found = rate(fit, "inconsistency", **options)
    assert (found.suggested, found.rule[:3]) == (levels, rule), found.inputs


# Imprecision of a ratio: (ratio, standard error), options, levels, rule.
PRECISION = [
    ((0.75, 0.05), {}, 0, "IM1"),
    ((0.90, 0.10), {}, -1, "IM2"),
    ((0.95, 0.30), {}, -2, "IM2"),
    ((0.60, 0.15), {}, -2, "IM3"),
    ((0.60, 0.12), {}, -1, "IM3"),
    ((0.60, 0.10), {}, 0, "IM1"),
    ((0.40, 0.40), {}, -3, "IM3"),
    ((0.75, 0.10), {"threshold": 0.8}, -1, "IM2"),
    ((0.95, 0.20), {"threshold": 0.8}, -2, "IM2"),
    ((0.98, 0.05), {"threshold": 0.8}, 0, "IM1"),
    ((0.75, 0.05), {"threshold": 0.05, "baseline": 0.5, "at": 24}, 0, "IM1"),
    ((0.80, 0.10), {"threshold": 0.05, "baseline": 0.5, "at": 24}, -1, "IM2"),
    ((0.90, 0.35), {"threshold": [0.02, 0.05, 0.10], "baseline": 0.5, "at": 24}, -3, "IM2"),
]


@pytest.mark.parametrize(("study", "options", "levels", "rule"), PRECISION)
def test_imprecision_by_thresholds_and_information(
    study: tuple[float, float], options: dict[str, Any], levels: int, rule: str
) -> None:
    found = rate(ratios(study), "imprecision", **options)
    assert (found.suggested, found.rule[:3]) == (levels, rule), found.inputs


@pytest.mark.parametrize(
    "options", [{}, {"threshold": 0.8}, {"threshold": 0.04, "baseline": 0.4, "at": 12}]
)
@pytest.mark.parametrize("hr", [0.45, 0.6, 0.7, 0.85, 0.97, 1.3, 2.2])
def test_more_of_the_same_evidence_never_costs_a_level(hr: float, options: dict[str, Any]) -> None:
    levels = [
        rate(ratios(*[(hr, 0.4)] * copies), "imprecision", **options).suggested
        for copies in (1, 2, 4, 8, 16, 32, 64, 256)
    ]
    assert levels == sorted(levels)


def test_what_would_change_it_names_the_evidence_that_then_suffices() -> None:
    fit = ratios((0.85, 0.12))
    found = rate(fit, "imprecision")
    factor = float(found.would_change.split("about ")[1].split(" times")[0])
    assert factor == pytest.approx((1.959963984540054 * 0.12 / -math.log(0.85)) ** 2, abs=0.06)
    assert rate(ratios((0.85, 0.12 / math.sqrt(factor + 0.06))), "imprecision").suggested == 0


@pytest.mark.parametrize("case", pinned("certainty")["size"])
def test_information_size_is_near_rs_power_calculation(case: dict[str, float]) -> None:
    assert information_size(case["p0"]) == pytest.approx(case["n"], rel=UNPOOLED)


def test_information_of_a_hazard_ratio_is_schoenfelds_number_of_events() -> None:
    # Schoenfeld DA (1983), doi:10.2307/2531021, at 1:1 for a ratio of 0.75, alpha 5%, power 80%.
    assert math.ceil(4 * needed_information()) == 380


def test_the_order_and_names_of_studies_do_not_matter() -> None:
    effects = [(0.4, 0.2), (0.7, 0.1), (1.1, 0.15), (0.8, 0.12)]
    one = mb.grade(ratios(*effects, model="random"), "randomised", LOW | {"A": "high"})
    other = mb.grade(ratios(*effects[::-1], model="random"), "randomised", LOW | {"D": "high"})
    for a, b in zip(one.domains, other.domains, strict=True):
        assert (a.domain, a.suggested, a.rule) == (b.domain, b.suggested, b.rule)
        for name, value in a.numbers.items():
            assert b.numbers[name] == pytest.approx(value, nan_ok=True)
    assert one.level == other.level


def test_exchanging_the_arms_keeps_the_level_and_turns_the_sentence() -> None:
    one = mb.grade(ratios((0.6, 0.1), (0.7, 0.1)), "randomised", LOW, threshold=0.8)
    other = mb.grade(ratios((1 / 0.6, 0.1), (1 / 0.7, 0.1)), "randomised", LOW, threshold=0.8)
    assert one.level == other.level
    assert "reduces" in one.sentence
    assert "increases" in other.sentence


ASPECTS = [
    ([], 0),
    ([("population", "none")], 0),
    ([("population", "serious")], -1),
    ([("population", "serious"), ("outcome", "serious")], -2),
    ([("indirect comparison", "very serious")], -2),
]


@pytest.mark.parametrize(("aspects", "levels"), ASPECTS)
def test_indirectness_by_aspects(aspects: list[tuple[str, str]], levels: int) -> None:
    rows = [{"aspect": a, "severity": s, "reason": "seen"} for a, s in aspects]
    assert rate(ALIKE, "indirectness", indirectness=rows).suggested == levels


def test_an_aspect_of_single_studies_counts_by_their_weight() -> None:
    row = {"aspect": "comparator", "severity": "serious", "reason": "no longer used"}
    one = rate(ALIKE, "indirectness", indirectness=[row | {"study": "A"}])
    two = rate(ALIKE, "indirectness", indirectness=[row | {"study": s} for s in "AB"])
    assert (one.suggested, two.suggested) == (0, -1)


def test_population_codes_count_by_weight() -> None:
    codes = ["adult", "child", "child"]
    asked = {
        p: rate(ALIKE, "indirectness", population=p, populations=codes) for p in ("adult", "child")
    }
    assert asked["adult"].suggested == -1
    assert asked["adult"].numbers["weight_other_population"] == pytest.approx(2 / 3)
    assert asked["child"].suggested == 0


def test_publication_bias_by_overdue_results_and_by_the_funnel() -> None:
    assert rate(ALIKE, "publication bias", publication={"overdue": 1}).suggested == -1
    assert rate(ALIKE, "publication bias").rule[:3] == "PB0"
    # Effects that grow with their standard error, more of them than a funnel needs.
    se = np.linspace(0.05, 0.5, 12)
    skewed = ratios(*[(math.exp(-1.5 * s), s) for s in se], model="random")
    found = rate(skewed, "publication bias")
    assert found.suggested == -1
    assert found.numbers["p_asymmetry"] < 0.1
    small = ratios((0.7, 0.3), (0.7, 0.3))
    assert rate(small, "publication bias", publication={"industry": ["A", "B"]}).suggested == -1
    assert rate(small, "publication bias", publication={"industry": ["A"]}).suggested == 0


# Rating up: odds ratio, standard error, kind, levels.
UP = [
    (0.4, "non-randomised", 1),
    (0.15, "non-randomised", 2),
    (0.6, "non-randomised", 0),
    (2.5, "non-randomised", 1),
]


@pytest.mark.parametrize(("ratio", "start", "levels"), UP)
def test_a_large_effect_raises_evidence_without_random_assignment(
    ratio: float, start: str, levels: int
) -> None:
    fit = ratios((ratio, 0.05), (ratio, 0.05))
    found = rate(fit, "large effect", start, risk_of_bias=LOW, baseline=0.01, at=12)
    assert found.suggested == levels, found.inputs


def test_a_large_effect_raises_nothing_when_another_domain_lost_a_level() -> None:
    fit = ratios((0.4, 0.05), (0.4, 0.05))
    words = {"A": "moderate", "B": "moderate"}
    found = rate(fit, "large effect", "robins-i", risk_of_bias=words, baseline=0.01, at=12)
    assert (found.suggested, found.rule[:3]) == (0, "UP2")


def test_randomised_evidence_is_not_rated_up() -> None:
    assert all(d.domain != "large effect" for d in mb.grade(ALIKE, "randomised", LOW).domains)


def test_an_override_counts_with_its_reason_and_the_rule_stays_visible() -> None:
    own = [{"domain": "imprecision", "levels": -1, "reason": "the panel's threshold is lower"}]
    before = mb.grade(ALIKE, "randomised", LOW)
    after = mb.grade(ALIKE, "randomised", LOW, overrides=own)
    assert after.level == before.level - 1
    row = after.to_frame().set_index("domain").loc["imprecision"]
    assert (row["suggested"], row["final"]) == (0, -1)
    assert row["reason"] in after.summary()
    raised = mb.grade(
        ALIKE, "non-randomised", LOW,
        overrides=[{"domain": "dose response", "levels": 1, "reason": "more cycles, more effect"}],
    )  # fmt: skip
    assert raised.level == 3


def test_the_level_never_leaves_its_scale() -> None:
    bad = ratios((0.95, 0.5))
    rated = mb.grade(bad, "single-arm", {"A": "critical"}, publication={"overdue": 2})
    assert rated.level == 1
    up = [{"domain": d, "levels": 2, "reason": "x"} for d in ("dose response", "large effect")]
    assert mb.grade(ALIKE, "robins-i", overrides=up).level == 4


def test_each_change_says_the_level_that_it_would_lead_to() -> None:
    rated = mb.grade(
        ratios((0.9, 0.1), (0.9, 0.1)), "randomised", {"A": "high", "B": "high"}, threshold=0.8
    )
    changes = rated.changes().set_index("domain")
    assert rated.word == "low"
    assert changes["level_then"].to_dict() == {
        "risk of bias": "moderate",
        "imprecision": "moderate",
    }


def test_who_stands_behind_it_is_always_said() -> None:
    rated = mb.grade(ALIKE, "randomised", LOW)
    assert SUGGESTED in rated.summary()
    assert rated.to_dict()["status"] == SUGGESTED


# GRADE guidelines 26, doi:10.1016/j.jclinepi.2019.10.014, table of statements.
SENTENCES = [
    (0.60, 0, "X results in a large reduction in death."),
    (0.80, 0, "X reduces death."),
    (0.92, 0, "X reduces death slightly."),
    (0.99, 0, "X results in little to no difference in death."),
    (0.60, -1, "X likely results in a large reduction in death."),
    (0.80, -1, "X likely reduces death."),
    (0.99, -1, "X likely results in little to no difference in death."),
    (0.60, -2, "X may result in a large reduction in death."),
    (0.80, -2, "X may reduce death."),
    (0.92, -2, "X may reduce death slightly."),
    (0.99, -2, "X may result in little to no difference in death."),
    (1.50, -2, "X may result in a large increase in death."),
    (0.80, -3, "The evidence is very uncertain about the effect of X on death."),
]


@pytest.mark.parametrize(("hr", "levels", "words"), SENTENCES)
def test_sentences_are_grades(hr: float, levels: int, words: str) -> None:
    own = [{"domain": "risk of bias", "levels": levels, "reason": "for the test"}]
    rated = mb.grade(
        ratios((hr, 0.005)), "randomised", threshold=[0.95, 0.9, 0.75], overrides=own,
        outcome="death", intervention="X",
    )  # fmt: skip
    assert rated.sentence == words


def test_a_rate_is_judged_by_its_width_or_by_a_value_that_decides() -> None:
    fit = mb.pool(mb.proportions([20, 30, 25], [45, 60, 40]), model="glmm", ci="t")
    wide = rate(fit, "imprecision", "rate")
    assert (wide.suggested, wide.rule[:3]) == (-1, "IM4")
    assert rate(fit, "imprecision", "rate", half_width=0.2).suggested == 0
    assert rate(fit, "imprecision", "rate", half_width=0.05).suggested == -2
    assert rate(fit, "imprecision", "rate", threshold=0.2).suggested == 0
    assert rate(fit, "imprecision", "rate", threshold=0.5).suggested == -1
    assert mb.grade(fit, "rate", outcome="remission").sentence.startswith(
        "The rate of remission is likely 52%"
    )


def test_without_judgements_the_rating_says_that_it_has_none() -> None:
    rated = mb.grade(ALIKE, "randomised")
    rules = {d.domain: d.rule for d in rated.domains}
    assert rules["risk of bias"] == "RB0 not judged"
    assert rules["indirectness"] == "ID0 not judged"


def findings(at: float | None = 24.0, start: str = "randomised") -> Any:
    p0 = None if at is None else 0.5
    return mb.grade(ALIKE, start, baseline=p0, at=at, outcome="death", patients=300)


def test_the_summary_of_findings_has_what_panels_paste() -> None:
    table = mb.summary_of_findings([findings(), findings(None)])
    row = table.to_frame().iloc[0]
    assert row["patients (studies)"] == "300 (3)"
    assert row["effect"] == "HR 0.70 (0.63 to 0.78)"
    assert row["without"] == "500 per 1,000"
    assert row["with"] == "384 per 1,000 (352 to 419)"
    assert row["difference"] == "116 fewer (148 fewer to 81 fewer)"
    assert row["certainty"].endswith(LEVELS[findings().level])
    assert table.numbers().loc[1, "per_1000_control"] is None or math.isnan(
        table.numbers().loc[1, "per_1000_control"]
    )
    assert "at 24 months" in table.summary()


MISTAKES = {
    "different time points": (
        lambda: mb.summary_of_findings([findings(24), findings(24), findings(12)]),
        r"row 3 \(death\), column 'at', value 12: another time point.*24 months",
    ),
    "two conventions": (
        lambda: mb.summary_of_findings([findings(start=s) for s in ("non-randomised", "robins-i")]),
        r"row 2 \(death\), column 'start', value robins-i: another convention",
    ),
    "not ratings": (lambda: mb.summary_of_findings([1]), "row 1, column 'rated'"),
    "no ratings": (lambda: mb.summary_of_findings([]), "no ratings"),
    "an override without reason": (
        lambda: mb.grade(ALIKE, "randomised", overrides=[
            {"domain": "inconsistency", "levels": 0, "reason": "x"},
            {"domain": "imprecision", "levels": -1, "reason": ""}]),
        "row 2, column 'reason', value missing: an override needs a reason",
    ),
    "an unknown domain": (
        lambda: mb.grade(ALIKE, "randomised", overrides=[
            {"domain": "size", "levels": -1, "reason": "x"}]),
        "row 1, column 'domain', value size",
    ),
    "levels up where they go down": (
        lambda: mb.grade(ALIKE, "randomised", overrides=[
            {"domain": "imprecision", "levels": 1, "reason": "x"}]),
        "row 1, column 'levels', value 1.*allowed: -3 to 0",
    ),
    "a threshold outside its scale": (
        lambda: mb.grade(ALIKE, "randomised", threshold=0.7, baseline=0.5, at=12),
        "column 'threshold', value 0.7: threshold outside its scale; .*between 0 and 0.5",
    ),
    "a ratio that is none": (
        lambda: mb.grade(ALIKE, "randomised", threshold=-0.8),
        "column 'threshold', value -0.8: threshold outside its scale; allowed: a ratio above 0",
    ),
    "thresholds that shrink": (
        lambda: mb.grade(ALIKE, "randomised", threshold=[0.1, 0.05, 0.2], baseline=0.5, at=12),
        "thresholds do not grow",
    ),
    "two thresholds": (
        lambda: mb.grade(ALIKE, "randomised", threshold=[0.9, 0.8]),
        "2 thresholds",
    ),
    "a baseline that is no risk": (
        lambda: mb.grade(ALIKE, "randomised", baseline=50, at=12),
        "column 'baseline', value 50.0: not a risk",
    ),
    "a hazard ratio without its time": (
        lambda: mb.grade(ALIKE, "randomised", baseline=0.5),
        "column 'at', value missing",
    ),
    "an unknown start": (lambda: mb.grade(ALIKE, "rct"), "column 'start'"),
    "a study without judgement": (
        lambda: mb.grade(ALIKE, "randomised", {"A": "low", "B": "low"}),
        r"row 3 \(C\), column 'risk_of_bias', value missing: pooled but not judged",
    ),
    "an unknown judgement": (
        lambda: mb.grade(ALIKE, "randomised", LOW | {"B": "fair"}),
        r"row 2 \(B\), column 'risk_of_bias', value fair",
    ),
    "two conventions at once": (
        lambda: mb.grade(ALIKE, "non-randomised", LOW | {"B": "serious"}),
        "exclude each other; allowed: robins-i",
    ),
    "indirectness without reason": (
        lambda: mb.grade(ALIKE, "randomised", indirectness=[
            {"aspect": "outcome", "severity": "serious", "reason": ""}]),
        "row 1, column 'reason'",
    ),
    "an unknown aspect": (
        lambda: mb.grade(ALIKE, "randomised", indirectness=[
            {"aspect": "dose", "severity": "serious", "reason": "x"}]),
        "row 1, column 'aspect', value dose",
    ),
    "indirectness of a study not pooled": (
        lambda: mb.grade(ALIKE, "randomised", indirectness=[
            {"aspect": "outcome", "severity": "serious", "reason": "x", "study": "Z"}]),
        "row 1, column 'study', value Z",
    ),
    "unknown facts": (
        lambda: mb.grade(ALIKE, "randomised", publication={"sponsor": 1}),
        "column 'publication', value sponsor",
    ),
    "not a fit": (lambda: mb.grade(0.7, "randomised"), "not a fitted meta-analysis"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", list(MISTAKES))
def test_mistakes_are_refused_in_one_line(mistake: str) -> None:
    call, words = MISTAKES[mistake]
    one_clear_line(call, words)


@pytest.mark.parametrize("model", ["random", "common", "glmm", "mantel-haenszel", "peto", "bayes"])
def test_every_model_is_rated_and_pooled_again_without_a_study(model: str) -> None:
    measure = "peto" if model == "peto" else "or"
    e = mb.two_by_two([10, 12, 9], [90] * 3, [30, 25, 28], [90] * 3, measure=measure)
    fit = mb.pool(e, model=model)
    judged = {"study 1": "high", "study 2": "low", "study 3": "low"}
    rated = mb.grade(fit, "randomised", judged, baseline=0.3, outcome="relapse")
    kept = mb.certainty.without_high_risk(fit, judged)  # type: ignore[attr-defined]
    assert kept.k == 2
    assert kept.model == model
    assert rated.patients == 540
    assert math.isfinite(rated.domains[0].numbers["weight_high_risk"])
