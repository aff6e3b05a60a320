"""Generalised least squares on a network, with the exact covariance of multi-arm studies.

A study with arms 0..r gives contrasts y with covariance V + tau2 H, where H has 1 on the diagonal
and 1/2 beside it (Higgins and Whitehead 1996). H is known, so one change of basis per study turns V
into a diagonal D and H into the identity: H = L L', L^-1 V L^-T = U D U', z = U' L^-1 y. After it
the whole network is a meta-regression of independent rows z ~ N(x d, D + tau2), whatever tau2 is,
and every estimator of tau2 that knows a design serves networks with nothing neglected.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from metablin.network.records import Block, Network
from metablin.numerics.gls import Fit, gls
from metablin.numerics.tau2 import estimate_tau2
from metablin.records import freeze

__all__ = ["TAU2_METHODS", "Rows", "effects_of", "estimate", "rows_of", "solve", "stack"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]

TAU2_METHODS = ("REML", "DL", "ML", "PM", "HE", "HS", "SJ", "EB")


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """A network after the change of basis: independent rows.

    Attributes
    ----------
    y, v : ndarray, shape (c,)
        Effects, and variances to which tau2 adds as it is.
    x : ndarray, shape (c, t)
        Design on all t treatments; every row is orthogonal to a constant.
    study : ndarray of int, shape (c,)
        Block each row comes from.
    """

    y: FloatArray
    v: FloatArray
    x: FloatArray
    study: IntArray

    def __post_init__(self) -> None:
        freeze(self)

    def take(self, at: NDArray[np.bool_]) -> Rows:
        """Return the rows where `at` is true."""
        return Rows(self.y[at], self.v[at], self.x[at], self.study[at])


@lru_cache(maxsize=64)
def _root(r: int) -> FloatArray:
    """Return L^-1, where L L' is the between-study correlation of r contrasts with one base."""
    h = (np.eye(r) + 1.0) / 2
    return np.asarray(np.linalg.inv(np.linalg.cholesky(h)), dtype=np.float64)


def rows_of(network: Network) -> Rows:
    """Return the independent rows of a network.

    References
    ----------
    Higgins JPT, Whitehead A (1996). Borrowing strength from external trials in a meta-analysis,
    section 4 (the between-study covariance). doi:10.1002/(SICI)1097-0258(19961230)15:24<2733
    """
    return stack(network.blocks, len(network.treatments))


def stack(blocks: Sequence[Block], size: int) -> Rows:
    """Return the independent rows of blocks of a network with `size` treatments."""
    starts = np.concatenate([[0], np.cumsum([len(b.y) for b in blocks])]).astype(np.intp)
    y, v = np.empty(starts[-1]), np.empty(starts[-1])
    x = np.zeros((starts[-1], size))
    study = np.repeat(np.arange(len(blocks)), np.diff(starts))
    for r in sorted({len(b.y) for b in blocks}):
        which = np.array([i for i, b in enumerate(blocks) if len(b.y) == r])
        at = starts[which][:, None] + np.arange(r)
        effects = np.stack([blocks[i].y for i in which])
        cov = np.stack([blocks[i].cov for i in which])
        arms = np.array([blocks[i].arms for i in which])
        design = np.zeros((len(which), r, size))
        n, j = np.arange(len(which))[:, None], np.arange(r)
        design[n, j, arms[:, 1:]] = 1.0
        design[n, j, arms[:, :1]] = -1.0
        if r > 1:
            low = _root(r)
            values, vectors = np.linalg.eigh(low @ cov @ low.T)
            turn = np.swapaxes(vectors, -1, -2) @ low
            effects, design = np.einsum("nij,nj->ni", turn, effects), turn @ design
        else:
            values = cov[:, :, 0]
        y[at], v[at], x[at] = effects, values, design
    return Rows(y, v, x, study)


def solve(rows: Rows, tau2: float, extra: FloatArray | None = None) -> Fit:
    """Return the fit of effects against the first treatment, with `extra` columns at the end."""
    return gls(rows.y, 1 / (rows.v + tau2), design_of(rows, extra))


def design_of(rows: Rows, extra: FloatArray | None = None) -> FloatArray:
    """Return the design of effects against the first treatment, with `extra` columns at the end.

    What a study has once (a covariate, its design) may multiply rows of ``x``: the change of basis
    mixes the contrasts of one study only.
    """
    x = rows.x[:, 1:]
    return x if extra is None else np.column_stack([x, extra])


def estimate(method: str, rows: Rows, extra: FloatArray | None = None) -> float:
    """Return tau2 by the named estimator; 0 where no degree of freedom is left.

    Examples
    --------
    >>> from metablin.network import network
    >>> n = network({"study": ["A", "B", "C"], "treat1": ["x"] * 3, "treat2": ["y"] * 3,
    ...              "yi": [0.1, 0.5, 0.9], "vi": [0.04, 0.05, 0.03]}, "generic")
    >>> round(estimate("DL", rows_of(n)), 6)
    0.140833
    """
    x = design_of(rows, extra)
    if len(rows.y) <= x.shape[1]:
        return 0.0
    return float(estimate_tau2(method, rows.y, rows.v, x))


def effects_of(fit: Fit, size: int) -> tuple[FloatArray, FloatArray]:
    """Return effects against the first treatment and their covariance, that treatment included."""
    d, cov = np.zeros(size), np.zeros((size, size))
    d[1:] = fit.beta[: size - 1]
    cov[1:, 1:] = fit.cov[: size - 1, : size - 1]
    return d, cov
