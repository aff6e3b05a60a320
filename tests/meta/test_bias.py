"""Small-study tests, trim and fill, PET-PEESE: metafor's and lm's values, reductions, refusals."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from metablin.effects import EffectSizes, generic, hazard_ratios, proportions, two_by_two
from metablin.errors import DataError
from metablin.meta import MetaFit, pool
from metablin.meta.checks.bias import SmallStudyTest, begg, egger, harbord, peters
from metablin.meta.checks.petpeese import pet_peese
from metablin.meta.checks.trimfill import trim_and_fill
from tests.reference import pinned, table

CLOSED = 1e-10
"""Closed forms: only the order of operations differs."""

OPTIMISED = 1e-8
"""Iterated tau2: metafor stops at a change of 1e-13 of the variance of the effects."""

ZERO = 1e-12

PIN = pinned("bias")
SETS = ["bcg_or", "bcg_rr", "proportions_logit", "log_hr", "normand1999", "raudenbush1985"]
SETS += [f"sim_k{k}" for k in ("05", "10", "20", "40", "60")]
FORMS = ["linear", *(f"mixed_{m}_{t}" for m in ("DL", "REML") for t in ("z", "knha"))]
PREDICTORS = {"sei": "std_error", "vi": "variance"}
FILLS = list(itertools.product(("FE", "DL", "REML"), ("L0", "R0"), ("left", "right", "auto")))


def effects(name: str) -> EffectSizes:
    return generic(PIN["grid"][name]["yi"], PIN["grid"][name]["vi"])


def bcg(measure: str = "or") -> EffectSizes:
    d = table("bcg")
    return two_by_two(
        d["events_treatment"],
        d["n_treatment"],
        d["events_control"],
        d["n_control"],
        measure=measure,
        studies=d["study"],
    )


def asked(e: EffectSizes, form: str, predictor: str) -> SmallStudyTest:
    if form == "linear":
        return egger(e, "linear", predictor)
    _, tau2, test = form.split("_")
    return egger(e, "mixed", predictor, tau2=tau2, ci="hksj" if test == "knha" else "z")


def test_the_grid_has_every_set_form_and_estimator() -> None:
    assert set(PIN["grid"]) == set(SETS)
    for cell in PIN["grid"].values():
        assert set(cell["egger"]) == set(PREDICTORS)
        assert all(set(forms) == set(FORMS) for forms in cell["egger"].values())
        for method, estimator, side in FILLS:
            assert cell["trim_fill"][method][estimator][side]["k0"] >= 0


@pytest.mark.parametrize(("name", "form"), list(itertools.product(SETS, FORMS)))
def test_egger_agrees_with_metafor(name: str, form: str) -> None:
    rtol = OPTIMISED if "REML" in form else CLOSED
    for column, predictor in PREDICTORS.items():
        ours = asked(effects(name), form, predictor)
        theirs = PIN["grid"][name]["egger"][column][form]
        for key in ("statistic", "p_value", "limit", "limit_low", "limit_high"):
            assert getattr(ours, key) == pytest.approx(theirs[key], rel=rtol, abs=ZERO), key
        assert ours.df == (math.inf if theirs["df"] is None else theirs["df"])


@pytest.mark.parametrize("name", SETS)
def test_begg_agrees_with_metafor_with_and_without_ties(name: str) -> None:
    ours, theirs = begg(effects(name)), PIN["grid"][name]["begg"]
    assert ours.estimate == pytest.approx(theirs["tau"], rel=CLOSED)
    assert ours.p_value == pytest.approx(theirs["p_value"], rel=CLOSED)


@pytest.mark.parametrize(("name", "how"), list(itertools.product(SETS, FILLS)))
def test_trim_and_fill_agrees_with_metafor(name: str, how: tuple[str, str, str]) -> None:
    method, estimator, side = how
    e, theirs = effects(name), PIN["grid"][name]["trim_fill"][method][estimator][side]
    fit = pool(e, model="common") if method == "FE" else pool(e, tau2=method, ci="z")
    ours = trim_and_fill(fit, estimator, None if side == "auto" else side)
    rtol = OPTIMISED if method == "REML" else CLOSED
    assert (ours.side, ours.k0) == (theirs["side"], theirs["k0"])
    se = math.nan if theirs["se_k0"] is None else theirs["se_k0"]
    assert ours.std_error == pytest.approx(se, rel=rtol, nan_ok=True)
    if estimator == "R0":
        assert ours.p_value == pytest.approx(theirs["p_k0"], rel=1e-15)
    inner = ours.filled.analysis
    for key in ("estimate", "std_error", "conf_low"):
        assert getattr(inner, key) == pytest.approx(theirs[key], rel=rtol, abs=ZERO), key
    assert ours.filled.tau2 == pytest.approx(theirs["tau2"], rel=rtol, abs=1e-9)
    filled = np.sort(ours.filled.effects.yi[ours.is_filled])
    np.testing.assert_allclose(filled, np.sort(theirs["filled"]), rtol=rtol, atol=ZERO)
    # metafor's trimfill() drops the tolerances of the fit it is given, hence the looser last look.
    assert inner.estimate == pytest.approx(theirs["trimfill_estimate"], rel=1e-3, abs=1e-6)


def test_peters_and_harbord_agree_with_lm() -> None:
    s = table("sparse")
    some = (s["events_treatment"] + s["events_control"] > 0).to_numpy()
    sparse = two_by_two(
        *(s[c][some] for c in ("events_treatment", "n_treatment", "events_control", "n_control"))
    )
    p = table("proportions_edge")
    p = p[(p["events"] > 0) & (p["events"] < p["n"])]
    single = peters(proportions(p["events"], p["n"]))
    cases = [
        (peters(bcg()), PIN["tables"]["bcg"]["peters"]),
        (harbord(bcg()), PIN["tables"]["bcg"]["harbord"]),
        (peters(sparse), PIN["tables"]["sparse"]["peters"]),
        (harbord(sparse), PIN["tables"]["sparse"]["harbord"]),
        (single, PIN["tables"]["proportions"]["peters"]),
    ]
    for ours, theirs in cases:
        assert ours.estimate == pytest.approx(theirs["slope"], rel=1e-9)
        for key in ("std_error", "statistic", "p_value", "df"):
            assert getattr(ours, key) == pytest.approx(theirs[key], rel=1e-9), key


def test_pet_and_peese_are_the_linear_forms() -> None:
    for name in ("bcg_rr", "raudenbush1985", "log_hr"):
        ours = pet_peese(effects(name))
        for part, column in ((ours.pet, "sei"), (ours.peese, "vi")):
            theirs = PIN["grid"][name]["egger"][column]["linear"]
            assert part.limit == pytest.approx(theirs["limit"], rel=CLOSED)
            assert part.limit_high == pytest.approx(theirs["limit_high"], rel=CLOSED)


def test_peese_follows_only_when_pet_finds_an_effect() -> None:
    se = np.linspace(0.05, 0.5, 12)
    wobble = 0.2 * se * np.cos(3 * np.arange(12))
    none, some = generic(1.5 * se + wobble, se**2), generic(0.4 + 1.5 * se + wobble, se**2)
    assert pet_peese(none).chosen == "pet"
    assert pet_peese(some).chosen == "peese"
    assert pet_peese(some).estimate == pet_peese(some).peese.limit
    assert pet_peese(some).p_value < 0.05
    assert pet_peese(none, alpha=1.0).chosen == "peese"


def test_the_linear_slope_is_the_intercept_of_eggers_own_regression() -> None:
    e = effects("raudenbush1985")
    se = np.sqrt(e.vi)
    x = np.column_stack([np.ones(e.k), 1 / se])
    beta, rss, *_ = np.linalg.lstsq(x, e.yi / se, rcond=None)
    t = egger(e, "linear")
    assert t.estimate == pytest.approx(beta[0], rel=1e-11)
    assert t.limit == pytest.approx(beta[1], rel=1e-11)
    cov = np.linalg.inv(x.T @ x) * rss[0] / (e.k - 2)
    assert t.std_error == pytest.approx(math.sqrt(cov[0, 0]), rel=1e-11)


def test_the_mixed_form_is_a_meta_regression() -> None:
    e = effects("sim_k20")
    fit = pool(e, ci="hksj", moderators="se", data={"se": np.sqrt(e.vi)})
    t = egger(e, ci="hksj")
    assert t.df == fit.regression.df == e.k - 2
    assert t.estimate == pytest.approx(fit.regression.beta[1], rel=1e-10)
    assert t.p_value == pytest.approx(fit.regression.p_value[1], rel=1e-9)


def test_swapping_arms_mirrors_the_tests() -> None:
    d = table("bcg")
    a, n1 = d["events_treatment"], d["n_treatment"]
    c, n2 = d["events_control"], d["n_control"]
    for test in (peters, harbord, egger):
        one, other = test(two_by_two(a, n1, c, n2)), test(two_by_two(c, n2, a, n1))
        assert one.statistic == pytest.approx(-other.statistic, rel=1e-8)
        assert one.p_value == pytest.approx(other.p_value, rel=1e-8)


def test_mirrored_effects_are_filled_on_the_other_side() -> None:
    e = effects("raudenbush1985")
    one = trim_and_fill(pool(e, tau2="DL"))
    other = trim_and_fill(pool(generic(-e.yi, e.vi), tau2="DL"))
    assert (one.side, other.side) == ("left", "right")
    assert one.k0 == other.k0 > 0
    assert one.filled.estimate == pytest.approx(-other.filled.estimate, rel=1e-12)


def test_a_symmetric_funnel_stays_as_it_is() -> None:
    y = np.array([-0.5, -0.2, 0.0, 0.2, 0.5])
    fit = pool(generic(y, [0.2, 0.1, 0.05, 0.1, 0.2]), tau2="DL")
    filled = trim_and_fill(fit)
    assert filled.k0 == 0
    assert filled.filled is fit
    assert filled.is_filled.sum() == 0
    assert egger(fit).statistic == pytest.approx(0.0, abs=1e-12)


def test_filled_studies_mirror_the_trimmed_ones_about_the_trimmed_centre() -> None:
    e = effects("raudenbush1985")
    r = trim_and_fill(pool(e, model="common"))
    order = np.argsort(e.yi)
    kept = pool(e.select(order[: e.k - r.k0]), model="common").analysis.estimate
    mirrored = 2 * kept - e.yi[order[e.k - r.k0 :]]
    np.testing.assert_allclose(r.filled.effects.yi[e.k :], mirrored, rtol=1e-12)
    assert r.filled.effects.studies[-1] == f"Filled {r.k0}"


def test_freeman_tukey_can_be_filled() -> None:
    d = table("proportions_edge")
    e = proportions(d["events"], d["n"], transform="freeman-tukey")
    r = trim_and_fill(pool(e), side="right", estimator="L0")
    assert 0 <= r.filled.estimate <= 1
    assert r.filled.k == e.k + r.k0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: egger(generic([0.1, 0.2], [0.1, 0.2])), "at least 3"),
        (lambda: egger(generic([0.1, 0.2, 0.3], [0.1] * 3)), "same value"),
        (lambda: begg(generic([0.1, 0.2, 0.3], [0.1] * 3)), "same value"),
        (lambda: egger(generic([0.1, 0.2, 0.3], [0.1, 0.2, 0.3]), form="cubic"), "mixed"),
        (lambda: peters(hazard_ratios([0.5] * 3, [0.3] * 3, [0.83] * 3)), "events and patients"),
        (lambda: peters(proportions([0, 3, 5], [9, 9, 9])), "nobody or everybody"),
        (lambda: harbord(proportions([1, 3, 5], [9, 9, 9])), "2x2 tables"),
        (lambda: harbord(two_by_two([9, 1, 2], [9, 9, 9], [8, 3, 4], [8, 9, 9])), "everybody"),
        (lambda: trim_and_fill(pool(effects("log_hr")), estimator="Q0"), "L0"),
        (lambda: trim_and_fill(pool(effects("log_hr")), side="up"), "left"),
        (lambda: trim_and_fill(pool(bcg(), model="mantel-haenszel")), "inverse-variance"),
    ],
)
def test_impossible_requests_are_named(call: object, message: str) -> None:
    assert callable(call)
    with pytest.raises(DataError, match=message):
        call()


def test_a_fit_is_as_good_as_its_effects() -> None:
    fit: MetaFit = pool(bcg("rr"))
    for test in (egger, begg, peters, harbord, pet_peese):
        assert test(fit).to_dict() == test(fit.effects).to_dict()


def test_records_carry_tables_and_text() -> None:
    e = bcg()
    assert "Egger (linear, on std_error): slope" in egger(e, "linear").summary()
    assert "t(11)" in harbord(e).summary()
    assert begg(e).summary().startswith("Begg: Kendall's tau = ")
    assert math.isnan(harbord(e).limit)
    assert harbord(e).to_dict()["limit"] is None
    assert pet_peese(e).to_frame()["chosen"].sum() == 1
    assert pet_peese(e).summary().startswith("PET-PEESE picks ")
    r = trim_and_fill(pool(effects("raudenbush1985")), "R0")
    assert r.to_frame()["term"].tolist() == ["observed", "filled"]
    assert sum(s["filled"] for s in r.to_dict()["studies"]) == r.k0
    assert "missing on the left" in r.summary()
