"""Numbers at risk in every form: always the same table."""

from __future__ import annotations

from pathlib import Path

import pytest

from metablin.errors import DataError
from metablin.io import ReadOptions, match_ids, read_at_risk
from tests.io.test_curve_files import lines, workbook

TIMES = [0, 5, 10, 15, 20]
A = [50, 42, 34, 28, 20]
B = [52, 47, 43, 38, 30]
LONG = list(zip(TIMES, A, strict=True))

ONE: dict[str, bytes] = {
    "plain": lines(LONG, head="time,n_at_risk"),
    "reconstructKM": lines(LONG, head="time,NAR"),
    "IPDfromKM": lines(LONG, head="trisk,nrisk"),
    "survival": lines(LONG, head="time,n.risk"),
    "words": lines(LONG, ";", "Time (months);No. at risk"),
    "survhe": lines(
        [(i + 1, t, 1 + i, 2 + i, n) for i, (t, n) in enumerate(LONG)],
        " ",
        '"i" "trisk" "lower" "upper" "nrisk"',
    ),
    "no header": lines(LONG),
    "tabs": lines(LONG, "\t", "time\tn_at_risk"),
    "not in order": lines(LONG[::-1], head="time,n_at_risk"),
    "times across": lines([A], head=",".join(map(str, TIMES))),
    "times across with a label": lines([("A", *A)], head="arm,0,5,10,15,20"),
    "months across": lines([("At risk", *A)], head=",0 mo,5 mo,10 mo,15 mo,20 mo"),
    "utf-16": lines(LONG, head="time,n_at_risk").decode().encode("utf-16"),
}


@pytest.mark.parametrize("form", ONE)
def test_one_arm_in_every_form(tmp_path: Path, form: str) -> None:
    file = tmp_path / "r.csv"
    file.write_bytes(ONE[form])
    found = read_at_risk(file)
    assert not found.named
    assert found.table["time"].tolist() == TIMES
    assert found.table["n_at_risk"].tolist() == A


BOTH = list(zip(TIMES, A, B, strict=True))
TWO: dict[str, bytes] = {
    "long": lines(
        [("A", *x) for x in LONG] + [("B", t, n) for t, _, n in BOTH], head="id,time,n_at_risk"
    ),
    "long by group": lines(
        [("A", *x) for x in LONG] + [("B", t, n) for t, _, n in BOTH], head="group,trisk,nrisk"
    ),
    "an arm a column": lines(BOTH, head="time,A,B"),
    "an arm a column, named as values": lines(BOTH, head="trisk,nrisk.A,nrisk.B"),
    "an arm a row": lines([("A", *A), ("B", *B)], head="arm,0,5,10,15,20"),
    "an arm a row under months": lines([("A", *A), ("B", *B)], ";", "Arm;t0;t5;t10;t15;t20"),
    "pairs": lines([(t, a, t, b) for t, a, b in BOTH], head="time_A,n_A,time_B,n_B"),
    "a sheet an arm": workbook(
        {"A": [["time", "NAR"], *LONG], "B": [["time", "NAR"], *[(t, b) for t, _, b in BOTH]]}
    ),
    "under comments": lines(LONG, head="# A") + lines([(t, b) for t, _, b in BOTH], head="# B"),
    "blanks": lines(BOTH, " ", '"time" "A" "B"'),
    "decimal commas": lines([(f"{t},0", a, b) for t, a, b in BOTH], ";", "time;A;B"),
}


@pytest.mark.parametrize("form", TWO)
def test_two_arms_in_every_form(tmp_path: Path, form: str) -> None:
    file = tmp_path / "r.csv"
    file.write_bytes(TWO[form])
    found = read_at_risk(file)
    assert found.named
    for name, want in (("A", A), ("B", B)):
        own = found.table[found.table["id"] == name]
        assert own["time"].tolist() == TIMES
        assert own["n_at_risk"].tolist() == want


@pytest.mark.parametrize(
    "text",
    [
        "A 0:154,6:96; B 0:150,6:80",
        "A: 0:154, 6:96; B: 0:150, 6:80",
        "A 0:154,6:96;B 0:150,6:80;",
        '"A" 0:154,6:96; "B" 0:150,6:80',
        "A 0 : 154, 6 : 96 ; B 0 : 150, 6 : 80",
    ],
)
def test_numbers_may_be_typed_in(text: str) -> None:
    table = read_at_risk(text).table
    assert table["id"].tolist() == ["A", "A", "B", "B"]
    assert table["time"].tolist() == [0, 6, 0, 6]
    assert table["n_at_risk"].tolist() == [154, 96, 150, 80]


def test_one_arm_typed_in_needs_no_name_and_takes_a_unit() -> None:
    table = read_at_risk("0:154, 1:96.0", ReadOptions(unit="years")).table
    assert table["id"].tolist() == ["", ""]
    assert table["time"].tolist() == [0, 12]


@pytest.mark.parametrize("name", ["B-cell arm 2", "dose 9 mcg", "Arm 2:1"])
def test_names_of_arms_may_hold_figures(name: str) -> None:
    assert read_at_risk(f"{name} 0:154,6:96; B 0:1,2:1").table["id"][0] == name


REFUSED: dict[str, tuple[bytes, str]] = {
    "no counts": (lines([(0, 50.5)], head="time,n_at_risk"), "whole number"),
    "negative": (lines([(0, 50), (5, -1)], head="time,n_at_risk"), "at least 0"),
    "enormous": (lines([(0, 10**9)], head="time,n_at_risk"), "at most 10000000"),
    "censored in parentheses": (
        lines([(0, "50 (0)"), (5, "42 (8)")], head="time,n_at_risk"),
        "write 50",
    ),
    "words": (b"time,n_at_risk\nearly,many\n", "no numbers"),
    "picture": (b"\xff\xd8\xff\xe0" + bytes(20), "JPEG"),
    "one column": (b"n_at_risk\n50\n42\n", "one column"),
    "no time": (lines([(50, "x"), (42, "y")], head="n,who"), "'time'"),
    "arms without numbers": (lines([(0, "a", "b"), (5, "c", "d")], head="time,A,B"), "n_at_risk"),
    "cell of an arm": (lines([("A", 50, "4O")], head="arm,0,5"), "'4O'"),
}


@pytest.mark.parametrize("form", REFUSED)
def test_what_is_no_table_is_refused_in_one_line(tmp_path: Path, form: str) -> None:
    raw, words = REFUSED[form]
    file = tmp_path / "r.csv"
    file.write_bytes(raw)
    with pytest.raises(DataError) as caught:
        read_at_risk(file)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "text", ["A 0-154", "A 0:x", "A 0:154 6:96", ";", ":", "0:1,2:1; 0:1,2:1", "nothing.csv"]
)
def test_text_that_is_no_table_is_refused(text: str) -> None:
    with pytest.raises(DataError):
        read_at_risk(text)


def test_arms_find_their_curves() -> None:
    assert match_ids(["x"], ["y"]) == ({"x": "y"}, "x belongs to y")
    assert match_ids([""], ["y"]) == ({"": "y"}, "")
    assert match_ids(["ARM-A", "c"], ["Arm A", "B"])[0] == {"ARM-A": "Arm A"}
    assert match_ids(["a", "A"], ["A", "b"])[0] == {"A": "A"}
