"""Cluster-robust variances with small-sample corrections (CR0, CR1, CR2).

The estimate stays what the working model gives; its standard error no longer trusts the working
model about the dependence inside clusters. CR2 is unbiased when the working model is right, and
its t-tests take Satterthwaite degrees of freedom.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import special

from metablin import _input
from metablin.errors import DataError
from metablin.meta.core.design import design_matrix
from metablin.meta.normal.multilevel import MultilevelFit
from metablin.numerics.inference import wald
from metablin.records import Coefficients, jsonable

__all__ = ["JointTest", "RobustFit", "cluster_robust", "robust"]

FloatArray = NDArray[np.float64]
#: Eigenvalues below this share of the largest count as zero in generalised inverses.
EIGEN_FLOOR = 1e-12


@dataclass(frozen=True, slots=True)
class JointTest:
    """Approximate Hotelling T2 test that several coefficients are zero."""

    statistic: float
    df_num: float
    df_denom: float
    p_value: float


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class RobustFit(Coefficients):
    """Coefficients with cluster-robust inference.

    Attributes
    ----------
    terms : tuple of str
        Names of the p coefficients.
    beta, std_error, statistic, df, p_value, conf_low, conf_high : ndarray, shape (p,)
        Estimates, robust standard errors, t statistics and their degrees of freedom.
    cov : ndarray, shape (p, p)
        Robust covariance.
    kind : str
        ``CR0``, ``CR1``, ``CR1p`` or ``CR2``.
    clusters : int
        Number of clusters.
    joint : JointTest or None
        Test of all coefficients but the intercept (of all without one); CR2 only, and None when
        the clusters are too few for it.
    """

    UNWRITTEN: ClassVar[frozenset[str]] = frozenset({"joint"})

    df: FloatArray  # type: ignore[assignment] # one for each coefficient
    kind: str
    clusters: int
    joint: JointTest | None

    def to_frame(self) -> pd.DataFrame:
        """Return one row per coefficient."""
        frame = Coefficients.to_frame(self)
        frame.insert(list(frame).index("p_value"), "df", self.df)
        return frame

    def to_dict(self) -> dict[str, Any]:
        """Return every field in plain types, ready for JSON."""
        out = Coefficients.to_dict(self)
        if self.joint is not None:
            out["joint"] = jsonable({n: getattr(self.joint, n) for n in JointTest.__slots__})
        return out


def cluster_robust(
    yi: ArrayLike,
    vi: ArrayLike,
    cluster: Sequence[Any],
    *,
    design: ArrayLike | None = None,
    terms: Sequence[str] | None = None,
    weights: ArrayLike | None = None,
    kind: str = "CR2",
    df: str = "satterthwaite",
    level: float = 0.95,
) -> RobustFit:
    """Fit by weighted least squares and give cluster-robust inference.

    Parameters
    ----------
    yi : array-like, shape (k,)
        Estimates.
    vi : array-like, shape (k,) or (k, k)
        Working variances (for a random-effects model the sampling variance plus tau2), or the
        working covariance matrix.
    cluster : sequence, shape (k,)
        Cluster of every estimate.
    design : array-like, shape (k, p), optional
        Moderators, intercept included.
    terms : sequence of str, optional
        Names of the p columns.
    weights : array-like, shape (k,) or (k, k), optional
        Weights of the fit; the inverse of `vi` when not given.
    kind : {"CR2", "CR0", "CR1", "CR1p"}
        CR1 multiplies the plain sandwich CR0 by m / (m - 1), CR1p by m / (m - p) with m clusters
        (what ``robust()`` of R's metafor does).
    df : {"satterthwaite", "clusters"}
        Degrees of freedom of the t-tests; ``clusters`` is m - p.
    level : float
        Confidence level.

    Returns
    -------
    RobustFit

    Raises
    ------
    DataError
        For fewer than two clusters, or no more clusters than coefficients.

    References
    ----------
    Pustejovsky JE, Tipton E (2018), J Bus Econ Stat 36:672, eqs 6, 11 and theorem 1,
    doi:10.1080/07350015.2016.1247004. Tipton E, Pustejovsky JE (2015), J Educ Behav Stat 40:604,
    doi:10.3102/1076998615606099. Bell RM, McCaffrey DF (2002), Surv Methodol 28:169.

    Examples
    --------
    >>> fit = cluster_robust([0.1, 0.3, 0.2, 0.6], [1, 1, 1, 1], ["a", "a", "b", "b"])
    >>> fit.beta.round(3).tolist(), fit.df.round(3).tolist()
    ([0.3], [1.0])
    """
    y = _input.numeric("yi", yi)
    k = len(y)
    phi = _matrix("vi", vi, k)
    w = _inverse(phi) if weights is None else _matrix("weights", weights, k)
    x, names = design_matrix(design, terms, np.ones(k, dtype=bool))
    kind = _input.choice("kind", kind, ["CR2", "CR0", "CR1", "CR1p"])
    df = _input.choice("df", df, ["satterthwaite", "clusters"])
    level = _input.level(level)
    members = _members(cluster, k, x.shape[1])
    core = _Core(x, w, phi, members)
    beta = core.q @ (x.T @ (w @ y))
    adjust = core.adjustments(kind)
    cov = core.sandwich(y - x @ beta, adjust)
    m, p = len(members), x.shape[1]
    freedom = np.full(p, float(m - p))
    if df == "satterthwaite":
        freedom = np.array([core.satterthwaite(c, adjust) for c in np.eye(p)])
    tested = [j for j in range(p) if np.ptp(x[:, j]) > 0] or list(range(p))
    joint = core.hotelling(np.eye(p)[tested], beta, cov, adjust) if kind == "CR2" else None
    return RobustFit(
        terms=names, beta=beta, **wald(beta, cov, freedom, level), df=freedom, level=level,
        cov=cov, kind=kind, clusters=m, joint=joint,
    )  # fmt: skip


def robust(
    fit: MultilevelFit,
    cluster: Sequence[Any],
    *,
    kind: str = "CR2",
    df: str = "satterthwaite",
    level: float = 0.95,
) -> RobustFit:
    """Give a multilevel fit cluster-robust inference, its marginal covariance as working model.

    Parameters
    ----------
    fit : MultilevelFit
        From :func:`metablin.meta.normal.multilevel.multilevel`.
    cluster : sequence, shape (k,)
        Cluster of every estimate, usually the outermost level.
    kind, df, level
        As in :func:`cluster_robust`.

    Returns
    -------
    RobustFit

    Examples
    --------
    >>> from metablin.meta.normal.multilevel import multilevel
    >>> trial = ["A", "A", "B", "B", "C", "D"]
    >>> y = [-0.2, -0.1, 0.3, 0.4, 0.1, -0.4]
    >>> fit = multilevel(y, [0.02] * 6, {"trial": trial, "estimate": range(6)})
    >>> robust(fit, trial).df.round(2).tolist()
    [2.99]
    """
    if not isinstance(fit, MultilevelFit):
        raise DataError("not a multilevel fit", column="fit", value=type(fit).__name__,
                        allowed="what multilevel returns; else cluster_robust")  # fmt: skip
    return cluster_robust(
        fit.yi, fit.working, cluster, design=fit.design, terms=fit.terms, kind=kind, df=df,
        level=level,
    )  # fmt: skip


def _matrix(column: str, values: ArrayLike, k: int) -> FloatArray:
    if np.ndim(values) == 2:
        m = np.array(values, dtype=np.float64)
    else:
        m = np.diag(_input.numeric(column, values, above=0))
    if m.shape != (k, k):
        raise DataError(f"{len(m)} rows for {k} estimates", column=column)
    if not np.isfinite(m).all() or np.linalg.eigvalsh(m)[0] <= 0:
        raise DataError("not positive definite", column=column)
    return m


def _inverse(m: FloatArray) -> FloatArray:
    return np.asarray(np.linalg.inv(m), dtype=np.float64)


def _members(cluster: Sequence[Any], k: int, p: int) -> list[NDArray[np.intp]]:
    if len(cluster) != k:
        raise DataError(f"{len(cluster)} labels for {k} estimates", column="cluster")
    codes = pd.factorize(np.asarray([str(c) for c in cluster], dtype=object))[0]
    m = int(codes.max()) + 1
    if m <= max(p, 1):
        raise DataError(
            "not enough clusters", column="cluster", value=f"{m} clusters, {p} coefficients",
            allowed="more clusters than coefficients",
        )  # fmt: skip
    return [np.flatnonzero(codes == c) for c in range(m)]


def _root(b: FloatArray) -> FloatArray:
    """Return the symmetric square root of the Moore-Penrose inverse of `b`."""
    values, vectors = np.linalg.eigh((b + b.T) / 2)
    keep = values > EIGEN_FLOOR * max(float(values[-1]), 0.0)
    scale = np.zeros_like(values)
    scale[keep] = values[keep] ** -0.5
    return np.asarray((vectors * scale) @ vectors.T)


class _Core:
    """The matrices of Pustejovsky and Tipton (2018) for one weighted fit."""

    def __init__(
        self, x: FloatArray, w: FloatArray, phi: FloatArray, members: list[NDArray[np.intp]]
    ) -> None:
        self.x, self.phi, self.members = x, phi, members
        self.q = np.linalg.inv(x.T @ w @ x)
        self.wx = w @ x
        # residual maker I - H; with W = Phi^-1 the product below is Phi - X Q X'
        self.maker = np.eye(len(x)) - x @ self.q @ self.wx.T
        self.spread = self.maker @ phi @ self.maker.T

    def adjustments(self, kind: str) -> list[FloatArray]:
        """Return the matrices A_j, one per cluster."""
        m, p = len(self.members), self.x.shape[1]
        if kind != "CR2":
            factor = {"CR0": 1.0, "CR1": m / (m - 1), "CR1p": m / (m - p)}[kind]
            return [np.sqrt(factor) * np.eye(len(i)) for i in self.members]
        out = []
        for i in self.members:
            d = np.linalg.cholesky(self.phi[np.ix_(i, i)]).T
            out.append(d.T @ _root(d @ self.spread[np.ix_(i, i)] @ d.T) @ d)
        return out

    def _loads(self, adjust: list[FloatArray]) -> list[FloatArray]:
        """Return Q X_j' W_j A_j, shape (p, n_j), one per cluster."""
        return [self.q @ self.wx[i].T @ a for i, a in zip(self.members, adjust, strict=True)]

    def sandwich(self, residual: FloatArray, adjust: list[FloatArray]) -> FloatArray:
        """Return the robust covariance."""
        parts = zip(self._loads(adjust), self.members, strict=True)
        scores = np.stack([load @ residual[i] for load, i in parts], axis=1)
        return np.asarray(scores @ scores.T)

    def _overlaps(self, rows: FloatArray, adjust: list[FloatArray]) -> FloatArray:
        """Return p_is' Phi p_jt for rows s, t of a contrast and clusters i, j: (s, t, i, j)."""
        vectors = np.stack(
            [
                (rows @ load) @ self.maker[i]
                for load, i in zip(self._loads(adjust), self.members, strict=True)
            ],
            axis=1,
        )
        return np.asarray(np.einsum("sik,kl,tjl->stij", vectors, self.phi, vectors, optimize=True))

    def satterthwaite(self, contrast: FloatArray, adjust: list[FloatArray]) -> float:
        """Return the degrees of freedom of one contrast (eq. 11)."""
        g = self._overlaps(contrast[None, :], adjust)[0, 0]
        return float(np.trace(g) ** 2 / (g**2).sum())

    def hotelling(
        self, contrast: FloatArray, beta: FloatArray, cov: FloatArray, adjust: list[FloatArray]
    ) -> JointTest | None:
        """Return the approximate Hotelling test of `contrast` @ beta = 0 (HTZ), if there is one."""
        rows = len(contrast)
        first = self._overlaps(contrast, adjust)
        mean = np.einsum("stii->st", first)
        g = self._overlaps(_root(mean) @ contrast, adjust)
        variance = np.einsum("stij,tsij->", g, g) + np.einsum("ssij,ttij->", g, g)
        eta = rows * (rows + 1) / float(variance)
        difference = contrast @ beta
        wald = float(difference @ np.linalg.solve(contrast @ cov @ contrast.T, difference))
        denominator = eta - rows + 1
        if denominator <= 0:
            return None
        statistic = denominator / (eta * rows) * wald
        p = float(special.fdtrc(rows, denominator, statistic))
        return JointTest(statistic, float(rows), denominator, p)
