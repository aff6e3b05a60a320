"""Codes of the evidence in words: every one that occurs, and names that tell trials apart."""

from __future__ import annotations

import re

import pytest

import metablin as mb
from metablin.report.words import (
    arm_words,
    outcome_words,
    patients_words,
    short_names,
    trial_labels,
    typeset,
)

CODE = re.compile(r"[a-z]_[a-z]|=|;|\|")


@pytest.mark.parametrize("table", ["proportions", "survival", "contrasts"])
def test_every_part_of_the_patients_is_said_without_code(table: str) -> None:
    for subgroup in set(mb.load(table, all_rows=True)["subgroup"]):
        words = patients_words(subgroup)
        assert words
        assert not CODE.search(words), (subgroup, words)


def test_different_parts_of_the_patients_stay_different() -> None:
    for table in ("proportions", "survival"):
        found = set(mb.load(table, all_rows=True)["subgroup"])
        assert len({patients_words(s) for s in found}) >= len(found) - 2  # `disease` is said twice


def test_every_outcome_and_arm_is_said_without_code() -> None:
    rows = mb.load("proportions", all_rows=True)
    codes = set(rows["outcome"]) | set(mb.load("survival", all_rows=True)["endpoint"])
    for code in codes:
        assert "_" not in outcome_words(code), code
    for code in set(rows["arm"]) | set(mb.load("trials", all_rows=True)["arms"]):
        assert not re.search(r"_|\|", arm_words(code)), code


def test_every_trial_has_a_name_of_its_own() -> None:
    labels = trial_labels(mb.load("trials", all_rows=True), mb.load("references"))
    assert len(set(labels.values())) == len(labels)
    assert not [name for name in labels.values() if "_" in name or name == name.lower()]


def test_notes_name_reviews_trials_and_sources() -> None:
    assert typeset("seeds 001 and 004, 9 ug/day") == "Lee 2016 and Ribera 2015, 9 µg/day"
    assert typeset("the seed does not say") == "the review does not say"
    assert typeset("Seed text; <=5%") == "Review text; ≤5%"
    assert typeset("seed 003 Table 1") == "Lyons 2024 Table 1"
    assert typeset("see https://x.org/mt103_206 and prop-mt103_206-001") == (
        "see https://x.org/mt103_206 and prop-mt103_206-001"
    )
    assert short_names()["kantarjian2017"] == "Kantarjian 2017"


def test_patients_of_several_trials_in_one_set() -> None:
    assert patients_words("cr_crh=yes+mt103_211/blinatumomab/cr_crh=yes") == (
        "CR or CRh, together with MT103-211"
    )
