"""Doi plot and LFK index."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from metablin.effects import EffectSizes
from metablin.errors import DataError
from metablin.meta.core.fit import MetaFit, effects_of
from metablin.records import Record, json_dict

__all__ = ["LFKIndex", "lfk_index"]

FloatArray = NDArray[np.float64]

CAVEAT = (
    "The LFK index has no reference distribution: its cut-offs 1 and 2 do not keep an error rate, "
    "and flag symmetric sets of few studies often."
)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class LFKIndex(Record):
    """An LFK index with the points of its Doi plot.

    Attributes
    ----------
    effects : EffectSizes
    index : float
    asymmetry : str
        ``none`` (within 1), ``minor`` (within 2) or ``major``.
    rank : ndarray, shape (k,)
        Normal score of the precision-weighted percentile of each study, in the order of the
        studies; the Doi plot shows its size against the effect.
    """

    effects: EffectSizes
    index: float
    asymmetry: str
    rank: FloatArray

    def to_frame(self) -> pd.DataFrame:
        """Return one row a study: the points of the Doi plot."""
        e = self.effects
        return pd.DataFrame(
            {"study": list(e.studies), "yi": e.yi, "z": self.rank, "abs_z": np.abs(self.rank)}
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the index as JSON-ready Python types."""
        return json_dict(
            {"index": self.index, "asymmetry": self.asymmetry, "studies": self.to_frame()}
        )

    def summary(self) -> str:
        """Return the index as text for people, with its caveat."""
        return f"LFK index {self.index:.2f}: {self.asymmetry} asymmetry\n{CAVEAT}"


def lfk_index(e: EffectSizes | MetaFit) -> LFKIndex:
    """Return the LFK index of the asymmetry of a Doi plot.

    Given because it is asked for: it is no test, and depends on the number of studies. Prefer
    :func:`metablin.egger`, :func:`metablin.peters` or :func:`metablin.pustejovsky`.

    Parameters
    ----------
    e : EffectSizes or MetaFit
        At least three studies.

    Returns
    -------
    LFKIndex

    Raises
    ------
    DataError
        For fewer than three studies, or effects that are all equal.

    References
    ----------
    Furuya-Kanamori L, Barendregt JJ, Doi SAR (2018). A new improved graphical and quantitative
    method for detecting bias in meta-analysis. doi:10.1097/XEB.0000000000000141

    Examples
    --------
    The example of that paper:

    >>> import metablin as mb
    >>> e = mb.generic([-4.27, -1.71, -0.58, -0.19, 0.0], [0.158, 0.076, 0.018, 0.022, 0.04])
    >>> round(mb.lfk_index(e).index, 2)
    -3.31
    """
    e = effects_of(e)
    if e.k < 3 or np.ptp(e.yi) == 0:
        raise DataError("the LFK index needs three studies whose effects differ",
                        value=f"k = {e.k}")  # fmt: skip
    order = np.argsort(e.yi, kind="stable")
    y, v = e.yi[order], e.vi[order]
    size = 100 * v.max() / v
    middle = np.cumsum(size) - size / 2
    z = special.ndtri((middle - 0.5) / size.sum())
    gap = y - y[np.argmin(np.abs(z))]
    index = 5 / (2 * e.k) * float((z + np.ptp(z) / np.ptp(gap) * gap).sum())
    rank = np.empty_like(z)
    rank[order] = z
    asymmetry = "none" if abs(index) <= 1 else "minor" if abs(index) <= 2 else "major"
    return LFKIndex(e, index, asymmetry, rank)
