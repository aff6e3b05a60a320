"""Means and standard deviations of studies that print medians, quartiles and ranges."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, special

from metablin._frame import reads
from metablin._input import choice, items, labels, numeric, same_length
from metablin.errors import DataError, warn
from metablin.options import Missing, QuantileMethod, words

__all__ = ["means_from_quantiles"]

FloatArray = NDArray[np.float64]

FIVE = ("minimum", "q1", "median", "q3", "maximum")

SHAPES = (-6.0, 8.0)
"""Logarithms of the shapes searched: from more skewed than any outcome of patients to no skew that
doubles can tell."""

GRID = 57
"""Shapes looked at before the best is refined."""

BETA_STARTS = (0.5, 2.0, 10.0)


@reads("n", "median", optional=("q1", "q3", "minimum", "maximum", "studies"))
def means_from_quantiles(
    n: ArrayLike,
    median: ArrayLike,
    q1: ArrayLike | None = None,
    q3: ArrayLike | None = None,
    minimum: ArrayLike | None = None,
    maximum: ArrayLike | None = None,
    method: QuantileMethod = "luo-wan-shi",
    studies: Iterable[Any] | None = None,
    *,
    data: Any = None,
    missing: Missing = "error",
) -> pd.DataFrame:
    """Return means and standard deviations estimated from medians, quartiles and ranges.

    Parameters
    ----------
    n : array-like of whole numbers, shape (k,)
        Patients, at least 5.
    median : array-like, shape (k,)
    q1, q3 : array-like, shape (k,), optional
        Quartiles; missing (NaN) where a study prints none.
    minimum, maximum : array-like, shape (k,), optional
        Range; each study needs its quartiles, its range, or both.
    method : {"luo-wan-shi", "quantile-estimation"}
        For outcomes close to normal: means by Luo and others, standard deviations by Wan and others
        or, from all five numbers, Shi and others. For skewed ones: the normal, log-normal, gamma,
        Weibull and (within 0 and 1) beta distribution whose quantiles lie nearest to those
        printed, by least squares; the mean and standard deviation of the nearest of them.
    studies : iterable of str, optional
        Labels.

    Returns
    -------
    DataFrame
        One row a study: ``study, mean, sd, n, summary`` (``quartiles``, ``range`` or ``five``),
        ``distribution`` (assumed or chosen), ``skewness`` and ``skewed`` (the test of Shi and
        others at 5%).

    Raises
    ------
    DataError
        For numbers out of order, or a study without quartiles and without a range.

    Warns
    -----
    MetablinWarning
        Naming studies whose numbers are too skewed for a normal distribution, where one is assumed.

    References
    ----------
    Wan X, Wang W, Liu J, Tong T (2014). Estimating the sample mean and standard deviation from the
    sample size, median, range and/or interquartile range, eq. 9 and 16.
    doi:10.1186/1471-2288-14-135
    Luo D, Wan X, Liu J, Tong T (2018). Optimally estimating the sample mean from the sample size,
    median, mid-range, and/or mid-quartile range, eq. 7, 11 and 15. doi:10.1177/0962280216669183
    Shi J and others (2020). Optimally estimating the sample standard deviation from the
    five-number summary. doi:10.1002/jrsm.1429
    Shi J and others (2023). Detecting the skewness of data from the five-number summary and its
    application in meta-analysis. doi:10.1177/09622802231172043
    McGrath S and others (2020). Estimating the sample mean and standard deviation from commonly
    reported quantiles in meta-analysis. doi:10.1177/0962280219889080

    Examples
    --------
    >>> t = means_from_quantiles([80], [6.0], q1=[4.1], q3=[8.3])
    >>> t[["mean", "sd", "skewed"]].round(3).values.tolist()
    [[6.141, 3.171, False]]
    """
    method = choice("method", method, words(QuantileMethod))
    known = None if studies is None else [str(s) for s in items("studies", studies)]
    size = numeric("n", n, minimum=5, integer=True, studies=known)
    given = {"q1": q1, "q3": q3, "minimum": minimum, "maximum": maximum}
    five = {"median": numeric("median", median, studies=known)}
    for name, values in given.items():
        empty = np.full(len(size), np.nan)
        five[name] = empty if values is None else numeric(name, values, missing=True, studies=known)
    names = labels(known, same_length(n=size, **five))
    rows = []
    for i, name in enumerate(names):
        x = _ordered({c: float(five[c][i]) for c in FIVE}, i, name)
        found = _normal(x, size[i]) if method == "luo-wan-shi" else _nearest(x, size[i])
        skewness, limit = _skewness(x, size[i])
        rows.append({"study": name, **found, "n": size[i], "summary": _kind(x),
                     "skewness": skewness, "skewed": bool(skewness >= limit)})  # fmt: skip
    table = pd.DataFrame(rows)[
        ["study", "mean", "sd", "n", "summary", "distribution", "skewness", "skewed"]
    ]
    _warn_of_skew(table)
    return table


def _warn_of_skew(table: pd.DataFrame) -> None:
    skewed = table["study"][table["skewed"] & (table["distribution"] == "normal")]
    if len(skewed):
        warn(
            f"too skewed for a normal distribution: {', '.join(skewed)}; "
            "method='quantile-estimation' does not assume one"
        )


def _ordered(x: Mapping[str, float], row: int, study: str) -> dict[str, float]:
    """Return the numbers that are there, after checking that they are enough and in order."""
    there = {c: x[c] for c in FIVE if not math.isnan(x[c])}
    for low, high in (("q1", "q3"), ("minimum", "maximum")):
        if (low in there) != (high in there):
            lacks = high if low in there else low
            raise DataError("one of the two is missing", row=row + 1, column=lacks, study=study,
                            allowed=f"both {low} and {high}, or neither")  # fmt: skip
    if len(there) < 3:
        raise DataError("neither quartiles nor a range", row=row + 1, column="q1", study=study,
                        allowed="q1 and q3, or minimum and maximum")  # fmt: skip
    values = list(there.values())
    if values != sorted(values) or values[0] == values[-1] or there.get("q1") == there.get("q3", 0):
        raise DataError("not in order", row=row + 1, column=", ".join(there), study=study,
                        value=", ".join(f"{v:g}" for v in values),
                        allowed="rising, and some spread")  # fmt: skip
    return there


def _kind(x: Mapping[str, float]) -> str:
    return "five" if len(x) == 5 else "quartiles" if "q1" in x else "range"


def _normal(x: Mapping[str, float], n: float) -> dict[str, Any]:
    """Return the mean of Luo and others and the standard deviation of Wan, or Shi, and others."""
    m = x["median"]
    xi = 2 * float(special.ndtri((n - 0.375) / (n + 0.25)))
    eta = 2 * float(special.ndtri((0.75 * n - 0.125) / (n + 0.25)))
    ends = (x["minimum"], x["maximum"]) if "minimum" in x else (math.nan, math.nan)
    inner = (x["q1"], x["q3"]) if "q1" in x else (math.nan, math.nan)
    by_range, by_quartiles = (ends[1] - ends[0]) / xi, (inner[1] - inner[0]) / eta
    if len(x) == 5:
        w1, w2 = 2.2 / (2.2 + n**0.75), 0.7 - 0.72 / n**0.55
        mean = w1 * sum(ends) / 2 + w2 * sum(inner) / 2 + (1 - w1 - w2) * m
        share = 1 / (1 + 0.07 * n**0.6)
        sd = share * by_range + (1 - share) * by_quartiles
    elif "q1" in x:
        w = 0.7 + 0.39 / n
        mean, sd = w * sum(inner) / 2 + (1 - w) * m, by_quartiles
    else:
        w = 4 / (4 + n**0.75)
        mean, sd = w * sum(ends) / 2 + (1 - w) * m, by_range
    return {"mean": mean, "sd": sd, "distribution": "normal"}


def _skewness(x: Mapping[str, float], n: float) -> tuple[float, float]:
    """Return the statistic of Shi and others (2023) and its critical value at 5%."""
    m = x["median"]
    outer = inner = math.nan
    if "minimum" in x:
        a, b = x["minimum"], x["maximum"]
        outer = abs(a + b - 2 * m) / (b - a)
    if "q1" in x:
        inner = abs(x["q1"] + x["q3"] - 2 * m) / (x["q3"] - x["q1"])
    if len(x) == 5:
        return max(2.65 * math.log(0.6 * n) / math.sqrt(n) * outer, inner), (
            3 / math.sqrt(n) - 40 / n**3
        )
    if "q1" in x:
        return inner, 2.65 / math.sqrt(n) - 6 / n**2
    return outer, 1 / math.log(n + 9) + 2.5 / (n + 1)


def _nearest(x: Mapping[str, float], n: float) -> dict[str, Any]:
    """Return mean and standard deviation of the distribution whose quantiles are nearest."""
    share = {"minimum": 1 / n, "q1": 0.25, "median": 0.5, "q3": 0.75, "maximum": 1 - 1 / n}
    p = np.array([share[c] for c in x])
    q = np.array(list(x.values()))
    z = special.ndtri(p)
    slope = float(((z - z.mean()) * (q - q.mean())).sum() / ((z - z.mean()) ** 2).sum())
    middle = float(q.mean() - slope * z.mean())
    fits = {"normal": (float(((middle + slope * z - q) ** 2).sum()), middle, slope)}
    if q.min() >= 0:
        q = np.where(q == 0, 0.01, q)  # McGrath and others move a zero within the support
        fits |= {name: _scaled(q, family(p)) for name, family in _FAMILIES.items()}
        if q.max() < 1:
            fits["beta"] = _beta(p, q)
    name = min(fits, key=lambda f: fits[f][0])
    _, mean, sd = fits[name]
    return {"mean": mean, "sd": sd, "distribution": name}


Family = Callable[[float], tuple[FloatArray, float, float]]
"""Quantiles at scale 1, mean and standard deviation, for a log shape."""


def _log_normal(p: FloatArray) -> Family:
    z = special.ndtri(p)

    def at(log_shape: float) -> tuple[FloatArray, float, float]:
        s = math.exp(-log_shape / 2)
        mean = math.exp(min(s**2 / 2, 300.0))
        return np.exp(np.clip(s * z, -600, 600)), mean, mean * math.sqrt(math.expm1(min(s**2, 600)))

    return at


def _gamma(p: FloatArray) -> Family:
    def at(log_shape: float) -> tuple[FloatArray, float, float]:
        a = math.exp(log_shape)
        return np.asarray(special.gammaincinv(a, p)), a, math.sqrt(a)

    return at


def _weibull(p: FloatArray) -> Family:
    e = -np.log1p(-p)

    def at(log_shape: float) -> tuple[FloatArray, float, float]:
        c = math.exp(log_shape / 2)
        if c < 0.02:
            return e**50, math.inf, math.inf
        mean = math.gamma(1 + 1 / c)
        return e ** (1 / c), mean, math.sqrt(max(math.gamma(1 + 2 / c) - mean**2, 0.0))

    return at


_FAMILIES: dict[str, Callable[[FloatArray], Family]] = {
    "log-normal": _log_normal,
    "gamma": _gamma,
    "weibull": _weibull,
}


def _scaled(q: FloatArray, family: Family) -> tuple[float, float, float]:
    """Return the sum of squares, mean and standard deviation of a family at its best shape.

    The best scale at a shape is known, so that one parameter is left to search.
    """

    def loss(log_shape: float) -> float:
        at = family(log_shape)[0]
        square = float(at @ at)
        if not 0 < square < math.inf:
            return float(q @ q)
        return float(((float(at @ q) / square * at - q) ** 2).sum())

    grid = np.linspace(*SHAPES, GRID)
    best = int(np.argmin([loss(g) for g in grid]))
    around = grid[max(best - 1, 0)], grid[min(best + 1, GRID - 1)]
    found = optimize.minimize_scalar(loss, bounds=around, method="bounded", options={"xatol": 1e-9})
    at, mean, sd = family(float(found.x))
    scale = float(at @ q) / float(at @ at)
    return float(found.fun), scale * mean, scale * sd


def _beta(p: FloatArray, q: FloatArray) -> tuple[float, float, float]:
    def gap(logs: FloatArray) -> FloatArray:
        a, b = np.exp(np.clip(logs, -8, 8))
        return np.asarray(special.betaincinv(a, b, p) - q)

    middle = float(q.mean())
    starts = [np.log([size * middle, size * (1 - middle)]) for size in BETA_STARTS]
    found = min((optimize.least_squares(gap, s, xtol=1e-12, ftol=1e-14) for s in starts),
                key=lambda r: float(r.cost))  # fmt: skip
    a, b = np.exp(np.clip(found.x, -8, 8))
    mean = float(a / (a + b))
    return 2 * float(found.cost), mean, math.sqrt(mean * (1 - mean) / (a + b + 1))
