"""The pages of trials: where each counts, who shares its patients, when it was published."""

from __future__ import annotations

import re
import sys
from html import unescape
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import metablin as mb
from metablin.report.inline import Inline
from tests.site.test_explore import node, run

WEIGHTS = "pools/weights"


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[str, str]:
    return {p.stem: p.read_text("utf-8") for p in (site / "trials").glob("*.qmd")}


@pytest.fixture(scope="module")
def questions(site: Path) -> list[dict[str, Any]]:
    """What the page "Ask your own question" offers, from the results of the site."""
    helpers = [n for n in sys.modules if (site / f"{n}.py").is_file()]
    for name in helpers:
        del sys.modules[name]
    sys.path.insert(0, str(site))
    try:
        import _explore

        found: list[dict[str, Any]] = _explore.questions()
        return found
    finally:
        sys.path.remove(str(site))


def section(page: str, title: str) -> str:
    """Return a section of a page."""
    return page.split(f"\n## {title}\n")[1].split("\n## ")[0]


def test_answers_of_the_pools_are_those_of_the_other_pages(site: Path) -> None:
    """A line of weights and the line that prints the answer are about the same cohorts."""
    number = Inline(site / "results")
    lines = number.table(WEIGHTS).frame
    for answer, pool in lines.groupby("answer"):
        row = number.row(str(answer))
        assert row["k"] == pool["k"].iloc[0], answer
        rows = {i for ids in pool["row_ids"] for i in ids.split()}
        behind = set(row["row_ids"].split())
        if str(answer).startswith("survival/"):  # an arm is rebuilt without rows that conflict
            assert behind <= rows, answer
            assert row["n"] == pool["n"].sum(), answer
        else:
            assert rows <= behind, answer


def test_a_page_says_every_pool_of_its_trial(site: Path, pages: dict[str, str]) -> None:
    lines = Inline(site / "results").table(WEIGHTS).frame
    for trial, own in lines.groupby("trial_id"):
        text = unescape(section(pages[str(trial)], "Where it counts"))
        for row in own.to_dict(orient="records"):
            assert row["pool"] in text, (trial, row["pool"])
            if row["cohorts"] < row["k"] and row["weight"] == row["weight"]:
                assert f"{100 * row['weight']:.1f}%" in text


def test_a_cohort_in_no_pool_says_why(site: Path, pages: dict[str, str]) -> None:
    number = Inline(site / "results")
    used = set(number.table(WEIGHTS).frame["trial_id"])
    left_out = number.table("pools/left_out").frame
    assert set(pages) <= used | set(left_out["key"])
    for trial in left_out["key"]:
        text = section(pages[trial], "Where it counts")
        assert "No pool takes its patients on blinatumomab: " in text
    assert "patients of ALCANTARA" in section(pages["alcantara_extcontrol"], "Where it counts")


@node
def test_a_pool_without_the_trial_opens_without_it(
    pages: dict[str, str], questions: list[dict[str, Any]]
) -> None:
    """Links lead to a view of a published pool from which only this trial is gone."""
    links = [
        (trial, unescape(address))
        for trial, page in pages.items()
        for address in re.findall(r'href="\.\./explore\.html#([^"]+)"', page)
    ]
    assert len(links) > 20
    cases = [{"address": f"#{address}", "questions": questions} for _, address in links]
    for (trial, address), found in zip(links, run("view", cases), strict=True):
        parts = dict(p.split("=", 1) for p in address.split("&"))
        question = next(q for q in questions if q["name"] == parts["q"])
        pool = next(p for p in question["pools"] if p["name"] == parts["from"])
        out = parts["out"].split(",")
        assert set(out) < set(pool["rows"]), (trial, address)
        assert set(found["rows"]) == set(pool["rows"]) - set(out)
        assert found["address"] == address


def test_the_first_screen_leads_to_pools_that_can_be_asked(
    site: Path, questions: list[dict[str, Any]]
) -> None:
    home = sys.modules["_home"]
    offered = {p["name"] for q in questions for p in q["pools"]}
    assert {f"os.{answer.pool}" for answer in home.ANSWERS} <= offered


def test_reports_of_the_same_patients_name_each_other(pages: dict[str, str]) -> None:
    title = "Reports of the same patients"
    found = {t: set(re.findall(r'href="(\w+)\.html"', section(p, title))) for t, p in pages.items()}
    assert all(trial in found[other] for trial, some in found.items() for other in some)
    assert found["badar2020"] == {"badar2021_allohct", "badar2020_mrd"}
    assert "mt103_205_ash_ph2" not in found["mt103_205_ash_ph1"], "two phases, no patient in both"
    assert found["rialto"] == set()
    assert "the 45 patients of ALCANTARA" in section(pages["alcantara"], title)
    base = mb.load("trials", all_rows=True).set_index("trial_id")["patient_set"]
    for trial in base.index[base != base.index]:
        assert found[trial], trial


def test_publications_stand_by_date_with_all_their_rows(pages: dict[str, str]) -> None:
    tables = ("proportions", "survival", "contrasts", "mrd_stratified", "safety",
              "pharmacokinetics", "at_risk", "conduct")  # fmt: skip
    rows = pd.concat([mb.load(t, all_rows=True)[["trial_id", "preferred"]] if t != "conduct"
                      else mb.load(t, all_rows=True)[["trial_id"]] for t in tables])  # fmt: skip
    for trial, page in pages.items():
        lines = re.findall("<li>(.*?)</li>", section(page, "Its publications by date"))
        dates = [m[1] if (m := re.match(r"<strong>(.*?)</strong>", li)) else "9" for li in lines]
        assert dates == sorted(dates), trial
        added = [li.split("Added: ")[1].split(";")[0] for li in lines]
        counted = sum(int(n) for text in added for n in re.findall(r" (\d+)(?=[,.]|$)", text))
        assert counted == (rows["trial_id"] == trial).sum(), trial


def test_what_a_reader_asks_first_is_said_where_it_is_not_recorded(pages: dict[str, str]) -> None:
    facts = pages["badar2020"].split("\n## ")[0]
    assert '<th scope="row">Enrolment from</th><td>not recorded</td>' in facts
    assert '<th scope="row">Who paid</th><td>not recorded in this base</td>' in facts
    assert "Enrolment" not in pages["meta_fda2025"].split("\n## ")[0]


def test_what_a_reconstruction_could_not_meet_is_said(site: Path, pages: dict[str, str]) -> None:
    conflicts = pd.read_csv(site / "results" / "reconstruction" / "inconsistent.csv")
    arms = pd.read_csv(site / "results" / "reconstruction" / "arms.csv").set_index("key")
    some = conflicts.loc[conflicts["arm_key"].isin(arms.index)]
    assert len(some) > 0
    for key, conflict in some.drop_duplicates("arm_key")[["arm_key", "conflict"]].itertuples(
        index=False
    ):
        page = unescape(pages[key.split(".")[0]])
        assert conflict.split("=")[0] in page, key


def test_the_flow_of_the_review_speaks_to_readers(
    questions: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sources by author and year; what nobody counted is said to be not recorded."""
    about, shown = sys.modules["_about"], list[str]()
    monkeypatch.setattr(about, "say", shown.append)
    about.flow()
    text = "".join(shown)
    assert "Mocquot 2022" in text
    assert "(number found: not recorded; kept: 132)" in text
    keys = mb.load("references", all_rows=True)["source_key"]
    assert [key for key in keys if re.search(rf"\b{key}\b", text)] == []
    assert not re.search(r"not recorded (found|kept)", text)
