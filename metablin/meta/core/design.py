"""Designs given as matrices, and the typical sampling variance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metablin._input import numeric
from metablin.errors import DataError

__all__ = ["design_matrix", "typical_variance"]

FloatArray = NDArray[np.float64]


def design_matrix(
    design: ArrayLike | None, terms: Sequence[str] | None, keep: NDArray[np.bool_]
) -> tuple[FloatArray, tuple[str, ...]]:
    """Return the design of the kept studies and its column names, checked for rank."""
    k = len(keep)
    x = np.ones((k, 1)) if design is None else np.asarray(design, dtype=np.float64)
    if x.ndim != 2 or len(x) != k:
        raise DataError("must be a matrix", column="design", value=f"shape {x.shape}",
                        allowed=f"({k}, p)")  # fmt: skip
    for j in range(x.shape[1]):
        numeric(f"design[{j}]", x[:, j])
    if terms is None:
        names = ("intercept",) if design is None else tuple(f"x{j}" for j in range(x.shape[1]))
    else:
        names = tuple(str(t) for t in terms)
    if len(names) != x.shape[1]:
        raise DataError(f"{len(names)} names for {x.shape[1]} columns", column="terms")
    x = x[keep]
    if len(x) < x.shape[1]:
        raise DataError("more coefficients than studies", column="design",
                        value=f"{x.shape[1]} coefficients, {len(x)} studies")  # fmt: skip
    if np.linalg.matrix_rank(x) < x.shape[1]:
        raise DataError("its columns are linearly dependent, or one does not vary",
                        column="design", allowed="columns of full rank")  # fmt: skip
    return x, names


def typical_variance(vi: FloatArray) -> float:
    """Return the typical sampling variance of Higgins and Thompson.

    References
    ----------
    Higgins JPT, Thompson SG (2002), Stat Med 21:1539, eq. 9, doi:10.1002/sim.1186.
    """
    if len(vi) == 1:
        return float(vi[0])
    w = 1 / vi
    return float((len(w) - 1) * w.sum() / (w.sum() ** 2 - (w**2).sum()))
