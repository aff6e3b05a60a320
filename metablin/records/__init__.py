"""What every result is made of: the record base and JSON-ready values."""

from metablin.records.base import Record, freeze, jsonable

__all__ = ["Record", "freeze", "jsonable"]
