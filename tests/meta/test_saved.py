"""A fit saved and brought back is the same fit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import metablin as mb
from metablin.errors import DataError

E = mb.proportions([3, 5, 9, 0, 6], [10, 12, 20, 8, 15], studies=["A", "Bé", "C", "D", "E"])
DATA = pd.DataFrame({
    "x": [1, 2, 3, 5, 4],
    "g": pd.Categorical(list("abaab"), categories=["b", "a"]),
    "w": list("uvuvu"),
})  # fmt: skip
FITS: dict[str, Any] = {
    "random": lambda: mb.pool(E),
    "common": lambda: mb.pool(E, model="common"),
    "glmm": lambda: mb.pool(E, model="glmm"),
    "subgroups": lambda: mb.pool(E, by=list("aabbb")),
    "regression": lambda: mb.pool(E, moderators="x + I(x^2)", data=DATA),
    "categories": lambda: mb.pool(E, moderators="g + w", data=DATA),
    "clustered": lambda: mb.clustered(mb.pool(E), list("aabbc")),
    "excluded": lambda: mb.pool(
        mb.two_by_two([0, 2, 3], [9, 9, 9], [0, 4, 2], [9, 9, 9], double_zeros="drop")
    ),
    "one rate of none": lambda: mb.pool_cohorts(mb.proportions([0, 0], [5, 6])),
    "freeman-tukey": lambda: mb.pool(mb.proportions([3, 5], [10, 12], transform="freeman-tukey")),
}


@pytest.mark.parametrize("name", FITS)
def test_a_fit_comes_back_to_the_last_bit(tmp_path: Path, name: str) -> None:
    fit = FITS[name]()
    text = fit.to_json()
    file = tmp_path / "fit.json"
    file.write_text(text, encoding="utf-8")
    for again in (mb.load_fit(text), mb.load_fit(file), mb.load_fit(str(file))):
        assert again.to_dict() == fit.to_dict()
        assert again.summary() == fit.summary()
        assert again.to_json() == text
        assert not again.weights.flags.writeable
        pd.testing.assert_frame_equal(again.to_frame(), fit.to_frame())


@pytest.mark.parametrize(
    ("name", "new"),
    [("regression", {"x": [2, 7]}), ("categories", {"g": ["a", "b"], "w": ["u", "v"]})],
)
def test_a_regression_that_came_back_predicts(name: str, new: dict[str, Any]) -> None:
    fit = FITS[name]()
    pd.testing.assert_frame_equal(mb.load_fit(fit.to_json()).predict(new), fit.predict(new))


def damaged() -> list[str]:
    good = FITS["random"]().to_json()
    raw = json.loads(good)
    del raw["record"]["fields"]["estimate"]
    unknown = good.replace('"record": "MetaFit"', '"record": "os.system"')
    design = good.replace('"record": "Analysis"', '"record": "Excluded"')
    return ["{}", "{", '{"metablin_fit": 2, "record": 1}', '{"metablin_fit": 1, "record": 1}',
            json.dumps(raw), unknown, design, "[1]", '{"a":' * 2000, good[:-20],
            good.replace('"array": "<f8"', '"array": "|O"')]  # fmt: skip


@pytest.mark.parametrize("i", range(11))
def test_what_is_no_saved_fit_is_refused(tmp_path: Path, i: int) -> None:
    file = tmp_path / "f.json"
    file.write_text(damaged()[i])
    with pytest.raises(DataError):
        mb.load_fit(file)


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(DataError, match=r"nowhere\.json: no file"):
        mb.load_fit("nowhere.json")
