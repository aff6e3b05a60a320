"""Vector figures are read to the precision of the file."""

from __future__ import annotations

import re

import numpy as np
import pytest

import metablin as mb
from tests.digitise.figures import DASHES, Manner, draw, error, simulate

EXACT = (
    1e-3  # error of S that the coordinates of a file explain, the ends of steps on a grid included
)
NAMES3 = ("Arm A", "Arm B", "Arm C")

MANNERS = {
    "plain": Manner(),
    "black dashes": Manner(colours=("black",) * 3, dashes=DASHES),
    "percent from 20": Manner(percent=True, low=0.2),
    "direct labels": Manner(legend=False, direct=True),
    "shaded bands, marks, grid": Manner(band="shade", marks=True, grid=True),
    "dotted bands": Manner(band="dash"),
    "text as outlines": Manner(extra={"svg.fonttype": "path", "pdf.fonttype": 3}),
}


@pytest.mark.parametrize("kind", ["pdf", "svg"])
@pytest.mark.parametrize("name", MANNERS)
def test_curves_tables_and_names_are_exact(name, kind, tmp_path):
    manner = MANNERS[name]
    arms = simulate(7, names=NAMES3 if "black" in name else ("Drug", "Placebo"))
    found = mb.digitise(draw(tmp_path / f"f.{kind}", arms, manner))
    assert [a.id for a in found.arms] == [a.name for a in arms]
    assert found.confidence >= 0.8
    ticks = np.arange(0, 61, 12)
    for arm, read in zip(arms, found.arms, strict=True):
        assert error(arm, read.time, read.survival, manner.low) < EXACT
        np.testing.assert_array_equal(read.at_risk, arm.at_risk(ticks))
        np.testing.assert_allclose(read.at_risk_times, ticks)
        assert read.exact


@pytest.mark.parametrize("kind", ["pdf", "svg"])
def test_marks_are_the_censored_times(kind, tmp_path):
    arms = simulate(3)
    found = mb.digitise(draw(tmp_path / f"f.{kind}", arms, Manner(marks=True)))
    for arm, read in zip(arms, found.arms, strict=True):
        true = np.unique(arm.time[arm.event == 0])
        seen = np.array([np.min(np.abs(read.censor_times - t)) for t in true])
        assert np.mean(seen < 0.01) > 0.95  # a mark under the other arm's may be given to that arm


@pytest.mark.parametrize("names", [("Drug", "Placebo"), ("Stage I", "Stage II", "Stage III")])
def test_letters_of_symbols_are_read_line_by_line(names, tmp_path):
    """Numbers, upright titles and names with spaces, letter by letter; nothing spells them."""
    arms = simulate(7, names=names)
    path = draw(tmp_path / "f.svg", arms, Manner(extra={"svg.fonttype": "path"}))
    text = path.read_text(encoding="utf-8")
    bare = re.sub("<!--.*?-->", "", text, flags=re.S)
    assert bare.count("<use ") == text.count("<use ") > 100
    path.write_text(bare, encoding="utf-8")
    found = mb.digitise(path)
    assert [a.id for a in found.arms] == list(names)
    assert not found.doubtful()
    ticks = np.arange(0, 61, 12)
    for arm, read in zip(arms, found.arms, strict=True):
        assert error(arm, read.time, read.survival) < EXACT
        np.testing.assert_array_equal(read.at_risk, arm.at_risk(ticks))
        np.testing.assert_allclose(read.at_risk_times, ticks)


def test_two_panels_bear_their_letters(tmp_path):
    groups = [simulate(1), simulate(2)]
    found = mb.digitise(draw(tmp_path / "f.pdf", groups))
    assert [a.id for a in found.arms] == ["A|Drug", "A|Placebo", "B|Drug", "B|Placebo"]
    for arm, read in zip([*groups[0], *groups[1]], found.arms, strict=True):
        assert error(arm, read.time, read.survival) < EXACT
    only = mb.digitise(tmp_path / "f.pdf", panel="B")
    assert [a.id for a in only.arms] == ["Drug", "Placebo"]
    np.testing.assert_array_equal(only.arms[0].time, found.arms[2].time)


