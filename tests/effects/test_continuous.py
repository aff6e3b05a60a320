"""Means, changes and correlations against metafor's escalc, closed forms and by invariance."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import metablin as mb
from metablin.effects.means import MEAN_VARIANCES
from metablin.errors import DataError

REFERENCE = Path(__file__).parents[1] / "reference"
PINNED = json.loads((REFERENCE / "continuous.json").read_text())
NORMAND = pd.read_csv(REFERENCE / "data" / "normand1999.csv")
ARMS = tuple(NORMAND[c].to_numpy() for c in ("m1i", "sd1i", "n1i", "m2i", "sd2i", "n2i"))
MEASURES = {"MD": "md", "SMD": "smd", "SMDH": "smdh", "SMD1": "glass", "SMD1H": "glass",
            "ROM": "rom"}  # fmt: skip

CLOSED_FORM = 1e-12
"""Closed forms in another order of operations."""
PRINTED = {"rel": 0, "abs": 0.0005}
"""Half a unit of the third printed decimal."""


@pytest.mark.parametrize(
    "cell", [*PINNED["two"], *PINNED["unequal"]], ids=lambda c: f"{c['measure']} {c['variance']}"
)
def test_two_groups_are_metafors(cell):
    e = mb.mean_differences(*ARMS, measure=MEASURES[cell["measure"]], variance=cell["variance"])
    assert e.yi == pytest.approx(np.array(cell["yi"]), rel=CLOSED_FORM)
    assert e.vi == pytest.approx(np.array(cell["vi"]), rel=CLOSED_FORM)


@pytest.mark.parametrize("cell", PINNED["change"], ids=lambda c: c["measure"])
def test_changes_are_metafors(cell):
    m1, s1, n, m2, s2, _ = ARMS
    e = mb.mean_changes(m1, m2, n, s1, s2, PINNED["correlation"], measure=cell["measure"].lower())
    assert e.yi == pytest.approx(np.array(cell["yi"]), rel=CLOSED_FORM)
    assert e.vi == pytest.approx(np.array(cell["vi"]), rel=CLOSED_FORM)


@pytest.mark.parametrize("cell", PINNED["one"], ids=lambda c: c["measure"])
def test_single_means_and_correlations_are_metafors(cell):
    m, s, n = ARMS[:3]
    if cell["measure"] in ("MN", "MNLN"):
        e = mb.means(m, s, n, transform=cell["variance"])
    else:
        e = mb.correlations(PINNED["correlation"], n, transform=cell["variance"])
    assert e.yi == pytest.approx(np.array(cell["yi"]), rel=CLOSED_FORM)
    assert e.vi == pytest.approx(np.array(cell["vi"]), rel=CLOSED_FORM)


def test_normand_1999_with_one_standard_deviation_a_study():
    fit = mb.pool(mb.mean_differences(*ARMS, variance="pooled"), tau2="DL", ci="z")
    pinned = PINNED["normand"]
    found = [fit.estimate, fit.analysis.std_error, fit.tau2]
    assert found == pytest.approx(list(pinned.values()), rel=CLOSED_FORM)


@pytest.mark.parametrize(("n1", "n2", "delta"), [(4, 6, 0.8), (20, 22, -0.3), (5, 40, 2.0)])
def test_the_exact_variance_is_that_of_a_non_central_t(n1, n2, delta):
    size, df = n1 * n2 / (n1 + n2), n1 + n2 - 2
    e = mb.mean_differences([delta], [1], [n1], [0], [1], [n2], measure="smd", variance="exact")
    g = float(e.yi[0])
    j = g / delta
    t = stats.nct(df, g * np.sqrt(size))
    assert float(e.vi[0]) == pytest.approx(j**2 * t.var() / size, rel=1e-6)  # scipy's moments
    assert j * t.mean() / np.sqrt(size) == pytest.approx(g, rel=1e-6)  # unbiased at the truth


def test_the_unbiased_variance_is_right_on_average():
    rng = np.random.default_rng(3)
    n1, n2, k = 7, 9, 40_000
    a, b = rng.normal(0.7, 1, (k, n1)), rng.normal(0, 1, (k, n2))
    e = mb.mean_differences(a.mean(1), a.std(1, ddof=1), [n1] * k, b.mean(1), b.std(1, ddof=1),
                            [n2] * k, measure="smd", variance="unbiased")  # fmt: skip
    assert float(e.yi.mean()) == pytest.approx(0.7, abs=0.01)
    assert float(e.vi.mean()) == pytest.approx(float(e.yi.var()), rel=0.03)


def test_a_cross_over_trial_of_the_cochrane_handbook():
    """Section 16.4.6.4: 0.5 with standard error 0.583 at a correlation of 0.68."""
    e = mb.mean_changes([7.0], [6.5], [10], [2.38], [2.21], correlation=0.68)
    assert float(np.sqrt(e.vi[0])) == pytest.approx(0.583, **PRINTED)
    direct = mb.mean_changes([7.0], [6.5], [10], sd_change=[2.0])
    assert float(np.sqrt(direct.vi[0])) == pytest.approx(0.632, **PRINTED)


@pytest.mark.parametrize("measure", ["md", "smd", "smdh", "rom"])
def test_swapping_groups_turns_the_sign(measure):
    turned = mb.mean_differences(*ARMS[3:], *ARMS[:3], measure=measure)
    e = mb.mean_differences(*ARMS, measure=measure)
    assert turned.yi == pytest.approx(-e.yi)
    assert turned.vi == pytest.approx(e.vi)


@pytest.mark.parametrize("measure", MEAN_VARIANCES)
def test_the_unit_of_the_outcome_does_not_matter(measure):
    for variance in MEAN_VARIANCES[measure]:
        scaled = [x * 10 if i % 3 < 2 else x for i, x in enumerate(ARMS)]
        e = mb.mean_differences(*ARMS, measure=measure, variance=variance)
        other = mb.mean_differences(*scaled, measure=measure, variance=variance)
        factor = 10 if measure == "md" else 1
        assert other.yi == pytest.approx(factor * e.yi)
        assert other.vi == pytest.approx(factor**2 * e.vi)


def test_readers_scales():
    ratio = mb.pool(mb.mean_differences(*ARMS, measure="rom"))
    assert ratio.estimate == pytest.approx(np.exp(ratio.analysis.estimate))
    r = mb.pool(mb.correlations([0.5, 0.6, 0.98], [20, 30, 8]))
    assert r.estimate == pytest.approx(np.tanh(r.analysis.estimate))
    assert r.pred_high < 1
    raw = mb.pool(mb.correlations([0.9, 0.95, 0.99], [5, 5, 6], transform="raw"))
    assert raw.pred_high == 1.0


def test_columns_by_name_and_incomplete_rows():
    frame = NORMAND.assign(m1i=NORMAND["m1i"].where(NORMAND.index != 2))
    e = mb.mean_differences("m1i", "sd1i", "n1i", "m2i", "sd2i", "n2i", data=frame,
                            studies="study", missing="drop")  # fmt: skip
    assert e.k == len(frame) - 1
    assert e.excluded[0].reason == "m1i missing"


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: mb.mean_differences([1], [1], [9], [-1], [1], [9], "rom"), "ratio of means needs"),
        (lambda: mb.mean_differences([1], [1], [2], [0], [1], [9], "smd", variance="exact"),
         "'n_treatment', value 2: not allowed; allowed: at least 3"),
        (lambda: mb.mean_differences([1], [1], [9], [0], [1], [9], "md", variance="exact"),
         "allowed: large-sample | pooled"),
        (lambda: mb.mean_changes([1], [2], [9], [1], [1]), "'correlation', value not given"),
        (lambda: mb.mean_changes([1], [2], [9], [1], [1], 1.0), "changes do not vary"),
        (lambda: mb.mean_changes([1], [2], [9], [1], [1], 1.5), "at most 1"),
        (lambda: mb.mean_changes([1], [2], [9], sd_change=[1], measure="smcr"), "'sd_before'"),
        (lambda: mb.means([0], [1], [9], "log"), "greater than 0"),
        (lambda: mb.correlations([1.0], [9]), "perfect correlation"),
        (lambda: mb.correlations([0.1], [3]), "at least 4"),
    ],
)  # fmt: skip
def test_what_no_measure_can_take_is_named(call, words):
    with pytest.raises(DataError, match=words):
        call()


def test_standard_deviations_from_a_difference_of_the_cochrane_handbook():
    """Section 6.5.2.3: 25 and 22 patients, difference 3.8, p = 0.008: SD 4.69 (SE rounded)."""
    t = float(stats.t.isf(0.004, 45))
    half = float(stats.t.ppf(0.975, 45)) * 3.8 / t
    found = mb.shared_deviation(
        [25] * 4, [22] * 4, [3.8, -3.8, None, None], p_value=[0.008, None, None, None],
        statistic=[None, t, None, None], std_error=[None, None, 3.8 / t, None],
        conf_low=[None, None, None, -half], conf_high=[None, None, None, half],
    )  # fmt: skip
    assert found["sd"].to_numpy() == pytest.approx(4.69, abs=0.01)
    assert found["sd"].to_numpy() == pytest.approx(found["sd"][0], rel=CLOSED_FORM)
    assert found["source"].tolist() == ["p_value", "statistic", "std_error", "interval"]
    with pytest.raises(DataError, match="nothing that gives a standard deviation"):
        mb.shared_deviation([25], [22], [0.0], p_value=[1.0])


def test_missing_standard_deviations_are_filled_by_the_stated_rule_only():
    given = {"n": [11, 21, 30], "sd": [2.0, 3.0, None], "mean": [10.0, 20.0, 30.0]}
    with pytest.raises(DataError, match=r"row 3 .*'sd'.*fill='pooled'"):
        mb.standard_deviations(**given)
    expected = {"largest": 3.0, "pooled": np.sqrt((10 * 4 + 20 * 9) / 30),
                "cv": 30 * (11 * 0.2 + 21 * 0.15) / 32}  # fmt: skip
    for rule, value in expected.items():
        with pytest.warns(mb.MetablinWarning, match=f"rule '{rule}': study 3"):
            t = mb.standard_deviations(**given, fill=rule)
        assert t["sd"].tolist() == pytest.approx([2.0, 3.0, value])
        assert t["source"].tolist() == ["sd", "sd", f"filled: {rule}"]


def test_the_standard_deviation_of_a_change_needs_its_correlation():
    t = mb.standard_deviations([10], sd_after=[2.38], sd_before=[2.21], correlation=0.68)
    assert t["sd"][0] / np.sqrt(10) == pytest.approx(0.583, **PRINTED)
    with pytest.raises(DataError, match="unstated correlation"):
        mb.standard_deviations([10], sd_after=[2.38], sd_before=[2.21])


@pytest.mark.parametrize(
    "effects",
    [
        lambda huge: mb.means([0.0, 0.0], [huge, 1.0], [3, 3]),
        lambda huge: mb.mean_changes([0, 0], [0, 0], [3, 3], [huge, 1], [1, 1], [0.0, 0.0]),
        lambda huge: mb.mean_differences([0, 0], [huge, 1], [3, 3], [0, 0], [1, 1], [3, 3]),
    ],
)
def test_a_deviation_too_large_to_square_names_its_study(effects):
    with pytest.raises(DataError, match=r"study 1.*too large"):
        effects(1e300)
