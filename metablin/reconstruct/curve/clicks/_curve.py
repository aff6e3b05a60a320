"""One checked curve with what is known beside it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metablin.reconstruct.reading import CAREFUL, Reading

__all__ = ["Curve"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """One checked curve, ready for the fit.

    Times are in the caller's unit, survival in 0..1. `starts` holds the times of the risk table
    with 0 first, shape (K,); `counts` the patients whose time is at least `starts`, shape (K,).
    `whole` tells whether times are whole units, None while that is not settled; `reading` how the
    clicks came about; `beyond` a time up to which events must lie though nobody clicked there.
    """

    time: FloatArray
    survival: FloatArray
    n: int
    starts: FloatArray
    counts: IntArray
    events: int | None
    marks: FloatArray | None
    whole: bool | None = None
    reading: Reading = CAREFUL
    beyond: float = 0.0

    @property
    def has_table(self) -> bool:
        """Whether numbers at risk after time zero are known."""
        return self.starts.size > 1

    @property
    def end(self) -> float:
        """Last time of the curve or of the risk table, or beyond, whichever is latest."""
        return float(max(self.time[-1], self.starts[-1], self.beyond))
