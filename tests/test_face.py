"""The face of the package: names of columns, any frame, R's spellings, what a result prints."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import metablin as mb
from metablin import options

ROOT = Path(mb.__file__).parent.parent

COUNTS = {"Responders": [3, 9, 4, 7], "treated": [20, 22, 25, 30], "trial": list("abcd")}
PATIENTS = {"months": [1.0, 2, 3, 4, 5, 6], "died": [1, 0, 1, 1, 0, 1], "arm": list("xyxyxy")}


def frames(columns: dict[str, list[Any]]) -> list[Any]:
    polars = pytest.importorskip("polars") if "polars" in sys.modules else None
    import narwhals.stable.v1 as nw

    pandas = pd.DataFrame(columns)
    found = [columns, pandas, pandas.set_index(pd.Index(range(5, 5 + len(pandas))))]
    found.append(nw.from_native(pandas, eager_only=True))
    return found if polars is None else [*found, polars.DataFrame(columns)]


@pytest.mark.parametrize("kind", range(4))
def test_columns_may_be_named_in_any_frame(kind: int) -> None:
    table = frames(COUNTS)[kind]
    named = mb.proportions("responders", " TREATED", data=table, studies="trial")
    arrays = mb.proportions(COUNTS["Responders"], COUNTS["treated"], studies=COUNTS["trial"])
    assert np.array_equal(named.yi, arrays.yi)
    assert named.studies == arrays.studies


@pytest.mark.parametrize("kind", range(4))
def test_patients_may_be_named_columns(kind: int) -> None:
    table = frames(PATIENTS)[kind]
    named = mb.kaplan_meier("months", "died", data=table)
    arrays = mb.kaplan_meier(PATIENTS["months"], PATIENTS["died"])
    assert np.array_equal(named.survival, arrays.survival)
    cox = mb.cox("months", "died", "arm", data=table)
    direct = mb.cox(PATIENTS["months"], PATIENTS["died"], PATIENTS["arm"])
    assert cox.to_frame().equals(direct.to_frame())


def test_errors_speak_of_the_callers_own_columns() -> None:
    with pytest.raises(mb.DataError, match=r"row 2 .*column 'responders', value 30"):
        mb.proportions("responders", "n", data={"responders": [1, 30], "n": [10, 20]})
    with pytest.raises(mb.DataError, match="no such column in data; allowed: events, n"):
        mb.proportions("deaths", "n", data={"events": [1], "n": [2]})
    with pytest.raises(mb.DataError, match="without a table"):
        mb.proportions("events", [3])


def test_incomplete_rows_are_refused_or_dropped_and_listed() -> None:
    table = {"events": [3, None, 4, 7], "n": [20, 22, "NR", 30], "year": [2001, 2002, 2003, 2004]}
    with pytest.raises(mb.DataError, match="row 2"):
        mb.proportions("events", "n", data=table)
    kept = mb.proportions("events", "n", data=table, missing="drop")
    assert [(x.row, x.reason) for x in kept.excluded] == [
        (2, "events missing"),
        (3, "n missing"),
    ]
    assert kept.studies == ("study 1", "study 4")
    # Columns of the whole table still line up with the studies that stay.
    assert mb.pool(kept, by=["p", "q", "q", "p"]).subgroups["p"].k == 2


def test_dropped_patients_are_listed() -> None:
    with pytest.warns(mb.MetablinWarning, match=r"left out: row 2 \(time missing\)"):
        curve = mb.kaplan_meier([1.0, None, 3.0], [1, 1, 1], missing="drop")
    assert curve.time.tolist() == [1.0, 3.0]


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        ({"tau2": "REML"}, {"tau2": "reml"}),
        ({"ci": "hksj"}, {"ci": "knha"}),
        ({"ci": "z"}, {"ci": "classic"}),
        ({"model": "common"}, {"model": "fixed"}),
        ({"model": "common"}, {"model": "FE"}),
    ],
)
def test_spellings_of_r_are_understood(mine: dict[str, Any], theirs: dict[str, Any]) -> None:
    e = mb.generic([0.1, 0.5, 0.3], [0.02, 0.03, 0.04])
    assert mb.pool(e, **theirs).to_dict() == mb.pool(e, **mine).to_dict()


def test_every_spelling_means_an_option() -> None:
    allowed = {
        "model": options.words(options.Model),
        "ci": options.words(options.Interval),
        "transform": options.words(options.ProportionTransform),
        "missing": options.words(options.Missing),
        "small_values": options.words(options.SmallValues),
    }
    for option, spellings in options.SPELLINGS.items():
        assert set(spellings.values()) <= set(allowed[option])
        assert not set(spellings) & set(allowed[option])


def test_models_and_their_words_are_the_same_list() -> None:
    from metablin.meta.core.models import MODELS
    from metablin.numerics.tau2 import TAU2_METHODS

    assert tuple(MODELS) == options.words(options.Model)
    assert set(TAU2_METHODS) == set(options.words(options.Tau2))
    assert {c for m in MODELS.values() for c in m.ci} == set(options.words(options.Interval))


def test_log_effects_stay_ratios_and_equal_the_intervals_they_come_from() -> None:
    log_hr, se = np.array([-0.34, -0.51]), np.array([0.13, 0.24])
    z = 1.959963984540054
    intervals = mb.hazard_ratios(np.exp(log_hr), np.exp(log_hr - z * se), np.exp(log_hr + z * se))
    e = mb.log_effects(log_hr, se, measure="hr")
    assert (e.measure, e.transform) == ("hr", "log")
    assert np.allclose(e.vi, intervals.vi, rtol=1e-12)
    assert mb.pool(e).estimate == pytest.approx(mb.pool(intervals).estimate, rel=1e-12)
    with pytest.raises(mb.DataError, match="std_error"):
        mb.log_effects([0.1], [0.0])


def test_a_fit_prints_its_summary_gives_a_study_and_fits_again() -> None:
    fit = mb.pool(mb.proportions([3, 9, 4], [20, 22, 25], studies=["A", "B", "B"]))
    assert repr(fit) == str(fit) == fit.summary()
    assert fit["A"]["estimate"] == pytest.approx(3 / 20)
    with pytest.raises(mb.DataError, match="2 rows"):
        fit["B"]
    with pytest.raises(mb.DataError, match="no such study"):
        fit["C"]
    again = fit.update(tau2="DL", ci="z")
    assert again.to_dict() == mb.pool(fit.effects, tau2="DL", ci="z").to_dict()


def test_a_type_checker_refuses_five_wrong_calls(tmp_path: Path) -> None:
    user = tmp_path / "user.py"
    user.write_text(
        "import metablin as mb\n"
        "e = mb.proportions([1, 2], [10, 12])\n"
        "mb.bayes(e)\n"
        'mb.pool(e, model="randm")\n'
        'mb.pool(e, tau2="REMLL")\n'
        'mb.proportions([1], [10], transform="logitt")\n'
        'mb.kaplan_meier([1.0], [1], conf_type="loglog")\n'
    )
    # What other packages than numpy do inside says nothing about our types.
    settings = tmp_path / "mypy.ini"
    settings.write_text(
        "[mypy]\nstrict = true\nfollow_imports = skip\n"
        "[mypy-metablin.*,numpy.*]\nfollow_imports = silent\n"
    )
    options = ["--config-file", str(settings), "--cache-dir", os.devnull]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *options, str(user)],
        capture_output=True, text=True, cwd=ROOT, check=False,
        env={**os.environ, "MYPYPATH": str(ROOT)},
    )  # fmt: skip
    lines = [int(x.split(":")[1]) for x in done.stdout.splitlines() if ": error:" in x]
    assert lines == [3, 4, 5, 6, 7], done.stdout
