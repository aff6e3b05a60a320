"""The forest plot: the frame by value, the drawing by what stands on the axes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.patches import Polygon

import metablin as mb
from metablin.plots import draw_forest, forest, forest_frame

EVENTS, N = [10, 20, 81], [30, 40, 189]
STUDIES = ["TOWER", "ALCANTARA", "MT103-211"]


def proportion_fit(by: list[str] | None = None) -> mb.MetaFit:
    return mb.pool(mb.proportions(EVENTS, N, studies=STUDIES), by=by)


def hazard_fit() -> mb.MetaFit:
    low, high = [0.55, 0.39, 0.017], [0.93, 0.98, 7.2]
    return mb.pool(mb.hazard_ratios([0.715, 0.618, 0.35], low, high, studies=STUDIES))


def test_rows_stand_in_reading_order_with_their_numbers() -> None:
    fit = proportion_fit()
    frame = forest_frame(fit)
    assert frame["kind"].tolist() == ["study"] * 3 + ["pooled", "prediction", "note"]
    assert frame["position"].tolist() == list(range(6))
    assert frame["label"].tolist()[:3] == STUDIES
    assert frame["counts"].tolist()[:3] == ["10/30", "20/40", "81/189"]
    assert frame.loc[0, "estimate"] == pytest.approx(10 / 30)
    assert frame.loc[3, "estimate"] == fit.estimate
    assert frame.loc[4, ["pred_low", "pred_high"]].tolist() == [fit.pred_low, fit.pred_high]
    assert frame.loc[1, "text"] == "50% (34% to 66%)"  # Clopper-Pearson
    assert frame["weight"].sum() == pytest.approx(1.0)
    assert f"I² = {100 * fit.i2:.0f}%" in frame.loc[5, "label"]


def test_a_study_shows_what_was_counted_and_not_what_a_correction_made_of_it() -> None:
    frame = forest_frame(mb.pool(mb.proportions([4, 0, 9], [4, 8, 20], studies=STUDIES)))
    assert frame["estimate"].tolist()[:3] == [1.0, 0.0, 0.45]
    assert frame["text"].tolist()[:2] == ["100% (40% to 100%)", "0% (0% to 37%)"]


def test_subgroups_have_a_heading_their_own_pool_and_a_test() -> None:
    frame = forest_frame(proportion_fit(by=["neg", "pos", "neg"]))
    assert frame["kind"].tolist() == [
        *["heading", "study", "study", "pooled", "prediction", "note", "gap"],
        *["heading", "study", "gap"],  # one study is itself, not a pool
        *["pooled", "prediction", "note", "note"],
    ]
    inside = frame.loc[(frame["group"] == "neg") & (frame["kind"] == "study")]
    assert inside["label"].tolist() == ["TOWER", "MT103-211"]
    assert inside["weight"].sum() == pytest.approx(1.0)
    assert frame["label"].iloc[-1].startswith("Test for subgroup differences: df 1, p ")


def test_counts_follow_their_row_even_when_labels_repeat() -> None:
    fit = mb.pool(mb.proportions(EVENTS, N, studies=["A", "A", "B"]), by=["x", "x", "y"])
    frame = forest_frame(fit)
    assert frame.loc[frame["kind"] == "study", "counts"].tolist() == ["10/30", "20/40", "81/189"]


def test_a_model_without_weights_sizes_studies_by_patients() -> None:
    fit = mb.pool(mb.proportions(EVENTS, N, studies=STUDIES), model="glmm")
    frame = forest_frame(fit)
    studies = frame.loc[frame["kind"] == "study"]
    assert studies["weight"].isna().all()
    assert studies["size"].tolist() == pytest.approx([n / sum(N) for n in N])
    assert "Weight" not in {t.get_text() for t in forest(fit).texts}


def test_subgroups_can_stand_without_an_overall_pool() -> None:
    frame = forest_frame(proportion_fit(by=["neg", "pos", "neg"]), overall=False)
    assert frame["label"].str.startswith("Pooled, all").sum() == 0
    assert frame["label"].iloc[-1].startswith("Test for subgroup differences")


def test_a_bayesian_pool_names_its_prior() -> None:
    note = forest_frame(mb.pool(mb.proportions(EVENTS, N), model="bayes"))["label"].iloc[-1]
    assert "Bayesian, half-normal prior of scale 0.5 on tau" in note
    assert "Q = " not in note


def test_one_study_says_that_heterogeneity_cannot_be_estimated() -> None:
    frame = forest_frame(mb.pool(mb.proportions([3], [10], studies=["one"])))
    assert frame["kind"].tolist() == ["study", "pooled", "note"]
    assert "cannot be estimated" in frame["label"].iloc[-1]


def test_the_diamond_spans_the_confidence_interval() -> None:
    fit = proportion_fit()
    ax = forest(fit)
    (diamond,) = [p for p in ax.patches if isinstance(p, Polygon)]
    corners = np.asarray(diamond.get_xy())
    assert corners[:, 0].min() == pytest.approx(fit.conf_low)
    assert corners[:, 0].max() == pytest.approx(fit.conf_high)
    texts = {t.get_text() for t in ax.texts}
    assert {"Study", "Events/n", "Weight", "Proportion (95% CI)", "ALCANTARA"} <= texts
    assert ax.get_xlabel() == "Proportion"


def test_ratios_get_a_logarithmic_axis_and_arrows_beyond_its_ends() -> None:
    fit = hazard_fit()
    ax = forest(fit)
    assert ax.get_xscale() == "log"
    ax = draw_forest(
        forest_frame(fit),
        forest(proportion_fit()).figure.add_subplot(),
        measure="hr",
        limits=(0.25, 4.0),
    )
    markers = [line.get_marker() for line in ax.lines]
    assert markers.count("<") == 1
    assert markers.count(">") == 1


def test_the_level_is_named_in_the_heading() -> None:
    fit = mb.pool(mb.proportions(EVENTS, N, studies=STUDIES), level=0.9)
    assert "Proportion (90% CI)" in {t.get_text() for t in forest(fit).texts}


def test_a_saved_plot_is_the_same_bytes_every_time(tmp_path: Path) -> None:
    import matplotlib as mpl

    written = []
    for name in ("a", "b"):
        with mpl.rc_context({"svg.hashsalt": "metablin"}):
            proportion_fit().plot().figure.savefig(
                tmp_path / f"{name}.svg", metadata={"Date": None}, bbox_inches="tight"
            )
        written.append((tmp_path / f"{name}.svg").read_bytes())
    assert written[0] == written[1]


def test_groups_of_one_study_are_drawn_without_a_pool() -> None:
    fit = mb.pool(mb.proportions([10, 20], [30, 40], studies=["A", "B"]), by=["x", "y"])
    frame = forest_frame(fit, overall=False)
    assert "pooled" not in set(frame["kind"])
    assert forest(fit, overall=False).get_xlabel() == "Proportion"
