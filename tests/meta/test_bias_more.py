"""Further tests and models of bias, against metafor, metasens, plain regressions and invariance."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import special

import metablin as mb
from metablin.meta.bias.excess import _counts
from tests.reference import pinned

DATA = Path(__file__).parents[1] / "reference" / "data"
PINNED = pinned("bias_more")
NAMES = ("events_treatment", "n_treatment", "events_control", "n_control")
SETS = {name: mb.two_by_two(*NAMES, data=pd.read_csv(DATA / f"{name}.csv"))
        for name in PINNED["regressions"]}  # fmt: skip
PEERS = PINNED["peers"]
HACKSHAW = mb.generic(PINNED["hackshaw"]["yi"], PINNED["hackshaw"]["vi"])

CLOSED_FORM = 1e-9
"""Regressions of the same numbers; metafor's tau2 is iterated to 1e-11."""
INTEGRATED = 1e-5
"""metafor integrates the power over effects within five tau; ours is closed and over all."""
OPTIMISER = 1e-3
"""Where metafor's optimiser stops, in standard errors; ours ends with Newton's steps."""
LBFGSB = 0.1
"""Where L-BFGS-B stops on this flat likelihood, in standard errors."""


@pytest.mark.parametrize(
    ("name", "test"), list(product(SETS, ["macaskill", "deeks", "pustejovsky", "thompson"]))
)
def test_regressions_are_those_of_r(name, test):
    found = getattr(mb, test)(SETS[name])
    pinned_test = PINNED["regressions"][name][test]
    values = [found.estimate, found.std_error, found.p_value]
    assert values == pytest.approx(list(pinned_test.values()), rel=CLOSED_FORM)
    assert found.method == test
    assert test.capitalize() in found.summary()


@pytest.mark.parametrize("cell", PINNED["excess"], ids=lambda c: f"{c['data']} {c['model']}")
def test_excess_significance_is_metafors(cell):
    model = "common" if cell["model"] == "EE" else "random"
    fit = mb.pool(SETS[cell["data"]], model=model)
    t = mb.excess_significance(fit, alternative=cell["alternative"].replace(".", "-"))
    assert t.observed == cell["observed"]
    # metafor's chi-square test is one-sided too, without a direction where fewer are observed
    assert t.expected == pytest.approx(cell["expected"], rel=INTEGRATED)
    assert t.chi2 == pytest.approx(cell["chi2"], rel=INTEGRATED, abs=INTEGRATED)
    assert t.p_value == pytest.approx(cell["exact"], rel=INTEGRATED)


def test_the_number_of_significant_studies_has_its_distribution():
    p = np.array([0.2, 0.5, 0.9])
    by_hand = np.zeros(4)
    for outcome in product([0, 1], repeat=3):
        by_hand[sum(outcome)] += np.prod(np.where(outcome, p, 1 - p))
    assert _counts(p) == pytest.approx(by_hand)


@pytest.mark.parametrize("name", SETS)
def test_limit_meta_analysis_is_that_of_metasens(name):
    m = mb.limit_meta(mb.generic(PEERS[name]["yi"], PEERS[name]["vi"]))
    names = ("estimate", "std_error", "alpha", "beta", "q_small", "q_residual", "g2")
    found = [getattr(m, n) for n in names]
    assert found == pytest.approx([PEERS[name]["limit"][n] for n in names], rel=1e-6, abs=1e-12)
    assert m.q == pytest.approx(m.q_small + m.q_residual)
    assert m.to_dict()["reader"]["estimate"] == pytest.approx(m.estimate)


@pytest.mark.parametrize("name", SETS)
def test_the_lfk_index_is_that_of_metasens(name):
    e = mb.generic(PEERS[name]["yi"], PEERS[name]["vi"])
    assert mb.lfk_index(e).index == pytest.approx(PEERS[name]["lfk"], rel=CLOSED_FORM)
    turned = mb.generic(-e.yi, e.vi)
    assert mb.lfk_index(turned).index == pytest.approx(-PEERS[name]["lfk"], abs=0.05)


def test_the_lfk_index_knows_its_order_and_caveat():
    y, v = np.array([0.5, 0.1, 0.9, 0.3]), np.array([0.1, 0.02, 0.2, 0.05])
    a, b = mb.lfk_index(mb.generic(y, v)), mb.lfk_index(mb.generic(y[::-1], v[::-1]))
    assert a.index == pytest.approx(b.index)
    assert a.rank == pytest.approx(b.rank[::-1])
    assert "no reference distribution" in a.summary()


@pytest.mark.parametrize("cell", PINNED["steps"], ids=lambda c: f"{c['steps']} {c['alternative']}")
def test_several_steps_are_metafors(cell):
    m = mb.selection_steps(HACKSHAW, cell["steps"], cell["alternative"].replace(".", "-"))
    assert m.log_likelihood >= cell["loglik"] - 1e-7
    assert m.log_likelihood == pytest.approx(cell["loglik"], abs=1e-5)
    se = cell["std_error"]
    assert m.estimate == pytest.approx(cell["estimate"], abs=OPTIMISER * se * 10)
    assert m.std_error == pytest.approx(se, rel=0.01)  # a numerical Hessian against ours
    assert m.delta == pytest.approx(np.array(cell["delta"]), rel=0.01)
    assert [m.lrt, m.lrt_p] == pytest.approx([cell["lrt"], cell["lrt_p"]], abs=1e-4)


