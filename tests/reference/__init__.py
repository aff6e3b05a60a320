"""Pinned values from R, and the inputs they were made from."""

import json
from pathlib import Path
from typing import Any

import pandas as pd

HERE = Path(__file__).parent


def pinned(name: str) -> Any:
    """Return the content of ``name.json``."""
    return json.loads((HERE / f"{name}.json").read_text(encoding="utf-8"))


def table(name: str) -> pd.DataFrame:
    """Return the input table ``data/name.csv``."""
    return pd.read_csv(HERE / "data" / f"{name}.csv")
