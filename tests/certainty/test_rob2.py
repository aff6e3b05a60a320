"""RoB 2: every path of every domain, and the algorithms once more in sentences."""

import itertools

import pandas as pd
import pytest

import metablin as mb
from metablin.certainty import TOOLS
from metablin.certainty.trees import judge, questions

ROB2 = TOOLS["rob2"]
LOW, SOME, HIGH = "low", "some concerns", "high"
DOMAINS = {d.name: d for d in ROB2.domains}

# One row a path through the published figures: the answers on it, and where it ends.
PATHS = [
    ("randomisation", "1.2 Y; 1.1 Y; 1.3 N", LOW),
    ("randomisation", "1.2 PY; 1.1 NI; 1.3 NI", LOW),
    ("randomisation", "1.2 Y; 1.1 Y; 1.3 PY", SOME),
    ("randomisation", "1.2 Y; 1.1 PN", SOME),
    ("randomisation", "1.2 NI; 1.3 PN", SOME),
    ("randomisation", "1.2 NI; 1.3 NI", SOME),
    ("randomisation", "1.2 NI; 1.3 Y", HIGH),
    ("randomisation", "1.2 PN", HIGH),
    ("deviations", "2.1 N; 2.2 PN; 2.6 Y", LOW),
    ("deviations", "2.1 Y; 2.3 N; 2.6 Y", LOW),
    ("deviations", "2.1 N; 2.2 NI; 2.3 N; 2.6 PY", LOW),
    ("deviations", "2.1 Y; 2.3 NI; 2.6 Y", SOME),
    ("deviations", "2.1 Y; 2.3 Y; 2.4 N; 2.6 Y", SOME),
    ("deviations", "2.1 Y; 2.3 Y; 2.4 PY; 2.5 Y; 2.6 Y", SOME),
    ("deviations", "2.1 Y; 2.3 Y; 2.4 NI; 2.5 NI; 2.6 Y", HIGH),
    ("deviations", "2.1 NI; 2.3 PY; 2.4 Y; 2.5 N; 2.6 Y", HIGH),
    ("deviations", "2.1 N; 2.2 N; 2.6 N; 2.7 PN", SOME),
    ("deviations", "2.1 N; 2.2 N; 2.6 NI; 2.7 NI", HIGH),
    ("deviations", "2.1 Y; 2.3 N; 2.6 N; 2.7 Y", HIGH),
    ("deviations_adherence", "2.1 N; 2.2 N; 2.4 N; 2.5 N", LOW),
    ("deviations_adherence", "2.1 N; 2.2 N; 2.4 Y; 2.6 Y", SOME),
    ("deviations_adherence", "2.1 N; 2.2 N; 2.4 N; 2.5 Y; 2.6 N", HIGH),
    ("deviations_adherence", "2.1 Y; 2.3 Y; 2.4 N; 2.5 N", LOW),
    ("deviations_adherence", "2.1 Y; 2.3 N; 2.6 PY", SOME),
    ("deviations_adherence", "2.1 N; 2.2 NI; 2.3 NI; 2.6 NI", HIGH),
    ("missing_data", "3.1 PY", LOW),
    ("missing_data", "3.1 N; 3.2 PY", LOW),
    ("missing_data", "3.1 NI; 3.2 N; 3.3 PN", LOW),
    ("missing_data", "3.1 N; 3.2 N; 3.3 Y; 3.4 N", SOME),
    ("missing_data", "3.1 N; 3.2 PN; 3.3 NI; 3.4 NI", HIGH),
    ("missing_data", "3.1 N; 3.2 N; 3.3 PY; 3.4 PY", HIGH),
    ("measurement", "4.1 Y", HIGH),
    ("measurement", "4.1 N; 4.2 PY", HIGH),
    ("measurement", "4.1 NI; 4.2 N; 4.3 N", LOW),
    ("measurement", "4.1 N; 4.2 N; 4.3 Y; 4.4 N", LOW),
    ("measurement", "4.1 N; 4.2 N; 4.3 Y; 4.4 Y; 4.5 PN", SOME),
    ("measurement", "4.1 N; 4.2 N; 4.3 NI; 4.4 NI; 4.5 NI", HIGH),
    ("measurement", "4.1 N; 4.2 NI; 4.3 N", SOME),
    ("measurement", "4.1 N; 4.2 NI; 4.3 Y; 4.4 N", SOME),
    ("measurement", "4.1 N; 4.2 NI; 4.3 Y; 4.4 Y; 4.5 N", SOME),
    ("measurement", "4.1 N; 4.2 NI; 4.3 Y; 4.4 Y; 4.5 Y", HIGH),
    ("reporting", "5.2 N; 5.3 N; 5.1 Y", LOW),
    ("reporting", "5.2 N; 5.3 PN; 5.1 N", SOME),
    ("reporting", "5.2 N; 5.3 N; 5.1 NI", SOME),
    ("reporting", "5.2 NI; 5.3 N", SOME),
    ("reporting", "5.2 N; 5.3 NI", SOME),
    ("reporting", "5.2 NI; 5.3 NI", SOME),
    ("reporting", "5.2 PY", HIGH),
    ("reporting", "5.2 NI; 5.3 Y", HIGH),
    ("reporting", "5.2 N; 5.3 PY", HIGH),
]


def given(path: str) -> dict[str, str]:
    return dict(step.split() for step in path.split("; "))


