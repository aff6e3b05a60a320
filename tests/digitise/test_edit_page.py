"""The page on which a reading is corrected, driven in a browser where one is there."""

from __future__ import annotations

import io
import shutil
import sys

import numpy as np
import pandas as pd
import pytest

import metablin as mb
from metablin.digitise import blank_page
from tests.digitise.figures import Manner, draw, simulate

BY_HAND = 0.05  # the lower end of every second fall was clicked
FINGER = 24  # pixels: least size of a target, WCAG 2.2, 2.5.8 (level AA)


@pytest.fixture(scope="module")
def chrome():
    """A browser for all pages, or None where none is installed."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        yield None
        return
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        chrome = play.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        yield chrome
        chrome.close()


def test_page_is_self_contained(tmp_path):
    found = mb.digitise(draw(tmp_path / "f.svg", simulate(31, names=("A</script>", "B"))))
    page = found.edit(tmp_path / "edit.html").read_text()
    assert "/*DATA*/null" not in page
    assert page.count("</script>") == 1
    assert page.replace("http://www.w3.org/2000/svg", "").count("http") == 0


def test_a_curve_is_corrected_and_saved_in_a_browser(tmp_path, capsys, chrome):
    """Drag one point, remove one, correct a cell, save; the reconstruction follows."""
    if chrome is None:
        with capsys.disabled():
            print("\nthe edit page was NOT driven: no browser is installed", file=sys.stderr)
        return
    found = mb.digitise(draw(tmp_path / "f.svg", simulate(32)))
    found.edit(tmp_path / "edit.html")
    page = chrome.new_page(accept_downloads=True, viewport={"width": 1300, "height": 1200})
    errors: list[str] = []
    page.on("pageerror", lambda e: errors.append(str(e)))
    page.goto((tmp_path / "edit.html").as_uri())
    unchanged = _saved(page, "clicks")
    points = page.locator("circle.point")
    count = points.count()
    box = points.nth(count - 1).bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y + 12, steps=4)
    page.mouse.up()
    page.mouse.dblclick(x - 3, y - 60)
    changed = _saved(page, "clicks")
    page.get_by_label("at risk 2").fill("77")
    page.get_by_label("at risk 2").press("Tab")
    risk = _saved(page, "risk")
    page.screenshot(path=tmp_path / "page.png")
    assert errors == []
    first = found.arms[0]
    mine = unchanged[unchanged["id"] == first.id]
    np.testing.assert_allclose(mine["survival"].to_numpy(), first.survival, atol=1e-4)
    np.testing.assert_allclose(mine["time"].to_numpy(), first.time, atol=1e-2)
    dragged = changed[changed["id"] == first.id]
    assert len(dragged) == len(mine) + 1  # the double-click added a point
    assert dragged["survival"].iloc[-1] < mine["survival"].iloc[-1] - 0.01
    assert risk.loc[risk["id"] == first.id, "n_at_risk"].iloc[1] == 77
    again = mb.reconstruct_km(
        dragged["time"], dragged["survival"], at_risk=(first.at_risk_times, first.at_risk)
    )
    assert len(again.time) == first.at_risk[0]


def test_the_page_of_the_site_reads_a_figure_from_nothing(tmp_path, capsys, chrome):
    """Open a picture, place the axes, click one curve, save; the reconstruction follows."""
    if chrome is None:
        with capsys.disabled():
            print("\nthe page of the site was NOT driven: no browser is installed", file=sys.stderr)
        return
    arms = simulate(33, n=40)
    picture = draw(tmp_path / "f.png", arms, Manner(dpi=72))
    read = mb.digitise(draw(tmp_path / "f.svg", arms))
    blank = tmp_path / "read.html"
    blank.write_text(blank_page(), encoding="utf-8")
    page = chrome.new_page(accept_downloads=True, viewport={"width": 1300, "height": 1200})
    errors: list[str] = []
    page.on("pageerror", lambda e: errors.append(str(e)))
    page.goto(blank.as_uri())
    page.get_by_label("Open a figure").set_input_files(picture)
    page.get_by_role("heading", name="Correct the reading of f.png").wait_for()
    x, y = read.panels[0].x, read.panels[0].y
    places = [(x.position(0), y.position(0)), (x.position(60), y.position(0)),
              (x.position(0), y.position(0)), (x.position(0), y.position(1))]  # fmt: skip
    figure = page.locator("#figure").bounding_box()
    width, height = read.drawing.width, read.drawing.height

    def at(px, py):
        return (figure["x"] + float(px) / width * figure["width"],
                figure["y"] + float(py) / height * figure["height"])  # fmt: skip

    for k, place in enumerate(places):
        box = page.locator("rect.axis").nth(k).bounding_box()
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.mouse.down()
        page.mouse.move(*at(*place), steps=3)
        page.mouse.up()
    page.get_by_label("Name").fill("Drug")
    page.get_by_label("Name").press("Tab")
    for px, py in read.arms[0].xy[2::4]:
        page.mouse.dblclick(*at(px, py))
    page.get_by_role("button", name="Add a cell").click()
    page.get_by_label("at risk 1").fill("40")
    page.get_by_label("at risk 1").press("Tab")
    clicks, risk = _saved(page, "clicks"), _saved(page, "risk")
    phone = chrome.new_context(
        viewport={"width": 390, "height": 800}, has_touch=True, is_mobile=True
    ).new_page()
    phone.goto(blank.as_uri())
    squares = [box.bounding_box() for box in phone.locator("rect.axis").all()]
    assert errors == []
    assert min(side[k] for side in squares for k in ("width", "height")) >= FINGER
    assert all(0 <= box["x"] <= 390 - box["width"] for box in squares)
    assert set(clicks["id"]) == set(risk["id"]) == {"Drug"}
    again = mb.reconstruct_km(clicks["time"], clicks["survival"], n=int(risk["n_at_risk"].iloc[0]))
    curve = mb.kaplan_meier(again.time, again.event)
    true = mb.kaplan_meier(arms[0].time, arms[0].event)
    times = np.array([6.0, 12.0, 24.0])
    np.testing.assert_allclose(curve.values_at(times)[0], true.values_at(times)[0], atol=BY_HAND)


def _saved(page, button):
    with page.expect_download() as waiting:
        page.click(f"#{button}")
    return pd.read_csv(io.StringIO(waiting.value.path().read_text()))
