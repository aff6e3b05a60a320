"""Standard deviations from what a paper prints instead, and stated rules for missing ones."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import special

from metablin._frame import reads
from metablin._input import choice, items, labels, numeric, same_length
from metablin._input import level as check_level
from metablin.errors import DataError, warn
from metablin.numerics.inference import critical
from metablin.options import FillRule, Missing, words

__all__ = ["shared_deviation", "standard_deviations"]

FloatArray = NDArray[np.float64]


@reads(
    "n",
    optional=("sd", "std_error", "conf_low", "conf_high", "sd_after", "sd_before", "mean",
              "studies"),
)  # fmt: skip
def standard_deviations(
    n: ArrayLike,
    sd: ArrayLike | None = None,
    std_error: ArrayLike | None = None,
    conf_low: ArrayLike | None = None,
    conf_high: ArrayLike | None = None,
    sd_after: ArrayLike | None = None,
    sd_before: ArrayLike | None = None,
    correlation: float | None = None,
    mean: ArrayLike | None = None,
    level: float = 0.95,
    fill: FillRule = "none",
    studies: Iterable[Any] | None = None,
    *,
    data: Any = None,
    missing: Missing = "error",
) -> pd.DataFrame:
    """Return standard deviations of patients from whatever is printed of a group's mean.

    For each group the first of these that is there is taken: the standard deviation; the standard
    error; the interval of the mean, as one of Student's t; the standard deviations before and
    after, which give that of the change at a stated correlation. What is still missing is filled
    by the rule, if one is stated.

    Parameters
    ----------
    n : array-like of whole numbers, shape (k,)
        Patients, at least 2.
    sd, std_error, conf_low, conf_high, sd_after, sd_before : array-like, shape (k,), optional
        NaN where a group has none.
    correlation : float, optional
        Of the measurements before and after, for standard deviations of changes.
    mean : array-like, shape (k,), optional
        Means, for the rule ``cv``.
    level : float
        Level of the intervals.
    fill : {"none", "pooled", "largest", "cv"}
        Refuse groups without any; give them the pooled standard deviation of the others; the
        largest; or the mean times the coefficient of variation of the others (weighted by
        patients).
    studies : iterable of str, optional
        Labels.

    Returns
    -------
    DataFrame
        One row a group: ``study, n, sd, source``, where ``source`` says what it came from. Every
        filled group is named in a warning too.

    Raises
    ------
    DataError
        For a group without anything to go by, or numbers out of their range.

    References
    ----------
    Higgins JPT, Li T, Deeks JJ. Choosing effect measures and computing estimates of effect.
    Cochrane Handbook for Systematic Reviews of Interventions, sections 6.5.2.2 and 6.5.2.8.
    Furukawa TA and others (2006). Imputing missing standard deviations in meta-analyses can provide
    accurate results (``pooled``). doi:10.1016/j.jclinepi.2005.06.006

    Examples
    --------
    >>> t = standard_deviations([25, 25, 30], sd=[2.0, None, None], std_error=[None, 0.5, None],
    ...                         conf_low=[None, None, 4.0], conf_high=[None, None, 6.0])
    >>> t["sd"].round(3).tolist(), t["source"].tolist()
    ([2.0, 2.5, 2.678], ['sd', 'std_error', 'interval'])
    """
    fill = choice("fill", fill, words(FillRule))
    known = None if studies is None else [str(s) for s in items("studies", studies)]
    size = numeric("n", n, minimum=2, integer=True, studies=known)
    k = len(size)

    def column(name: str, values: ArrayLike | None, above: float | None = 0.0) -> FloatArray:
        if values is None:
            return np.full(k, np.nan)
        found = numeric(name, values, above=above, missing=True, studies=known)
        same_length(**{"n": size, name: found})
        return found

    low, high = column("conf_low", conf_low, None), column("conf_high", conf_high, None)
    ways = {
        "sd": column("sd", sd),
        "std_error": column("std_error", std_error) * np.sqrt(size),
        "interval": _from_interval(low, high, size, check_level(level)),
        "change": _of_change(column("sd_after", sd_after), column("sd_before", sd_before),
                             correlation),
    }  # fmt: skip
    average = column("mean", mean, None)
    names = labels(known, k)
    found, source = np.full(k, np.nan), np.full(k, "", dtype=object)
    for name, values in ways.items():
        use = np.isnan(found) & ~np.isnan(values)
        found, source = np.where(use, values, found), np.where(use, name, source)
    table = pd.DataFrame({"study": list(names), "n": size, "sd": found, "source": source})
    return _filled(table, fill, average)


def _from_interval(low: FloatArray, high: FloatArray, n: FloatArray, level: float) -> FloatArray:
    for i in np.flatnonzero(high <= low)[:1]:
        raise DataError("the interval is empty", row=int(i) + 1, column="conf_low",
                        value=f"{low[i]:g} to {high[i]:g}", allowed="low < high")  # fmt: skip
    return np.asarray((high - low) / (2 * critical(level, n - 1)) * np.sqrt(n))


def _of_change(after: FloatArray, before: FloatArray, correlation: float | None) -> FloatArray:
    if np.isnan(after + before).all():
        return after + before
    if correlation is None:
        raise DataError("a change of unstated correlation", column="correlation",
                        value="not given", allowed="a number between -1 and 1")  # fmt: skip
    r = float(numeric("correlation", correlation, minimum=-1, maximum=1)[0])
    square = after**2 + before**2 - 2 * r * after * before
    return np.asarray(np.sqrt(np.where(square > 0, square, np.nan)))


def _filled(table: pd.DataFrame, fill: str, mean: FloatArray) -> pd.DataFrame:
    """Return the table with missing standard deviations by the rule, each named."""
    empty = table["sd"].isna().to_numpy()
    if not empty.any():
        return table
    i = int(np.flatnonzero(empty)[0])
    if fill == "none" or empty.all():
        raise DataError("no standard deviation, nor anything that gives one", row=i + 1,
                        column="sd", study=table["study"][i],
                        allowed="std_error, an interval, or a rule such as fill='pooled' and "
                        "groups it can borrow from")  # fmt: skip
    sd, n = table["sd"].to_numpy()[~empty], table["n"].to_numpy()[~empty]
    if fill == "cv":
        lacks = np.flatnonzero(~(np.abs(mean) > 0))
        if lacks.size:
            raise DataError("rule 'cv' needs every mean, other than 0", row=int(lacks[0]) + 1,
                            column="mean", study=table["study"][lacks[0]])  # fmt: skip
        value = np.abs(mean[empty]) * float((n * sd / np.abs(mean[~empty])).sum() / n.sum())
    elif fill == "largest":
        value = np.full(int(empty.sum()), sd.max())
    else:
        value = np.full(int(empty.sum()), np.sqrt(((n - 1) * sd**2).sum() / (n - 1).sum()))
    table.loc[empty, "sd"] = value
    table.loc[empty, "source"] = f"filled: {fill}"
    warn(
        f"standard deviations filled by the rule {fill!r}: "
        + ", ".join(table["study"][empty].astype(str))
    )
    return table


@reads(
    "n_treatment", "n_control",
    optional=("difference", "p_value", "statistic", "std_error", "conf_low", "conf_high",
              "studies"),
)  # fmt: skip
def shared_deviation(
    n_treatment: ArrayLike,
    n_control: ArrayLike,
    difference: ArrayLike | None = None,
    p_value: ArrayLike | None = None,
    statistic: ArrayLike | None = None,
    std_error: ArrayLike | None = None,
    conf_low: ArrayLike | None = None,
    conf_high: ArrayLike | None = None,
    level: float = 0.95,
    studies: Iterable[Any] | None = None,
    *,
    data: Any = None,
    missing: Missing = "error",
) -> pd.DataFrame:
    """Return the standard deviation that two groups share, from a test of their difference.

    For each study the first of these that is there is taken: the standard error of the difference
    of means; its interval; the difference with Student's t; the difference with its two-sided
    p-value. All are those of the t test with one standard deviation.

    Parameters
    ----------
    n_treatment, n_control : array-like of whole numbers, shape (k,)
        Patients, at least 2 a group.
    difference : array-like, shape (k,), optional
        Difference of means, other than 0.
    p_value, statistic, std_error, conf_low, conf_high : array-like, shape (k,), optional
        NaN where a study has none.
    level : float
        Level of the intervals.
    studies : iterable of str, optional
        Labels.

    Returns
    -------
    DataFrame
        One row a study: ``study, n_treatment, n_control, sd, source``.

    Raises
    ------
    DataError
        For a study without anything to go by.

    References
    ----------
    Higgins JPT, Li T, Deeks JJ. Choosing effect measures and computing estimates of effect.
    Cochrane Handbook for Systematic Reviews of Interventions, section 6.5.2.3.

    Examples
    --------
    The example of the Handbook, which rounds on the way to 4.69: 25 and 22 patients, a difference
    of 3.8 with p = 0.008.

    >>> shared_deviation([25], [22], [3.8], p_value=[0.008])["sd"].round(2).tolist()
    [4.68]
    """
    known = None if studies is None else [str(s) for s in items("studies", studies)]
    n1 = numeric("n_treatment", n_treatment, minimum=2, integer=True, studies=known)
    n2 = numeric("n_control", n_control, minimum=2, integer=True, studies=known)

    def column(name: str, values: ArrayLike | None, **limits: float) -> FloatArray:
        if values is None:
            return np.full(len(n1), np.nan)
        return numeric(name, values, missing=True, studies=known, **limits)  # type: ignore[arg-type]

    gap = np.abs(column("difference", difference))
    p = column("p_value", p_value, above=0.0, maximum=1.0)
    t = np.abs(column("statistic", statistic))
    se = column("std_error", std_error, above=0.0)
    low, high = column("conf_low", conf_low), column("conf_high", conf_high)
    names = labels(known, same_length(n_treatment=n1, n_control=n2, difference=gap, p_value=p,
                                      statistic=t, std_error=se, conf_low=low,
                                      conf_high=high))  # fmt: skip
    df = n1 + n2 - 2
    with np.errstate(divide="ignore", invalid="ignore"):
        ways = {
            "std_error": se,
            "interval": (high - low) / (2 * critical(check_level(level), df)),
            "statistic": gap / t,
            "p_value": gap / -special.stdtrit(df, p / 2),
        }
    found, source = np.full(len(n1), np.nan), np.full(len(n1), "", dtype=object)
    for name, values in ways.items():
        use = np.isnan(found) & np.isfinite(values) & (values > 0)
        found, source = np.where(use, values, found), np.where(use, name, source)
    for i in np.flatnonzero(np.isnan(found))[:1]:
        raise DataError("nothing that gives a standard deviation", row=int(i) + 1,
                        column="std_error", study=names[i],
                        allowed="std_error, conf_low and conf_high, or a difference other than 0 "
                        "with its statistic or p_value below 1")  # fmt: skip
    sd = found / np.sqrt(1 / n1 + 1 / n2)
    return pd.DataFrame({"study": list(names), "n_treatment": n1, "n_control": n2, "sd": sd,
                         "source": source})  # fmt: skip
