"""Reviews of RevMan: all forms of one review are one, and pooling gives what RevMan printed."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

import metablin as mb
from metablin.cli import app
from tests.cli.runner import CliRunner

HERE = Path(__file__).parent / "reviews"
ROWS, SETTINGS = "fleiss1993-data-rows.csv", "fleiss1993-overall-estimates-and-settings.csv"
XML, WEB = 1e-13, 1e-6
"""RevMan 5 saves doubles, RevMan Web six decimals."""


@pytest.fixture(scope="module")
def forms(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The review as XML, as CSV, as unpacked rows, and as RevMan Web packs them."""
    folder = tmp_path_factory.mktemp("review")
    inner, outer = folder / "x-data.zip", folder / "review.zip"
    with zipfile.ZipFile(inner, "w") as archive:
        for name in (ROWS, SETTINGS):
            archive.write(HERE / name, f"x-analysis-data/{name}")
    with zipfile.ZipFile(outer, "w") as archive:
        archive.write(inner, "review/x-files/x-data.zip")
    return {"xml": HERE / "fleiss1993.rm5", "csv": HERE / "fleiss1993.csv", "rows": HERE / ROWS,
            "inner": inner, "zip": outer}  # fmt: skip


@pytest.mark.parametrize("form", ["xml", "csv", "rows", "inner", "zip"])
def test_every_form_gives_the_same_studies_and_revmans_own_result(
    forms: dict[str, Path], form: str
) -> None:
    review = mb.read_revman(forms[form])
    assert [a.number for a in review] == ["1.1", "1.2"]
    aspirin = review["1.1"]
    frame = aspirin.to_frame().set_index("study")
    assert frame.loc["MRC-1"].tolist()[1:] == [49, 615, 67, 624]
    assert str(frame.loc["ISIS-2", "year"]) == "1988"
    assert aspirin.options == {"model": "mantel-haenszel", "ci": "z"}
    fit = mb.pool(aspirin.effects(), **aspirin.options)
    tolerance = XML if form == "xml" else WEB
    for name in ("estimate", "conf_low", "conf_high", "q", "p_value"):
        got = getattr(fit, name)
        assert got == pytest.approx(aspirin.file.printed[name], rel=tolerance, abs=1e-5), name
    means = review["1.2"].effects()
    assert means.k == 5
    hart = means.yi[list(means.studies).index("Hart")]
    assert hart > 0


def test_continuous_outcomes_give_revmans_own_result() -> None:
    analysis = mb.read_revman(HERE / "fleiss1993.csv")["1.2"]
    fit = mb.pool(analysis.effects(), **analysis.options)
    for name in ("estimate", "conf_low", "conf_high", "q", "statistic"):
        want = abs(analysis.file.printed[name])
        assert abs(getattr(fit, name)) == pytest.approx(want, rel=1e-7), name
    assert analysis.file.measure == "md"


def test_results_that_revman_did_not_compute_are_missing_and_not_zero() -> None:
    frame = mb.read_revman(HERE / ROWS).to_frame().set_index("analysis")
    assert np.isnan(frame.loc["1.2", "estimate"])
    assert frame.loc["1.1", "estimate"] == pytest.approx(0.896866)


REVIEW = """<?xml version="1.0" encoding="UTF-8"?><COCHRANE_REVIEW>
<STUDIES_AND_REFERENCES><STUDIES><STUDY ID="STD-A" NAME="Alpha" YEAR="1990"/></STUDIES>
</STUDIES_AND_REFERENCES><ANALYSES_AND_DATA><COMPARISON NO="2"><NAME>Drug</NAME>
<DICH_OUTCOME NO="1" EFFECT_MEASURE="RR" METHOD="IV" RANDOM="YES" SUBGROUPS="YES"><NAME>Death</NAME>
<DICH_SUBGROUP NO="1"><NAME>young</NAME>
<DICH_DATA STUDY_ID="STD-A" EVENTS_1="4" TOTAL_1="20" EVENTS_2="8" TOTAL_2="20"/></DICH_SUBGROUP>
<DICH_SUBGROUP NO="2"><NAME>old</NAME>
<DICH_DATA STUDY_ID="STD-B" EVENTS_1="5" TOTAL_1="30" EVENTS_2="9" TOTAL_2="31"/>
<DICH_DATA STUDY_ID="STD-C" EVENTS_1="0" TOTAL_1="9" EVENTS_2="0" TOTAL_2="9"/></DICH_SUBGROUP>
</DICH_OUTCOME>
<DICH_OUTCOME NO="2" EFFECT_MEASURE="PETO_OR" METHOD="PETO" RANDOM="NO" SWAP_EVENTS="YES">
<NAME>Survival</NAME>
<DICH_DATA STUDY_ID="STD-A" EVENTS_1="4" TOTAL_1="20" EVENTS_2="8" TOTAL_2="20"/></DICH_OUTCOME>
<IPD_OUTCOME NO="3" RANDOM="NO" METHOD="EXP_O_E_VAR"><NAME>Time to death</NAME>
<EFFECT_MEASURE>Hazard Ratio</EFFECT_MEASURE>
<IPD_DATA STUDY_ID="STD-A" O_E="-4" VAR="10"/></IPD_OUTCOME>
<IV_OUTCOME NO="4" RANDOM="NO" CI_STUDY="95"><NAME>Ratio</NAME>
<EFFECT_MEASURE>Hazard Ratio</EFFECT_MEASURE>
<IV_DATA STUDY_ID="STD-A" EFFECT_SIZE="0.5" SE="0.2" CI_START="0.3378" CI_END="0.7400"/>
</IV_OUTCOME>
<IV_OUTCOME NO="5" RANDOM="NO" CI_STUDY="90"><NAME>Difference</NAME>
<EFFECT_MEASURE>Points</EFFECT_MEASURE>
<IV_DATA STUDY_ID="STD-A" EFFECT_SIZE="0.5" SE="0.2" CI_START="0.17103" CI_END="0.82897"/>
</IV_OUTCOME>
<IV_OUTCOME NO="6" RANDOM="NO"><NAME>Nonsense</NAME>
<IV_DATA STUDY_ID="STD-A" EFFECT_SIZE="0.5" SE="0.2" CI_START="0.1" CI_END="3"/></IV_OUTCOME>
<CONT_OUTCOME NO="7"><NAME>Empty</NAME></CONT_OUTCOME>
</COMPARISON></ANALYSES_AND_DATA></COCHRANE_REVIEW>"""


