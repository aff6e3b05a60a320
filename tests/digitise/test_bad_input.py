"""What is no figure of survival is refused in one line that names the mend; nothing is written."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

import metablin as mb
from metablin.cli import app
from tests.cli.runner import CliRunner
from tests.digitise.figures import Manner, draw, simulate


def _chart(path, kind):
    figure = Figure(figsize=(5, 4))
    ax = figure.subplots()
    if kind == "bar":
        ax.bar(["a", "b", "c"], [0.2, 0.5, 1.0])
    elif kind == "scatter":
        ax.plot(np.linspace(0, 60, 40), np.random.default_rng(1).random(40), "o")
    else:
        figure.delaxes(ax)
        figure.text(0.5, 0.5, "No figure here")
    figure.savefig(path)
    return path


def _huge_png(path, side=20_000):
    """A few kilobytes that unfold to 400 megapixels."""

    def chunk(kind, body):
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    rows = zlib.compress(b"\0" * (side // 8 + 1) * 100, 9)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )
    return path


CASES = {
    "bar chart": lambda d: (_chart(d / "f.svg", "bar"), "axes|curve"),
    "scatter": lambda d: (_chart(d / "f.pdf", "scatter"), "curve"),
    "no axes": lambda d: (_chart(d / "f.svg", "text"), "--x-axis"),
    "log axis": lambda d: (draw(d / "f.svg", simulate(1), Manner(log=True)), "linear|axes"),
    "rising": lambda d: (draw(d / "f.pdf", simulate(1), Manner(failure=True)), "--failure"),
    "too large": lambda d: (_huge_png(d / "f.png"), "megapixels"),
    "lying": lambda d: (draw(d / "f.pdf", simulate(1)).rename(d / "f.png"), "PDF by its content"),
    "text": lambda d: (_text(d / "f.pdf", b"time,survival\n0,1\n"), "PDF, SVG"),
    "empty": lambda d: (_text(d / "f.svg", b""), "empty"),
    "broken pdf": lambda d: (_text(d / "f.pdf", b"%PDF-1.7\nnothing"), "not a readable PDF"),
    "broken svg": lambda d: (_text(d / "f.svg", b"<svg><g></svg>"), "line 1"),
    "entities": lambda d: (
        _text(d / "f.svg", b'<!DOCTYPE svg [<!ENTITY a "b">]><svg/>'),
        "entities",
    ),
    "broken png": lambda d: (_text(d / "f.png", b"\x89PNG\r\n\x1a\n1234"), "damaged"),
    "white": lambda d: (_white(d / "f.png"), "--x-axis"),
}


def _text(path, raw):
    path.write_bytes(raw)
    return path


def _white(path):
    Image.new("RGB", (400, 300), "white").save(path)
    return path


@pytest.mark.parametrize("name", CASES)
def test_one_line_and_nothing_written(name, tmp_path):
    path, words = CASES[name](tmp_path)
    with pytest.raises(mb.DataError, match=words) as caught:
        mb.digitise(path)
    assert "\n" not in str(caught.value)
    out = tmp_path / "clicks.csv"
    result = CliRunner().invoke(app, ["digitise", str(path), "--out", str(out)])
    assert result.exit_code == 1
    assert not out.exists()


def test_encrypted_pdf_is_named(tmp_path):
    """A file whose trailer asks for a password that is not empty."""
    body = b"""%PDF-1.4
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj
2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]>>endobj
4 0 obj<</Filter/Standard/V 1/R 2/O<OWNER>/U<USER>/P -44>>endobj
trailer<</Root 1 0 R/Encrypt 4 0 R/ID[<01><01>]>>
"""
    body = body.replace(b"OWNER", b"28" * 32).replace(b"USER", b"19" * 32)
    (tmp_path / "f.pdf").write_bytes(body)
    with pytest.raises(mb.DataError, match="encrypted"):
        mb.digitise(tmp_path / "f.pdf")


def test_options_that_make_no_sense_are_named(tmp_path):
    path = draw(tmp_path / "f.svg", simulate(1))
    for options, words in (
        ({"panel": "C"}, "no such panel"),
        ({"page": 2}, "no such page"),
        ({"at_risk": "Nobody 0:10,12:5"}, "no such arm"),
        ({"at_risk": "nonsense"}, "no such file: nonsense"),
        ({"at_risk": "Drug 0:a"}, "--at-risk"),
    ):
        with pytest.raises(mb.DataError, match=words):
            mb.digitise(path, **options)
