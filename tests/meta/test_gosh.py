"""GOSH: metafor's subsets, pool on single subsets, seeds."""

from __future__ import annotations

import numpy as np
import pytest

from metablin.effects import generic, proportions
from metablin.errors import DataError
from metablin.meta import pool
from metablin.meta.checks.gosh import Gosh, gosh
from metablin.meta.normal.batch import pool_many
from tests.reference import pinned, table

PIN = pinned("influence")
RTOL = {"FE": 1e-11, "DL": 1e-11, "REML": 1e-8}
"""Closed forms; REML iterated by metafor to 1e-13 of the variance of the effects."""

ZERO = 1e-9


def of(name: str, method: str) -> Gosh:
    e = generic(PIN["grid"][name]["yi"], PIN["grid"][name]["vi"])
    return gosh(pool(e, model="common") if method == "FE" else pool(e, tau2=method))


@pytest.mark.parametrize("name", ["log_hr", "sim_k05"])
@pytest.mark.parametrize("method", ["FE", "DL", "REML"])
def test_all_subsets_agree_with_metafor(name: str, method: str) -> None:
    ours, theirs = of(name, method), PIN["gosh"][name][method]
    k = len(ours.studies)
    assert ours.complete
    assert len(ours.size) == 2**k - 1 - k == len(theirs["code"])
    assert (ours.member @ 2 ** np.arange(k)).tolist() == theirs["code"]
    assert ours.size.tolist() == theirs["k"]
    pairs = {"estimate": "estimate", "q": "QE"} | ({} if method == "FE" else {"tau2": "tau2"})
    for attribute, column in pairs.items():
        np.testing.assert_allclose(
            getattr(ours, attribute), theirs[column], rtol=RTOL[method], atol=ZERO
        )
    np.testing.assert_allclose(100 * ours.i2, theirs["I2"], rtol=RTOL[method], atol=100 * ZERO)
    # metafor's gosh() gives Q/df below 1 as H2 under DL, its rma() gives 1; so does this package.
    h2 = np.array(theirs["H2"])
    np.testing.assert_allclose(
        ours.h2, np.maximum(h2, 1.0) if method == "DL" else h2, rtol=RTOL[method]
    )


def test_gosh_is_pool_many_on_masked_rows() -> None:
    d = table("sim_k07")
    e = generic(d["yi"], d["vi"])
    ours = gosh(pool(e, tau2="PM"))
    rows = pool_many(
        np.where(ours.member, e.yi, np.nan), np.where(ours.member, e.vi, np.nan), tau2="PM"
    )
    for name in ("estimate", "tau2", "i2", "h2", "q"):
        np.testing.assert_allclose(getattr(ours, name), rows[name], rtol=1e-10, atol=1e-14)


def test_single_subsets_are_pool() -> None:
    d = table("sim_k07")
    e = generic(d["yi"], d["vi"])
    ours = gosh(pool(e))
    for i in (0, 17, 60, 119):
        slow = pool(e.select(ours.member[i]))
        assert ours.estimate[i] == pytest.approx(slow.analysis.estimate, rel=1e-12)
        assert ours.tau2[i] == pytest.approx(slow.tau2, rel=1e-9, abs=1e-14)


def test_the_same_seed_draws_the_same_subsets() -> None:
    d = table("sim_k20")
    fit = pool(generic(d["yi"], d["vi"]), tau2="DL")
    a, b, c = gosh(fit, 300), gosh(fit, 300), gosh(fit, 300, seed=2)
    assert not a.complete
    assert a.member.tobytes() == b.member.tobytes()
    assert a.member.tobytes() != c.member.tobytes()
    assert a.size.min() >= 2
    assert len(gosh(fit).size) == 65_536


def test_the_study_that_splits_the_cloud_shows_in_the_table() -> None:
    fit = pool(generic([0.1, 0.12, 0.08, 0.11, 2.0], [0.01] * 5, studies=list("abcde")))
    by_study = gosh(fit).by_study().set_index("study")
    gap = by_study["i2_with"] - by_study["i2_without"]
    assert gap.idxmax() == "e"
    assert by_study.loc["e", "estimate_with"] > by_study.loc["e", "estimate_without"]


def test_the_readers_scale_uses_the_sizes_of_each_subset() -> None:
    e = proportions([1, 9, 30], [10, 40, 200], transform="freeman-tukey")
    ours = gosh(pool(e))
    slow = pool(e.select(ours.member[0]))
    assert ours.to_frame().loc[0, "estimate"] == pytest.approx(slow.estimate, rel=1e-12)
    logit = gosh(pool(proportions([1, 9, 30], [10, 40, 200])))
    assert logit.to_frame()["estimate"].between(0, 1).all()


def test_the_record_speaks_for_itself() -> None:
    ours = of("log_hr", "DL")
    assert "All 247 subsets of 8 studies" in ours.summary()
    assert ours.to_dict()["subsets"] == 247
    assert set(ours.to_dict()["quantiles"]) == {"estimate", "tau2", "i2"}
    assert list(ours.to_frame("analysis")) == ["k", "estimate", "tau2", "i2", "h2", "q"]


def test_impossible_requests_are_refused() -> None:
    with pytest.raises(DataError, match="at least 3"):
        gosh(pool(generic([0.1, 0.2], [0.1, 0.1])))
    with pytest.raises(DataError, match="at least 1"):
        gosh(pool(generic([0.1, 0.2, 0.3], [0.1] * 3)), subsets=0)
