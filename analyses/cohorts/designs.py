"""Designs stand side by side: which they are, and the key of a pool of each."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

MAIN = "single_arm"
"""A question about one arm is answered by prospective single-arm trials first."""
DESIGNS = (MAIN, "rct", "external_control", "retrospective")
"""In reading order; ``rct`` is the blinatumomab arm of a randomised trial."""


def suffix(design: str) -> str:
    """Return what a key ends with: nothing for the main design."""
    return "" if design == MAIN else f".{design}"


def by_design(rows: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the rows of every design that has some, the main design first."""
    for design in DESIGNS:
        part = rows.loc[rows["design"] == design]
        if not part.empty:
            yield design, part
