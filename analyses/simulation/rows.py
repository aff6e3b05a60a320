"""Tables of the simulations."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

HERE = Path(__file__).parent
DESIGNS = {
    "coverage": ["k", "tau2", "interval"],
    "transforms": ["p", "scale"],
    "survival_tests": ["scenario", "test"],
    "cure": ["followup", "cured", "n", "interval"],
    "bands": ["k", "followed", "method"],
    "few_studies_verdict": ["interval"],
    "few_studies": ["kind", "k", "tau", "interval"],
}
"""Columns that say which setting of a simulation a line is."""


def keyed(name: str, columns: list[str]) -> pd.DataFrame:
    """Return a committed table of simulation results with a key of its design columns."""
    frame = pd.read_csv(HERE / f"{name}.csv")
    keys = [".".join(f"{c}_{v}" for c, v in zip(columns, row, strict=True)).replace(" ", "_")
            for row in frame[columns].itertuples(index=False, name=None)]  # fmt: skip
    frame.insert(0, "key", keys)
    return frame
