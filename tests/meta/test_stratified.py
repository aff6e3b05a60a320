"""Mantel-Haenszel and Peto against metafor, direct formulas and their own invariances."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import StratifiedTable

from metablin.effects import rate_contrasts, two_by_two
from metablin.errors import DataError
from metablin.meta import pool
from metablin.meta.counts.stratified import mantel_haenszel, mantel_haenszel_rates, peto

REFERENCE = json.loads(
    (Path(__file__).parents[1] / "reference" / "stratified.json").read_text(encoding="utf-8")
)
CELLS = REFERENCE["cells"]
KEYS = [k for k in CELLS[0] if k not in {"data", "measure", "method", "call"}]
RTOL = 1e-10  # closed forms on both sides


def fit(cell):
    data = {k: np.array(v) for k, v in REFERENCE["data"][cell["data"]].items()}
    if cell["method"] == "peto":
        return peto(**data)
    if cell["data"] == "catheter":
        return mantel_haenszel_rates(**data, measure=cell["measure"])
    return mantel_haenszel(**data, measure=cell["measure"])


@pytest.mark.parametrize("cell", CELLS, ids=lambda c: f"{c['data']}-{c['method']}-{c['measure']}")
def test_agrees_with_metafor(cell):
    got = fit(cell)
    for key in KEYS:
        if cell[key] is not None:
            assert getattr(got, key) == pytest.approx(cell[key], rel=RTOL), key


def test_grid_is_complete():
    have = {(c["data"], c["method"], c["measure"]) for c in CELLS}
    want = {(d, "mantel-haenszel", m) for d in ("bcg", "sparse") for m in ("or", "rr", "rd")}
    want |= {(d, "peto", "or") for d in ("bcg", "sparse")}
    want |= {("catheter", "mantel-haenszel", m) for m in ("irr", "ird")}
    assert have == want
    assert all(c["estimate"] is not None for c in CELLS)


def test_agrees_with_the_independent_tables_of_statsmodels():
    d = {k: np.array(v) for k, v in REFERENCE["data"]["bcg"].items()}
    tables = [
        np.array([[a, n1 - a], [c, n2 - c]], dtype=float)
        for a, n1, c, n2 in zip(d["a"], d["n1"], d["c"], d["n2"], strict=True)
    ]
    peer = StratifiedTable(tables)
    ours = mantel_haenszel(**d)
    assert ours.estimate == pytest.approx(peer.logodds_pooled, rel=1e-12)
    assert ours.std_error == pytest.approx(peer.logodds_pooled_se, rel=1e-10)
    assert ours.cmh == pytest.approx(peer.test_null_odds(correction=True).statistic, rel=1e-10)
    assert ours.tarone == pytest.approx(peer.test_equal_odds(adjust=True).statistic, rel=1e-8)


@pytest.mark.parametrize("measure", ["or", "rd"])
def test_swapping_arms_changes_only_the_sign(measure):
    d = REFERENCE["data"]["sparse"]
    one = mantel_haenszel(d["a"], d["n1"], d["c"], d["n2"], measure=measure)
    two = mantel_haenszel(d["c"], d["n2"], d["a"], d["n1"], measure=measure)
    assert two.estimate == pytest.approx(-one.estimate, rel=1e-12)
    assert two.std_error == pytest.approx(one.std_error, rel=1e-12)
    assert two.q == pytest.approx(one.q, rel=1e-10)


def test_one_table_gives_its_own_odds_ratio_with_woolfs_variance():
    fit_ = mantel_haenszel([8], [20], [3], [25])
    assert fit_.estimate == pytest.approx(np.log(8 * 22 / (12 * 3)), rel=1e-12)
    assert fit_.std_error**2 == pytest.approx(1 / 8 + 1 / 12 + 1 / 3 + 1 / 22, rel=1e-12)
    assert fit_.q_p == 1.0
    assert np.isnan(fit_.tarone)


def test_peto_uses_the_hypergeometric_mean_and_variance():
    fit_ = peto([8], [20], [3], [25])
    law = stats.hypergeom(45, 11, 20)
    assert fit_.estimate == pytest.approx((8 - law.mean()) / law.var(), rel=1e-12)
    assert fit_.std_error == pytest.approx(law.var() ** -0.5, rel=1e-12)


def test_studies_without_information_are_named_and_weightless():
    d = REFERENCE["data"]["sparse"]
    fit_ = mantel_haenszel(d["a"], d["n1"], d["c"], d["n2"], studies=list("ABCDEFGHI"))
    assert [name for name, _ in fit_.excluded] == ["C", "I"]
    assert fit_.weights[2] == 0
    assert fit_.weights.sum() == pytest.approx(1, rel=1e-14)
    assert fit_.k == 9
    assert fit_.k_informative == 7


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: mantel_haenszel([5], [4], [1], [9]), "row 1 .*more events than patients"),
        (lambda: mantel_haenszel([0, 0], [9, 9], [1, 2], [9, 9]), "0 or infinite"),
        (lambda: mantel_haenszel([0, 0], [9, 9], [0, 0], [9, 9], measure="rd"), "zero"),
        (lambda: peto([0], [9], [0], [9]), "does not exist"),
        (lambda: mantel_haenszel_rates([1], [0], [1], [9]), "greater than 0"),
        (lambda: mantel_haenszel_rates([0], [4], [0], [9], measure="ird"), "no events"),
        (lambda: mantel_haenszel([1], [4], [1], [9], measure="hr"), "unknown option"),
    ],
)
def test_unusable_tables_are_refused_by_name(call, text):
    with pytest.raises(DataError, match=text):
        call()


def test_record_is_read_only_and_json_ready():
    fit_ = mantel_haenszel([8, 3], [20, 21], [3, 1], [25, 22])
    with pytest.raises(ValueError, match="read-only"):
        fit_.weights[0] = 9
    assert json.dumps(fit_.to_dict())
    assert list(fit_.to_frame()["term"]) == ["or"]


def test_pool_reports_mantel_haenszel_and_peto_on_the_readers_scale():
    d = REFERENCE["data"]["bcg"]
    e = two_by_two(d["a"], d["n1"], d["c"], d["n2"])
    for method in ("mantel-haenszel", "peto"):
        cell = next(
            c for c in CELLS if (c["data"], c["measure"], c["method"]) == ("bcg", "or", method)
        )
        got = pool(e, model=method)
        assert got.estimate == pytest.approx(np.exp(cell["estimate"]), rel=RTOL)
        assert got.conf_low == pytest.approx(np.exp(cell["conf_low"]), rel=RTOL)
        assert got.q == pytest.approx(cell["q"], rel=RTOL)
        assert got.i2 == pytest.approx(1 - 12 / cell["q"], rel=1e-9)
        assert got.weights.sum() == pytest.approx(1, rel=1e-12)
        assert np.isnan(got.pred_low)
    assert pool(e, model="mantel-haenszel").to_dict()["tarone"] == pytest.approx(171.7567, abs=1e-4)


@pytest.mark.parametrize("measure", ["irr", "ird"])
def test_pool_takes_person_time(measure):
    d = REFERENCE["data"]["catheter"]
    cell = next(c for c in CELLS if c["measure"] == measure)
    got = pool(rate_contrasts(**d, measure=measure), model="mantel-haenszel")
    assert got.analysis.estimate == pytest.approx(cell["estimate"], rel=RTOL)


def test_pool_names_tables_without_weight_and_refuses_other_measures():
    d = REFERENCE["data"]["sparse"]
    got = pool(two_by_two(d["a"], d["n1"], d["c"], d["n2"]), model="mantel-haenszel")
    assert "no information, hence no weight: study 3, study 9" in got.notes
    with pytest.raises(DataError, match="cannot take this measure"):
        pool(two_by_two([1, 2], [9, 9], [2, 3], [9, 9], measure="asd"), model="mantel-haenszel")
