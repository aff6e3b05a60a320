"""What was reported, by whom, and where: the evidence tables and their checks."""

from __future__ import annotations

from metablin.datasets._load import describe, load, tables
from metablin.datasets.package import Field, Table, data_directory
from metablin.datasets.tracing import find_trial, trace
from metablin.datasets.validation import ValidationReport, Violation, validate

__all__ = [
    "Field",
    "Table",
    "ValidationReport",
    "Violation",
    "data_directory",
    "describe",
    "find_trial",
    "load",
    "tables",
    "trace",
    "validate",
]
