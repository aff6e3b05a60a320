"""What every result is made of: the record base and JSON-ready values."""

from metablin.records.base import Record, freeze, jsonable
from metablin.records.saved import decode, record_to_json

__all__ = ["Record", "decode", "freeze", "jsonable", "record_to_json"]
