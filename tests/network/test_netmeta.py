"""The networks of the pins against netmeta: same matrices, another road to them.

netmeta knows multi-arm studies by reduced weights (Ruecker 2012), here they are independent rows.
At one tau2 the two must agree to rounding. Where they do not agree on purpose is tested too.
"""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.network.pinned import HERE, against_first, by_pair, cells, fitted, net

PIN = json.loads((HERE / "netmeta.json").read_text())["cells"]
NAMES = sorted(PIN)

MATRICES = 1e-8
"""Two roads through pseudo-inverses of up to 100 rows; what is pinned has 14 digits."""


def close(ours, theirs):
    assert np.asarray(ours, float) == pytest.approx(
        np.asarray(theirs, float), rel=MATRICES, abs=MATRICES
    )


def test_the_pins_hold_the_promised_networks():
    assert len({n.split("_")[0] for n in NAMES}) >= 7
    assert sum(any(len(b.arms) > 2 for b in net(n).blocks) for n in NAMES) >= 6
    assert {"senn2013", "franchini2012", "woods2010"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_effects_and_q_by_design(name):
    pin, names = PIN[name], cells()[name]["treatments"]
    for method, key in (("common", "common"), ("DL", "dl"), ("REML", "reml")):
        d, se = against_first(fitted(name, method), names)
        close(d, pin[key]["d"])
        close(se, pin[key]["se"])
    close(fitted(name, "DL").tau2, pin["tau2"]["DL"])
    parts = fitted(name, "common").inconsistency()
    close([parts.q, parts.q_within, parts.q_between],
          [pin["q"], pin["q_within"], pin["q_between"]])  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_ranks_and_splits(name):
    pin, fit = PIN[name], fitted(name, "REML")
    ranks = fit.ranking().set_index("treatment")["p_score"]
    close(ranks[list(pin["p_scores"])], list(pin["p_scores"].values()))
    ours = by_pair(fit.splits())
    for row in pin["splits"]:
        r = ours[frozenset(row["pair"])]
        sign = 1 if r.treat1 == row["pair"][0] else -1
        found = [sign * r.direct, sign * r.indirect, sign * r.statistic, r.p_value]
        close(found, [row[k] for k in ("direct", "indirect", "z", "p")])


@pytest.mark.parametrize("name", [n for n in NAMES if "contributions" in PIN[n]])
def test_contributions_are_netmetas_random_walks(name):
    pin, ours = PIN[name]["contributions"], fitted(name, "REML").contributions()

    def place(pairs):
        return [frozenset(p.split(":")) for p in pairs]

    rows = {frozenset(p.split(" : ")): p for p in ours.index}
    columns = {frozenset(p.split(" : ")): p for p in ours.columns}
    found = ours.loc[[rows[p] for p in place(pin["rows"])],
                     [columns[p] for p in place(pin["columns"])]]  # fmt: skip
    close(found.to_numpy(), pin["share"])


def test_netmetas_own_reml_neglects_the_correlation_within_studies():
    # It fits contrasts of multi-arm studies with a diagonal covariance and inflated variances.
    assert PIN["senn2013"]["tau2"]["REML"] == pytest.approx(0.1011, abs=6e-5)
    assert fitted("senn2013", "REML").tau2 == pytest.approx(0.09991, abs=5e-6)
