"""Sixteen analyses of twelve public networks against rma.mv and dense matrices in R."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.network.pinned import against_first, by_pair, cells, fitted, net

CLOSED = 1e-9
"""Closed forms: R and numpy invert dense matrices of up to 100 rows by other algorithms."""

ROOT = 1e-9
"""tau2 as the root of the score in R, found by uniroot; what follows from it is as good."""

METAFOR = 1e-4
"""rma.mv's own tau2: its optimiser stops where the likelihood is flat to its tolerance."""

NAMES = sorted(cells())
ITERATED = [n for n in NAMES if "fits" in cells()[n]]
METHODS = ("DL", "PM", "ML", "REML")


def close(ours, theirs, tolerance):
    assert np.asarray(ours, float) == pytest.approx(
        np.asarray(theirs, float), rel=tolerance, abs=tolerance
    )


def test_the_pins_hold_the_promised_networks():
    assert len(NAMES) == 16
    assert len({n.split("_")[0] for n in NAMES}) == 12
    assert sum(any(len(b.arms) > 2 for b in net(n).blocks) for n in NAMES) >= 12
    assert len(ITERATED) == 16


@pytest.mark.parametrize("name", NAMES)
def test_common_effects_and_q(name):
    cell, fit = cells()[name], fitted(name, "common")
    d, se = against_first(fit, cell["treatments"])
    close(d, cell["common"]["d"], CLOSED)
    close(se, cell["common"]["se"], CLOSED)
    close([fit.q, fit.q_df], [cell["q"], cell["q_df"]], CLOSED)
    parts = fit.inconsistency()
    close([parts.q_within, parts.df_within], [cell["q_within"], cell["df_within"]], CLOSED)
    close([parts.q_between, parts.df_between], [cell["q_between"], cell["df_between"]], 1e-8)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", ITERATED)
def test_random_effects(name, method):
    want, fit = cells()[name]["fits"][method], fitted(name, method)
    tolerance = CLOSED if method == "DL" else ROOT
    close(fit.tau2, want["tau2"], tolerance)
    d, se = against_first(fit, cells()[name]["treatments"])
    close(d, want["d"], tolerance)
    close(se, want["se"], tolerance)
    if method in ("ML", "REML"):
        assert fit.tau2 == pytest.approx(
            cells()[name]["metafor_tau2"][method], rel=METAFOR, abs=1e-6
        )


@pytest.mark.parametrize("key", ["common_splits", "splits"])
@pytest.mark.parametrize("name", ITERATED)
def test_node_splits(name, key):
    fit = fitted(name, "common" if key == "common_splits" else "REML")
    ours = by_pair(fit.splits())
    wanted = [row for row in cells()[name][key] if "z" in row]
    assert len(ours) == len(wanted)
    for row in wanted:
        r = ours[frozenset((row["treat1"], row["treat2"]))]
        sign = 1 if r.treat1 == row["treat1"] else -1
        found = [r.share_direct, sign * r.direct, r.direct_std_error, sign * r.indirect,
                 r.indirect_std_error, sign * r.statistic, r.p_value]  # fmt: skip
        theirs = [row[k] for k in ("share", "direct", "direct_se", "indirect", "indirect_se", "z",
                                   "p")]  # fmt: skip
        close(found, theirs, CLOSED if key == "common_splits" else ROOT)


@pytest.mark.parametrize("name", ITERATED)
def test_side_splitting_has_its_own_tau2(name):
    ours = by_pair(fitted(name, "REML").splits("side-splitting"))
    wanted = cells()[name]["side"]
    assert len(ours) == len(wanted)
    for row in wanted:
        r = ours[frozenset((row["treat1"], row["treat2"]))]
        sign = 1 if r.treat1 == row["treat1"] else -1
        close([sign * r.difference, r.std_error], [row["difference"], row["se"]], 2 * ROOT)


@pytest.mark.parametrize("name", [n for n in ITERATED if "interaction" in cells()[n]])
def test_design_by_treatment_interaction(name):
    want, got = cells()[name]["interaction"], fitted(name, "REML").inconsistency().random
    close([got["tau2"], got["q"]], [want["tau2"], want["q"]], ROOT)


@pytest.mark.parametrize("name", ITERATED)
def test_p_scores_and_flow(name):
    for method, prefix, tolerance in (("common", "common_", CLOSED), ("REML", "", ROOT)):
        fit = fitted(name, method)
        ranks = fit.ranking().set_index("treatment")["p_score"]
        want = pd.Series(cells()[name][f"{prefix}p_scores"])
        close(ranks[want.index], want, tolerance)
        flow = by_pair(fit.evidence_flow())
        for row in cells()[name][f"{prefix}flow"]:
            r = flow[frozenset((row["treat1"], row["treat2"]))]
            close([r.share_direct, r.minimal_parallelism, r.mean_path_length],
                  [row["direct"], row["parallelism"], row["path"]], tolerance)  # fmt: skip


def test_the_exact_tau2_that_a_diagonal_covariance_misses():
    # netmeta and its port give .1011 and .0307 (they weigh multi-arm contrasts as independent).
    assert fitted("senn2013", "REML").tau2 == pytest.approx(0.09991, abs=5e-6)
    assert fitted("linde2016", "REML").tau2 == pytest.approx(0.0183, abs=5e-5)


def test_the_printed_decomposition_of_senn_2013():
    # Krahn, Binder, Koenig (2013), doi:10.1186/1471-2288-13-35, as netmeta prints it; netmeta's
    # contrasts are rounded to the fourth digit, which shows in the last printed one.
    parts = fitted("senn2013", "common").inconsistency()
    digit = 0.02
    close([parts.q, parts.q_within, parts.q_between], [96.99, 74.46, 22.53], digit)
    rows = parts.designs.set_index("design")
    within = {"metformin : placebo": 42.16, "placebo : rosiglitazone": 21.27,
              "benfluorex : placebo": 4.38, "miglitol : placebo": 6.45,
              "metformin : rosiglitazone": 0.19}  # fmt: skip
    close(rows.loc[list(within), "q_within"], list(within.values()), digit)
    detached = {"rosiglitazone : sulfonylurea": 6.77, "metformin : sulfonylurea": 7.51,
                "placebo : rosiglitazone": 16.29}  # fmt: skip
    close(rows.loc[list(detached), "q_detached"], list(detached.values()), digit)


def test_the_published_p_scores_of_senn_2013():
    # Ruecker and Schwarzer (2015), doi:10.1186/s12874-015-0060-8: the example, as netmeta's
    # netrank 3.4-0 computes it (DerSimonian-Laird; contrasts rounded to the fourth digit).
    ranks = fitted("senn2013", "DL").ranking().set_index("treatment")["p_score"]
    want = {"rosiglitazone": 0.8934, "metformin": 0.7818, "pioglitazone": 0.7746,
            "miglitol": 0.6137, "acarbose": 0.5203, "benfluorex": 0.4358, "vildagliptin": 0.4232,
            "sitagliptin": 0.3331, "sulfonylurea": 0.2103, "placebo": 0.0139}  # fmt: skip
    close(ranks[list(want)], list(want.values()), 2e-4)
