"""Slim SVG files: the same numbers drawn, fewer bytes; where the curves of a picture lie."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from metablin import DataError
from metablin.plots import style
from metablin.plots._survival import TOP
from metablin.plots._svg import curve_area, slim_svg
from metablin.plots.km import draw_km
from metablin.report.html import Letters, inline_svg
from tests.plots.baselines import frame

ROUNDING = 0.01
"""Coordinates are kept to a hundredth of a point."""


@pytest.mark.parametrize(
    ("drawn", "slim"),
    [
        ("M 0 0 \nL 10.004 0 \nL 10.004 5 \nz", "M0 0H10V5z"),
        ("M 1 2 \nL 3 4 \nL 3 4 \nL 5 6", "M1 2L3 4L5 6"),
        ("M 1 2 \nL 1 2", "M1 2H1"),
        ("M 0 0 \nQ 1 2 3 4 \nz", "M0 0Q1 2 3 4z"),
        ("M -0.001 0.5 \nL 2 2 \nM 2 2 \nL 4 4", "M-0 0.5L2 2M2 2L4 4"),
        ("M 1e-05 3 \nL 2 3", "M1e-05 3H2"),
    ],
)
def test_a_path_keeps_its_points(drawn: str, slim: str) -> None:
    assert slim_svg(f'<path d="{drawn}"/>') == f'<path d="{slim}"/>'


def test_scales_and_sizes_stay_as_they_are() -> None:
    text = '<svg viewBox="0 0 10.123456 9"><g transform="scale(0.015625)"/></svg>'
    assert slim_svg(text) == text


@pytest.fixture
def saved(tmp_path: Path) -> str:
    _, ax = style.figure(5.2, 3.2)
    draw_km(frame("km"), frame("km_risk"), ax)
    style.save_figure(ax.figure, tmp_path / "km.svg")
    return (tmp_path / "km.svg").read_text(encoding="utf-8")


def test_the_curves_lie_where_the_picture_says(saved: str) -> None:
    left, top, right, bottom = curve_area(saved)
    width, height = map(float, re.search(r'viewBox="0 0 (\S+) (\S+)"', saved).groups())
    curves = re.findall(r'd="M([\d.]+) ([\d.]+)H[^"]*"[^>]*style="fill:none;stroke:#', saved)
    start = (left * width, bottom * height - (bottom - top) * height / TOP)
    assert any(
        abs(float(x) - start[0]) <= 2 * ROUNDING and abs(float(y) - start[1]) <= 2 * ROUNDING
        for x, y in curves
    )
    assert 0 < left < right < 1
    assert 0 <= top < bottom < 1


def test_a_picture_without_curves_is_named() -> None:
    with pytest.raises(DataError, match="curve-area"):
        curve_area('<svg viewBox="0 0 10 10"/>')


def test_pictures_of_a_page_share_their_letters(saved: str) -> None:
    letters = Letters([saved, saved])
    one, two = (inline_svg(saved, 'Two "arms"', p, letters) for p in ("a", "b"))
    page = letters.to_svg() + one + two
    names = re.findall(r' id="([^"]*)"', page)
    used = {a or b for a, b in re.findall(r'url\(#([^)]+)\)|href="#([^"]+)"', page)}
    assert len(names) == len(set(names))
    assert used <= set(names)
    assert "DejaVu" not in page
    assert 'aria-label="Two &quot;arms&quot;"' in one
    blanks = len(re.findall(r'href="#DejaVuSans(?:-Bold)?-3"', saved))  # glyph 3 is the space
    assert one.count('<use href="#g') == saved.count('href="#DejaVu') - blanks
