"""Tables of studies in the words of other programs: always the same columns."""

from __future__ import annotations

import sys
import zipfile
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from metablin.errors import DataError
from metablin.io import ReadOptions, read_studies
from tests.io.test_curve_files import lines, workbook

NAMES = ["A", "B", "C"]
EVENTS, N = [12, 9, 10], [30, 25, 27]
SINGLE = list(zip(NAMES, EVENTS, N, strict=True))
OTHER, M = [8, 5, 9], [31, 24, 28]
DOUBLE = list(zip(NAMES, EVENTS, N, OTHER, M, strict=True))

PROPORTIONS: dict[str, tuple[bytes, ReadOptions]] = {
    "plain": (lines(SINGLE, head="study,events,n"), ReadOptions()),
    "case": (lines(SINGLE, head="STUDY,Events,N"), ReadOptions()),
    "deaths": (lines(SINGLE, head="Study,deaths,n"), ReadOptions()),
    "metafor": (lines(SINGLE, head="author,xi,ni"), ReadOptions()),
    "meta": (lines(SINGLE, head="studlab,event,n"), ReadOptions()),
    "words": (lines(SINGLE, ";", "Trial;No. of events;Total"), ReadOptions()),
    "mapped": (
        lines(SINGLE, head="study,CR,size of it"),
        ReadOptions(columns="events=CR,n=size of it"),
    ),
    "rates": (lines([(s, e / n, n) for s, e, n in SINGLE], head="study,rate,n"), ReadOptions()),
    "rates in percent": (
        lines([(s, round(100 * e / n, 2), n) for s, e, n in SINGLE], head="study,rate (%),n"),
        ReadOptions(),
    ),
    "rates in percent by option": (
        lines([(s, f"{100 * e / n:.3f}%", n) for s, e, n in SINGLE], head="study,rate,n"),
        ReadOptions(percent=True),
    ),
    "row names of R": (
        lines([(f'"{s}"', e, n) for s, e, n in SINGLE], " ", '"events" "n"'),
        ReadOptions(),
    ),
    "trailing columns": (
        lines([(*r, "", "") for r in SINGLE], head="study,events,n,,"),
        ReadOptions(),
    ),
    "a title above": (lines(SINGLE, head="Table 2,,\nstudy,events,n"), ReadOptions()),
    "workbook": (
        workbook({"Read me": [["see below"]], "data": [["Study", "Events", "N"], *SINGLE]}),
        ReadOptions(),
    ),
    "sheet by number": (
        workbook(
            {
                "old": [["study", "events", "n"], ["X", 1, 2], ["Y", 1, 3]],
                "new": [["study", "events", "n"], *SINGLE],
            }
        ),
        ReadOptions(sheet="2"),
    ),
    "missing dropped": (
        lines([*SINGLE, ("D", "NR", 12), ("E", 3, "?")], head="study,events,n"),
        ReadOptions(missing="drop"),
    ),
}


@pytest.mark.parametrize("form", PROPORTIONS)
def test_proportions_in_every_form(tmp_path: Path, form: str) -> None:
    raw, options = PROPORTIONS[form]
    file = tmp_path / "s.csv"
    file.write_bytes(raw)
    found = read_studies(file, "proportion", options)
    assert found.columns["events"].tolist() == EVENTS
    assert found.columns["n"].tolist() == N
    assert found.studies == NAMES


TABLES: dict[str, bytes] = {
    "plain": lines(DOUBLE, head="study,events_treatment,n_treatment,events_control,n_control"),
    "meta": lines(DOUBLE, head="studlab,event.e,n.e,event.c,n.c"),
    "metafor": lines(DOUBLE, head="trial,ai,n1i,ci,n2i"),
    "revman": lines(
        DOUBLE, head="Study,Experimental Events,Experimental Total,Control Events,Control Total"
    ),
    "revman web": lines(
        [("1", "1", *row) for row in DOUBLE],
        head="Analysis group,Analysis number,Study,Experimental cases,Experimental N,"
        "Control cases,Control N",
    ),
    "revman 5": lines(
        [("1", "1", s, e, n, x, m) for s, e, n, x, m in DOUBLE],
        head="Comparison Number,Outcome Number,Study,Events 1,Total 1,Events 2,Total 2",
    ),
    "four cells": lines(
        [(s, e, n - e, x, m - x) for s, e, n, x, m in DOUBLE], head="study,a,b,c,d"
    ),
    "four cells of metafor": lines(
        [(s, e, n - e, x, m - x) for s, e, n, x, m in DOUBLE], head="study,ai,bi,ci,di"
    ),
    "four cells of the vaccine": lines(
        [(s, e, n - e, x, m - x) for s, e, n, x, m in DOUBLE], head="author,tpos,tneg,cpos,cneg"
    ),
    "numbered": lines(DOUBLE, "\t", "study\tr1\tn1\tr2\tn2"),
    "columns in another order": lines(
        [(m, x, n, e, s) for s, e, n, x, m in DOUBLE], head="n.c,event.c,n.e,event.e,study"
    ),
}


