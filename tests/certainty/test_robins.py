"""ROBINS-I V2: the decision tables, cell by cell."""

import pandas as pd
import pytest

import metablin as mb
from metablin.certainty import TOOLS
from metablin.certainty.trees import judge

ROBINS = TOOLS["robins-i"]
DOMAINS = {d.name: d for d in ROBINS.domains}
LOW, EXCEPT, MODERATE, SERIOUS, CRITICAL = ROBINS.judgements

TABLE = [
    ("triage", "B3 Y", CRITICAL),
    ("triage", "B3 N; B1 N; B2 Y", CRITICAL),
    ("triage", "B3 N; B1 N; B2 PN", LOW),
    ("triage", "B3 PN; B1 Y", LOW),
    ("confounding", "1.1 SN; 1.4 N", SERIOUS),
    ("confounding", "1.1 NI; 1.4 Y", CRITICAL),
    ("confounding", "1.1 Y; 1.3 Y; 1.4 N", SERIOUS),
    ("confounding", "1.1 PY; 1.3 PY; 1.4 PY", CRITICAL),
    ("confounding", "1.1 WN; 1.3 Y; 1.4 N", SERIOUS),
    ("confounding", "1.1 WN; 1.3 N; 1.2 NI", SERIOUS),
    ("confounding", "1.1 Y; 1.3 NI; 1.2 SN", SERIOUS),
    ("confounding", "1.1 Y; 1.3 N; 1.2 Y; 1.4 N", EXCEPT),
    ("confounding", "1.1 WN; 1.3 N; 1.2 WN; 1.4 PN", EXCEPT),
    ("confounding", "1.1 Y; 1.3 N; 1.2 PY; 1.4 Y", MODERATE),
    ("confounding_time_varying", "1.1 N; 1.4 Y", CRITICAL),
    ("confounding_time_varying", "1.1 NI; 1.4 NI; 1.5 N", SERIOUS),
    ("confounding_time_varying", "1.1 N; 1.4 N; 1.5 Y", CRITICAL),
    ("confounding_time_varying", "1.1 Y; 1.2 SN", SERIOUS),
    ("confounding_time_varying", "1.1 Y; 1.2 Y; 1.3 NI", SERIOUS),
    ("confounding_time_varying", "1.1 Y; 1.2 Y; 1.3 Y; 1.5 N", LOW),
    ("confounding_time_varying", "1.1 Y; 1.2 Y; 1.3 Y; 1.5 Y", MODERATE),
    ("confounding_time_varying", "1.1 Y; 1.2 Y; 1.3 WN; 1.5 N", EXCEPT),
    ("confounding_time_varying", "1.1 Y; 1.2 WN; 1.3 Y; 1.5 Y", SERIOUS),
    ("classification", "2.1 Y; 2.4 N; 2.5 N", LOW),
    ("classification", "2.1 Y; 2.4 N; 2.5 NI", MODERATE),
    ("classification", "2.1 Y; 2.4 WY; 2.5 N", MODERATE),
    ("classification", "2.1 Y; 2.4 NI; 2.5 Y", SERIOUS),
    ("classification", "2.1 Y; 2.4 SY; 2.5 N", SERIOUS),
    ("classification", "2.1 Y; 2.4 SY; 2.5 Y", CRITICAL),
    ("classification", "2.1 N; 2.2 Y; 2.4 N; 2.5 N", LOW),
    ("classification", "2.1 N; 2.2 N; 2.3 SY; 2.4 N; 2.5 N", MODERATE),
    ("classification", "2.1 N; 2.2 N; 2.3 WY; 2.4 N; 2.5 Y", SERIOUS),
    ("classification", "2.1 N; 2.2 N; 2.3 NI; 2.4 SY; 2.5 Y", CRITICAL),
    ("classification", "2.1 N; 2.2 NI; 2.3 N; 2.4 N; 2.5 N", SERIOUS),
    ("classification", "2.1 N; 2.2 N; 2.3 N; 2.4 N; 2.5 PY", CRITICAL),
    ("classification", "2.1 N; 2.2 N; 2.3 N; 2.4 WY", CRITICAL),
    ("selection", "3.1 Y; 3.2 N; 3.3 N", LOW),
    ("selection", "3.1 Y; 3.2 Y; 3.3 N", MODERATE),
    ("selection", "3.1 WN; 3.3 N", MODERATE),
    ("selection", "3.1 Y; 3.2 N; 3.3 NI", MODERATE),
    ("selection", "3.1 Y; 3.2 N; 3.3 Y; 3.4 N", LOW),
    ("selection", "3.1 Y; 3.2 N; 3.3 Y; 3.4 Y; 3.5 N", MODERATE),
    ("selection", "3.1 SN; 3.3 N; 3.6 Y", MODERATE),
    ("selection", "3.1 SN; 3.3 N; 3.6 N; 3.7 Y", MODERATE),
    ("selection", "3.1 SN; 3.3 N; 3.6 N; 3.7 N; 3.8 N", SERIOUS),
    ("selection", "3.1 Y; 3.2 N; 3.3 Y; 3.4 Y; 3.5 Y; 3.6 NI; 3.7 NI; 3.8 Y", CRITICAL),
    ("missing_data", "4.1 Y; 4.2 Y; 4.3 PY", LOW),
    ("missing_data", "4.1 Y; 4.2 N; 4.4 Y; 4.5 N", LOW),
    ("missing_data", "4.1 N; 4.4 NI; 4.5 Y; 4.6 Y; 4.11 Y", MODERATE),
    ("missing_data", "4.1 N; 4.4 Y; 4.5 Y; 4.6 WN; 4.11 N", SERIOUS),
    ("missing_data", "4.1 N; 4.4 Y; 4.5 Y; 4.6 SN; 4.11 Y", SERIOUS),
    ("missing_data", "4.1 N; 4.4 Y; 4.5 NI; 4.6 SN; 4.11 N", CRITICAL),
    ("missing_data", "4.1 N; 4.4 N; 4.7 Y; 4.8 Y; 4.9 Y", LOW),
    ("missing_data", "4.1 N; 4.4 N; 4.7 Y; 4.8 Y; 4.9 WN; 4.11 Y", MODERATE),
    ("missing_data", "4.1 N; 4.4 N; 4.7 Y; 4.8 N; 4.11 N", SERIOUS),
    ("missing_data", "4.1 N; 4.4 N; 4.7 N; 4.10 Y", LOW),
    ("missing_data", "4.1 Y; 4.2 Y; 4.3 NI; 4.4 N; 4.7 N; 4.10 SN; 4.11 N", CRITICAL),
    ("measurement", "5.1 Y", SERIOUS),
    ("measurement", "5.1 N; 5.2 N", LOW),
    ("measurement", "5.1 N; 5.2 Y; 5.3 N", LOW),
    ("measurement", "5.1 N; 5.2 NI; 5.3 WY", MODERATE),
    ("measurement", "5.1 N; 5.2 Y; 5.3 SY", SERIOUS),
    ("measurement", "5.1 NI; 5.2 N", MODERATE),
    ("measurement", "5.1 NI; 5.2 Y; 5.3 N", MODERATE),
    ("measurement", "5.1 NI; 5.2 Y; 5.3 SY", SERIOUS),
    ("reporting", "6.1 Y", LOW),
    ("reporting", "6.1 N; 6.2 N; 6.3 N; 6.4 PN", LOW),
    ("reporting", "6.1 NI; 6.2 N; 6.3 NI; 6.4 N", MODERATE),
    ("reporting", "6.1 NI; 6.2 NI; 6.3 NI; 6.4 NI", SERIOUS),
    ("reporting", "6.1 N; 6.2 Y; 6.3 N; 6.4 NI", SERIOUS),
    ("reporting", "6.1 N; 6.2 Y; 6.3 N; 6.4 Y", CRITICAL),
]


