"""What every result is made of: the record base, tables and columns, JSON-ready values."""

from metablin.records.base import Record, Row, freeze, json_dict, jsonable
from metablin.records.coefficients import Coefficients
from metablin.records.saved import decode, record_to_json
from metablin.records.table import UNITS, Column, Role, Table, Unit

__all__ = [
    "UNITS",
    "Coefficients",
    "Column",
    "Record",
    "Role",
    "Row",
    "Table",
    "Unit",
    "decode",
    "freeze",
    "json_dict",
    "jsonable",
    "record_to_json",
]
