"""Files at the door: one reader for every table and curve, one writer for every output.

A reader says in one line what it understood and mended (``note``); what it cannot read without
guessing it refuses, naming every bad cell and the smallest mend.
"""

from metablin._input import MISSING, is_missing
from metablin.io.at_risk import AtRisk, match_ids, parse_at_risk, read_at_risk
from metablin.io.cells import explain
from metablin.io.cells import parse as parse_number
from metablin.io.curves import Curves, read_curves
from metablin.io.formula import Formula, moderator_columns, read_formula
from metablin.io.names import is_share, plain, printed_level, stands_for
from metablin.io.revman import RevManAnalysis, RevManReview, parse_revman
from metablin.io.studies import Studies, is_total, read_studies
from metablin.io.table import MONTHS, ReadOptions, Table, Unit, open_table
from metablin.io.write import check_outputs, target_of, write_bytes, write_text

__all__ = [
    "MISSING",
    "MONTHS",
    "AtRisk",
    "Curves",
    "Formula",
    "ReadOptions",
    "RevManAnalysis",
    "RevManReview",
    "Studies",
    "Table",
    "Unit",
    "check_outputs",
    "explain",
    "is_missing",
    "is_share",
    "is_total",
    "match_ids",
    "moderator_columns",
    "open_table",
    "parse_at_risk",
    "parse_number",
    "parse_revman",
    "plain",
    "printed_level",
    "read_at_risk",
    "read_curves",
    "read_formula",
    "read_studies",
    "stands_for",
    "target_of",
    "write_bytes",
    "write_text",
]
