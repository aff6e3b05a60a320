"""The door of risk-of-bias answers: what is read, and what every mistake comes to."""

import numpy as np
import pandas as pd
import pytest

import metablin as mb
from metablin.plots import traffic_frame
from tests.odd_input import one_clear_line

ANSWERS = pd.DataFrame(
    [
        ("A", "os", "randomisation", "1.1", "Y", "central", "page 2"),
        ("A", "os", "randomisation", "1.2", "probably yes", "by telephone", "page 2"),
        ("A", "os", "D3", "Q3.1", "y", "all followed", "figure 1"),
        ("B", "os", "Missing outcome data", "3.1", "N", "lost", "table 4"),
        ("B", "os", "missing_data", "3.2", "", "", ""),
        ("C", "os", "confounding", "1.1", "WN", "adjusted", "page 9"),
    ],
    columns=["study", "outcome", "domain", "question", "answer", "reason", "source"],
)


def changed(row: int, **cells: str) -> pd.DataFrame:
    table = ANSWERS.copy()
    for column, value in cells.items():
        table.loc[row, column] = value
    return table


def test_reasons_sources_and_silence_travel_with_the_judgement() -> None:
    table = mb.risk_of_bias(ANSWERS).to_frame().set_index(["study", "domain"])
    first = table.loc[("A", "randomisation")]
    assert first["judgement"] == "low"
    assert first["reason"] == "by telephone; central"
    assert first["source"] == "page 2"
    assert first["answers"] == "1.2 PY; 1.1 Y; 1.3 not stated"
    assert first["no_information"] == "1.3"
    silent = table.loc[("A", "measurement")]
    assert silent["reason"] == "no information in the table"
    assert table.loc[("C", "overall"), "tool"] == "robins-i"


def test_the_order_of_rows_does_not_matter() -> None:
    shuffled = ANSWERS.sample(frac=1, random_state=1)
    left, right = (
        mb.risk_of_bias(t).to_frame().sort_values(["study", "domain"]).reset_index(drop=True)
        for t in (ANSWERS, shuffled)
    )
    pd.testing.assert_frame_equal(
        left.drop(columns=["reason", "source"]), right.drop(columns=["reason", "source"])
    )


def test_names_of_studies_are_names_only() -> None:
    renamed = ANSWERS.assign(study=ANSWERS["study"].map({"A": "x", "B": "y", "C": "z"}))
    before, after = (mb.risk_of_bias(t).to_frame() for t in (ANSWERS, renamed))
    assert before.drop(columns="study").equals(after.drop(columns="study"))


def test_the_tables_are_not_changed() -> None:
    before = ANSWERS.copy()
    mb.risk_of_bias(ANSWERS)
    pd.testing.assert_frame_equal(ANSWERS, before)


def test_an_override_counts_and_both_judgements_stay_visible() -> None:
    own = pd.DataFrame(
        [{"study": "A", "domain": "D4", "judgement": "Low", "reason": "the outcome is death"}]
    )
    table = mb.risk_of_bias(ANSWERS, own).to_frame().set_index(["study", "domain"])
    row = table.loc[("A", "measurement")]
    assert (row["judgement"], row["algorithm"]) == ("low", "high")
    assert "the outcome is death" in row["reason"]


MISTAKES = {
    "an unknown domain": (changed(2, domain="blinding"), r"row 3 \(A\), column 'domain'"),
    "an unknown answer": (changed(1, answer="maybe"), r"row 2 \(A\), column 'answer', value maybe"),
    "a strength RoB 2 does not ask": (changed(0, answer="SY"), "row 1 .*allowed: Y PY PN N NI NA$"),
    "an unknown tool": (ANSWERS.assign(tool="rob3"), "row 1 .*column 'tool', value rob3"),
    "a question of another domain": (changed(0, question="3.1"), "row 1 .*allowed: 1.1 1.2 1.3"),
    "a question answered twice": (changed(1, question="1.1"), "row 2 .*answered twice, first in"),
    "a study without a name": (changed(3, study=""), "row 4, column 'study'"),
    "no answers": (ANSWERS.iloc[:0], "no answers"),
    "no column of answers": (ANSWERS.drop(columns="answer"), "no such column"),
    "not a table": ([1, 2], "not a table"),
    "two tools for one study": (
        changed(3, domain="confounding", question="1.1"),
        "row 5 .*not a question of ROBINS-I",
    ),
}


@pytest.mark.parametrize("mistake", list(MISTAKES))
def test_mistakes_in_answers_are_named_by_their_row(mistake: str) -> None:
    table, words = MISTAKES[mistake]
    one_clear_line(lambda: mb.risk_of_bias(table), words)


OVERRIDES = {
    "no reason": ({"reason": ""}, "row 1 .*column 'reason'.*an override needs a reason"),
    "an unknown judgement": ({"judgement": "fair"}, "row 1 .*value fair.*allowed: low"),
    "an unknown domain": ({"domain": "D9"}, "row 1 .*column 'domain', value D9"),
    "an unknown study": ({"study": "Z"}, "row 1 .*without answers"),
}


@pytest.mark.parametrize("mistake", list(OVERRIDES))
def test_mistakes_in_overrides_are_named_by_their_row(mistake: str) -> None:
    cells, words = OVERRIDES[mistake]
    row = {"study": "A", "domain": "D1", "judgement": "low", "reason": "seen", **cells}
    one_clear_line(lambda: mb.risk_of_bias(ANSWERS, pd.DataFrame([row])), words)


def test_lights_stand_where_studies_and_domains_meet_and_overall_comes_last() -> None:
    frame = traffic_frame(mb.risk_of_bias(ANSWERS[ANSWERS["study"] != "C"]))
    whole = frame[frame["domain"] == "overall"]
    assert whole["column"].tolist() == [5, 5]
    assert whole["row"].tolist() == [0, 1]
    signs = frame.set_index(["label", "domain"])["sign"]
    assert signs[("A", "randomisation")] == "+"
    assert signs[("B", "missing_data")] == "×"
    assert np.array_equal(frame["row"].unique(), [0, 1])