def test_panels_may_share_one_survival_axis(tmp_path):
    """Only the left panel prints the survival axis, as facets do."""
    groups = [simulate(1), simulate(2)]
    found = mb.digitise(draw(tmp_path / "f.svg", groups, Manner(share=True, table=False)))
    assert [a.id for a in found.arms] == ["A|Drug", "A|Placebo", "B|Drug", "B|Placebo"]
    for arm, read in zip([*groups[0], *groups[1]], found.arms, strict=True):
        assert error(arm, read.time, read.survival) < EXACT


@pytest.mark.parametrize(
    "manner", [Manner(brackets=True), Manner(blocks=True)], ids=["brackets", "rows of events"]
)
def test_a_table_may_hold_more_than_numbers_at_risk(manner, tmp_path):
    """Censored patients stand in brackets after each number, or in a row of their own."""
    arms = simulate(8)
    found = mb.digitise(draw(tmp_path / "f.pdf", arms, manner))
    ticks = np.arange(0, 61, 12)
    for arm, read in zip(arms, found.arms, strict=True):
        assert read.id == arm.name
        np.testing.assert_array_equal(read.at_risk, arm.at_risk(ticks))
    assert not found.doubtful()


def test_rising_curves_are_read_as_one_minus_survival(tmp_path):
    arms = simulate(5)
    path = draw(tmp_path / "f.svg", arms, Manner(failure=True))
    with pytest.raises(mb.DataError, match="--failure"):
        mb.digitise(path)
    found = mb.digitise(path, failure=True)
    assert "1 - S" in found.summary()
    for arm, read in zip(arms, found.arms, strict=True):
        assert error(arm, read.time, read.survival) < EXACT


def test_a_figure_in_other_units_has_other_times(tmp_path):
    """An axis given by hand in other units multiplies the times and nothing else."""
    path = draw(tmp_path / "f.svg", simulate(9))
    months, years = mb.digitise(path), mb.digitise(path, x_axis=(0, 5))
    np.testing.assert_allclose(years.arms[0].time * 12, months.arms[0].time, atol=1e-6)
    np.testing.assert_array_equal(years.arms[0].survival, months.arms[0].survival)


def test_same_file_same_reading(tmp_path):
    path = draw(tmp_path / "f.pdf", simulate(9))
    a, b = mb.digitise(path), mb.digitise(path)
    assert a.to_dict() == b.to_dict()
    assert a.clicks.equals(b.clicks)


def test_a_page_of_text_may_hold_the_figure(tmp_path):
    """The figure stands on the second page, turned by nothing and among other text."""
    import pypdfium2

    arms = simulate(4)
    figure = pypdfium2.PdfDocument(draw(tmp_path / "f.pdf", arms))
    book = pypdfium2.PdfDocument.new()
    book.new_page(400, 500)
    book.import_pages(figure)
    book.save(tmp_path / "book.pdf")
    found = mb.digitise(tmp_path / "book.pdf")
    assert found.page == 2
    assert error(arms[0], found.arms[0].time, found.arms[0].survival) < EXACT
    with pytest.raises(mb.DataError, match="1 to 2"):
        mb.digitise(tmp_path / "book.pdf", page=3)


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_a_page_turned_on_its_side_is_refused(turn, tmp_path):
    """The content lies on its side or head: its axes are not found, and nothing is guessed."""
    import pypdfium2

    document = pypdfium2.PdfDocument(draw(tmp_path / "f.pdf", simulate(4)))
    document[0].set_rotation(turn)
    document.save(tmp_path / "turned.pdf")
    with pytest.raises(mb.DataError, match="axes"):
        mb.digitise(tmp_path / "turned.pdf")
