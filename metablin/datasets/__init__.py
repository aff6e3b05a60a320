"""What was reported, by whom, and where: the evidence tables and their checks."""

from __future__ import annotations

from metablin.datasets._asof import read_date
from metablin.datasets._load import copies, describe, load, tables
from metablin.datasets.curves import ReadCurve, curves
from metablin.datasets.package import Field, Table, data_directory
from metablin.datasets.tracing import find_trial, trace
from metablin.datasets.validation import ValidationReport, Violation, validate
from metablin.datasets.vocabulary import Entry, entries, entry, said

__all__ = [
    "Entry",
    "Field",
    "ReadCurve",
    "Table",
    "ValidationReport",
    "Violation",
    "copies",
    "curves",
    "data_directory",
    "describe",
    "entries",
    "entry",
    "find_trial",
    "load",
    "read_date",
    "said",
    "tables",
    "trace",
    "validate",
]
