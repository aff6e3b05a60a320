"""Readers: a file to one drawing of strokes, labels and pixels."""

from metablin.digitise.readers.drawing import Colour, Drawing, Label, Stroke, colour_distance, hexed
from metablin.digitise.readers.ocr import recognise, recognise_crops
from metablin.digitise.readers.opening import kind_of, read_picture
from metablin.digitise.readers.outlines import spell, spell_lines
from metablin.digitise.readers.pdf import page_count, read_pdf
from metablin.digitise.readers.svg import read_svg

__all__ = [
    "Colour",
    "Drawing",
    "Label",
    "Stroke",
    "colour_distance",
    "hexed",
    "kind_of",
    "page_count",
    "read_pdf",
    "read_picture",
    "read_svg",
    "recognise",
    "recognise_crops",
    "spell",
    "spell_lines",
]
