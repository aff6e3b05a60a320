"""The door for pairs of trial effects: checked once, for every model of surrogacy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metablin._input import labels, numeric, same_length
from metablin._input import level as check_level
from metablin.errors import DataError
from metablin.records import freeze

__all__ = ["Pairs", "trial_pairs"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Effects on the marker and on the true endpoint of k trials, with error covariances.

    Attributes
    ----------
    studies : tuple of str
    x, vx : ndarray, shape (k,)
        Effects on the marker (log odds ratio of response, say) and variances.
    y, vy : ndarray, shape (k,)
        Effects on the true endpoint (log hazard ratio) and variances.
    correlation : ndarray, shape (k,)
        Assumed correlation of the two estimates within every trial.
    level : float
        Confidence level.
    """

    studies: tuple[str, ...]
    x: FloatArray
    vx: FloatArray
    y: FloatArray
    vy: FloatArray
    correlation: FloatArray
    level: float

    def __post_init__(self) -> None:
        freeze(self)

    @property
    def k(self) -> int:
        """Number of trials."""
        return len(self.x)

    @property
    def data(self) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]:
        """x, vx, y, vy and the covariance of their errors, as the likelihoods take them."""
        return self.x, self.vx, self.y, self.vy, self.cxy

    def take(self, keep: NDArray[np.bool_]) -> Pairs:
        """Return the trials where `keep` is true."""
        names = tuple(name for name, kept in zip(self.studies, keep, strict=True) if kept)
        return Pairs(
            names,
            self.x[keep],
            self.vx[keep],
            self.y[keep],
            self.vy[keep],
            self.correlation[keep],
            self.level,
        )

    @property
    def cxy(self) -> FloatArray:
        """Covariance of the two errors of every trial, shape (k,)."""
        return np.asarray(self.correlation * np.sqrt(self.vx * self.vy))


def trial_pairs(
    x: ArrayLike,
    vx: ArrayLike,
    y: ArrayLike,
    vy: ArrayLike,
    studies: Iterable[Any] | None,
    correlation: ArrayLike,
    level: float,
    fewest: int,
) -> Pairs:
    """Return checked pairs of effects.

    Raises
    ------
    DataError
        With fewer than `fewest` trials, equal x, a trial named twice, or bad numbers.
    """
    known = None if studies is None else list(labels(studies, len(np.atleast_1d(x))))
    data = {"x": numeric("x", x, studies=known), "vx": numeric("vx", vx, above=0, studies=known),
            "y": numeric("y", y, studies=known),
            "vy": numeric("vy", vy, above=0, studies=known)}  # fmt: skip
    k = same_length(**data)
    names = labels(known, k)
    twice = next((i for i, name in enumerate(names) if name in names[:i]), None)
    if twice is not None:
        raise DataError("one trial twice", row=twice + 1, column="studies", value=names[twice],
                        allowed="one row a trial, or a label for each comparison")  # fmt: skip
    level = check_level(level)
    if k < fewest:
        raise DataError("too few trials for a line", column="k", value=k,
                        allowed=f"at least {fewest}")  # fmt: skip
    if np.ptp(data["x"]) == 0:
        raise DataError("all effects on the marker are equal", column="x", value=data["x"][0])
    return Pairs(names, **data, correlation=_correlations(correlation, k, names), level=level)


def _correlations(values: ArrayLike, k: int, names: tuple[str, ...]) -> FloatArray:
    rho = numeric("correlation", values)
    if len(rho) not in (1, k):
        raise DataError("not one correlation for all trials, nor one each", column="correlation",
                        value=f"{len(rho)} values", allowed=f"1 or {k}")  # fmt: skip
    bad = np.flatnonzero(np.abs(rho) >= 1)
    if bad.size:
        i = int(bad[0])
        raise DataError("not a correlation", row=i + 1, column="correlation", value=rho[i],
                        allowed="between -1 and 1", study=names[i])  # fmt: skip
    return np.array(np.broadcast_to(rho, k))
