"""The bibliography is the rendering of the references table, and every source is in it."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from metablin.datasets.bibtex import render_bibtex

DATASETS = Path(__file__).parents[2] / "datasets"
TABLES = ["trials", "proportions", "survival", "contrasts", "mrd_stratified", "safety"]


def read(table: str) -> pd.DataFrame:
    return pd.read_csv(DATASETS / f"{table}.csv", dtype=str, keep_default_na=False)


@pytest.fixture(scope="module")
def bib() -> str:
    return (DATASETS / "references.bib").read_text(encoding="utf-8")


def test_the_committed_file_equals_the_rendering(bib: str) -> None:
    assert bib == render_bibtex(read("references"))


def test_every_key_appears_once_and_in_order(bib: str) -> None:
    keys = re.findall(r"^@(?:article|misc)\{([a-z0-9_]+),$", bib, flags=re.MULTILINE)
    assert Counter(keys).most_common(1)[0][1] == 1
    assert keys == sorted(read("references")["source_key"])


@pytest.mark.parametrize("table", TABLES)
def test_every_source_of_a_table_is_in_the_file(table: str, bib: str) -> None:
    keys = set(re.findall(r"^@\w+\{([a-z0-9_]+),$", bib, flags=re.MULTILINE))
    assert set(read(table)["source_key"]) <= keys


def test_braces_balance_in_every_entry(bib: str) -> None:
    for entry in re.split(r"\n\n(?=@)", bib):
        bare = re.sub(r"\\[{}]", "", entry)
        assert bare.count("{") == bare.count("}"), entry


def test_row_order_and_missing_value_markers_do_not_matter() -> None:
    references = read("references")
    shuffled = references.iloc[::-1].replace("", None)
    shuffled["year"] = pd.to_numeric(shuffled["year"]).astype("Int64")
    assert render_bibtex(shuffled) == render_bibtex(references)


def test_text_is_escaped_and_addresses_are_verbatim() -> None:
    row = {
        "source_key": "a1",
        "first_author": "Gökbuget N",
        "title": "50% of A_B {c} # d & e",
        "journal": "congress report",
        "entry_type": "abstract",
        "url": "https://example.org/a_b%20c#d",
    }
    assert render_bibtex(pd.DataFrame([row])) == (
        "@misc{a1,\n"
        "  author = {Gökbuget, N. and others},\n"
        "  title = {{50\\% of A\\_B \\{c\\} \\# d \\& e}},\n"
        "  howpublished = {congress report},\n"
        "  url = {https://example.org/a_b%20c#d},\n"
        "}\n"
    )


@pytest.mark.parametrize(
    ("stored", "written"),
    [
        ("Brown PA", "Brown, P. A. and others"),
        ("van der Sluis IM", "van der Sluis, I. M. and others"),
        ("Tai Y-C", "Tai, Y.-C. and others"),
        ("Pfizer", "{Pfizer}"),
    ],
)
def test_authors_are_people_or_organisations(stored: str, written: str) -> None:
    row = {"source_key": "a1", "first_author": stored, "title": "t", "entry_type": "article"}
    assert f"  author = {{{written}}},\n" in render_bibtex(pd.DataFrame([row]))
