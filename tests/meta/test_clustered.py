"""Cluster-robust pooling against metafor's robust() and the sandwich written out."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

import metablin as mb
from metablin.errors import DataError
from tests.reference import HERE, pinned, table

PINNED = pinned("clustered")
# Both sides iterate tau2 to 1e-14; metafor's weights leave about ten digits.
RELATIVE = 1e-8
ROUNDING = 1e-12


def data(name: str) -> tuple[mb.EffectSizes, list[str]]:
    if name == "bcg_rr":
        d = table("bcg")
        columns = ("events_treatment", "n_treatment", "events_control", "n_control")
        return mb.two_by_two(*(d[c] for c in columns), measure="rr"), d["alloc"].tolist()
    d = pd.read_csv(HERE.parent / "cases" / "files" / "pool_repeated_study" / "s.csv")
    e = mb.hazard_ratios(d["estimate"], d["conf_low"], d["conf_high"])
    return e, d["study"].tolist()


@pytest.mark.filterwarnings("ignore::metablin.MetablinWarning")
@pytest.mark.parametrize("cell", PINNED["cells"], ids=lambda c: f"{c['data']} {c['method']}")
def test_agrees_with_metafor(cell: dict) -> None:
    e, cluster = data(cell["data"])
    common = cell["method"] == "FE"
    fit = mb.pool(e, model="common") if common else mb.pool(e, tau2=cell["method"])
    found = mb.clustered(fit, cluster)
    for name in ("estimate", "std_error", "conf_low", "conf_high"):
        got = getattr(found.analysis, name)
        assert got == pytest.approx(cell[name], rel=RELATIVE, abs=ROUNDING), name
    assert (found.df, found.p_value) == pytest.approx((cell["df"], cell["p_value"]), rel=RELATIVE)
    if common:
        assert math.isnan(found.pred_low)
    else:
        want = (cell["pred_low"], cell["pred_high"])
        got = (found.analysis.pred_low, found.analysis.pred_high)
        assert got == pytest.approx(want, rel=RELATIVE)
    assert found.conf_low == pytest.approx(math.exp(cell["conf_low"]), rel=RELATIVE)


def test_a_regression_agrees_with_metafor() -> None:
    e, _ = data("bcg_rr")
    fit = mb.pool(e, moderators="ablat", data=table("bcg"), ci="z")
    found = mb.clustered(fit, [i % 6 for i in range(13)]).regression
    want = PINNED["slope"]
    assert found.beta == pytest.approx(want["beta"], rel=RELATIVE)
    assert found.std_error == pytest.approx(want["std_error"], rel=RELATIVE)
    assert (found.df, found.qm) == pytest.approx((want["df"], want["qm"]), rel=RELATIVE)
    assert found.qm_p == pytest.approx(want["qm_p"], rel=RELATIVE)


def test_the_sandwich_written_out() -> None:
    """Hedges, Tipton and Johnson 2010, eq. 6, cluster by cluster, times m/(m - 1)."""
    e, cluster = data("bcg_rr")
    fit = mb.pool(e)
    w = 1 / (e.vi + fit.tau2)
    mean = np.sum(w * e.yi) / np.sum(w)
    names = sorted(set(cluster))
    sums = [sum(w[i] * (e.yi[i] - mean) for i in range(13) if cluster[i] == c) for c in names]
    variance = sum(s**2 for s in sums) / np.sum(w) ** 2 * len(names) / (len(names) - 1)
    assert mb.clustered(fit, cluster).analysis.std_error == pytest.approx(
        math.sqrt(variance), rel=1e-12
    )


def test_order_of_rows_and_names_of_clusters_do_not_matter() -> None:
    e, cluster = data("bcg_rr")
    first = mb.clustered(mb.pool(e), cluster)
    order = np.random.default_rng(1).permutation(13)
    again = mb.clustered(mb.pool(e.select(order)), [f"c{c}" for c in cluster])
    assert again.analysis.std_error == pytest.approx(first.analysis.std_error, rel=1e-9)
    assert first.estimate == mb.pool(e).estimate
    assert first.ci_method == "cluster-robust"
    assert "3 clusters" in first.notes[-1]


def test_what_cannot_be_clustered_is_refused() -> None:
    e = mb.proportions([1, 2, 3], [9, 9, 9])
    with pytest.raises(DataError, match="inverse-variance"):
        mb.clustered(mb.pool(e, model="glmm"), ["a", "a", "b"])
    with pytest.raises(DataError, match="inverse-variance"):
        mb.clustered(mb.pool(e, by=["a", "a", "b"]), ["a", "a", "b"])
    with pytest.raises(DataError, match="cluster"):
        mb.clustered(mb.pool(e), ["a", "a", "a"])
    with pytest.raises(DataError, match="not a fitted"):
        mb.clustered(e, ["a", "a", "a"])


@pytest.mark.parametrize("cell", PINNED["curved"], ids=lambda c: c["mods"])
def test_formulas_mean_what_they_mean_in_r(cell: dict) -> None:
    e, _ = data("bcg_rr")
    bcg = table("bcg").assign(since=lambda d: d["year"] - 1947)
    formula = cell["mods"].replace("sqrt(year - 1947)", "sqrt(since)")
    found = mb.pool(e, moderators=formula, data=bcg).regression
    beta, se = np.array(cell["beta"]), np.array(cell["std_error"])
    # Raw powers of a latitude and a year are nearly collinear: fewer digits are left.
    assert np.abs(found.beta) == pytest.approx(np.abs(beta), rel=1e-5)
    assert found.std_error == pytest.approx(se, rel=1e-5)
    assert found.qm == pytest.approx(cell["qm"], rel=1e-5)


def test_integers_give_the_same_power_as_floats() -> None:
    e, _ = data("bcg_rr")
    bcg = table("bcg")
    whole = mb.pool(e, moderators="ablat + I(ablat^2)", data=bcg).regression
    text = bcg.assign(ablat=bcg["ablat"].astype(str).astype(object))
    for other in (bcg.assign(ablat=bcg["ablat"].astype(float)), text):
        again = mb.pool(e, moderators="ablat + I(ablat**2)", data=other).regression
        assert again.beta.tolist() == whole.beta.tolist()


def test_object_columns_of_integers_are_numbers_and_empty_levels_are_dropped() -> None:
    e = mb.generic([0.1, 0.3, 0.2, 0.5, 0.6, 0.4], [0.1] * 6)
    years = pd.DataFrame({"year": pd.Series([2001, 2002, 2003, 2004, 2005, 2006], dtype=object)})
    assert len(mb.pool(e, moderators="year", data=years).regression.beta) == 2
    lines = pd.Categorical(list("aabbaa"), categories=["a", "b", "c"])
    assert len(mb.pool(e, moderators="line", data={"line": lines}).regression.beta) == 2
