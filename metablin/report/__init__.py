"""Results for people: nouns, number formats and the self-contained HTML report."""

from __future__ import annotations

from metablin.report.format import MISSING, format_estimate, format_number
from metablin.report.model import UNITS, Figure, Headline, Outcome, Table, slug

__all__ = [
    "MISSING",
    "UNITS",
    "Figure",
    "Headline",
    "Outcome",
    "Table",
    "format_estimate",
    "format_number",
    "slug",
]
