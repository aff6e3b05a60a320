"""Forest layouts, drapery, caterpillar and grouped bubbles: frames by value, what is drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import metablin as mb
from metablin.cli import app
from metablin.plots import (
    bubble,
    bubble_frame,
    caterpillar,
    caterpillar_frame,
    draperies_frame,
    drapery,
    forest_layout,
    forest_layout_frame,
    style,
)
from tests.cli.runner import CliRunner
from tests.reference import table

BCG = table("bcg")
COLUMNS = ("events_treatment", "n_treatment", "events_control", "n_control")


@pytest.fixture(scope="module")
def effects() -> mb.EffectSizes:
    return mb.two_by_two(*(BCG[c] for c in COLUMNS), measure="rr", studies=BCG["study"])


@pytest.fixture(scope="module")
def grouped(effects: mb.EffectSizes) -> mb.MetaFit:
    return mb.pool(effects, by=BCG["alloc"])


def said(ax) -> list[str]:
    return [t.get_text() for t in ax.texts]


def test_arms_and_own_columns_follow_their_study_into_its_subgroup(grouped: mb.MetaFit) -> None:
    frame = forest_layout_frame(grouped, "revman", columns={"Year": BCG["year"]})
    rows = frame.loc[frame["kind"] == "study"].set_index("label")
    for study, n1, year in zip(BCG["study"], BCG["n_treatment"], BCG["year"], strict=True):
        assert rows.loc[study, "arm_treatment"].endswith(f"/{n1}")
        assert rows.loc[study, "own: Year"] == str(year)
    total = frame.loc[(frame["kind"] == "pooled") & (frame["group"] == "")].iloc[0]
    assert total["label"] == "Total (95% CI)"
    events = BCG["events_treatment"].sum()
    assert total["arm_treatment"] == f"{events}/{BCG['n_treatment'].sum()}"
    notes = frame.loc[frame["kind"] == "note", "label"].tolist()
    assert notes[-2].startswith(f"Heterogeneity: Tau² = {grouped.tau2:.2f}; Chi² = ")
    assert f"overall effect: t = {abs(grouped.statistic):.2f}" in notes[-2]


def test_a_study_set_aside_does_not_shift_the_columns() -> None:
    e = mb.two_by_two([0, 4, 6], [9, 20, 30], [0, 8, 9], [9, 20, 31], studies=["none", "A", "B"],
                      double_zeros="drop")  # fmt: skip
    frame = forest_layout_frame(mb.pool(e), "plain", columns={"Dose": [1, 2, 3]})
    assert frame.loc[frame["kind"] == "study", "own: Dose"].tolist() == ["2", "3"]
    with pytest.raises(mb.DataError, match="column 'Dose': 1 values for 3 rows"):
        forest_layout_frame(mb.pool(e), "plain", columns={"Dose": [1]})


def test_subgroups_alone_are_one_line_each(grouped: mb.MetaFit) -> None:
    frame = forest_layout_frame(grouped, "plain", studies=False)
    pooled = frame.loc[frame["kind"] == "pooled"]
    assert pooled["label"].tolist() == [*grouped.subgroups, "Pooled, all studies"]
    assert frame["position"].tolist() == list(range(len(frame)))
    assert "Events/n" not in said(forest_layout(grouped, layout="plain", studies=False))


def test_each_layout_sets_its_own_headings(effects: mb.EffectSizes) -> None:
    fit = mb.pool(effects, model="mantel-haenszel")
    cochrane = said(forest_layout(fit, layout="revman", favours=("BCG", "nothing")))
    assert {"Study or subgroup", "M-H, Fixed, 95% CI", "Treatment", "Control", "Weight"} <= set(
        cochrane
    )
    assert {"Favours BCG", "Favours nothing"} <= set(cochrane)
    assert {"Source", "RR (95% CI)"} <= set(said(forest_layout(fit, layout="jama")))
    with pytest.raises(mb.DataError, match=r"layout.*plain \| revman \| jama"):
        forest_layout(fit, layout="bmj")
    with pytest.raises(mb.DataError, match="two words"):
        forest_layout(fit, favours=("BCG",))


def test_a_fit_plots_in_a_layout_and_the_command_too(grouped: mb.MetaFit, tmp_path: Path) -> None:
    assert "Source" in said(grouped.plot(layout="jama"))
    assert "Study" in said(grouped.plot())
    file, picture = tmp_path / "bcg.csv", tmp_path / "f.svg"
    BCG.to_csv(file, index=False)
    words = ["pool", str(file), "--measure", "rr", "--layout", "revman"]
    done = CliRunner().invoke(app, [*words, "--plot", str(picture)])
    assert done.exit_code == 0, done.output
    assert picture.stat().st_size > 10_000
    assert CliRunner().invoke(app, words).exit_code == 2


def test_means_stand_with_their_standard_deviations() -> None:
    e = mb.mean_differences([5, 4.9], [4.7, 1.71], [13, 30], [6.5, 6.1], [3.8, 2.3], [13, 50])
    frame = forest_layout_frame(mb.pool(e), "revman")
    assert frame.loc[0, "arm_treatment"] == "5 (4.7), 13"
    assert "Mean (SD), n" in said(forest_layout(mb.pool(e)))


def test_a_layout_has_a_form_for_telephones(grouped: mb.MetaFit) -> None:
    picture = style.narrow(forest_layout(grouped, layout="revman").figure)
    assert picture.get_size_inches()[0] == style.NARROW_INCHES


def test_drapery_curves_are_one_minus_confidence_at_its_limits(effects: mb.EffectSizes) -> None:
    fit = mb.pool(effects)
    frame = draperies_frame(fit)
    assert frame.loc[frame["kind"] == "study", "curve"].nunique() == fit.k
    pool = frame.loc[frame["kind"] == "pooled"]
    assert pool["p_value"].max() == 1.0
    for limit in (fit.analysis.conf_low, fit.analysis.conf_high):
        p = np.interp(limit, pool["effect"], pool["p_value"])
        assert p == pytest.approx(0.05, rel=2e-2)  # between two points of the grid
    new = frame.loc[frame["kind"] == "prediction"]
    at = np.interp(fit.analysis.pred_high, new["effect"], new["p_value"])
    assert at == pytest.approx(0.05, rel=2e-2)
    first = frame.loc[frame["curve"] == 0]
    z = (fit.effects.yi[0] - 0) / np.sqrt(fit.effects.vi[0])
    from scipy import stats

    want = 2 * stats.norm.sf(abs(z))
    assert np.interp(0.0, first["effect"], first["p_value"]) == pytest.approx(want, rel=2e-2)
    labels = [t.get_text() for t in drapery(fit).get_legend().get_texts()]
    assert labels == ["Studies", "New study", "Pooled"]
    with pytest.raises(mb.DataError, match="standard error"):
        drapery(mb.pool(effects, moderators="year", data=BCG))


def test_a_caterpillar_of_many_studies_is_sorted_and_complete() -> None:
    rng = np.random.default_rng(5)
    vi = 0.01 + rng.gamma(1, 0.08, 500)
    fit = mb.pool(mb.log_effects(rng.normal(-0.3, np.sqrt(vi + 0.05)), np.sqrt(vi), "or"))
    frame = caterpillar_frame(fit)
    studies = frame.loc[frame["kind"] == "study"]
    assert studies["effect"].is_monotonic_increasing
    assert len(studies) == 500
    pooled = frame.loc[frame["kind"] == "pooled"].iloc[0]
    assert np.exp(pooled["conf_low"]) == pytest.approx(fit.conf_low)
    ax = caterpillar(fit)
    (lines,) = [c for c in ax.collections if len(c.get_paths()) == 500]
    assert len(lines.get_segments()) == 500
    assert ax.get_ylabel() == "500 studies by effect"


def test_grouped_bubbles_have_a_line_each_that_the_model_predicts(
    effects: mb.EffectSizes,
) -> None:
    fit = mb.pool(effects, moderators="ablat * alloc", data=BCG)
    frame = bubble_frame(fit, by="alloc")
    lines = frame.loc[frame["kind"] == "line"]
    assert set(lines["group"]) == set(BCG["alloc"])
    for group, line in lines.groupby("group"):
        own = BCG.loc[BCG["alloc"] == group, "ablat"]
        assert (line["x"].min(), line["x"].max()) == (own.min(), own.max())
        data = {"ablat": line["x"].to_numpy(), "alloc": [group] * len(line)}
        want = fit.predict(data)
        assert np.exp(line["effect"].to_numpy()) == pytest.approx(want["estimate"].to_numpy())
        assert np.exp(line["conf_low"].to_numpy()) == pytest.approx(want["conf_low"].to_numpy())
    ax = bubble(fit, by="alloc")
    legend = [t.get_text() for t in ax.get_legend().get_texts()]
    assert legend == ["alternate", "random", "systematic", "95% confidence"]
    with pytest.raises(mb.DataError, match="at most 6 categories; allowed: alloc"):
        bubble(fit, by="ablat")
    with pytest.raises(mb.DataError, match="name the column to draw"):
        bubble(fit, "year", by="alloc")
