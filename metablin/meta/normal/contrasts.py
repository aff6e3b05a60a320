"""Linear contrasts of the coefficients of a meta-regression, each and together."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from metablin.errors import DataError
from metablin.meta.core.fit import MetaFit, needs_fit
from metablin.meta.core.text import p_phrase
from metablin.numerics.inference import (
    joint_test,
    wald,
)
from metablin.records import Record, json_dict

__all__ = ["Contrasts", "contrasts"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Contrasts(Record):
    """Contrasts of coefficients.

    Attributes
    ----------
    matrix : ndarray, shape (m, p)
        One contrast a row.
    terms : tuple of str
        Names of the p coefficients.
    estimate, std_error, statistic, p_value, conf_low, conf_high : ndarray, shape (m,)
        On the analysis scale, with the reference distribution of the fit.
    joint, joint_p : float
        Test that all are zero: chi-square, or F with ``joint_df2`` degrees of freedom; NaN when the
        contrasts depend on each other.
    joint_df, joint_df2 : float
        ``joint_df2`` is infinite for chi-square.
    level : float
    """

    matrix: FloatArray
    terms: tuple[str, ...]
    estimate: FloatArray
    std_error: FloatArray
    statistic: FloatArray
    p_value: FloatArray
    conf_low: FloatArray
    conf_high: FloatArray
    joint: float
    joint_df: int
    joint_df2: float
    joint_p: float
    level: float

    def to_frame(self) -> pd.DataFrame:
        """Return one row a contrast."""
        names = ("estimate", "std_error", "statistic", "p_value", "conf_low", "conf_high")
        frame = pd.DataFrame({name: getattr(self, name) for name in names})
        frame.insert(0, "contrast", [_label(row, self.terms) for row in self.matrix])
        return frame

    def to_dict(self) -> dict[str, Any]:
        """Return the contrasts as JSON-ready Python types."""
        names = ("joint", "joint_df", "joint_df2", "joint_p", "level")
        return json_dict(
            {"contrasts": self.to_frame(), **{name: getattr(self, name) for name in names}}
        )

    def summary(self) -> str:
        """Return the contrasts as text for people."""
        table = self.to_frame().to_string(index=False, float_format="{:.4g}".format)
        if math.isnan(self.joint):
            return table + "\nTogether: not tested, the contrasts depend on each other"
        f = math.isfinite(self.joint_df2)
        name = f"F({self.joint_df}, {self.joint_df2:g})" if f else f"chi2({self.joint_df})"
        return f"{table}\nTogether: {name} = {self.joint:.3f}, {p_phrase(self.joint_p)}"


def _label(row: FloatArray, terms: tuple[str, ...]) -> str:
    parts = [
        f"{'-' if c < 0 else '+'} {'' if abs(c) == 1 else f'{abs(c):g} '}{term}"
        for c, term in zip(row, terms, strict=True)
        if c
    ]
    return " ".join(parts).removeprefix("+ ")


def contrasts(fit: MetaFit, matrix: ArrayLike) -> Contrasts:
    """Estimate and test linear combinations of the coefficients of a meta-regression.

    Parameters
    ----------
    fit : MetaFit
        With moderators.
    matrix : array-like, shape (m, p) or (p,)
        One contrast a row, one column a coefficient (``fit.regression.design.terms``).

    Returns
    -------
    Contrasts

    Raises
    ------
    DataError
        For a fit without moderators, or a matrix of another width or without numbers.

    References
    ----------
    Viechtbauer W (2010). doi:10.18637/jss.v036.i03 (tests of linear combinations).

    Examples
    --------
    >>> import metablin as mb
    >>> e = mb.generic([0.1, 0.5, 0.9, 0.2], [0.04, 0.05, 0.03, 0.04])
    >>> fit = mb.pool(e, ci="z", moderators="z", data={"z": [1, 2, 4, 1]})
    >>> c = contrasts(fit, [[1, 3], [0, 1]])
    >>> c.estimate.round(3).tolist()
    [0.668, 0.248]
    """
    needs_fit(fit)
    r = fit.regression
    if r is None:
        raise DataError("contrasts need a fit with moderators", column="fit")
    c = _matrix(matrix, r.design.terms)
    estimate, cov = c @ r.beta, c @ r.cov @ c.T
    joint, joint_p = math.nan, math.nan
    if np.linalg.matrix_rank(c) == len(c):
        joint, joint_p = joint_test(estimate, cov, r.df)
    return Contrasts(
        c, r.design.terms, estimate, **wald(estimate, cov, r.df, r.level), joint=joint,
        joint_df=len(c), joint_df2=r.df, joint_p=joint_p, level=r.level,
    )  # fmt: skip


def _matrix(matrix: ArrayLike, terms: tuple[str, ...]) -> FloatArray:
    try:
        c = np.atleast_2d(np.array(matrix, dtype=np.float64))
    except (TypeError, ValueError) as error:
        raise DataError("not a table of numbers", column="matrix", value=repr(matrix)) from error
    if c.ndim != 2 or c.shape[1] != len(terms) or not len(c):
        raise DataError("not one number a coefficient", column="matrix", value=f"shape {c.shape}",
                        allowed=f"{len(terms)} columns: {', '.join(terms)}")  # fmt: skip
    if not np.isfinite(c).all() or not c.any(axis=1).all():
        raise DataError("a contrast is empty or not finite", column="matrix",
                        row=int(np.argmin(np.isfinite(c).all(1) & c.any(1))) + 1)  # fmt: skip
    return c
