"""Outlier and influence diagnostics of an inverse-variance meta-analysis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from metablin.errors import DataError
from metablin.meta.checks.deletion import covariance_at, without_each
from metablin.meta.checks.refit import (
    Refit,
    Spec,
    design_of,
    effects_only,
    needs_spread,
    refit,
)
from metablin.meta.checks.sequence import RefitSequence, cumulative, leave_one_out
from metablin.meta.core.fit import MetaFit
from metablin.records import Record, json_dict

__all__ = [
    "Influence",
    "RefitSequence",
    "cumulative",
    "influence",
    "influence_of",
    "leave_one_out",
]

FloatArray = NDArray[np.float64]

MEASURES = ("rstudent", "dffits", "cook_d", "cov_ratio", "tau2_del", "q_del", "hat", "weight")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Influence(Record):
    """What each study does to the fit. Arrays have shape (k,).

    Attributes
    ----------
    studies : tuple of str
        Labels.
    rstudent : ndarray
        Externally standardised (studentised deleted) residual; under the Hartung-Knapp interval
        the factor of the fit without the study scales its whole variance, as in metafor.
    dffits : ndarray
        Change of the study's fitted value on deletion, in standard deviations.
    cook_d : ndarray
        Cook's distance: squared Mahalanobis distance of the coefficients with and without it.
    cov_ratio : ndarray
        Determinant of the covariance of the coefficients without the study over that with it;
        below 1 the study costs precision.
    tau2_del, q_del : ndarray
        Between-study variance and residual heterogeneity Q without the study.
    hat : ndarray
        Diagonal of the hat matrix.
    weight : ndarray
        Share of the weight.
    dfbetas : ndarray, shape (k, p)
        Change of each coefficient on deletion, in standard errors.
    influential : ndarray of bool
        Any of: absolute DFFITS > 3 sqrt(p/(k - p)); Cook's distance beyond the median of a
        chi-square with p degrees of freedom; hat > 3 p/k; any absolute DFBETAS > 1.
    p : int
        Coefficients.
    tau2, q : float
        Values of the full fit, for comparison.
    """

    studies: tuple[str, ...]
    rstudent: FloatArray
    dffits: FloatArray
    cook_d: FloatArray
    cov_ratio: FloatArray
    tau2_del: FloatArray
    q_del: FloatArray
    hat: FloatArray
    weight: FloatArray
    dfbetas: FloatArray
    influential: NDArray[np.bool_]
    p: int
    tau2: float
    q: float

    @property
    def k(self) -> int:
        """Number of studies."""
        return len(self.studies)

    @property
    def cutoffs(self) -> dict[str, float]:
        """Return the limits behind ``influential``, by measure."""
        return _cutoffs(self.k, self.p)

    def to_frame(self) -> pd.DataFrame:
        """Return one row per study."""
        columns: dict[str, Any] = {"study": list(self.studies)}
        columns |= {name: getattr(self, name) for name in MEASURES}
        for j in range(self.p):
            columns["dfbetas" if self.p == 1 else f"dfbetas_{j}"] = self.dfbetas[:, j]
        return pd.DataFrame({**columns, "influential": self.influential})

    def to_dict(self) -> dict[str, Any]:
        """Return the measures as JSON-ready Python types."""
        return json_dict(
            {"k": self.k, "p": self.p, "cutoffs": self.cutoffs, "studies": self.to_frame()}
        )

    def summary(self) -> str:
        """Return the measures as text for people, naming the influential studies."""
        table = self.to_frame().to_string(index=False, float_format="{:.4g}".format)
        named = [s for s, bad in zip(self.studies, self.influential, strict=True) if bad]
        return f"{table}\nInfluential: {', '.join(named) or 'none'}"


def influence(fit: MetaFit) -> Influence:
    """Return the influence of every study on an inverse-variance fit.

    All deletions are fitted at once, each with its own tau2.

    Parameters
    ----------
    fit : MetaFit
        A random-effects or common-effect fit of at least three studies, with or without
        moderators.

    Returns
    -------
    Influence

    Raises
    ------
    DataError
        For another model, fewer than three studies, or a Hartung-Knapp fit in which all effects,
        or all but one, are equal.

    References
    ----------
    Viechtbauer W, Cheung MW-L (2010). Outlier and influence diagnostics for meta-analysis,
    section 3. doi:10.1002/jrsm.11
    Cook RD, Weisberg S (1982). Residuals and Influence in Regression, chapter 3.
    Belsley DA, Kuh E, Welsch RE (1980). Regression Diagnostics, chapter 2.
    doi:10.1002/0471725153

    Examples
    --------
    >>> import metablin as mb
    >>> fit = mb.pool(mb.generic([0.1, 0.2, 0.15, 1.2], [0.02, 0.05, 0.04, 0.03]), ci="z")
    >>> inf = influence(fit)
    >>> inf.rstudent.round(2).tolist()
    [-0.63, -0.39, -0.49, 5.29]
    """
    spec = effects_only(fit, "influence")
    e = fit.effects
    return influence_of(e.yi, e.vi, spec, design_of(fit), e.studies)


def influence_of(
    y: FloatArray,
    v: FloatArray,
    spec: Spec,
    x: FloatArray | None = None,
    studies: tuple[str, ...] = (),
) -> Influence:
    """Return :class:`Influence` from arrays.

    Parameters
    ----------
    y, v : ndarray, shape (k,)
        Effects and variances.
    spec : Spec
        Estimator of tau2 and kind of interval.
    x : ndarray, shape (k, p), optional
        Design; the intercept alone when not given.
    studies : tuple of str, optional
        Labels.

    Raises
    ------
    DataError
        When a coefficient cannot be estimated without some study, naming it, or when there are
        not at least two studies more than coefficients.
    """
    k = len(y)
    names = studies or tuple(f"study {i + 1}" for i in range(k))
    p = 1 if x is None else x.shape[1]
    if k < p + 2:
        raise DataError(
            f"too few studies for influence with {p} coefficients", value=f"k = {k}",
            allowed=f"at least {p + 2}",
        )  # fmt: skip
    full = refit(y, v, np.ones((1, k), dtype=bool), spec, x, names)
    gone = without_each(y, v, spec, x, names)
    needs_spread(full, gone, names)
    return _measures(y, v, x, full, gone, names)


def _measures(
    y: FloatArray,
    v: FloatArray,
    design: FloatArray | None,
    full: Refit,
    gone: Refit,
    names: tuple[str, ...],
) -> Influence:
    k, p = gone.beta.shape
    x = np.ones((k, 1)) if design is None else design
    tau2, w = float(full.tau2[0]), 1 / (v + full.tau2[0])
    hat = w * np.einsum("ki,ij,kj->k", x, full.cov[0] / full.scale[0], x)
    fitted_gone = np.einsum("ki,ki->k", x, gone.beta)
    var_fitted = np.einsum("ki,kij,kj->k", x, gone.cov, x)
    rstudent = (y - fitted_gone) / np.sqrt(gone.scale * (gone.tau2 + v) + var_fitted)
    shift = full.beta[0] - gone.beta
    moved = np.einsum("ki,ki->k", x, shift)
    dffits = moved / np.sqrt(gone.scale * hat * (gone.tau2 + v))
    precision = np.linalg.inv(full.cov[0])
    cook = np.einsum("ki,ij,kj->k", shift, precision, shift)
    diagonal = np.einsum("mii->mi", covariance_at(v, gone.tau2, design)) * gone.scale[:, None]
    dfbetas = shift / np.sqrt(diagonal)
    ratio = np.linalg.det(gone.cov) / np.linalg.det(full.cov[0])
    limits = _cutoffs(k, p)
    return Influence(
        studies=names,
        rstudent=rstudent,
        dffits=dffits,
        cook_d=cook,
        cov_ratio=ratio,
        tau2_del=gone.tau2,
        q_del=gone.q,
        hat=hat,
        weight=w / w.sum(),
        dfbetas=dfbetas,
        influential=(np.abs(dffits) > limits["dffits"])
        | (cook > limits["cook_d"])
        | (hat > limits["hat"])
        | (np.abs(dfbetas) > limits["dfbetas"]).any(-1),
        p=p,
        tau2=tau2,
        q=float(full.q[0]),
    )


def _cutoffs(k: int, p: int) -> dict[str, float]:
    return {
        "dffits": 3 * float(np.sqrt(p / (k - p))),
        "cook_d": float(special.chdtri(p, 0.5)),
        "hat": 3 * p / k,
        "dfbetas": 1.0,
    }
