"""One curve, or two, in every form that digitisers and people write: always the same clicks."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import openpyxl
import pytest

from metablin.errors import DataError
from metablin.io import ReadOptions, read_curves

TIME = [0, 2, 2, 4, 4.02, 7, 7, 11, 11, 16, 16, 20]
SURVIVAL = [1, 1, 0.9, 0.9, 0.84, 0.84, 0.7, 0.7, 0.6, 0.6, 0.5, 0.5]
OTHER = [1, 0.95, 0.95, 0.9, 0.9, 0.85, 0.8, 0.8, 0.75, 0.7, 0.65, 0.65]
CLICKS = list(zip(TIME, SURVIVAL, strict=True))


def lines(rows: list, mark: str = ",", head: str = "", end: str = "\n") -> bytes:
    body = [mark.join(str(cell) for cell in row) for row in rows]
    return (end.join([head, *body] if head else body) + end).encode()


def comma(number: float) -> str:
    return str(number).replace(".", ",")


def workbook(sheets: dict[str, list]) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    out = BytesIO()
    book.save(out)
    return out.getvalue()


PERCENT = [(t, 100 * s) for t, s in CLICKS]
ONE: dict[str, tuple[bytes, ReadOptions]] = {
    "plain": (lines(CLICKS, head="time,survival"), ReadOptions()),
    "digitizeit csv": (
        lines(
            [(f"{t:.12E}", f"{s:.12E}") for t, s in PERCENT], head="Line 2 x,Line 2 y", end="\r\n"
        ),
        ReadOptions(percent=True),
    ),
    "digitizeit from right to left": (
        lines(PERCENT[::-1], head="EXP x,EXP y"),
        ReadOptions(percent=True),
    ),
    "digitizeit xlsx": (
        workbook({"Line 1": [["x", "y"], *PERCENT[::-1]]}),
        ReadOptions(percent=True),
    ),
    "scanit": (
        lines([(f"{t:>10}", f"{s:>10}") for t, s in PERCENT], "\t"),
        ReadOptions(percent=True),
    ),
    "webplotdigitizer": (lines(CLICKS, ", "), ReadOptions()),
    "webplotdigitizer with decimal commas": (
        lines([(comma(t), comma(s)) for t, s in CLICKS], "; "),
        ReadOptions(),
    ),
    "webplotdigitizer, all of one": (lines([("X", "Y"), *CLICKS], head="Arm A,"), ReadOptions()),
    "survhe": (
        lines([(i + 1, *c) for i, c in enumerate(CLICKS)], " ", '"id" "time" "surv"'),
        ReadOptions(),
    ),
    "row names of R": (
        lines([(f'"{i + 1}"', *c) for i, c in enumerate(CLICKS)], " ", '"time" "surv"'),
        ReadOptions(),
    ),
    "unnamed running number": (
        lines([(i + 1, *c) for i, c in enumerate(CLICKS)], head='"",time,survival'),
        ReadOptions(),
    ),
    "reconstructKM": (lines(CLICKS, head="time,survival"), ReadOptions()),
    "four columns": (lines([(*c, -0.01, 0.02) for c in CLICKS]), ReadOptions()),
    "four columns of marks": (lines([(*c, "-", "+") for c in CLICKS]), ReadOptions()),
    "header in percent": (lines(PERCENT, head="Time (months),Survival (%)"), ReadOptions()),
    "percent signs": (
        lines([(t, f"{s:g}%") for t, s in PERCENT], head="time,survival"),
        ReadOptions(percent=True),
    ),
    "other names": (lines(CLICKS, head="Months,OS"), ReadOptions()),
    "mapped names": (
        lines(CLICKS, head="when,how many"),
        ReadOptions(columns="time=when,survival=how many"),
    ),
    "values first": (lines([(s, t) for t, s in CLICKS], head="Surv,Time"), ReadOptions()),
    "years": (
        lines([(t / 12, s) for t, s in CLICKS], head="time,survival"),
        ReadOptions(unit="years"),
    ),
    "utf-16": (lines(CLICKS, head="time,survival").decode().encode("utf-16"), ReadOptions()),
    "utf-16 without a mark": (
        lines(CLICKS, "\t", "time\tsurvival").decode().encode("utf-16-le"),
        ReadOptions(),
    ),
    "byte-order mark": (b"\xef\xbb\xbf" + lines(CLICKS, head="time,survival"), ReadOptions()),
    "latin-1": (
        lines(CLICKS, ";", "Zeit für x;y").decode().encode("latin-1"),
        ReadOptions(columns="time=Zeit für x"),
    ),
    "excel's first line": (lines(CLICKS, ";", "sep=;\ntime;survival"), ReadOptions()),
    "quoted cells": (
        lines([(f'"{t}"', f'"{s}"') for t, s in CLICKS], head='"time","surv"'),
        ReadOptions(),
    ),
    "comment above": (lines(CLICKS, head="# digitised by hand\ntime,survival"), ReadOptions()),
    "empty rows and columns": (
        lines([(*c, "", "") for c in CLICKS] + [("", "", "", "")], head="time,survival,,"),
        ReadOptions(),
    ),
    "typographic signs": (
        lines([(str(t).replace(".", "·"), s) for t, s in CLICKS], head="time,survival"),
        ReadOptions(),
    ),
    "old macintosh lines": (lines(CLICKS, head="time,survival", end="\r"), ReadOptions()),
    "missing rows dropped": (
        lines([*CLICKS, ("NA", 0.5), (21, "NR")], head="time,survival"),
        ReadOptions(missing="drop"),
    ),
}


@pytest.mark.parametrize("form", ONE)
def test_one_curve_in_every_form(tmp_path: Path, form: str) -> None:
    raw, options = ONE[form]
    file = tmp_path / "c.txt"
    file.write_bytes(raw)
    found = read_curves(file, options)
    scale = 100 if found.percent else 1
    assert not found.errors
    assert not found.named
    np.testing.assert_allclose(found.clicks["time"], TIME, rtol=1e-12)
    np.testing.assert_allclose(found.clicks["survival"] / scale, SURVIVAL, rtol=1e-12)
    assert found.note.startswith("c.txt: 1 curve (")


WIDE = [(t, a, b) for t, a, b in zip(TIME, SURVIVAL, OTHER, strict=True)]
PAIRS = [(t, a, t, b) for t, a, b in WIDE]
LONG = [("A", t, a) for t, a, _ in WIDE] + [("B", t, b) for t, _, b in WIDE]
RAGGED = [*PAIRS[:-2], (TIME[-2], SURVIVAL[-2]), (TIME[-1], SURVIVAL[-1])]
TWO: dict[str, tuple[bytes, ReadOptions]] = {
    "long": (lines(LONG, head="id,time,survival"), ReadOptions()),
    "long without a header": (lines(LONG), ReadOptions()),
    "long with arms named": (lines(LONG, ";", "Arm;Time;Surv"), ReadOptions()),
    "long with a mapped id": (lines(LONG, head="who,time,survival"), ReadOptions(columns="id=who")),
    "wide": (lines(WIDE, head="time,A,B"), ReadOptions()),
    "wide in percent": (
        lines([(t, 100 * a, 100 * b) for t, a, b in WIDE], head="time,A (%),B (%)"),
        ReadOptions(),
    ),
    "pairs with names": (lines(PAIRS, head="A x,A y,B x,B y"), ReadOptions()),
    "webplotdigitizer, all": (lines([("X", "Y", "X", "Y"), *PAIRS], head="A,,B,"), ReadOptions()),
    "webplotdigitizer, all, decimal commas": (
        lines([("X", "Y", "X", "Y"), *[tuple(map(comma, row)) for row in PAIRS]], ";", "A;;B;"),
        ReadOptions(),
    ),
    "time and survival of each": (
        lines(PAIRS, head="time_A,surv_A,time_B,surv_B"),
        ReadOptions(),
    ),
    "a sheet a curve": (
        workbook(
            {
                "A": [["x", "y"], *[(t, a) for t, a, _ in WIDE]],
                "B": [["x", "y"], *[(t, b) for t, _, b in WIDE]],
                "Notes": [["digitised twice"]],
            }
        ),
        ReadOptions(),
    ),
    "wide in a sheet": (
        workbook({"all": [["Figure 2"], ["time", "A", "B"], *WIDE]}),
        ReadOptions(sheet="all"),
    ),
}


@pytest.mark.parametrize("form", TWO)
def test_two_curves_in_every_form(tmp_path: Path, form: str) -> None:
    raw, options = TWO[form]
    file = tmp_path / "c.csv"
    file.write_bytes(raw)
    found = read_curves(file, options)
    scale = 100 if found.percent else 1
    assert found.named
    for name, want in (("A", SURVIVAL), ("B", OTHER)):
        own = found.clicks[found.clicks["id"] == name]
        np.testing.assert_allclose(own["time"], TIME, rtol=1e-12)
        np.testing.assert_allclose(own["survival"] / scale, want, rtol=1e-12)
    assert "2 curves, A (12 points), B (12)" in found.note


def test_columns_of_unequal_length_are_curves_of_unequal_length(tmp_path: Path) -> None:
    file = tmp_path / "c.csv"
    file.write_bytes(lines([("X", "Y", "X", "Y"), *RAGGED], head="A,,B,"))
    found = read_curves(file)
    assert found.clicks.groupby("id").size().tolist() == [12, 10]


def test_failure_curves_are_turned_over(tmp_path: Path) -> None:
    file = tmp_path / "c.csv"
    file.write_bytes(lines([(t, 1 - s) for t, s in CLICKS], head="time,survival"))
    found = read_curves(file, failure=True)
    np.testing.assert_allclose(found.clicks["survival"], SURVIVAL, rtol=1e-12)


def test_a_fall_traced_from_below_is_put_in_order_and_said(tmp_path: Path) -> None:
    file = tmp_path / "c.csv"
    file.write_bytes(lines([(0, 1), (2.01, 0.9), (2.0, 0.95), (2.005, 1), (20, 0.9)], head="t,s"))
    found = read_curves(file)
    assert found.clicks["survival"].tolist() == [1, 1, 0.95, 0.9, 0.9]
    assert (np.diff(found.clicks["time"]) >= 0).all()
    assert "2 clicks at vertical falls put in order" in found.note
    assert "sorted" not in found.note


def test_rows_of_errors_are_those_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "c.csv"
    file.write_bytes(lines(CLICKS[::-1], head="time,survival"))
    assert read_curves(file).rows.tolist() == list(range(12, 0, -1))


REFUSED: dict[str, tuple[bytes, str, str]] = {
    "two curves one above the other": (
        lines([*CLICKS, *zip(TIME, OTHER, strict=True)], head="time,survival"),
        "c.csv",
        "two curves one above the other",
    ),
    "a short curve below a long one": (
        lines([*CLICKS, (0, 1), (3, 0.9), (5, 0.8)], head="time,survival"),
        "c.csv",
        "an id column that tells them apart",
    ),
    "words that may be arms": (
        lines([(t, s, "ab"[i % 2]) for i, (t, s) in enumerate(CLICKS)], head="time,survival,line"),
        "c.csv",
        "--columns id=line",
    ),
    "three numbers without a header": (lines(WIDE), "c.csv", "a header"),
    "decimal commas between commas": (
        b"x,y\n0,0,1,0\n2,0,0,9\n",
        "c.csv",
        "export with semicolons",
    ),
    "project of a digitiser": (b'<?xml version="1.0"?><!DOCTYPE engauge>', "c.xml", "Engauge"),
    "project of a digitiser, binary": (b"\x07DIG\x00\x01", "c.dig", "project of a digitiser"),
    "project of webplotdigitizer": (b'{"version":[4,2],"axesColl":[]}', "c.json", "WebPlotDig"),
    "picture": (b"\x89PNG\r\n\x1a\n" + bytes(30), "c.csv", "a picture (PNG)"),
    "pdf": (b"%PDF-1.7 and so on", "c.pdf", "a PDF"),
    "svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "c.svg", "a picture (SVG)"),
    "old workbook": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(20), "c.xls", "Excel 97"),
    "binary": (bytes(range(256)), "c.csv", "binary file"),
    "web page": (b"<!DOCTYPE html><html></html>", "c.csv", "a web page"),
    "empty": (b"\n\n", "c.csv", "no data rows"),
    "words": (b"to be,or not\nto be,that is\n", "c.csv", "no numbers"),
}


def first_error(errors: dict[str, DataError]) -> None:
    for error in errors.values():
        raise error


@pytest.mark.parametrize("form", REFUSED)
def test_what_is_no_curve_is_refused_in_one_line(tmp_path: Path, form: str) -> None:
    raw, name, words = REFUSED[form]
    file = tmp_path / name
    file.write_bytes(raw)
    with pytest.raises(DataError) as caught:
        first_error(read_curves(file).errors)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_all_bad_cells_of_a_curve_are_named(tmp_path: Path) -> None:
    file = tmp_path / "c.csv"
    file.write_text("id,time,survival\nA,0,1\nA,x,0.9\nA,3,~0.8\nB,0,1\nB,2,0.5\n")
    found = read_curves(file)
    assert list(found.errors) == ["A"]
    text = str(found.errors["A"])
    assert "row 2 (A), column 'time', value 'x'" in text
    assert "row 3 (A), column 'survival', value '~0.8'" in text
    assert found.clicks["id"].tolist() == ["B", "B"]


BELOW = {
    "names beside the time": "x,Curve1\n0,1\n3.1,.9\n6,.75\n\nx,Curve2\n0,1\n3.1,.8\n6,.65\n",
    "a name alone": "Curve1\n0,1\n3.1,.9\n6,.75\nCurve2\n0,1\n3.1,.8\n6,.65\n",
    "quoted": '"Curve1",\n0,1\n3.1,.9\n6,.75\n"Curve2",\n0,1\n3.1,.8\n6,.65\n',
    "a name over a header": "Curve1\nX,Y\n0,1\n3.1,.9\n6,.75\nCurve2\nX,Y\n0,1\n3.1,.8\n6,.65\n",
    "commas": "x;Curve1\n0;1\n3,1;0,9\n6;0,75\nx;Curve2\n0;1\n3,1;0,8\n6;0,65\n",
    "comments": "# Curve1\n0,1\n3.1,.9\n6,.75\n# Curve2\n0,1\n3.1,.8\n6,.65\n",
    "comments over headers": "# read by hand\n\n# Curve1,\ntime,survival\n0,1\n3.1,.9\n6,.75\n"
    "\n## Curve2,\ntime,survival\n0,1\n3.1,.8\n6,.65\n# the end\n",
    "one header, comments": "time;survival\n# Curve1\n0;1\n3,1;0,9\n6;0,75\n"
    "# Curve2\n0;1\n3,1;0,8\n6;0,65\n",
    "comments, from the right": "#Curve1\n6 .75\n3.1 .9\n0 1\n#Curve2\n6 .65\n3.1 .8\n0 1\n",
    "percent": "x,Curve1 (%)\n0,100\n3.1,90\n6,75\nx,Curve2 (%)\n0,100\n3.1,80\n6,65\n",
}


@pytest.mark.parametrize("text", BELOW.values(), ids=BELOW)
def test_curves_one_below_the_other_are_told_apart_by_their_names(
    text: str, tmp_path: Path
) -> None:
    file = tmp_path / "below.csv"
    file.write_text(text, "utf-8")
    found = read_curves(file)
    names = found.clicks["id"].str.replace(" (%)", "", regex=False)
    assert names.tolist() == ["Curve1"] * 3 + ["Curve2"] * 3
    assert found.clicks["time"].tolist() == [0, 3.1, 6] * 2
    survival = found.clicks["survival"] / (100 if found.percent else 1)
    np.testing.assert_allclose(survival, [1, 0.9, 0.75, 1, 0.8, 0.65])
    assert "curves one below the other" in found.note


def test_comments_that_became_names_are_said_and_the_others_counted(tmp_path: Path) -> None:
    file = tmp_path / "below.csv"
    file.write_text("# A\n0,1\n3,.9\n# sure\n6,.8\n# read twice\n# B\n0,1\n5,.7\n", "utf-8")
    note = read_curves(file).note
    assert "2 curves, A (3 points), B (2)" in note
    assert "comment lines taken as names" in note
    assert "2 comment lines left out" in note


@pytest.mark.parametrize("text", [
    "# A\ntime,survival\n0,1\n3,.9\n# by hand\n6,.8\n7,.7\n",
    "0,1\n3,.9\n6.1,.85\n# by hand\n6,.8\n7,.7\n",
    "# A\n0,1\n3,.9\n# 2\n6,.8\n7,.7\n",
])  # fmt: skip
def test_a_comment_inside_a_curve_names_nothing(text: str, tmp_path: Path) -> None:
    file = tmp_path / "one.csv"
    file.write_text(text, "utf-8")
    found = read_curves(file)
    assert not found.named
    assert "1 comment line left out" in found.note


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x,A\n0,1\n3,.9\nx,A\n0,1\n3,.8\n", "two curves have one name"),
        ("x,y\n0,1\n3.1,.9\nfoo,bar\n6,.8\n7,.7\n", "value 'foo': not a number"),
        ("x,y\n0,1\n3,.9\n6,.8\nread by hand,\n", "'read by hand': not a number"),
    ],
)
def test_a_line_of_words_that_names_no_curve_is_refused(
    text: str, words: str, tmp_path: Path
) -> None:
    file = tmp_path / "below.csv"
    file.write_text(text, "utf-8")
    try:
        errors = read_curves(file).errors.values()
    except DataError as error:
        errors = [error]
    assert [words in str(error) for error in errors] == [True]
