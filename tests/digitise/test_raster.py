"""Pictures are read to a few thousandths: colours, dashes, bands, JPEG, a turn of one degree."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

import metablin as mb
from tests.digitise.figures import DASHES, Manner, draw, error, simulate

COLOUR = 0.006  # error of S at 150 dpi: a pixel is .003 of the survival axis and .1 of a month
GREY = 0.012  # dashes leave gaps in which a fall may lie anywhere


def _check(found, arms, tolerance, low=0.0):
    assert [a.id for a in found.arms] == [a.name for a in arms]
    assert not found.doubtful()
    ticks = np.arange(0, 61, 12)
    for arm, read in zip(arms, found.arms, strict=True):
        assert error(arm, read.time, read.survival, low) < tolerance
        np.testing.assert_array_equal(read.at_risk, arm.at_risk(ticks))
        assert not read.exact


@pytest.mark.parametrize(
    ("kind", "manner", "tolerance"),
    [
        ("png", Manner(), COLOUR),
        ("jpg", Manner(percent=True, grid=True, marks=True), COLOUR),
        ("webp", Manner(band="shade", legend=False, direct=True), COLOUR),
        ("png", Manner(dpi=300), COLOUR / 2),
        ("png", Manner(colours=("#575757", "#6f6f6f"), width=2), COLOUR),
        ("tiff", Manner(colours=("black",) * 2, dashes=DASHES[:2], width=2), GREY),
    ],
    ids=[
        "colour",
        "jpeg, marks, grid",
        "bands, direct labels",
        "300 dpi",
        "two greys",
        "black dashes",
    ],
)
def test_curves_tables_and_names(kind, manner, tolerance, tmp_path):
    arms = simulate(11)
    _check(mb.digitise(draw(tmp_path / f"f.{kind}", arms, manner)), arms, tolerance)


def test_one_legend_may_serve_two_panels(tmp_path):
    groups = [simulate(1), simulate(2)]
    manner = Manner(legend=False, below=True, table=False)
    found = mb.digitise(draw(tmp_path / "f.png", groups, manner))
    assert [a.id for a in found.arms] == ["A|Drug", "A|Placebo", "B|Drug", "B|Placebo"]
    assert not found.doubtful()
    for arm, read in zip([*groups[0], *groups[1]], found.arms, strict=True):
        assert error(arm, read.time, read.survival) < COLOUR


def test_a_turned_scan_is_set_straight(tmp_path):
    arms = simulate(12)
    with Image.open(draw(tmp_path / "f.png", arms)) as image:
        turned = image.convert("RGB").rotate(1.0, Image.Resampling.BICUBIC, fillcolor="white")
    turned.save(tmp_path / "turned.png")
    found = mb.digitise(tmp_path / "turned.png")
    assert "turned" in found.summary()
    _check(found, arms, 2 * COLOUR)


def test_a_pdf_that_holds_a_picture(tmp_path):
    arms = simulate(13)
    with Image.open(draw(tmp_path / "f.png", arms)) as image:
        image.convert("RGB").save(tmp_path / "scan.pdf", resolution=150)
    found = mb.digitise(tmp_path / "scan.pdf")
    assert found.kind == "raster"
    _check(found, arms, 2 * COLOUR)


def test_axes_by_hand_replace_the_labels(tmp_path):
    arms = simulate(14)
    path = draw(tmp_path / "f.png", arms)
    found = mb.digitise(path, x_axis=(0, 60), y_axis=(0, 1))
    assert {p.x.source for p in found.panels} == {"given"}
    _check(found, arms, COLOUR)


def test_an_axis_by_hand_that_contradicts_its_labels_is_doubted(tmp_path):
    path = draw(tmp_path / "f.png", simulate(14))
    found = mb.digitise(path, x_axis=(0, 75), y_axis=(0, 1))
    for arm in found.arms:
        assert any("read 0 to 60, not 0 to 75" in r for r in arm.reasons)
    assert len(found.doubtful()) == len(found.arms)
    years = mb.digitise(path, x_axis=(0, 5), y_axis=(0, 100))
    assert not years.doubtful()


def test_missing_engine_is_one_line(tmp_path, monkeypatch):
    """Without the engine the message names the extra and what can be given by hand."""
    import sys

    from metablin.digitise.readers import ocr

    ocr._engine.cache_clear()
    monkeypatch.setitem(sys.modules, "rapidocr_onnxruntime", None)
    with pytest.raises(mb.DataError, match=r"metablin\[figures\].*--x-axis"):
        mb.digitise(draw(tmp_path / "f.png", simulate(1)))
    ocr._engine.cache_clear()


def test_a_table_that_the_curve_contradicts_is_named(tmp_path):
    path = draw(tmp_path / "f.svg", simulate(15))
    found = mb.digitise(path, at_risk="Drug 0:120,12:119,24:118; Placebo 0:120,12:60")
    assert any("119 at 12" in r for r in found.arms[0].reasons)
    assert [a.id for a in found.doubtful()] == ["Drug"]