@pytest.mark.parametrize(("domain", "path", "expected"), TABLE)
def test_every_cell_of_the_decision_tables(domain: str, path: str, expected: str) -> None:
    verdict = judge(ROBINS, DOMAINS[domain], dict(s.split() for s in path.split("; ")))
    assert verdict.judgement == expected
    assert "; ".join(f"{s.question} {s.answer}" for s in verdict.steps) == path


def test_every_domain_has_cells_in_the_table() -> None:
    assert {row[0] for row in TABLE} == set(DOMAINS)


def rows(path: str, domain: str) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"study": "A", "domain": domain, "question": q, "answer": a}
            for q, a in (s.split() for s in path.split("; "))
        ]
    )


def test_a_critical_triage_stops_the_assessment() -> None:
    judged = mb.risk_of_bias(rows("B1 N; B2 Y; B3 N", "triage"))
    assert judged.to_frame()["domain"].tolist() == ["triage", "overall"]
    assert judged.overall()["judgement"].tolist() == [CRITICAL]


@pytest.mark.parametrize(
    "confounding",
    [
        ("confounding", "1.1 Y; 1.2 Y; 1.3 N; 1.4 N"),
        ("confounding_time_varying", "1.1 Y; 1.2 Y; 1.3 Y; 1.5 N"),
    ],
)
def test_the_best_that_a_cohort_reaches_keeps_the_concern_about_confounding(
    confounding: tuple[str, str],
) -> None:
    fine = {
        confounding[0]: confounding[1],
        "classification": "2.1 Y; 2.4 N; 2.5 N",
        "selection": "3.1 Y; 3.2 N; 3.3 N",
        "missing_data": "4.1 Y; 4.2 Y; 4.3 Y",
        "measurement": "5.1 N; 5.2 N",
        "reporting": "6.1 Y",
    }
    table = pd.concat([rows(path, domain) for domain, path in fine.items()])
    assert mb.risk_of_bias(table).overall()["judgement"].tolist() == [EXCEPT]


def test_a_plain_no_where_strength_is_asked_is_read_as_strong() -> None:
    plain, strong = (
        judge(ROBINS, DOMAINS["confounding"], {"1.1": answer, "1.4": "N"}).judgement
        for answer in ("N", "SN")
    )
    assert plain == strong == SERIOUS