@pytest.mark.parametrize("form", TABLES)
def test_two_by_two_tables_in_every_form(tmp_path: Path, form: str) -> None:
    file = tmp_path / "s.csv"
    file.write_bytes(TABLES[form])
    found = read_studies(file, "or", ReadOptions())
    got = [
        found.columns[x].tolist()
        for x in ("events_treatment", "n_treatment", "events_control", "n_control")
    ]
    assert got == [EVENTS, N, OTHER, M]
    assert found.studies == NAMES


HR = [("A", 0.73, 0.53, 1.02), ("B", 0.77, 0.66, 0.90), ("C", 0.79, 0.64, 0.98)]


@pytest.mark.parametrize(
    "head",
    [
        "study,estimate,conf_low,conf_high",
        "Study,hr,lower,upper",
        "study,HR,hr_lb,hr_ub",
        "study,Hazard ratio,95% CI lower,95% CI upper",
        "trial,hr,LCL,UCL",
        "study,hr,ci_low,ci_high",
        "author,HR,ll,ul",
        "study,hr,ci.lb,ci.ub",
        "study,hr,l95,u95",
        "study,est,lci,uci",
        "study,hr,low,high",
    ],
)
def test_hazard_ratios_under_every_name(tmp_path: Path, head: str) -> None:
    file = tmp_path / "s.csv"
    file.write_bytes(lines(HR, head=head))
    found = read_studies(file, "hr", ReadOptions())
    assert [c.tolist() for c in found.columns.values()] == [
        list(c) for c in list(zip(*HR, strict=True))[1:]
    ]
    assert found.level == 0.95


@pytest.mark.parametrize(
    ("head", "rows", "want"),
    [
        ("hr,lower,upper,level", [(0.7, 0.5, 1, 0.95), (0.6, 0.4, 1, 0.99)], [0.95, 0.99]),
        ("hr,lower,upper,conf.level", [(0.7, 0.5, 1, 95), (0.6, 0.4, 1, 99)], [0.95, 0.99]),
        ("hr,97.5% CI lower,97.5% CI upper", [(0.7, 0.5, 1), (0.6, 0.4, 1)], 0.975),
        ("hr,lower99,upper99", [(0.7, 0.5, 1), (0.6, 0.4, 1)], 0.99),
    ],
)
def test_the_level_of_intervals_is_read(
    tmp_path: Path, head: str, rows: list[tuple[float, ...]], want: object
) -> None:
    file = tmp_path / "s.csv"
    file.write_bytes(lines(rows, head=head))
    assert np.allclose(read_studies(file, "hr", ReadOptions()).level, want)


@pytest.mark.parametrize(
    ("head", "rows"),
    [
        ("yi,vi", [(1.07, 0.2304), (0.71, 0.2209)]),
        ("g,se", [(1.07, 0.48), (0.71, 0.47)]),
        ("TE,seTE", [(1.07, 0.48), (0.71, 0.47)]),
        ("d,var", [(1.07, 0.2304), (0.71, 0.2209)]),
        ("smd,std. error", [(1.07, 0.48), (0.71, 0.47)]),
        ("estimate,SE", [(1.07, 0.48), (0.71, 0.47)]),
        ("yi,sei", [(1.07, 0.48), (0.71, 0.47)]),
        ("Effect,Variance", [(1.07, 0.2304), (0.71, 0.2209)]),
        ("beta,stderr", [(1.07, 0.48), (0.71, 0.47)]),
        (
            "md,lower,upper",
            [
                (1.07, 1.07 - 1.959963984540054 * 0.48, 1.07 + 1.959963984540054 * 0.48),
                (0.71, 0.71 - 1.959963984540054 * 0.47, 0.71 + 1.959963984540054 * 0.47),
            ],
        ),
    ],
)
def test_generic_effects_under_every_name(
    tmp_path: Path, head: str, rows: list[tuple[float, ...]]
) -> None:
    file = tmp_path / "s.csv"
    file.write_bytes(lines(rows, head=head))
    found = read_studies(file, "generic", ReadOptions()).columns
    assert found["yi"].tolist() == [1.07, 0.71]
    np.testing.assert_allclose(found["vi"], [0.2304, 0.2209], rtol=1e-12)


def test_rates_of_two_arms_and_person_years(tmp_path: Path) -> None:
    file = tmp_path / "s.csv"
    file.write_bytes(
        lines([("A", 3, 20, 4, 22), ("B", 1, 10, 2, 11)], head="study,x1i,t1i,x2i,t2i")
    )
    found = read_studies(file, "irr", ReadOptions(unit="years"))
    assert found.columns["person_time_treatment"].tolist() == [240, 120]
    assert "turned into months" in found.note()


