"""Results for people: nouns, their store, number formats, and one renderer."""

from __future__ import annotations

from metablin.records import UNITS, Column, Table
from metablin.report.export import export
from metablin.report.format import MISSING, format_estimate, format_number, format_range
from metablin.report.model import Figure, Headline, Outcome, slug
from metablin.report.paper import PaperText, write_up
from metablin.report.store import Saved, save

__all__ = [
    "MISSING",
    "UNITS",
    "Column",
    "Figure",
    "Headline",
    "Outcome",
    "PaperText",
    "Saved",
    "Table",
    "export",
    "format_estimate",
    "format_number",
    "format_range",
    "save",
    "slug",
    "write_up",
]
