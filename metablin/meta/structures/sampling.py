"""Covariances of sampling errors, built from correlations that are known or supposed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from metablin import _input
from metablin._frame import reads
from metablin.errors import DataError

__all__ = ["sampling_covariance"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]
SINGULAR = 1e-10
"""Eigenvalues of a correlation matrix below this are zero but for rounding."""


@reads(
    "vi",
    "cluster",
    optional=("estimate", "type", "time", "group1", "group2", "n1", "n2"),
)
def sampling_covariance(
    vi: ArrayLike | str,
    cluster: Sequence[Any] | str,
    estimate: Sequence[Any] | str | None = None,
    type: Sequence[Any] | str | None = None,
    time: ArrayLike | str | None = None,
    group1: Sequence[Any] | str | None = None,
    group2: Sequence[Any] | str | None = None,
    n1: ArrayLike | str | None = None,
    n2: ArrayLike | str | None = None,
    *,
    rho: float | None = None,
    rho_type: float | None = None,
    phi: float | None = None,
    data: Any = None,
    missing: str = "error",
) -> FloatArray:
    """Return the covariance of estimates that share patients, from correlations.

    Estimates of one cluster correlate by the product of what is given here; those of different
    clusters not at all.

    Parameters
    ----------
    vi : array-like, shape (k,)
        Sampling variances.
    cluster : sequence, shape (k,)
        Who shares patients: the trial.
    estimate : sequence, shape (k,), optional
        Which of several estimates of one kind (scales, say): two of the same are correlated by 1,
        others by `rho`.
    type : sequence, shape (k,), optional
        Kind of outcome: of different kinds, the correlation is `rho_type` (whatever their
        `estimate`).
    time : array-like, shape (k,), optional
        When it was measured: the correlation falls by `phi` to the power of the time between.
    group1, group2 : sequence, shape (k,), optional
        Arms that were compared. Contrasts that share an arm are correlated by what that arm adds
        to their variances.
    n1, n2 : array-like, shape (k,), optional
        Sizes of these arms; equal ones without them.
    rho, rho_type : float, optional
        Between -1 and 1.
    phi : float, optional
        Between 0 and 1.
    data, missing
        Table for names of columns; ``missing="drop"`` leaves out incomplete rows.

    Returns
    -------
    ndarray, shape (k, k)

    Raises
    ------
    DataError
        When a correlation that is needed is not given, or together they are impossible (the matrix
        is not positive definite), naming the cluster.

    Notes
    -----
    As ``vcalc`` of R's metafor does it: its ``obs`` is `estimate`, its ``rho`` with two numbers is
    `rho` and `rho_type`.

    References
    ----------
    Gleser LJ, Olkin I (2009). Stochastically dependent effect sizes. In: The Handbook of Research
    Synthesis and Meta-Analysis, 2nd ed. (shared arms). Viechtbauer W (2010). J Stat Softw 36(3),
    doi:10.18637/jss.v036.i03.

    Examples
    --------
    >>> sampling_covariance([0.04, 0.09, 0.04], ["A", "A", "B"], estimate=[1, 2, 1],
    ...                     rho=0.5).round(3).tolist()
    [[0.04, 0.03, 0.0], [0.03, 0.09, 0.0], [0.0, 0.0, 0.04]]

    Two drugs against one placebo arm of the same size:

    >>> v = sampling_covariance([0.04] * 2, ["A"] * 2, group1=["x", "y"], group2=["p", "p"])
    >>> v.round(3).tolist()
    [[0.04, 0.02], [0.02, 0.04]]
    """
    v = _input.numeric("vi", vi, above=0)
    k = len(v)
    trial = _codes("cluster", cluster, k)
    r = np.asarray(trial[:, None] == trial, dtype=np.float64)
    r *= _kinds(estimate, type, rho, rho_type, k)
    if time is not None:
        at = _input.numeric("time", time)
        _input.same_length(vi=v, time=at)
        step = _between("phi", phi, 0.0, "time")
        r *= step ** np.abs(np.subtract.outer(at, at))
    if (group1 is None) != (group2 is None):
        raise DataError("needs the other arm too", column="group1" if group2 is None else "group2")
    if group1 is not None and group2 is not None:
        r *= _shared(group1, group2, n1, n2, k)
    elif n1 is not None or n2 is not None:
        raise DataError("sizes of arms without the arms", column="n1", allowed="group1, group2")
    np.fill_diagonal(r, 1.0)
    _possible(r, trial, _input.items("cluster", cluster))
    spread = np.sqrt(v)
    out = r * spread[:, None] * spread
    np.fill_diagonal(out, v)
    return np.asarray(out)


def _codes(name: str, labels: Any, k: int) -> IntArray:
    given = _input.items(name, labels)
    if len(given) != k:
        raise DataError(f"{len(given)} labels for {k} estimates", column=name)
    for i, label in enumerate(given):
        if _input.is_missing(label):
            raise DataError("no label", row=i + 1, column=name)
    codes = pd.factorize(np.asarray([str(x) for x in given], dtype=object))[0]
    return np.asarray(codes, dtype=np.intp)


def _between(name: str, value: Any, low: float, needed_by: str) -> float:
    if value is None:
        raise DataError(f"is needed with {needed_by}", column=name, allowed=f"{low:g} to 1")
    return _input.one(name, value, minimum=low, maximum=1)


def _kinds(estimate: Any, kind: Any, rho: Any, rho_type: Any, k: int) -> FloatArray:
    out = np.ones((k, k))
    for name, value, needs in (("rho", rho, estimate), ("rho_type", rho_type, kind)):
        if value is not None and needs is None:
            other = "estimate" if name == "rho" else "type"
            raise DataError(f"a correlation without {other}", column=name, value=str(value),
                            allowed=f"{other}=")  # fmt: skip
    if estimate is not None:
        which = _codes("estimate", estimate, k)
        within = _between("rho", rho, -1.0, "estimate")
        out = np.where(which[:, None] == which, 1.0, within)
    if kind is not None:
        sort = _codes("type", kind, k)
        across = _between("rho_type", rho_type, -1.0, "type")
        out = np.where(sort[:, None] == sort, out, across)
    return np.asarray(out, dtype=np.float64)


def _shared(group1: Any, group2: Any, n1: Any, n2: Any, k: int) -> FloatArray:
    """Return correlations of contrasts: an arm of n patients has the variance 1/n in each."""
    names = [*_input.items("group1", group1), *_input.items("group2", group2)]
    if len(names) != 2 * k:
        raise DataError(f"{len(names)} arms for {k} contrasts", column="group1")
    arm = _codes("group1", names, 2 * k)
    if (n1 is None) != (n2 is None):
        raise DataError("needs the sizes of both arms", column="n1 and n2")
    size = np.ones(2 * k)
    if n1 is not None:
        size = np.r_[_input.numeric("n1", n1, above=0), _input.numeric("n2", n2, above=0)]
    if len(size) != 2 * k:
        raise DataError(f"{len(size)} sizes for {k} contrasts", column="n1")
    for i in np.flatnonzero(arm[:k] == arm[k:])[:1]:
        raise DataError("an arm compared with itself", row=int(i) + 1, column="group1")
    rows = np.zeros((k, int(arm.max()) + 1))
    at = np.arange(k)
    rows[at, arm[:k]] = 1 / np.sqrt(size[:k])
    rows[at, arm[k:]] = -1 / np.sqrt(size[k:])
    rows /= np.linalg.norm(rows, axis=1)[:, None]
    return np.asarray(rows @ rows.T)


def _possible(r: FloatArray, trial: IntArray, labels: Sequence[Any]) -> None:
    for code in np.unique(trial):
        at = np.flatnonzero(trial == code)
        least = float(np.linalg.eigvalsh(r[np.ix_(at, at)])[0])
        if len(at) > 1 and least <= SINGULAR:
            raise DataError(
                "these correlations are impossible together, or make two estimates one (the matrix "
                "is not positive definite)", row=int(at[0]) + 1, column="cluster",
                value=str(labels[at[0]]), allowed="smaller correlations, or fewer estimates",
            )  # fmt: skip
