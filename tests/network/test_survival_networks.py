"""Two survival networks with published inputs redone: hazard ratios with counts, and patients.

Woods, Hawkins, Scott (2010), doi:10.1186/1471-2288-10-54: deaths in chronic obstructive pulmonary
disease, two trials with hazard ratios (one of four arms) and three with counts. Newly diagnosed
multiple myeloma: the simulated network of the R package multinma, whose page of examples prints the
pool (see ``tests/reference/network/published/README.md``).
"""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from metablin.network import network, network_pool
from metablin.network.survival import hazard_network
from tests.network.pinned import HERE

PIN = json.loads((HERE / "survival_networks.json").read_text())
WOODS, MYELOMA = PIN["woods"], PIN["myeloma"]

CLOSED = 1e-9
METAFOR = 1e-4
"""rma.mv's own tau2, where its optimiser stops."""

LIKELIHOOD = 0.002
"""A normal log cumulative hazard from one to seven deaths beside their binomial likelihood."""

DIGIT = 0.0101
"""The second printed digit, half of it rounding and half Monte Carlo."""

PRINTED = {"Len": (-0.52, 0.05, -0.61, -0.43), "Thal": (-0.11, 0.09, -0.28, 0.07)}
"""Posterior mean, standard deviation, 2.5 % and 97.5 % (spline baseline, no covariates)."""


def copd():
    table = pd.read_csv(HERE / "published" / "copd_mortality.csv", dtype={"study": str})
    return hazard_network(table.assign(vi=table["std_error"] ** 2).drop(columns="std_error"))


def test_counts_and_hazard_ratios_of_chronic_obstructive_pulmonary_disease():
    found = copd()
    assert found.routes["approximate"].tolist() == [False, False, True, True, True]
    assert found.network.multi_arm == ("2", "Calverley 2003")
    common = network_pool(found.network, model="common", reference="Placebo")
    effects = [common.effect(t, "Placebo") for t in WOODS["treatments"]]
    want = WOODS["common"]
    assert [e["effect"] for e in effects] == pytest.approx(want["d"], rel=CLOSED)
    assert [e["std_error"] for e in effects] == pytest.approx(want["se"], rel=CLOSED)
    assert common.q == pytest.approx(want["q"], rel=CLOSED)
    assert network_pool(found.network).tau2 == pytest.approx(WOODS["tau2"], rel=METAFOR)


def test_the_normal_route_of_counts_is_close_to_their_exact_likelihood():
    # Woods' own model takes the binomial likelihood of the counts.
    common = network_pool(copd().network, model="common")
    for t, d, se in zip(WOODS["treatments"], *WOODS["exact"].values(), strict=True):
        got = common.effect(t, "Placebo")
        assert got["effect"] == pytest.approx(d, abs=LIKELIHOOD)
        assert got["std_error"] == pytest.approx(se, abs=LIKELIHOOD)


def myeloma(effect, error):
    trials = pd.DataFrame(MYELOMA["trials"])
    table = trials[["study", "treat1", "treat2"]].assign(yi=trials[effect], vi=trials[error] ** 2)
    return network(table, "generic")


@pytest.mark.parametrize(
    ("pin", "columns"),
    [("log_hr", ("log_hr", "std_error")), ("rmst", ("rmst", "rmst_se"))],
)
def test_the_myeloma_network_is_that_of_metafor(pin, columns):
    n, want = myeloma(*columns), MYELOMA[pin]
    common, random = network_pool(n, model="common"), network_pool(n)
    assert random.tau2 == pytest.approx(want["tau2"], rel=1e-6, abs=1e-9)
    for fit, key, tolerance in ((common, "common", CLOSED), (random, "random", 1e-6)):
        for t, d, se in zip(("Len", "Thal"), *want[key].values(), strict=True):
            got = fit.effect(t, "Pbo")
            assert [got["effect"], got["std_error"]] == pytest.approx([d, se], rel=tolerance)


def test_the_printed_pool_of_the_myeloma_network():
    fit = network_pool(myeloma("log_hr", "std_error"), model="common")
    for t, (mean, sd, low, high) in PRINTED.items():
        got = fit.effect(t, "Pbo")
        assert got["effect"] == pytest.approx(mean, abs=DIGIT)
        assert got["std_error"] == pytest.approx(sd, abs=DIGIT / 2)
        assert np.array([got["conf_low"], got["conf_high"]]) == pytest.approx(
            np.array([low, high]), abs=DIGIT
        )
    # The trial in which the page prefers hazards that are not proportional is that of the test.
    ph = {t["study"]: t["ph_p"] for t in MYELOMA["trials"]}
    assert min(ph, key=ph.get) == "Jackson2019"
