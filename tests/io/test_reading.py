"""Tables as people write them: read right and said, or refused with the smallest mend."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from metablin.errors import DataError
from metablin.io import ReadOptions, Studies, read_curves, read_studies

ARMS = [(12, 34, 5, 30), (20, 50, 8, 44), (5, 30, 3, 31)]
LIMITS = [(0.71, 0.55, 0.92), (0.8, 0.6, 1.07), (0.65, 0.4, 1.05)]


def read(folder: Path, text: str, measure: str, **options: object) -> Studies:
    path = folder / "t.csv"
    path.write_text(text, encoding="utf-8")
    return read_studies(path, measure, ReadOptions(**options))  # type: ignore[arg-type]


def table(header: str, rows: list[tuple[float, ...]]) -> str:
    body = [",".join([f"T{i}", *map(str, row)]) for i, row in enumerate(rows)]
    return "\n".join([header, *body]) + "\n"


@pytest.mark.parametrize(
    "header",
    [
        "study,d.trt,n.trt,d.ctl,n.ctl",
        "study,n_events_trt,n_total_trt,n_events_ctl,n_total_ctl",
        "study,Experimental,,Control,\n,Events,Total,Events,Total",
    ],
)
def test_two_arms_under_names_that_are_made_up_of_words(tmp_path: Path, header: str) -> None:
    found = read(tmp_path, table(header, ARMS), "or")
    names = ("events_treatment", "n_treatment", "events_control", "n_control")
    assert [found.columns[name].tolist() for name in names] == [
        list(map(float, c)) for c in zip(*ARMS, strict=True)
    ]


@pytest.mark.parametrize(
    "header", ["Studie;Ereignisse;Gesamt", "Étude;Événements;Effectif", "Study;r;n"]
)
def test_headers_in_other_languages(tmp_path: Path, header: str) -> None:
    found = read(tmp_path, f"{header}\nA;12;34\nB;20;50\n", "proportion")
    assert found.columns["events"].tolist() == [12, 20]
    assert found.columns["n"].tolist() == [34, 50]
    assert found.studies == ["A", "B"]


def test_a_share_is_not_read_as_a_count(tmp_path: Path) -> None:
    found = read(tmp_path, "study,response (%),n\nA,25,40\nB,50,50\n", "proportion")
    assert found.columns["events"].tolist() == [10, 25]
    assert "response (%) is in percent" in found.note()


def test_counts_under_a_header_of_counts_and_shares_are_refused_cell_by_cell(
    tmp_path: Path,
) -> None:
    with pytest.raises(DataError, match="12 of which 34 % is the share; write 12"):
        read(tmp_path, "study,n (%),total\nA,12 (34%),35\n", "proportion",
             columns="events=n (%)")  # fmt: skip


@pytest.mark.parametrize(
    ("header", "level"),
    [
        ("study,HR (90% CI),LCL,UCL", 0.9),
        ("study,HR,LCL (90% CI),UCL (90% CI)", 0.9),
        ("study,HR,lower 97.5,upper 97.5", 0.975),
        ("study,HR,2.5 %,97.5 %", 0.95),
        ("study,HR,5%,95%", 0.9),
        ("study,exp(coef),lower .95,upper .95", 0.95),
        ("study,HR,lower,upper", 0.95),
    ],
)
def test_the_level_a_header_prints(tmp_path: Path, header: str, level: float) -> None:
    found = read(tmp_path, table(header, LIMITS), "hr")
    assert found.level == pytest.approx(level)
    assert found.columns["conf_high"].tolist() == [row[2] for row in LIMITS]


def test_the_reciprocal_that_r_prints_beside_a_ratio_is_not_the_ratio(tmp_path: Path) -> None:
    text = "study,exp(coef),exp(-coef),lower .95,upper .95\nA,0.8,1.25,0.6,1.07\n"
    found = read(tmp_path, text, "hr")
    assert found.columns["estimate"].tolist() == [0.8]


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("study,HR,2.5 %,95 %", "not of one interval"),
        ("study,HR,lower 90,upper 95", "two levels"),
    ],
)
def test_limits_of_two_intervals_are_refused(tmp_path: Path, header: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read(tmp_path, table(header, LIMITS), "hr")


def test_a_level_that_is_one_minus_the_level_is_refused_by_row(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"row 2 \(B\), column 'level', value 0.05.*at least 0.5"):
        read(tmp_path, "study,hr,lower,upper,level\nA,.7,.5,.9,95\nB,.8,.6,1.1,0.05\n", "hr")


def test_intervals_of_ratios_are_not_taken_for_differences(tmp_path: Path) -> None:
    text = "study,estimate,conf_low,conf_high\nA,1.1,.8,1.5\nB,1.2,.7,2\nC,.9,.6,1.3\n"
    with pytest.raises(DataError, match=r"those of ratios.*--measure hr"):
        read(tmp_path, text, "generic")
    differences = "study,estimate,conf_low,conf_high\nA,.3,.1,.5\nB,.4,.2,.6\n"
    found = read(tmp_path, differences, "generic")
    assert np.sqrt(found.columns["vi"]) == pytest.approx([0.2 / 1.959964] * 2, rel=1e-6)


@pytest.mark.parametrize(
    ("header", "cell", "mend"),
    [
        ("HR", "0.71 (95% CI 0.55 to 0.92)", "write 0.71, 0.55 and 0.92 in three columns"),
        ("HR", "0.71 [90%-CI: 0.55; 0.92]", "write 0.71, 0.55 and 0.92 in three columns"),
        ("HR,95% CI", "0.71,0.55-0.92", "'0.55-0.92' holds both limits"),
    ],
)
def test_an_interval_in_one_cell_is_refused_with_its_parts(
    tmp_path: Path, header: str, cell: str, mend: str
) -> None:
    with pytest.raises(DataError) as error:
        read(tmp_path, f"study,{header}\nA,{cell}\n", "hr")
    assert mend in str(error.value)


def test_counts_and_shares_in_one_cell_are_refused_with_their_parts(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="write 12 and 34 in two columns"):
        read(tmp_path, "study,CR n/N (%)\nA,12/34 (35%)\n", "proportion")


def test_comment_lines_are_left_out_wherever_they_stand(tmp_path: Path) -> None:
    text = "study,events,n\nA,12,34\n# B by hand\nB,20,50\n# source: papers\n"
    found = read(tmp_path, text, "proportion")
    assert found.studies == ["A", "B"]
    assert "2 comment lines left out" in found.note()


def test_a_footnote_is_refused_with_its_mend(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"row 2: t.csv has 1 cell;.*a footnote. delete the line"):
        read(tmp_path, "study,events,n\nA,12,34\n* assessed centrally\n", "proportion")


def test_subtotals_are_named(tmp_path: Path) -> None:
    text = "study,events,n\nAdults,32,84\nA,12,34\nB,20,50\nChildren,14,71\nC,5,30\nD,9,41\n"
    note = read(tmp_path, text, "proportion").note()
    assert "row 1 holds the sums of rows 2 to 3" in note
    assert "row 4 holds the sums of rows 5 to 6" in note
    plain = "study,events,n\nA,12,34\nB,20,50\nC,5,30\nD,9,41\n"
    assert "sums" not in read(tmp_path, plain, "proportion").note()


def test_a_unit_that_the_header_contradicts_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    path.write_text("time (months),survival\n0,1\n5,.8\n9,.6\n")
    with pytest.raises(DataError, match="header says months and --unit says days"):
        read_curves(path, ReadOptions(unit="days"))
    assert read_curves(path, ReadOptions(unit="months")).clicks["time"].tolist() == [0, 5, 9]


def test_times_that_stay_in_days_are_said_to(tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    path.write_text("time (days),survival\n0,1\n150,.8\n270,.6\n")
    assert "times stay in days; --unit days gives months" in read_curves(path).note
    rates = "study,events,exposure (days)\nA,1,2000\nB,2,3000\n"
    assert "exposure (days) stays in days" in read(tmp_path, rates, "rate").note()


def test_a_share_named_as_events_is_not_read_as_a_count(tmp_path: Path) -> None:
    found = read(tmp_path, "study,events (%),n\nA,25,40\nB,50,50\n", "proportion")
    assert found.columns["events"].tolist() == [10, 25]
    with pytest.raises(DataError, match="lacks the column"):
        read(tmp_path, "study,event.e (%),n.e,event.c (%),n.c\nA,25,40,20,40\n", "or")


def test_a_level_of_intervals_that_are_not_there_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("study,events,n\nA,12,34\n")
    with pytest.raises(DataError, match="no intervals"):
        read_studies(path, "proportion", ReadOptions(), input_level=0.9)
