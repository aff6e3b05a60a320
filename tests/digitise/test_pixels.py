"""Parts of the reading of pictures on pictures made for them, where the right answer is exact."""

from __future__ import annotations

import numpy as np
import pytest

from metablin.digitise.axes import Panel, fit_axis
from metablin.digitise.raster.again import with_lone_labels
from metablin.digitise.raster.inks import Field, nearest_inks
from metablin.digitise.raster.marks import calibrate_pixels
from metablin.digitise.raster.trace import follow, lattice, refine, upright
from metablin.digitise.readers import Drawing, Label

PIXEL = 0.05  # pixels: coverage tells a place to this, as a line keeps its ink
MARK = 0.3  # pixels by which the middle of a drawn mark may be off


def _panel(x_labels, y_labels):
    x = fit_axis([0, 1, 2, 3], [lab.x for lab in x_labels], "labels", x_labels)
    y = fit_axis([1, 0.5, 0], [lab.y for lab in y_labels], "labels", y_labels)
    return Panel(x, y, False, "", (0.0, 0.0, 500.0, 400.0))


def test_numbers_of_a_table_above_the_axis_are_no_marks():
    """A table between the curves and the time axis: its digits are darker than the marks."""
    picture = np.full((400, 500, 3), 255, dtype=np.uint8)
    picture[310:312, 70:450] = 0  # the axis, below the table
    places = [100, 200, 300, 400]
    for k, p in enumerate(places):
        picture[312:318, p : p + 2] = 0
        picture[300:309, p - 12 + k : p - 8 + k] = 0  # a digit that is not under its mark
    across = [Label(str(k), p - 4.5, 330, p + 6.5, 342) for k, p in enumerate(places)]
    down = [Label(t, 40, p - 6, 60, p + 6) for t, p in (("1", 40), ("0.5", 150), ("0", 260))]
    found = calibrate_pixels(_panel(across, down), picture)
    assert found.x.source == "ticks"
    np.testing.assert_allclose(found.x.position([0, 1, 2, 3]), np.array(places) + 1, atol=MARK)


def test_marks_that_labels_swallow_are_found():
    """The box of every number ends with its mark; no line of an axis is drawn."""
    picture = np.full((400, 500, 3), 255, dtype=np.uint8)
    places = [40, 150, 260]
    for p in places:
        picture[p : p + 2, 60:66] = 30
        picture[p - 5 : p + 5, 44:48] = 0  # a digit, lower than its mark by a pixel
    across = [Label(str(k), 94 + 100 * k, 330, 106 + 100 * k, 342) for k in range(4)]
    down = [Label(t, 40, p - 5, 66, p + 5) for t, p in zip(("1", "0.5", "0"), places, strict=True)]
    found = calibrate_pixels(_panel(across, down), picture)
    assert found.y.source == "ticks"
    np.testing.assert_allclose(found.y.position([1, 0.5, 0]), np.array(places) + 1, atol=MARK)


def _stroke(width, falls, shape=(120, 160)):
    """Coverage of a line along a falling step curve, from many points within each pixel."""
    fine = 10
    y, x = np.mgrid[0 : shape[0] * fine, 0 : shape[1] * fine] / fine + 0.5 / fine
    ink = np.zeros(x.shape, dtype=bool)
    at, level = 10.0, 20.0
    for place, depth in [*falls, (150.0, 0.0)]:
        half = width / 2
        ink |= (np.abs(y - level) <= half) & (x >= at - half) & (x <= place + half)
        ink |= (np.abs(x - place) <= half) & (y >= level - half) & (y <= level + depth + half)
        at, level = place, level + depth
    return ink.reshape(shape[0], fine, shape[1], fine).mean(axis=(1, 3))


@pytest.mark.parametrize("width", [1.4, 2.6, 4.0])
def test_levels_and_falls_are_read_below_the_pixel(width):
    falls = [(40.3, 12.0), (77.7, 30.4), (110.5, 9.2)]
    own = _stroke(width, falls)
    hidden = np.zeros(own.shape, dtype=bool)
    trace = follow(own, hidden, (10, 20), 0.35, 3)
    x, y, wide, spikes, _ = refine(own, hidden, trace)
    assert abs(wide - width) < 4 * PIXEL
    assert len(spikes) == 0
    level = 20.0
    for place, depth in falls:
        got = upright(own, place + 0.6, level, level + depth, width)
        assert abs(got - place) < PIXEL
        level += depth
        after = y[np.argmin(np.abs(x - (place + 10)))]
        assert abs(after - level) < 2 * PIXEL


def test_a_lattice_is_told_from_chance():
    rng = np.random.default_rng(5)
    whole = rng.integers(0, 400, 20)
    assert lattice(whole + 0.5 + rng.normal(0, 0.05, 20), 5) == 0.5
    assert lattice(whole + rng.normal(0, 0.05, 20), 5) == 0.0
    taken = [lattice(rng.uniform(0, 400, 20), 5) for _ in range(400)]
    assert sum(t is not None for t in taken) <= 4  # Rayleigh's test: about one in 400, by half


def test_drained_samples_find_the_inks_of_their_lines():
    """Compression drains colours: the blue sample is nearer to the pixels of the green line."""
    rng = np.random.default_rng(2)
    inks = np.array([[68, 84, 148], [26, 88, 76], [130, 60, 60]], dtype=float)
    pixels = np.full((60, 300, 3), 255.0)
    for k, ink in enumerate(inks):
        part = rng.uniform(0.55, 1.0, (1, 300, 1))
        pixels[10 + 20 * k : 11 + 20 * k] = 255 - part * (255 - ink)
    paper = np.full_like(pixels, 255.0)
    strength = np.linalg.norm(paper - pixels, axis=2)
    field = Field(*(v.astype(np.float32) for v in (pixels, paper, strength)), 0, 0)
    got = np.array(nearest_inks(field, [(84, 86, 96), (30, 91, 78), (129, 71, 70)]))
    away, true = 255.0 - got, 255.0 - inks
    cosine = (away * true).sum(axis=1) / np.linalg.norm(away, axis=1) / np.linalg.norm(true, axis=1)
    assert np.all(cosine > 0.995)


def test_single_digits_that_were_passed_over_are_read():
    """Of a row of single digits only one was seen; the row holds the others."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 2), dpi=150)
    for k in range(6):
        figure.text(0.1 + 0.15 * k, 0.4, str(k), size=14)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[:, :, :3].copy()
    ink = np.argwhere(pixels[:, 360:400].mean(axis=2) < 128)
    (y0, x0), (y1, x1) = ink.min(axis=0), ink.max(axis=0) + 1
    seen = Label("2", 360.0 + x0, float(y0), 360.0 + x1, float(y1))
    drawing = Drawing("raster", 900.0, 300.0, labels=(seen,), pixels=pixels)
    found = sorted(lab.text for lab in with_lone_labels(drawing).labels)
    assert found == ["0", "1", "2", "3", "4", "5"]