@pytest.mark.parametrize("alternative", ["greater", "less", "two-sided"])
def test_one_step_is_the_model_of_one_step(alternative):
    e = mb.generic([0.5, 0.7, 0.3, 0.9, 0.2, 0.8, -0.6, 0.1],
                   [0.04, 0.09, 0.02, 0.16, 0.03, 0.12, 0.05, 0.02])  # fmt: skip
    one = mb.selection_model(e, 0.1, alternative)
    m = mb.selection_steps(e, [0.1], alternative)
    found = [m.estimate, m.std_error, m.tau2, m.delta[0], m.lrt, m.log_likelihood]
    expected = [one.estimate, one.std_error, one.tau2, one.delta, one.lrt, one.log_likelihood]
    assert found == pytest.approx(expected, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("name", SETS)
def test_the_likelihood_of_copas_is_as_high_as_that_of_metasens(name):
    """Given the same two gammas; metasens omits a constant and may stop at a lower maximum."""
    e = mb.generic(PEERS[name]["yi"], PEERS[name]["vi"])
    agreed = 0
    for cell in PEERS[name]["copas"]:
        top, low = cell["published"]
        row = mb.copas_selection(e, [low], top).to_frame().iloc[0]
        u = cell["gamma"][0] + cell["gamma"][1] / np.sqrt(e.vi)
        gap = row["log_likelihood"] + special.log_ndtr(u).sum() + cell["minus_loglik"]
        assert gap > -1e-7
        if gap > 1e-3:
            continue
        agreed += 1
        off = abs(row["estimate"] - cell["estimate"]) / row["std_error"]
        assert off < LBFGSB
    assert agreed >= 2


def test_without_selection_copas_is_maximum_likelihood():
    e = SETS["bcg"]
    row = mb.copas_selection(e, [0.9999], 0.99999).to_frame().iloc[0]
    plain = mb.pool(e, tau2="ML", ci="z")
    assert row["estimate"] == pytest.approx(plain.analysis.estimate, abs=2e-3)
    assert row["tau2"] == pytest.approx(plain.tau2, rel=0.02)
    assert row["unpublished"] < 0.01


def test_copas_finds_back_what_selection_did():
    """Studies kept only when a latent variable says so: the model is nearer the truth."""
    rng = np.random.default_rng(11)
    se = np.exp(rng.uniform(np.log(0.15), np.log(0.6), 1500))
    delta = rng.normal(size=1500)
    y = 0.2 + rng.normal(0, 0.1, 1500) + se * (0.8 * delta + 0.6 * rng.normal(size=1500))
    high, low = special.ndtri(0.98), special.ndtri(0.30)
    gamma1 = (high - low) / (1 / se.min() - 1 / se.max())
    kept = low - gamma1 / se.max() + gamma1 / se + delta > 0
    e = mb.generic(y[kept], se[kept] ** 2)
    row = mb.copas_selection(e, [0.30], 0.98).to_frame().iloc[0]
    assert mb.pool(e, tau2="ML").analysis.estimate - 0.2 > 0.06
    assert row["estimate"] == pytest.approx(0.2, abs=0.02)
    assert row["rho"] == pytest.approx(0.8, abs=0.15)
    assert row["unpublished"] == pytest.approx((~kept).sum(), rel=0.25)  # few of the unlikely ones


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda e: mb.macaskill(e), "numbers of patients"),
        (lambda e: mb.deeks(e), "two arms"),
        (lambda e: mb.pustejovsky(e), "two arms"),
        (lambda e: mb.selection_steps(e, [0.5, 0.1]), "not rising"),
        (lambda e: mb.selection_steps(e, [1e-9, 1e-8]), "no study has a p-value"),
        (lambda e: mb.copas_selection(e, [1.2]), "at most"),
        (lambda e: mb.limit_meta(mb.generic([1, 2, 3], [1, 1, 1])), "same value"),
        (lambda e: mb.lfk_index(mb.generic([1, 1, 1], [1, 2, 3])), "effects differ"),
        (lambda e: mb.excess_significance(mb.pool(e, model="henmi-copas")), "random-effects"),
        (lambda e: mb.excess_significance(mb.pool(mb.generic([99], [1]), ci="z")), "certain"),
    ],
)
def test_what_they_cannot_take_is_named(call, words):
    with pytest.raises(mb.DataError, match=words):
        call(mb.generic([0.1, 0.3, 0.5, 0.9], [0.01, 0.04, 0.06, 0.12]))


def test_a_limit_beside_a_vast_tau2_is_refused_by_name() -> None:
    vast = 9_007_199_254_740_993.0
    e = mb.generic([vast, *[0.0] * 10, -2.0], [1.0, vast, *[1.0] * 10])
    with pytest.raises(ValueError, match="beside tau2 the standard errors do not differ"):
        mb.limit_meta(e)