REFUSED: dict[str, tuple[str, str, str, list[str]]] = {
    "cells": (
        "proportion",
        "study,events,n",
        'A,12 (34%),35\nB,4*,9\nC,NR,12\nD,"1,204",3500',
        [
            "row 1 (A)",
            "write 12)",
            "row 2 (B)",
            "footnote",
            "row 3 (C)",
            "'NR'",
            "row 4 (D)",
            "1204 or 1.204",
        ],
    ),
    "dates": ("proportion", "study,events,n", "A,3-May,5\nB,2026-05-03,9", ["3/5 or 5/3", "row 2"]),
    "total by name": (
        "proportion",
        "study,events,n",
        "A,3,9\nB,4,9\nTotal,7,18",
        ["Total", "row 3"],
    ),
    "total by sums": (
        "proportion",
        "study,events,n",
        "A,3,9\nB,4,9\nC,2,8\nX,9,26",
        ["X holds the sums", "delete the row"],
    ),
    "summary row": (
        "hr",
        "study,hr,lower,upper",
        "A,.7,.5,1\nB,.8,.6,1\nPooled (random),.75,.6,.9",
        ["Pooled"],
    ),
    "rates of no patients": (
        "proportion",
        "study,rate,n",
        "A,0.5,25\nB,0.335,10\nC,.2,10",
        ["12.5 patients", "3.35 patients"],
    ),
    "rates in percent unsaid": ("proportion", "study,rate,n", "A,40,30\nB,36,25", ["--percent"]),
    "two columns for one": (
        "proportion",
        "study,deaths,responses,n",
        "A,1,2,9\nB,1,2,9",
        ["'deaths' and 'responses'", "--columns events=deaths"],
    ),
    "no such column": ("proportion", "study,happy,n", "A,1,9\nB,1,9", ["'events'", "found: study"]),
    "two analyses": (
        "or",
        "Comparison Number,Outcome Number,Study,Events 1,Total 1,Events 2,Total 2",
        "1,1,A,1,9,2,9\n1,2,A,1,9,2,9",
        ["2 analyses", "1.1, 1.2"],
    ),
    "two levels": ("hr", "hr,lower95,upper99", "0.7,0.5,1\n0.8,0.6,1", ["two levels"]),
    "negative error": ("generic", "yi,se", "1,-0.1\n1,0", ["row 1", "row 2", "greater than 0"]),
    "an interval without its estimate": ("generic", "yi,lower,upper", "1,1.5,2", ["interval"]),
}


@pytest.mark.parametrize("form", REFUSED)
def test_what_has_two_readings_is_refused_in_one_line(tmp_path: Path, form: str) -> None:
    measure, head, rows, words = REFUSED[form]
    file = tmp_path / "s.csv"
    file.write_text(f"{head}\n{rows}\n")
    with pytest.raises(DataError) as caught:
        read_studies(file, measure, ReadOptions())
    for word in words:
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)


def test_two_sheets_that_could_serve_are_asked_about(tmp_path: Path) -> None:
    file = tmp_path / "s.xlsx"
    rows = [["study", "events", "n"], *SINGLE]
    file.write_bytes(workbook({"one": rows, "two": rows}))
    with pytest.raises(DataError, match=r"2 sheets.*one \| two"):
        read_studies(file, "proportion", ReadOptions())


def test_repeated_labels_and_columns_without_use_are_said(tmp_path: Path) -> None:
    file = tmp_path / "s.csv"
    file.write_bytes(
        lines([("A", 1, 9, "x"), ("A", 2, 9, "y"), ("B", 3, 9, "z")], head="study,events,n,arm")
    )
    note = read_studies(file, "proportion", ReadOptions()).note()
    assert "3 rows of 2 studies (A in 2), pooled as independent; --cluster study" in note
    assert "not used: arm" in note
    assert "cluster" not in read_studies(file, "proportion", ReadOptions(), cluster="study").note()


def test_a_tidy_file_needs_no_word(tmp_path: Path) -> None:
    file = tmp_path / "s.csv"
    file.write_bytes(lines(SINGLE, head="study,events,n"))
    assert read_studies(file, "proportion", ReadOptions()).note() == ""


def test_dates_of_a_workbook_are_named_as_what_they_were(tmp_path: Path) -> None:
    file = tmp_path / "s.xlsx"
    rows = [["study", "events", "n"], ["A", datetime(2026, 5, 3), 5], ["B", 2, 9], ["C", True, 9]]
    file.write_bytes(workbook({"s": rows}))
    with pytest.raises(DataError) as caught:
        read_studies(file, "proportion", ReadOptions())
    assert "row 1 (A), column 'events', value '2026-05-03'" in str(caught.value)
    assert "3/5 or 5/3" in str(caught.value)
    assert "row 3 (C)" in str(caught.value)


def test_a_workbook_without_its_reader_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "s.xlsx"
    file.write_bytes(workbook({"s": [["study", "events", "n"], *SINGLE]}))
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(DataError, match=r"pip install \"metablin\[data\]\""):
        read_studies(file, "proportion", ReadOptions())


def test_an_archive_that_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "s.xlsx"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name in ("xl/workbook.xml", "xl/a", "xl/b"):
            archive.writestr(name, bytes(200_000_000))
    with pytest.raises(DataError, match="unpacks to more"):
        read_studies(file, "proportion", ReadOptions())
