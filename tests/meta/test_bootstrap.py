"""Resampled clusters: metafor on the same draws, limits of boot, full enumeration, invariances."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

import metablin as mb
from metablin.meta.bootstrap import interval_limits
from metablin.meta.resampling import refitter
from metablin.numerics.gls import gls_at
from metablin.numerics.tau2 import estimate_tau2
from tests.reference import pinned

R = pinned("bootstrap")
DATA = pd.DataFrame(R["data"])
ROWS = [np.flatnonzero(DATA["district"] == d) for d in DATA["district"].unique()]
PICKS = np.array(R["picks"])
CLOSED = 1e-11  # closed forms, or iterations with R's tolerance tightened
SEARCHED = 2e-5  # rma.mv stops its search over two or three variances by then
SAME = 1e-12  # rounding through another order of sums


def effects(**more: Any) -> mb.EffectSizes:
    return mb.generic(DATA["yi"], DATA["vi"], **more)


@pytest.mark.parametrize(("name", "tau2"), [("plain", "REML"), ("dl", "DL")])
def test_pools_of_drawn_clusters_are_those_of_metafor(name: str, tau2: Any) -> None:
    found = refitter(mb.pool(effects(), tau2=tau2)).many(ROWS, PICKS)
    assert found[:, 0] == pytest.approx(R[name], rel=CLOSED, abs=CLOSED)


def test_slopes_of_drawn_clusters_are_those_of_metafor() -> None:
    fit = mb.pool(effects(), moderators="year", data=DATA)
    found = refitter(fit).many(ROWS, PICKS[:12])
    # an intercept at the year 0, far from 1976 to 2000, loses digits on both sides
    assert found == pytest.approx(np.array(R["slope"]), rel=1e-6)


def test_levels_of_drawn_clusters_are_those_of_metafor() -> None:
    nested = mb.mixed("yi", "vi", "1 | district/school", DATA)
    found = refitter(nested).many(ROWS, PICKS[:12])[:, 0]
    assert found == pytest.approx(R["nested"], abs=SEARCHED)
    pooled = mb.pool(effects(), model="multilevel", levels={"district": DATA["district"]})
    assert refitter(pooled).many(ROWS, PICKS[:12])[:, 0] == pytest.approx(found, abs=SAME)


def test_an_effect_that_crosses_the_clusters_keeps_its_groups() -> None:
    fit = mb.mixed("yi", "vi", ["1 | district/school", "1 | year"], DATA)
    found = refitter(fit).many(ROWS, PICKS[:12])[:, 0]
    assert found == pytest.approx(R["crossed"], abs=SEARCHED)


@pytest.mark.parametrize("level", [0.95, 0.8])
def test_limits_are_those_of_boot(level: float) -> None:
    limits = interval_limits(np.array(R["plain"]), R["estimate"], np.array(R["without"]), level)
    assert limits == pytest.approx(R["limits"][str(level)], rel=CLOSED)


def test_draws_have_the_distribution_of_all_resampled_sets() -> None:
    y, v = np.array([0.1, 0.4, 0.3, 0.9, 0.2]), np.array([0.04, 0.03, 0.05, 0.04, 0.02])
    cluster = ["a", "a", "b", "c", "c"]
    rows = [[0, 1], [2], [3, 4]]
    every = []
    for pick in itertools.product(range(3), repeat=3):
        at = np.concatenate([rows[c] for c in pick])
        tau2 = float(estimate_tau2("DL", y[at], v[at]))
        every.append(float(gls_at(y[at], v[at], tau2).beta[0]))
    n = 20_000
    found = mb.cluster_bootstrap(mb.pool(mb.generic(y, v), tau2="DL"), cluster, draws=n)
    assert {round(x, 9) for x in found.drawn[:, 0]} == {round(x, 9) for x in every}
    # five standard errors of the simulation
    spread = float(np.std(every))
    assert found.drawn.mean() == pytest.approx(np.mean(every), abs=5 * spread / math.sqrt(n))
    assert float(found.std_error[0]) == pytest.approx(spread, rel=5 / math.sqrt(2 * n) * 2)


def test_clusters_of_one_are_the_bootstrap_of_studies_and_labels_are_only_labels() -> None:
    fit = mb.pool(effects())
    one = mb.cluster_bootstrap(fit, range(len(DATA)), draws=199)
    two = mb.cluster_bootstrap(fit, [f"row {i}" for i in range(len(DATA))], draws=199)
    assert np.array_equal(one.drawn, two.drawn)
    picked = np.random.default_rng(1).integers(len(DATA), size=(199, len(DATA)))
    y, v = DATA["yi"].to_numpy()[picked[7]], DATA["vi"].to_numpy()[picked[7]]
    assert one.drawn[7, 0] == pytest.approx(mb.pool(mb.generic(y, v)).estimate, rel=CLOSED)


@pytest.mark.parametrize("factor", [3.0, -0.5])
def test_location_and_scale_go_through(factor: float) -> None:
    e = effects()
    one = mb.cluster_bootstrap(mb.pool(e), DATA["district"], draws=299)
    moved = mb.generic(2 + factor * e.yi, factor**2 * e.vi)
    two = mb.cluster_bootstrap(mb.pool(moved), DATA["district"], draws=299)
    ends = [2 + factor * x[0] for x in (one.corrected_low, one.corrected_high)]
    got = [two.corrected_low[0], two.corrected_high[0]]
    # of a sign that turns, the quantiles are those of the other side to a rank of the draws
    near = 1e-8 if factor > 0 else 0.01
    assert sorted(got) == pytest.approx(sorted(ends), abs=near)


def test_the_frame_has_the_readers_scale_and_the_seed_repeats() -> None:
    e = mb.two_by_two([4, 6, 3, 62], [123, 306, 231, 13598], [11, 29, 11, 248],
                      [139, 303, 220, 12867], measure="rr")  # fmt: skip
    fit = mb.pool(e)
    found = mb.cluster_bootstrap(fit, ["a", "b", "c", "d"], draws=99, seed=5)
    frame = found.to_frame()
    assert frame["interval"].tolist() == ["percentile", "bias-corrected"]
    assert frame["estimate"].tolist() == pytest.approx([fit.estimate] * 2)
    assert frame["conf_low"][0] == pytest.approx(math.exp(found.percentile_low[0]))
    again = mb.cluster_bootstrap(fit, ["a", "b", "c", "d"], draws=99, seed=5)
    assert np.array_equal(again.drawn, found.drawn)
    assert "4 clusters, 99 draws" in found.summary()
    assert found.to_dict()["clusters"] == 4


def test_draws_without_a_level_of_a_moderator_are_left_out_and_counted() -> None:
    table = pd.DataFrame({"x": [0, 0, 0, 1, 1, 0], "y": [0.1, 0.2, 0.3, 0.5, 0.7, 0.2]})
    fit = mb.pool(mb.generic(table["y"], [0.02] * 6), moderators="x", data=table)
    found = mb.cluster_bootstrap(fit, list("abcdde"), draws=400)
    assert found.failed == 400 - len(found.drawn)
    # without d, (4/5)^5 of the draws; with d alone, 1/5^5
    assert found.failed / 400 == pytest.approx(0.8**5 + 0.2**5, abs=0.12)
    assert f"{found.failed} left out" in found.summary()


def test_what_cannot_be_resampled_is_named() -> None:
    e = effects()
    with pytest.raises(mb.DataError, match="2 clusters"):
        mb.cluster_bootstrap(mb.pool(e), ["a"] * 30 + ["b"] * 26)
    with pytest.raises(mb.DataError, match="model"):
        mb.cluster_bootstrap(mb.pool(e, model="weighted"), DATA["district"])
    with pytest.raises(mb.DataError, match="row 2"):
        mb.cluster_bootstrap(mb.pool(e), ["a", None, *["b"] * 54])
    with pytest.raises(mb.DataError, match="5 values for 56 rows"):
        mb.cluster_bootstrap(mb.pool(e), list("abcde"))
    v = np.diag(DATA["vi"]) + 0.001 * (DATA["year"].to_numpy()[:, None] == DATA["year"].to_numpy())
    fit = mb.mixed("yi", v, "1 | district", DATA)
    with pytest.raises(mb.DataError, match="another cluster"):
        mb.cluster_bootstrap(fit, DATA["school"].astype(str) + DATA["district"].astype(str))
