"""Degrees of freedom by containment and predictions of structured effects, against rma.mv."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

import metablin as mb
from metablin.meta.structures.prediction import containment
from tests.reference import pinned

REFERENCE = pinned("containment")
# rma.mv leaves variances open to 1e-5, see test_structures.py; prediction intervals hold them.
COEFFICIENTS, PREDICTIONS = 5e-6, 2e-5
EMPTY = ["1 | district/school", "1 | year"], "factor(year)"
CELLS = [c for c in REFERENCE["cells"] if (c["random"], c["mods"]) != EMPTY]
FORMULAS = {"1": None, "outcome - 1": "C(outcome) - 1", "factor(year)": "C(year)",
            "outcome + late": "C(outcome) + late"}  # fmt: skip


@cache
def inputs(name: str) -> tuple[pd.DataFrame, np.ndarray]:
    d = pd.DataFrame(REFERENCE["data"][name])
    if name == "konstantopoulos":
        return d, d["vi"].to_numpy()
    v = np.zeros((len(d), len(d)))
    for i in range(0, len(d), 2):
        v[i : i + 2, i : i + 2] = d.loc[i : i + 1, ["v1i", "v2i"]].to_numpy()
    return d, v


def fitted(cell: dict[str, Any]) -> Any:
    d, v = inputs(cell["data"])
    formula = FORMULAS.get(cell["mods"], cell["mods"])
    return mb.mixed("yi", v, cell["random"], d, structure=cell["struct"], moderators=formula,
                    test=cell["test"], dfs=cell["dfs"], level=cell["level"])  # fmt: skip


def name_of(cell: dict[str, Any]) -> str:
    return f"{cell['data']}-{cell['struct']}-{cell['random']}-{cell['mods']}-{cell['dfs']}"


@pytest.mark.parametrize("cell", CELLS, ids=name_of)
def test_degrees_of_freedom_and_tests_are_those_of_rma_mv(cell: dict[str, Any]) -> None:
    fit = fitted(cell)
    if cell["test"] == "t":
        assert fit.term_df.tolist() == np.atleast_1d(cell["df"]).tolist()
        assert fit.qm_df2 == cell["qm_df"][1]
    else:
        assert np.isinf(fit.term_df).all()
    assert fit.df == fit.term_df.min()
    for key in ("p_value", "conf_low", "conf_high"):
        wanted = np.atleast_1d(cell[key])
        # relative to the standard error, in which the year 0 is far away
        scale = 1 + np.atleast_1d(cell["std_error"])
        assert getattr(fit, key) / scale == pytest.approx(wanted / scale, abs=PREDICTIONS), key
    assert fit.qm_p == pytest.approx(cell["qm_p"], abs=PREDICTIONS)


@pytest.mark.parametrize("cell", CELLS, ids=name_of)
def test_predictions_are_those_of_rma_mv(cell: dict[str, Any]) -> None:
    fit, d = fitted(cell), inputs(cell["data"])[0]
    wanted = pd.DataFrame(cell["predictions"])
    found = fit.predict(None if cell["mods"] == "1" else d)
    if "tau2.level" in wanted:
        found = found.set_index("outcome") if cell["mods"] == "1" else found
        wanted = wanted.set_index("tau2.level") if cell["mods"] == "1" else wanted
    assert len(found) == len(wanted)
    names = {"pred": "estimate", "se": "std_error", "ci.lb": "conf_low", "ci.ub": "conf_high",
             "pi.lb": "pred_low", "pi.ub": "pred_high"}  # fmt: skip
    for theirs, ours in names.items():
        column = found[ours].reindex(wanted.index) if cell["mods"] == "1" else found[ours]
        assert column.to_numpy() == pytest.approx(wanted[theirs].to_numpy(), abs=PREDICTIONS), ours


def test_no_degree_of_freedom_is_refused() -> None:
    # six years and six coefficients: rma.mv takes one
    cell = next(c for c in REFERENCE["cells"] if (c["random"], c["mods"]) == EMPTY)
    assert min(cell["df"]) == 1
    with pytest.raises(mb.DataError, match="6 groups, 6 coefficients"):
        fitted(cell)


def test_containment_against_a_loop_over_groups() -> None:
    d = inputs("konstantopoulos")[0]
    fit = mb.mixed("yi", "vi", ["1 | district/school", "1 | year"], d)
    x = np.column_stack([np.ones(len(d)), d["north"], d["half"], d["year"]])
    found = containment(x, [c.term for c in fit.components])
    for j, column in enumerate(x.T):
        sizes = [len(x)]
        for by in (["district"], ["district", "school"], ["year"]):
            groups = pd.Series(column).groupby([d[b] for b in by])
            if (groups.nunique() == 1).all():
                sizes.append(groups.ngroups)
        assert found[j] == min(sizes) - 4


def test_a_study_an_effect_is_the_pool_of_studies() -> None:
    y, v = np.array([0.1, 0.5, 0.9, 0.2, 0.4]), np.array([0.04, 0.05, 0.03, 0.04, 0.02])
    fit = mb.mixed(y, v, "1 | study", {"study": list("abcde")}, dfs="contain")
    pooled = mb.pool(mb.generic(y, v), ci="t").analysis
    found = fit.predict().iloc[0]
    for name in ("estimate", "std_error", "conf_low", "conf_high", "pred_low", "pred_high"):
        assert found[name] == pytest.approx(getattr(pooled, name), rel=1e-6), name


def test_predictions_at_new_values_are_combinations_of_the_coefficients() -> None:
    d = inputs("konstantopoulos")[0]
    fit = mb.mixed("yi", "vi", "1 | district/school", d, moderators="half + north", dfs="contain")
    found = fit.predict({"half": [0, 1], "north": [1, 1]})
    combined = fit.contrasts([[1, 0, 1], [1, 1, 1]])
    for name in ("estimate", "std_error", "conf_low", "conf_high"):
        assert found[name].to_numpy() == pytest.approx(combined[name].to_numpy(), rel=1e-12)
    half = found["pred_high"] - found["estimate"]
    tau2 = fit.variances()["variance"].sum()
    reach = (found["conf_high"] - found["estimate"]) / found["std_error"]
    assert half.to_numpy() == pytest.approx(
        (reach * np.sqrt(found["std_error"] ** 2 + tau2)).to_numpy(), rel=1e-12
    )
    matrix = mb.mixed("yi", "vi", "1 | district/school", d, design=fit.design, dfs="contain")
    assert matrix.predict([1, 0, 1])["estimate"][0] == pytest.approx(found["estimate"][0])


def test_levels_with_variances_of_their_own() -> None:
    d, v = inputs("berkey")
    fit = mb.mixed("yi", v, "outcome | trial", d, structure="UN", moderators="C(outcome) - 1")
    crossed = fit.predict({"outcome": ["PD", "AL"]})
    assert crossed["outcome"].tolist() == ["PD", "AL"]
    without = mb.mixed("yi", v, "outcome | trial", d, structure="UN")
    alone = without.predict()
    assert alone["outcome"].tolist() == ["AL", "PD"]
    spread = (alone["pred_high"] - alone["conf_high"]).to_numpy()
    assert spread[0] != pytest.approx(spread[1])
    with pytest.raises(mb.DataError, match=r"row 2, column 'outcome', value 'XX'.*AL \| PD"):
        without.predict({"outcome": ["PD", "XX"]})


def test_what_cannot_be_asked_is_named() -> None:
    d = inputs("konstantopoulos")[0]
    with pytest.raises(mb.DataError, match="dfs"):
        mb.mixed("yi", "vi", "1 | district", d, test="z", dfs="contain")
    with pytest.raises(mb.DataError, match="residual"):
        mb.mixed("yi", "vi", "1 | district", d, dfs="satterthwaite")
    fit = mb.mixed("yi", "vi", "1 | district", d, moderators="half")
    with pytest.raises(mb.DataError, match="moderators need values"):
        fit.predict()
    with pytest.raises(mb.DataError, match="half"):
        fit.predict({"other": [1]})
    given = mb.mixed("yi", "vi", "1 | district", d, design=fit.design)
    with pytest.raises(mb.DataError, match=r"\(m, 2\)"):
        given.predict([[1, 2, 3]])
    assert math.isinf(fit.df)
