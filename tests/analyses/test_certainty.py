"""Grades of the headlines: they follow from their domains, their pools, and nothing silent."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from metablin.certainty import LEVELS, SUGGESTED
from metablin.errors import DataError
from metablin.pipeline import Evidence, Outcome, load_analysis
from metablin.pipeline.trace import evidence_rows

from .conftest import FOLDER

ASKED = 9
"""Questions that have a summary of findings."""
TOLERANCE = 1e-9
"""Sums of the same floating-point numbers in another order."""


@pytest.fixture(scope="module")
def outcome(written: Callable[[str], Outcome]) -> Outcome:
    return written("certainty")


def frame(outcome: Outcome, name: str) -> pd.DataFrame:
    return outcome.tables[name].frame


def test_every_question_has_a_summary_and_every_line_its_evidence(outcome: Outcome) -> None:
    table = frame(outcome, "summary_of_findings")
    assert table["question"].nunique() == ASKED
    assert table["certainty"].isin(list(LEVELS.values())).all()
    ids = {i for cell in table["row_ids"] for i in cell.split()}
    assert len(evidence_rows(sorted(ids))) == len(ids)


def test_the_rates_that_pages_state_have_the_certainty_they_state(
    outcome: Outcome, written: Callable[[str], Outcome]
) -> None:
    table = frame(outcome, "summary_of_findings").set_index("key")
    answers = frame(written("safety"), "answers").set_index("key")
    common = table.index.intersection(answers.index)
    assert {"adult_rr_ph_negative.response", "paediatric_rr.response"} <= set(common)
    assert table.loc[common, "certainty"].tolist() == answers.loc[common, "certainty"].tolist()
    gap = table.loc[common, "estimate"] - answers.loc[common, "estimate"]
    assert np.abs(gap).max() < TOLERANCE


def test_the_number_needed_to_treat_is_one_over_the_difference(outcome: Outcome) -> None:
    table = frame(outcome, "summary_of_findings").dropna(subset=["per_1000_difference"])
    for row in table.to_dict(orient="records"):
        word, number = row["nnt"].split()[:2]
        assert word == ("NNTB" if row["per_1000_difference"] < 0 else "NNTH")
        assert int(number) == round(1000 / abs(row["per_1000_difference"]))
        assert ("infinity" in row["nnt"]) == (row["per_1000_low"] < 0 < row["per_1000_high"])


def test_a_level_is_its_start_and_what_the_domains_cost(outcome: Outcome) -> None:
    grades = frame(outcome, "grades").set_index("key")
    domains = frame(outcome, "domains")
    body = domains["key"].str.rpartition(".")[0]
    cost = domains.groupby(body)["final"].sum()
    expected = (grades["start_level"] + cost.reindex(grades.index)).clip(1, 4)
    assert expected.tolist() == grades["level"].tolist()
    assert (grades["status"] == SUGGESTED).all()


def test_with_and_without_differ_by_the_difference(outcome: Outcome) -> None:
    table = frame(outcome, "summary_of_findings").dropna(subset=["per_1000_control"])
    assert len(table) > 0
    gap = table["per_1000_treatment"] - table["per_1000_control"] - table["per_1000_difference"]
    assert np.abs(gap).max() < TOLERANCE * 1000


def test_ratios_are_those_of_the_pools(
    outcome: Outcome, module: Callable[[str], ModuleType]
) -> None:
    randomised = load_analysis(FOLDER, "randomised")
    evidence = Evidence(randomised.reads)
    trials = module("cohorts.populations").known_trials(evidence)
    rows = module("cohorts.comparisons").comparisons(evidence.load("contrasts"), trials)
    fits = module("randomised.rows").fitted(list(module("cohorts.comparisons").choices(rows)))
    grades = frame(outcome, "grades").set_index("key")
    shared = [k for k in fits if k in grades.index]
    assert "os.first_relapse" in shared
    for key in shared:
        assert grades.loc[key, "estimate"] == pytest.approx(fits[key].estimate, rel=TOLERANCE)
        assert grades.loc[key, "conf_high"] == pytest.approx(fits[key].conf_high, rel=TOLERANCE)


def test_silence_leaves_judgements_open_in_both_directions(outcome: Outcome) -> None:
    table = frame(outcome, "no_information")
    assert table["study"].nunique() == 6
    order = ["low", "some concerns", "high"]
    rank = {word: i for i, word in enumerate(order)}
    now, best, worst = (table[c].map(rank) for c in ("judgement", "best", "worst"))
    assert (best <= now).all()
    assert (now <= worst).all()
    assert (table["questions"] > 0).all()


def test_the_trial_judged_high_leaves_the_pool_over_all_lines(outcome: Outcome) -> None:
    table = frame(outcome, "without_high_risk").set_index("key")
    assert (table["k"] - table["k_low"] == table["high"].str.split(", ").map(_count)).all()
    assert (table.loc[table["k_low"] == 0, "note"] != "").all()


def _count(names: list[str]) -> int:
    return len([n for n in names if n])


def test_an_override_counts_shows_its_reason_and_marks_the_grade(
    module: Callable[[str], ModuleType],
) -> None:
    rows = module("certainty.rows")
    own = _override(subject="adult_rr_ph_positive.response", domain="imprecision", value="-2")
    plain, moved = (_response(module, pd.DataFrame(x)) for x in (own[:0], own))
    assert moved.rated.level == plain.rated.level - 1
    line = rows.grades([moved]).iloc[0]
    assert line["status"] == f"{SUGGESTED}, but for imprecision"
    shown = rows.domains([moved], pd.DataFrame()).set_index("domain").loc["imprecision"]
    assert (shown["suggested"], shown["final"], shown["override"]) == (-1, -2, "a test")
    before = rows.domains([plain], pd.DataFrame()).set_index("domain").loc["imprecision"]
    assert (before["suggested"], before["final"], before["override"]) == (-1, -1, "")
    assert rows.grades([plain]).iloc[0]["status"] == SUGGESTED


def test_an_override_without_a_reason_is_refused(module: Callable[[str], ModuleType]) -> None:
    own = _override(subject="adult_rr_ph_positive.response", domain="imprecision", value="-2")
    with pytest.raises(DataError, match="an override needs a reason"):
        _response(module, own.assign(reason=""))


def _override(**cells: str) -> pd.DataFrame:
    return pd.DataFrame([{"kind": "grade", "outcome": "", "reason": "a test", **cells}])


def _response(module: Callable[[str], ModuleType], overrides: pd.DataFrame) -> object:
    questions, asked = module("certainty.questions"), module("safety.answers").Question
    overrides = overrides.reindex(
        columns=["kind", "subject", "outcome", "domain", "value", "reason"]
    )
    rows = pd.DataFrame(
        {"population": ["adult_rr_ph_positive"], "design": ["single_arm"], "study": ["A"],
         "events": [16.0], "n": [45.0], "row_id": ["x"]}
    )  # fmt: skip
    grading = questions.Grading(None, overrides)
    return next(questions.rate_bodies([asked("response", "response", rows)], grading))


@pytest.mark.parametrize(
    ("date", "keys"),
    [
        ("2016-12-31", set()),
        ("2017-06-30", {"os.adult_rr_ph_negative"}),
        ("2021-12-31", {"os.adult_rr_ph_negative", "os.first_relapse", "event_free.first_relapse"}),
        (
            "2025-12-31",
            {"os.adult_rr_ph_negative", "os.first_relapse", "event_free.first_relapse",
             "os.first_line_adults", "event_free.first_line_children"},
        ),
    ],
)  # fmt: skip
def test_what_was_known_at_four_dates(
    date: str, keys: set[str], module: Callable[[str], ModuleType]
) -> None:
    history = load_analysis(FOLDER, "history")
    rows, questions = module("history.rows"), module("certainty.questions")
    evidence = Evidence(history.reads)
    trials = module("cohorts.populations").known_trials(evidence)
    bias = module("cohorts.bias").all_judged(evidence, trials)
    grading = questions.Grading(bias, evidence.load("overrides"))
    found = {
        body.key: sources for body, sources in rows.ratios(evidence, trials, {}, grading, date)
    }
    assert set(found) == keys
    public = evidence.load("references").set_index("source_key")["public_date"]
    assert all(public[s] <= date for sources in found.values() for s in sources)
