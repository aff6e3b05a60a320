"""What was reported, by whom, and where: the evidence tables and their checks."""

from __future__ import annotations

from metablin.datasets._load import load, tables
from metablin.datasets._package import data_directory
from metablin.datasets._trace import trace
from metablin.datasets.validation import ValidationReport, Violation, validate

__all__ = [
    "ValidationReport",
    "Violation",
    "data_directory",
    "load",
    "tables",
    "trace",
    "validate",
]
