"""A curve read off a figure takes the place of printed summaries, for its arm and no other.

The trial is simulated and stands in a copy of the evidence base: no figure of a trial is in it.
"""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

import metablin as mb
from metablin.datasets import ReadCurve, curves, data_directory, load, validate
from tests.digitise.figures import draw, simulate

TRIAL = "simulated_trial"
SOURCE = "simulated2026"
MEDIAN = 0.5  # months by which the median of the draws may differ from that of the patients


def _append(folder: Path, table: str, like: tuple[str, str], changes: dict[str, str]) -> None:
    """Add a row: a copy of the first one that has a value, with some cells changed."""
    path = folder / f"{table}.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    row = next(r for r in rows if r[like[0]] == like[1])
    with path.open("a", encoding="utf-8", newline="") as file:
        csv.DictWriter(file, list(row)).writerow(row | changes)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the evidence with one simulated trial, of which a median is printed."""
    folder = Path(shutil.copytree(data_directory(), tmp_path_factory.mktemp("base") / "datasets"))
    own = {"trial_id": TRIAL, "source_key": SOURCE}
    _append(folder, "references", ("source_key", "kantarjian2017"),
            {"source_key": SOURCE, "doi": "", "pmid": "", "pmcid": "", "nct": "",
             "title": "A"})  # fmt: skip
    _append(folder, "trials", ("trial_id", "tower"),
            {**own, "acronym": "SIMULATED", "registry_id": "", "patient_set": TRIAL})  # fmt: skip
    _append(folder, "screening", ("row_id", "scr-tower"),
            {**own, "row_id": f"scr-{TRIAL}"})  # fmt: skip
    for k, arm in enumerate(("blinatumomab", "chemotherapy")):
        _append(folder, "survival", ("row_id", "surv-tower-001"),
                {**own, "row_id": f"surv-simulated-00{k + 1}", "arm": arm, "n": "120",
                 "patient_set": f"{TRIAL}/{arm}", "median_months": "18.6", "median_ci_low": "",
                 "median_ci_high": "", "followup_months": ""})  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def with_curve(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same base, to which the holder of the figure added one arm's curve."""
    folder = Path(shutil.copytree(base, tmp_path_factory.mktemp("read") / "datasets"))
    names = ("Blinatumomab", "Chemotherapy")
    figure = draw(folder.parent / "figure.svg", simulate(41, names=names))
    found = mb.digitise(figure)
    own = folder / "curves" / SOURCE
    own.mkdir(parents=True)
    for name, frame in (("clicks", found.clicks), ("at_risk", found.risk)):
        frame[frame["id"] == names[0]].to_csv(own / f"{name}.csv", index=False)
    listing = {"id": names[0], "trial_id": TRIAL, "arm": "blinatumomab", "subgroup": "all",
               "endpoint": "os", "source_key": SOURCE, "locator": "figure 1",
               "read_by": f"metablin {mb.__version__}, vector"}  # fmt: skip
    pd.DataFrame([listing]).to_csv(own / "curves.csv", index=False)
    return folder


def _rebuilt(module: Callable[[str], ModuleType], folder: Path, read: bool = True) -> dict:
    trials = pd.DataFrame(
        [{"trial_id": TRIAL, "design": "randomised", "age_group": "adult", "population": "x",
          "label": "SIMULATED", "left_out": ""}]
    )  # fmt: skip
    rows = load("survival", path=folder)
    arms = module("rebuilt").rebuild_all(rows[rows["trial_id"] == TRIAL], trials, draws=5,
                                         curves=curves(folder) if read else ())  # fmt: skip
    return {a.printed.arm: a for a in arms}


def test_grade_a_or_b_replaces_d_for_that_arm(
    module: Callable[[str], ModuleType], base: Path, with_curve: Path
) -> None:
    before, after = _rebuilt(module, base), _rebuilt(module, with_curve)
    assert {k: a.draws.grade for k, a in before.items()} == {
        "blinatumomab": "D",
        "chemotherapy": "D",
    }
    assert after["blinatumomab"].draws.grade in ("A", "B")
    assert after["chemotherapy"].draws.grade == "D"
    truth = simulate(41)[0]
    median = mb.kaplan_meier(truth.time, truth.event).median
    for one in after["blinatumomab"].draws:
        assert len(one.time) == 120
        assert mb.kaplan_meier(one.time, one.event).median == pytest.approx(median, abs=MEDIAN)


def test_the_pages_say_so(module: Callable[[str], ModuleType], with_curve: Path) -> None:
    rows = module("reconstruction.rows")
    arms = list(_rebuilt(module, with_curve).values())
    notes = rows.notes(arms, ("No curve has been digitised.", "Second."))
    grade = next(a.draws.grade for a in arms if a.printed.curve)
    assert notes[0].startswith(f"1 of 2 arms rest on a curve read off a published figure (1 of "
                               f"grade {grade})")  # fmt: skip
    assert notes[1] == "Second."
    assert f"curve of {SOURCE}, figure 1" in rows.curve_words(arms[0].printed)


def test_a_pair_with_a_curve_is_drawn_apart(
    module: Callable[[str], ModuleType], with_curve: Path
) -> None:
    arms = [a.printed for a in _rebuilt(module, with_curve).values()]
    ratio = pd.DataFrame([{"trial_id": TRIAL, "endpoint": "os", "estimate": 0.7, "row_id": "r"}])
    (pair,) = module("pairs").pairs(arms, ratio)
    assert "a curve was read" in pair.note
    assert [d.grade in ("A", "B") for d in pair.draws] == [True, False]


def test_the_base_with_a_curve_is_valid_and_its_cache_knows_the_file(with_curve: Path) -> None:
    from metablin.pipeline import fingerprint

    assert validate(with_curve).summary().endswith("valid")
    files = fingerprint.evidence_files(with_curve, ("survival",))
    assert f"curves/{SOURCE}/clicks.csv" in files
    assert not any("curves" in f for f in fingerprint.evidence_files(with_curve, ("trials",)))
    (curve,) = curves(with_curve)
    assert isinstance(curve, ReadCurve)
    assert curve.at_risk[0] == 120


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("clicks.csv", "Blinatumomab,0.0,1.0", "Blinatumomab,0.0,one", "not a number"),
        ("clicks.csv", "Blinatumomab,0.0,1.0", "Other,0.0,1.0", "does not list"),
        ("clicks.csv", "Blinatumomab,0.0,1.0", "Blinatumomab,0.0,0.5", "survival rises"),
        ("clicks.csv", "survival", "height", "a column is missing"),
        ("curves.csv", f",{SOURCE},", ",unknown2026,", "no key of the table references"),
        ("curves.csv", ",os,", ",efs,", "no row of survival"),
    ],
)
def test_what_is_wrong_is_one_line(
    file: str, old: str, new: str, said: str, with_curve: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(with_curve, tmp_path / "datasets"))
    path = folder / "curves" / SOURCE / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    (line,) = [str(v) for v in validate(folder).violations]
    assert said in line
    assert f"curves/{SOURCE}" in line
