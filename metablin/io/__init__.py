"""Files at the door: one reader for every table and curve, one writer for every output.

A reader says in one line what it understood and mended (``note``); what it cannot read without
guessing it refuses, naming every bad cell and the smallest mend.
"""

from metablin.io.formula import Formula, moderator_columns, read_formula

__all__ = ["Formula", "moderator_columns", "read_formula"]