@pytest.mark.parametrize(("domain", "path", "expected"), PATHS)
def test_every_path_of_the_published_figures_ends_where_they_say(
    domain: str, path: str, expected: str
) -> None:
    verdict = judge(ROB2, DOMAINS[domain], given(path))
    assert verdict.judgement == expected
    assert "; ".join(f"{s.question} {s.answer}" for s in verdict.steps) == path


def yes(a: str) -> bool:
    return a in ("Y", "PY")


def no(a: str) -> bool:
    return a in ("N", "PN")


def randomisation(a: dict[str, str]) -> str:
    if no(a["1.2"]) or (a["1.2"] == "NI" and yes(a["1.3"])):
        return HIGH
    good = yes(a["1.2"]) and not no(a["1.1"]) and not yes(a["1.3"])
    return LOW if good else SOME


def deviations(a: dict[str, str]) -> str:
    aware = not (no(a["2.1"]) and no(a["2.2"]))
    first = LOW
    if aware and a["2.3"] == "NI":
        first = SOME
    if aware and yes(a["2.3"]):
        first = HIGH if not no(a["2.4"]) and not yes(a["2.5"]) else SOME
    second = LOW if yes(a["2.6"]) else SOME if no(a["2.7"]) else HIGH
    return max(first, second, key=[LOW, SOME, HIGH].index)


def adherence(a: dict[str, str]) -> str:
    aware = not (no(a["2.1"]) and no(a["2.2"]))
    trouble = (aware and not yes(a["2.3"])) or yes(a["2.4"]) or yes(a["2.5"])
    return LOW if not trouble else SOME if yes(a["2.6"]) else HIGH


def missing(a: dict[str, str]) -> str:
    if yes(a["3.1"]) or yes(a["3.2"]) or no(a["3.3"]):
        return LOW
    return SOME if no(a["3.4"]) else HIGH


def measurement(a: dict[str, str]) -> str:
    if yes(a["4.1"]) or yes(a["4.2"]):
        return HIGH
    fine = no(a["4.3"]) or no(a["4.4"])
    if fine:
        return LOW if no(a["4.2"]) else SOME
    return SOME if no(a["4.5"]) else HIGH


def reporting(a: dict[str, str]) -> str:
    if yes(a["5.2"]) or yes(a["5.3"]):
        return HIGH
    sure = no(a["5.2"]) and no(a["5.3"])
    return LOW if sure and yes(a["5.1"]) else SOME


SENTENCES = {
    "randomisation": randomisation,
    "deviations": deviations,
    "deviations_adherence": adherence,
    "missing_data": missing,
    "measurement": measurement,
    "reporting": reporting,
}


@pytest.mark.parametrize("domain", list(SENTENCES))
def test_trees_agree_with_the_rules_in_sentences_for_every_combination_of_answers(
    domain: str,
) -> None:
    asked = sorted({q for part in DOMAINS[domain].parts for q in questions(part)})
    # Probable answers count like sure ones: two words, one of each kind, and no information.
    words = ("Y", "PN", "NI") if len(asked) > 6 else ("Y", "PY", "N", "PN", "NI")
    for combination in itertools.product(words, repeat=len(asked)):
        answers = dict(zip(asked, combination, strict=True))
        verdict = judge(ROB2, DOMAINS[domain], answers)
        assert verdict.judgement == SENTENCES[domain](answers), answers


@pytest.mark.parametrize("domain", list(SENTENCES))
def test_best_and_worst_are_what_information_in_place_of_none_can_reach(domain: str) -> None:
    asked = sorted({q for part in DOMAINS[domain].parts for q in questions(part)})
    order = ROB2.judgements.index
    for combination in itertools.product(("Y", "N", "NI"), repeat=len(asked)):
        answers = dict(zip(asked, combination, strict=True))
        verdict = judge(ROB2, DOMAINS[domain], answers)
        unknown = [q for q in asked if answers[q] == "NI"]
        reached = {
            judge(
                ROB2, DOMAINS[domain], answers | dict(zip(unknown, filled, strict=True))
            ).judgement
            for filled in itertools.product(("Y", "N"), repeat=len(unknown))
        } | {verdict.judgement}
        assert order(verdict.best) <= order(min(reached, key=order))
        assert order(verdict.worst) >= order(max(reached, key=order))


def test_overall_is_the_worst_domain_and_some_concerns_are_not_counted() -> None:
    some = {"1.1": "Y", "1.2": "NI", "1.3": "N", "5.1": "NI", "5.2": "N", "5.3": "N"}
    fine = {"2.1": "N", "2.2": "N", "2.6": "Y", "3.1": "Y", "4.1": "N", "4.2": "N", "4.3": "N"}
    name = {"1": "D1", "2": "D2", "3": "D3", "4": "D4", "5": "D5"}
    rows = [
        {"study": "A", "domain": name[q[0]], "question": q, "answer": a}
        for q, a in (some | fine).items()
    ]
    judged = mb.risk_of_bias(pd.DataFrame(rows))
    assert judged.overall()["judgement"].tolist() == [SOME]
    raised = mb.risk_of_bias(
        pd.DataFrame(rows),
        pd.DataFrame(
            [{"study": "A", "domain": "overall", "judgement": "high", "reason": "two domains"}]
        ),
    )
    assert raised.overall().loc[0, ["judgement", "algorithm"]].tolist() == [HIGH, SOME]
    assert "two domains" in raised.overall().loc[0, "reason"]
