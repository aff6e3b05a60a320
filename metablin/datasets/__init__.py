"""What was reported, by whom, and where: the evidence tables and their checks."""

from __future__ import annotations

from metablin.datasets._load import load, tables

__all__ = ["load", "tables"]
