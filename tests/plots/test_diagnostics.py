"""Diagnostic plots: frames by value, drawings by what stands on the axes."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.text import Text

from metablin.effects import (
    EffectSizes,
    generic,
    hazard_ratios,
    proportions,
    rate_contrasts,
    two_by_two,
)
from metablin.errors import DataError
from metablin.meta import MetaFit, pool
from metablin.meta.bias.doi import lfk_index
from metablin.meta.checks.baujat import baujat
from metablin.meta.checks.bias import begg, egger, harbord
from metablin.meta.checks.gosh import gosh
from metablin.meta.checks.influence import cumulative, influence, leave_one_out
from metablin.meta.checks.petpeese import pet_peese
from metablin.meta.checks.selection import selection_model
from metablin.meta.checks.trimfill import trim_and_fill
from metablin.plots import (
    baujat_frame,
    bubble,
    bubble_frame,
    doi_frame,
    funnel,
    funnel_frame,
    gosh_frame,
    influence_frame,
    labbe,
    labbe_frame,
    radial,
    radial_frame,
    sequence_frame,
    style,
)
from metablin.plots._axes import place_labels, reader_ticks
from tests.reference import table


def bcg(measure: str = "rr") -> EffectSizes:
    d = table("bcg")
    columns = ("events_treatment", "n_treatment", "events_control", "n_control")
    return two_by_two(*(d[c] for c in columns), measure=measure, studies=d["study"])


def hazards() -> EffectSizes:
    d = table("log_hr")
    return hazard_ratios(d["estimate"], d["conf_low"], d["conf_high"], studies=d["study"])


def response() -> EffectSizes:
    d = table("proportions_edge")
    return proportions(d["events"], d["n"], studies=d["study"])


def regression() -> MetaFit:
    return pool(bcg(), moderators="ablat + year", data=table("bcg"))


DRAWINGS: dict[str, Callable[[], Axes]] = {
    "leave_one_out": lambda: leave_one_out(pool(bcg())).plot(),
    "cumulative": lambda: cumulative(pool(response())).plot(),
    "influence": lambda: influence(pool(bcg())).plot(),
    "baujat": lambda: baujat(pool(bcg(), model="common")).plot(),
    "gosh": lambda: gosh(pool(hazards())).plot(),
    "gosh_study": lambda: gosh(pool(hazards())).plot(study="T 8"),
    "funnel": lambda: funnel(pool(bcg())),
    "funnel_proportion": lambda: funnel(pool(response())),
    "trim_and_fill": lambda: trim_and_fill(pool(hazards())).plot(),
    "egger": lambda: egger(hazards()).plot(),
    "peese": lambda: pet_peese(hazards()).peese.plot(),
    "harbord": lambda: harbord(bcg("or")).plot(),
    "selection": lambda: selection_model(hazards(), alternative="less").plot(),
    "radial": lambda: radial(pool(hazards(), model="common")),
    "labbe": lambda: labbe(pool(bcg())),
    "doi": lambda: lfk_index(hazards()).plot(),
    "bubble": lambda: bubble(regression(), "ablat"),
}


@pytest.mark.parametrize("name", DRAWINGS)
def test_every_drawing_is_the_same_bytes_every_time(name: str, tmp_path: Path) -> None:
    written = []
    for copy in ("a", "b"):
        with mpl.rc_context({"svg.hashsalt": "metablin"}):
            path = tmp_path / f"{copy}.svg"
            DRAWINGS[name]().figure.savefig(path, metadata={"Date": None}, bbox_inches="tight")
        written.append(path.read_bytes())
    assert written[0] == written[1]
    assert len(written[0]) > 5000


@pytest.mark.parametrize("name", ["baujat", "doi", "labbe", "radial"])
def test_labels_do_not_lie_on_each_other(name: str) -> None:
    ax = DRAWINGS[name]()
    ax.figure.draw_without_rendering()
    boxes = [Text.get_window_extent(t) for t in ax.texts]
    for a, b in combinations(boxes, 2):
        wide = min(a.x1, b.x1) - max(a.x0, b.x0)
        tall = min(a.y1, b.y1) - max(a.y0, b.y0)
        smaller = min(a.width * a.height, b.width * b.height)
        assert max(wide, 0) * max(tall, 0) <= 0.3 * smaller


def test_a_plot_goes_where_it_is_told() -> None:
    fig, ax = style.figure(4, 4)
    assert funnel(pool(bcg()), ax=ax) is ax
    assert gosh(pool(hazards())).plot(ax=ax) is ax
    assert fig.axes[0] is ax


def test_the_funnel_holds_studies_and_mirrored_ones() -> None:
    r = trim_and_fill(pool(hazards()))
    frame = funnel_frame(r)
    assert frame["kind"].tolist() == ["study"] * 8 + ["filled"] * r.k0
    assert frame.loc[0, "effect"] == pytest.approx(np.log(0.71))
    assert frame.loc[0, "estimate"] == pytest.approx(0.71)
    np.testing.assert_allclose(frame["std_error"] ** 2, r.filled.effects.vi)


def test_the_funnel_names_its_contours_and_lines() -> None:
    ax = trim_and_fill(pool(hazards())).plot()
    names = [t.get_text() for t in ax.get_legend().get_texts()]
    assert names[:4] == ["p > 0.1", "0.05 < p ≤ 0.1", "0.01 < p ≤ 0.05", "p ≤ 0.01"]
    assert names[4:] == ["Pooled", "Pooled, filled"]
    low, high = ax.get_ylim()
    assert low > high == 0
    assert ax.get_xlabel() == "Hazard ratio"
    assert "1" in [t.get_text() for t in ax.get_xticklabels()]


def test_contours_pass_where_the_p_value_is_five_per_cent() -> None:
    ax = funnel(pool(hazards()))
    paths = [np.asarray(c.get_paths()[0].vertices) for c in ax.collections[:6]]
    corners = {round(float(abs(x)), 9) for p in paths for x, y in p if y > 0}
    top = ax.get_ylim()[0]
    assert round(1.959963985 * top, 9) in corners


def test_single_groups_have_no_contours() -> None:
    ax = funnel(pool(response()))
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["Pooled"]


def test_the_regression_line_of_egger_passes_through_its_limit() -> None:
    t = egger(hazards())
    ax = t.plot()
    (line,) = [x for x in ax.lines if x.get_label() == "Regression"]
    xs, ys = np.asarray(line.get_xdata()), np.asarray(line.get_ydata())
    assert (xs[0], ys[0]) == pytest.approx((t.limit, 0.0))
    assert xs[-1] == pytest.approx(t.limit + t.estimate * ys[-1])
    assert "Regression" not in [x.get_label() for x in begg(hazards()).plot().lines]


def test_baujat_labels_what_stands_out() -> None:
    frame = baujat_frame(baujat(pool(bcg(), model="common")))
    assert set(frame.loc[frame["named"], "study"]) >= {"TPT Madras 1980", "Hart & Sutherland 1977"}
    assert "Rosenthal et al 1960" not in set(frame.loc[frame["named"], "study"])


def test_gosh_marks_the_subsets_of_one_study() -> None:
    g = gosh(pool(hazards(), tau2="DL"))
    frame = gosh_frame(g, "T 8")
    assert frame["inside"].sum() == 2**7 - 1
    assert "inside" not in gosh_frame(g)
    with pytest.raises(DataError, match="no such study"):
        gosh_frame(g, "T 9")


def test_a_radial_point_and_the_origin_lie_on_the_line_of_its_effect() -> None:
    fit = pool(bcg())
    frame = radial_frame(fit)
    np.testing.assert_allclose(frame["z"] / frame["precision"], fit.effects.yi)
    np.testing.assert_allclose(frame["precision"] ** -2, fit.effects.vi + fit.tau2)
    common = radial_frame(pool(bcg(), model="common"))
    assert common["outside"].sum() > frame["outside"].sum()


@pytest.mark.parametrize("measure", ["or", "rr", "rd", "asd"])
def test_labbe_points_are_the_two_risks(measure: str) -> None:
    fit = pool(bcg(measure))
    frame, d = labbe_frame(fit), table("bcg")
    np.testing.assert_allclose(frame["control"], d["events_control"] / d["n_control"])
    np.testing.assert_allclose(frame["treatment"], d["events_treatment"] / d["n_treatment"])
    assert frame["weight"].sum() == pytest.approx(1.0)
    assert labbe(fit).get_xlabel() == "Risk under control"


def test_labbe_takes_rates_and_refuses_hazard_ratios() -> None:
    d = table("nielweise2008")
    fit = pool(rate_contrasts(d["x1i"], d["t1i"], d["x2i"], d["t2i"], measure="irr"))
    np.testing.assert_allclose(labbe_frame(fit)["treatment"], d["x1i"] / d["t1i"])
    assert labbe(fit).get_ylabel() == "Rate under treatment"
    with pytest.raises(DataError, match="two arms"):
        labbe_frame(pool(hazards()))


def test_the_bubble_line_is_the_prediction_at_mean_covariates() -> None:
    fit, d = regression(), table("bcg")
    frame = bubble_frame(fit, "ablat")
    line = frame.loc[frame["kind"] == "line"]
    assert len(frame) - len(line) == 13
    ends = {"ablat": [d["ablat"].min(), d["ablat"].max()], "year": [d["year"].mean()] * 2}
    wanted = fit.predict(ends)
    for column in ("conf_low", "conf_high", "pred_low", "pred_high"):
        np.testing.assert_allclose(np.exp(line[column].iloc[[0, -1]]), wanted[column], rtol=1e-10)
    np.testing.assert_allclose(np.exp(line["effect"].iloc[[0, -1]]), wanted["estimate"], rtol=1e-10)


def test_a_bubble_plot_needs_to_know_which_moderator() -> None:
    with pytest.raises(DataError, match="ablat"):
        bubble(regression())
    with pytest.raises(DataError, match="needs a meta-regression"):
        bubble(pool(bcg()))
    assert bubble(pool(bcg(), moderators="ablat", data=table("bcg"))).get_xlabel() == "ablat"


def test_the_influence_frame_holds_values_and_limits() -> None:
    r = influence(pool(bcg()))
    frame = influence_frame(r)
    assert len(frame) == 8 * 13
    part = frame.loc[frame["measure"] == "dffits"]
    np.testing.assert_array_equal(part["value"], r.dffits)
    assert (part["limit_high"] == r.cutoffs["dffits"]).all()
    assert (frame.loc[frame["measure"] == "tau2_del", "reference"] == r.tau2).all()
    assert len(r.plot().child_axes) == 8
    common = influence(pool(bcg(), model="common"))
    assert "tau2_del" not in set(influence_frame(common)["measure"])
    assert len(common.plot().child_axes) == 7


def test_rows_of_a_sequence_read_as_text_on_the_readers_scale() -> None:
    frame = sequence_frame(leave_one_out(pool(bcg())))
    assert frame.loc[0, "label"] == "without Aronson 1948"
    assert frame.loc[0, "text"] == "0.49 (0.32 to 0.76)"
    shares = sequence_frame(cumulative(pool(response())))
    assert shares.loc[0, "label"] == "+ P 1"
    assert shares.loc[1, "text"].count("%") == 3


def test_very_wide_intervals_end_in_arrows() -> None:
    e = generic([0.1, 0.2, 0.15, 0.1, 0.2], [0.01, 0.01, 0.01, 0.01, 0.01])
    ax = cumulative(pool(generic([*e.yi, 0.1], [*e.vi, 9.0])), order=[1, 2, 3, 4, 5, 0]).plot()
    markers = [line.get_marker() for line in ax.lines]
    assert markers.count("<") == markers.count(">") >= 1


@pytest.mark.parametrize(
    ("transform", "low", "high", "some"),
    [("log", -2.0, 1.0, {"1", "0.5", "2"}), ("logit", -3.0, 3.0, {"50%", "10%", "90%"})],
)
def test_ticks_are_round_on_the_readers_scale(
    transform: str, low: float, high: float, some: set[str]
) -> None:
    _, ax = style.figure(4, 3)
    ax.set_xlim(low, high)
    reader_ticks(ax.xaxis, transform, low, high)
    assert some <= {t.get_text() for t in ax.get_xticklabels()}
    assert all(low <= x <= high for x in ax.get_xticks())


def test_a_label_without_room_is_left_out() -> None:
    _, ax = style.figure(2, 2)
    n = 60
    place_labels(ax, np.full(n, 0.5), np.full(n, 0.5), ["a long name of a study"] * n)
    assert 0 < len(ax.texts) < n


def test_the_doi_plot_goes_down_both_limbs_from_its_tip() -> None:
    result = lfk_index(bcg())
    frame = doi_frame(result)
    tip = int(np.flatnonzero(frame["tip"])[0])
    assert frame["yi"].is_monotonic_increasing
    assert (np.diff(frame["abs_z"][: tip + 1]) < 0).all()
    assert (np.diff(frame["abs_z"][tip:]) > 0).all()
    ax = result.plot()
    np.testing.assert_array_equal(ax.lines[1].get_xydata(), frame[["yi", "abs_z"]])
    assert ax.yaxis_inverted()
    assert f"{result.index:.2f}" in ax.get_title(loc="left")
    assert ax.lines[0].get_xdata()[0] == frame.loc[tip, "yi"]
