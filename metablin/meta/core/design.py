"""Designs and sampling covariances given as matrices, and the typical sampling variance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metablin._input import items, numeric, same_length
from metablin.errors import DataError

__all__ = ["design_matrix", "sampling_variances", "typical_variance"]

FloatArray = NDArray[np.float64]


def design_matrix(
    design: ArrayLike | None, terms: Sequence[str] | None, keep: NDArray[np.bool_]
) -> tuple[FloatArray, tuple[str, ...]]:
    """Return the design of the kept studies and its column names, checked for rank."""
    k = len(keep)
    x = np.ones((k, 1)) if design is None else _matrix("design", design)
    if x.ndim != 2 or len(x) != k:
        raise DataError("must be a matrix", column="design", value=f"shape {x.shape}",
                        allowed=f"({k}, p)")  # fmt: skip
    for j in range(x.shape[1]):
        numeric(f"design[{j}]", x[:, j])
    if terms is not None:
        terms = items("terms", terms)
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


def sampling_variances(vi: ArrayLike, k: int, studies: Sequence[str] | None = None) -> FloatArray:
    """Return the sampling variances (k,) or covariance (k, k) of k estimates after checking them.

    Raises
    ------
    DataError
        For variances that are not positive, or a matrix that is no covariance.
    """
    try:
        dimensions = np.ndim(vi)
    except ValueError:
        raise DataError(
            "not a matrix of numbers", column="vi", allowed="rows of one length"
        ) from None
    if dimensions != 2:
        v = numeric("vi", vi, above=0, studies=studies)
        same_length(yi=np.empty(k), vi=v)
        return v
    v = _matrix("vi", vi)
    if v.shape != (k, k):
        raise DataError(f"{len(v)} variances for {k} estimates", column="vi")
    if not np.isfinite(v).all() or not np.allclose(v, v.T, rtol=1e-10, atol=0):
        raise DataError("not a covariance matrix", column="vi", allowed="finite and symmetric")
    if np.linalg.eigvalsh(v)[0] <= 0:
        raise DataError("not a covariance matrix", column="vi", allowed="positive definite")
    return v


def _matrix(name: str, values: ArrayLike) -> FloatArray:
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise DataError("not a matrix of numbers", column=name) from None