@pytest.fixture(scope="module")
def review(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("odd") / "odd.rm5"
    path.write_text(REVIEW, encoding="utf-8")
    return path


def test_every_kind_of_analysis_is_put_on_its_scale(review: Path) -> None:
    found = mb.read_revman(review)
    assert found.left_out == ("2.7",)
    tables = found["2.1"]
    assert tables.to_frame()["subgroup"].tolist() == ["young", "old", "old"]
    assert tables.to_frame()["study"].tolist() == ["Alpha", "B", "C"]
    assert tables.options["tau2"] == "DL"
    assert [x.study for x in tables.effects().excluded] == ["C"]  # nobody had the event
    assert tables.effects().yi[0] == pytest.approx(np.log(0.5))
    swapped = found["2.2"].effects()
    assert swapped.counts["events_treatment"].tolist() == [16]
    observed = found["2.3"].effects()
    assert (observed.measure, observed.yi[0]) == ("hr", pytest.approx(-0.4))
    assert observed.vi[0] == pytest.approx(0.1)
    assert found["2.4"].effects().yi[0] == pytest.approx(np.log(0.5))
    assert found["2.5"].effects().yi[0] == 0.5
    with pytest.raises(mb.DataError, match="do not agree on any scale"):
        found["2.6"].effects()
    with pytest.raises(mb.DataError, match=r"no such analysis; allowed: 2\.1 \| 2\.2"):
        found["9.9"]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", "study,events,n\nA,1,2\n", "no review of RevMan"),
        ("a.rm5", "<COCHRANE_REVIEW><COMPARISON>", "damaged XML"),
        ("a.rm5", "<COCHRANE_REVIEW></COCHRANE_REVIEW>", "no analysis with data"),
        ("a.rm5", '<!DOCTYPE x [<!ENTITY a "b">]><COCHRANE_REVIEW/>', "defines entities"),
        ("a.rm5", REVIEW.replace('EVENTS_1="5"', 'EVENTS_1="five"'), "study B.*value five"),
        (ROWS, (HERE / ROWS).read_text(encoding="utf-8"), "settings of its analyses beside it"),
        ("a.zip", "PK\x03\x04 not an archive", "damaged archive"),
    ],
)
def test_what_is_no_review_is_named(tmp_path: Path, name: str, content: str, words: str) -> None:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    with pytest.raises(mb.DataError, match=words):
        mb.read_revman(path)


def test_the_command_lists_pools_and_writes(forms: dict[str, Path], tmp_path: Path) -> None:
    run = CliRunner().invoke
    listed = run(app, ["revman", str(forms["xml"])])
    assert "Aspirin for Preventing Death" in listed.stdout
    out = tmp_path / "studies.csv"
    one = run(app, ["revman", str(forms["xml"]), "--analysis", "1.1", "--out", str(out)])
    assert "RevMan: 0.8969 (0.8405 to 0.957)" in one.stdout
    again = run(app, ["pool", str(out), "--measure", "or", "--model", "mantel-haenszel", "--json"])
    assert json.loads(again.stdout)["estimate"] == pytest.approx(0.8968655609130709, rel=1e-12)
    answer = run(app, ["revman", str(forms["zip"]), "--analysis", "1.1", "--model", "random",
                       "--json"])  # fmt: skip
    parsed = json.loads(answer.stdout)
    assert (parsed["model"], parsed["ci_method"]) == ("random", "hksj")
    assert parsed["review"]["revman"]["estimate"] == pytest.approx(0.896866)
    assert run(app, ["revman", str(forms["xml"]), "--model", "random"]).exit_code == 2
