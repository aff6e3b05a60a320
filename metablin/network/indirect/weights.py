"""Weights that give patients of one trial the averages of another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from metablin._frame import column_of
from metablin._input import choice, numeric, one
from metablin.errors import DataError
from metablin.records import Record, json_dict

__all__ = ["MatchingWeights", "centred", "matching_weights", "solve_weights"]

FloatArray = NDArray[np.float64]
Target = Mapping[str, float | tuple[float, float]]

MAX_STEPS = 200
BALANCED = 1e-10
"""Newton stops when every weighted mean is as near to its target, in standard deviations."""

RUNAWAY = 500.0
"""A linear predictor beyond this means that no weights reach the target."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class MatchingWeights(Record):
    """Weights of the patients of one trial, and what they do.

    Attributes
    ----------
    weights : ndarray, shape (n,)
        Scaled to a mean of 1.
    method : str
    ess : float
        Effective sample size, (sum w)^2 / sum w^2.
    balance : DataFrame
        ``term, before, target, after``: means before and after weighting.
    """

    weights: FloatArray
    method: str
    ess: float
    balance: pd.DataFrame

    @property
    def n(self) -> int:
        """Number of patients."""
        return len(self.weights)

    def to_frame(self) -> pd.DataFrame:
        """Return the balance of every matched average."""
        return self.balance.copy()

    def distribution(self) -> pd.DataFrame:
        """Return quantiles of the weights, largest first to go wrong: ``share, weight``."""
        shares = np.array([0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0])
        return pd.DataFrame({"share": shares, "weight": np.quantile(self.weights, shares)})

    def to_dict(self) -> dict[str, Any]:
        """Return the weights as JSON-ready Python types."""
        return json_dict(
            {
                "method": self.method,
                "n": self.n,
                "ess": self.ess,
                "balance": self.balance,
                "distribution": self.distribution(),
            }
        )

    def summary(self) -> str:
        """Return effective sample size and largest weight in words."""
        return (
            f"Weights by {self.method}: effective sample size {self.ess:.1f} of {self.n} "
            f"({100 * self.ess / self.n:.0f}%), largest weight {self.weights.max():.3g} times the "
            "mean"
        )


def matching_weights(
    patients: Any,
    target: Target,
    *,
    method: str = "moments",
    base: ArrayLike | None = None,
) -> MatchingWeights:
    """Weight patients so that their averages are those a paper prints.

    Parameters
    ----------
    patients : DataFrame or mapping of columns
        One row a patient; covariates are numbers (0 and 1 for groups).
    target : mapping of column to mean, or to (mean, standard deviation)
        Printed averages; with a standard deviation the second moment is matched too.
    method : {"moments", "entropy"}
        Method of moments, weights exp(x'a) (Signorovitch 2010); or entropy balancing, the weights
        nearest to `base` in Kullback-Leibler distance (Hainmueller 2012). With equal base weights
        the two are one (Phillippo 2020).
    base : array-like, shape (n,), optional
        Base weights of entropy balancing.

    Returns
    -------
    MatchingWeights

    Raises
    ------
    DataError
        When a target lies outside what the patients can average to, naming the covariate.

    References
    ----------
    Signorovitch JE and others (2010). Comparative effectiveness without head-to-head trials.
    doi:10.2165/11538370-000000000-00000
    Hainmueller J (2012). Entropy balancing for causal effects. doi:10.1093/pan/mpr025
    Phillippo DM, Dias S, Ades AE, Welton NJ (2020). Equivalence of entropy balancing and the
    method of moments for matching-adjusted indirect comparison. doi:10.1002/jrsm.1416

    Examples
    --------
    >>> w = matching_weights({"age": [30, 40, 50, 60]}, {"age": 50})
    >>> w.balance["after"].round(6).tolist(), round(w.ess, 2)
    ([50.0], 3.31)
    """
    method = choice("method", method, ("moments", "entropy"))
    names, x = centred(patients, target)
    start = np.ones(len(x)) if base is None else numeric("base", base, above=0)
    if len(start) != len(x):
        raise DataError(f"{len(start)} base weights for {len(x)} patients", column="base")
    if method == "moments" and base is not None:
        raise DataError("base weights are for entropy balancing", column="base",
                        allowed='method="entropy"')  # fmt: skip
    w = solve_weights(x, names, start)
    w = w * len(w) / w.sum()
    goal = np.array([value for _, value in _goals(target)])
    balance = pd.DataFrame(
        {
            "term": names,
            "before": x.mean(0) + goal,
            "target": goal,
            "after": w @ x / w.sum() + goal,
        }
    )
    return MatchingWeights(w, method, float(w.sum() ** 2 / (w @ w)), balance)


def _goals(target: Target) -> list[tuple[str, float]]:
    out = []
    for name, value in target.items():
        mean, sd = value if isinstance(value, tuple | list) else (value, None)
        out.append((name, one(name, mean)))
        if sd is not None:
            out.append((f"{name}^2", one(name, mean) ** 2 + one(name, sd, above=0) ** 2))
    return out


def centred(patients: Any, target: Target) -> tuple[list[str], FloatArray]:
    """Return the terms to match and the patients' values less the targets, (n, terms)."""
    if not target:
        raise DataError("nothing to match", column="target", allowed="covariate = printed mean")
    columns, names = [], []
    for name, value in _goals(target):
        square = name.endswith("^2") and name.removesuffix("^2") in target
        given = name.removesuffix("^2") if square else name
        x = numeric(given, column_of(patients, given)[1])
        x = x**2 if square else x
        if not x.min() < value < x.max() and not (x.min() == value == x.max()):
            raise DataError(
                "no weights give the patients this average",
                column=name,
                value=f"{value:g}",
                allowed=f"between {x.min():g} and {x.max():g}",
            )
        columns.append(x - value)
        names.append(name)
    return names, np.column_stack(columns)


def solve_weights(x: FloatArray, names: list[str], base: FloatArray) -> FloatArray:
    """Return weights base * exp(x'a) under which every column of `x` averages zero.

    The sum of the weights is convex in a and lowest there (Signorovitch 2010, appendix).

    Raises
    ------
    DataError
        When the point zero lies outside the patients' values.
    """
    scale = x.std(0)
    scale = np.where(scale > 0, scale, 1.0)
    z = x / scale
    a = np.zeros(z.shape[1])
    value = float(base.sum())
    for _ in range(MAX_STEPS):
        w = base * np.exp(z @ a)
        gradient = w @ z
        if np.abs(gradient).max() < BALANCED * w.sum():
            return w
        step = np.linalg.lstsq((z * w[:, None]).T @ z, -gradient, rcond=None)[0]
        size = 1.0
        while True:
            trial = a + size * step
            reach = z @ trial
            if np.abs(reach).max() < RUNAWAY:
                new = float((base * np.exp(reach)).sum())
                if new <= value * (1 + 1e-14):
                    break
            size /= 2
            if size < 1e-12:
                break
        if size < 1e-12:
            break
        a, value = trial, new
    far = names[int(np.abs(gradient / w.sum()).argmax())]
    raise DataError(
        "no weights reach all averages at once",
        column=far,
        value=f"{gradient[names.index(far)] / w.sum():.3g} standard deviations off",
        allowed="fewer covariates, or averages within the patients' values",
    )
