"""Effect sizes of two groups measured on a continuous scale."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from metablin._frame import reads
from metablin._input import choice, items, labels, numeric, same_length
from metablin.effects.sizes import EffectSizes, build, readmit
from metablin.errors import DataError
from metablin.options import MeanMeasure, MeanVariance, Missing, words

__all__ = ["MEAN_VARIANCES", "mean_differences", "same_sign", "small_sample_factor", "unbiased"]

FloatArray = NDArray[np.float64]
Pair = tuple[FloatArray, FloatArray]

MEAN_VARIANCES: dict[str, tuple[str, ...]] = {
    "md": ("large-sample", "pooled"),
    "smd": ("large-sample", "unbiased", "exact"),
    "smdh": ("large-sample",),
    "glass": ("large-sample", "unbiased", "heteroscedastic"),
    "rom": ("large-sample", "pooled"),
}
"""For every measure the variances there are, the default first."""


@reads(
    "mean_treatment",
    "sd_treatment",
    "n_treatment",
    "mean_control",
    "sd_control",
    "n_control",
    optional=("studies",),
    after=readmit,
)
@np.errstate(over="ignore", invalid="ignore")
def mean_differences(
    mean_treatment: ArrayLike,
    sd_treatment: ArrayLike,
    n_treatment: ArrayLike,
    mean_control: ArrayLike,
    sd_control: ArrayLike,
    n_control: ArrayLike,
    measure: MeanMeasure = "md",
    studies: Iterable[Any] | None = None,
    variance: MeanVariance = "large-sample",
    *,
    data: Any = None,
    missing: Missing = "error",
) -> EffectSizes:
    """Return differences of means, treatment less control: raw, standardised, or log ratios.

    Groups compared by their change from baseline go in as means and standard deviations of the
    changes (:func:`metablin.standard_deviations` finds those from a correlation).

    Parameters
    ----------
    mean_treatment, mean_control : array-like, shape (k,)
        Means, in the unit of the outcome.
    sd_treatment, sd_control : array-like, shape (k,)
        Standard deviations of the patients (not standard errors), greater than 0.
    n_treatment, n_control : array-like of whole numbers, shape (k,)
        Patients, at least 2 a group.
    measure : {"md", "smd", "smdh", "glass", "rom"}
        Difference in the outcome's unit; Hedges' g, the difference over the pooled standard
        deviation; the difference over the root of the mean of the two variances (for unequal
        ones); Glass's delta, the difference over the standard deviation of the control group;
        log ratio of the means. The standardised ones are freed of their small-sample bias by the
        exact factor.
    studies : iterable of str, optional
        Labels.
    variance : {"large-sample", "pooled", "unbiased", "exact", "heteroscedastic"}
        Sampling variance. ``md``: each group's own variance, or (``pooled``) one that both share.
        ``smd``: 1/n1 + 1/n2 + g**2 / (2 (n1 + n2)); its unbiased estimate (meta's
        ``exact.smd=TRUE``); or the exact variance of g where g is the truth. ``glass``: with n2 in
        place of n1 + n2; unbiased; or ``heteroscedastic``, for groups that truly vary
        differently. ``rom``: each group's own coefficient of variation, or of the pooled standard
        deviation.

    Returns
    -------
    EffectSizes
        With ``transform`` ``"log"`` for ratios and ``"none"`` for the rest.

    Raises
    ------
    DataError
        When a number is missing, a standard deviation is not positive, a group has fewer than
        two patients (three, for an exact or unbiased variance), means of a ratio are not both
        above or both below zero, or the measure has no such variance.

    References
    ----------
    Hedges LV (1981). Distribution theory for Glass's estimator of effect size and related
    estimators, eq. 6e. doi:10.3102/10769986006002107
    Hedges LV (1983). A random effects model for effect sizes, eq. 9 (unbiased).
    doi:10.1037/0033-2909.93.2.388
    Bonett DG (2008). Confidence intervals for standardized linear contrasts of means, eq. 8 and
    12 (unequal variances). doi:10.1037/1082-989X.13.2.99
    Hedges LV, Gurevitch J, Curtis PS (1999). The meta-analysis of response ratios in experimental
    ecology, eq. 1. doi:10.1890/0012-9658(1999)080[1150:TMAORR]2.0.CO;2
    Viechtbauer W (2010). doi:10.18637/jss.v036.i03 (conventions of MD and SMD).

    Examples
    --------
    >>> e = mean_differences([5.0], [2.0], [20], [3.5], [2.5], [22], measure="smd")
    >>> e.yi.round(4).tolist(), e.vi.round(4).tolist()
    ([0.6465], [0.1004])
    >>> ratio = mean_differences([5.0], [2.0], [20], [3.5], [2.5], [22], measure="rom")
    >>> ratio.back(ratio.yi).round(3).tolist()
    [1.429]
    """
    measure = choice("measure", measure, words(MeanMeasure))
    variance = choice("variance", variance, MEAN_VARIANCES[measure])
    least = 2 if variance not in ("exact", "unbiased") else 3
    known = None if studies is None else [str(s) for s in items("studies", studies)]
    given = {
        "treatment": (mean_treatment, sd_treatment, n_treatment),
        "control": (mean_control, sd_control, n_control),
    }
    columns: dict[str, FloatArray] = {}
    for arm, (mean, sd, n) in given.items():
        columns[f"mean_{arm}"] = numeric(f"mean_{arm}", mean, studies=known)
        columns[f"sd_{arm}"] = numeric(f"sd_{arm}", sd, above=0, studies=known)
        size = numeric(f"n_{arm}", n, minimum=2, integer=True, studies=known)
        columns[f"n_{arm}"] = numeric(f"n_{arm}", size, minimum=least, studies=known)
    names = labels(known, same_length(**columns))
    if measure == "rom":
        same_sign("mean_treatment", columns["mean_treatment"], columns["mean_control"], names)
    m1, s1, n1, m2, s2, n2 = columns.values()
    yi, vi = _MEASURES[measure](m1, s1, n1, m2, s2, n2, variance)
    return build(yi, vi, names, measure, "log" if measure == "rom" else "none", columns)


def same_sign(column: str, one: FloatArray, other: FloatArray, names: tuple[str, ...]) -> None:
    """Raise unless both means of every ratio are above, or both below, zero."""
    for i in np.flatnonzero(~(one * other > 0))[:1]:
        raise DataError(
            "a ratio of means needs two positive means (or two negative ones)",
            row=int(i) + 1,
            column=column,
            value=f"{one[i]:g} against {other[i]:g}",
            allowed="an outcome with a true zero, or measure='md'",
            study=names[i],
        )


def small_sample_factor(df: FloatArray) -> FloatArray:
    """Return Hedges' exact factor J(df) = gamma(df/2) / (sqrt(df/2) gamma((df - 1)/2)).

    References
    ----------
    Hedges LV (1981), eq. 6e. doi:10.3102/10769986006002107

    Examples
    --------
    >>> small_sample_factor(np.array([10.0])).round(6).tolist()
    [0.922746]
    """
    logs = special.gammaln(df / 2) - special.gammaln((df - 1) / 2)
    return np.asarray(np.exp(logs) / np.sqrt(df / 2))


def unbiased(g: FloatArray, df: FloatArray, start: FloatArray) -> FloatArray:
    """Return the unbiased variance `start` + (1 - (df - 2) / (df J(df)**2)) g**2.

    References
    ----------
    Hedges LV (1983), eq. 9. doi:10.1037/0033-2909.93.2.388
    """
    return np.asarray(start + (1 - (df - 2) / (df * small_sample_factor(df) ** 2)) * g**2)


def _pooled_sd(s1: FloatArray, n1: FloatArray, s2: FloatArray, n2: FloatArray) -> FloatArray:
    return np.asarray(np.sqrt(((n1 - 1) * s1**2 + (n2 - 1) * s2**2) / (n1 + n2 - 2)))


def _raw(
    m1: FloatArray, s1: FloatArray, n1: FloatArray,
    m2: FloatArray, s2: FloatArray, n2: FloatArray, variance: str,
) -> Pair:  # fmt: skip
    if variance == "pooled":
        return m1 - m2, _pooled_sd(s1, n1, s2, n2) ** 2 * (1 / n1 + 1 / n2)
    return m1 - m2, s1**2 / n1 + s2**2 / n2


def _hedges(
    m1: FloatArray, s1: FloatArray, n1: FloatArray,
    m2: FloatArray, s2: FloatArray, n2: FloatArray, variance: str,
) -> Pair:  # fmt: skip
    df, start = n1 + n2 - 2, 1 / n1 + 1 / n2
    j = small_sample_factor(df)
    g = j * (m1 - m2) / _pooled_sd(s1, n1, s2, n2)
    if variance == "unbiased":
        return g, unbiased(g, df, start)
    if variance == "exact":  # of a non-central t with the non-centrality of g
        return g, j**2 * df / (df - 2) * (start + g**2) - g**2
    return g, start + g**2 / (2 * (n1 + n2))


def _bonett(
    m1: FloatArray, s1: FloatArray, n1: FloatArray,
    m2: FloatArray, s2: FloatArray, n2: FloatArray, variance: str,
) -> Pair:  # fmt: skip
    square = (s1**2 + s2**2) / 2
    d = small_sample_factor(n1 + n2 - 2) * (m1 - m2) / np.sqrt(square)
    of_sd = d**2 * (s1**4 / (n1 - 1) + s2**4 / (n2 - 1)) / (8 * square**2)
    return d, of_sd + (s1**2 / (n1 - 1) + s2**2 / (n2 - 1)) / square


def _glass(
    m1: FloatArray, s1: FloatArray, n1: FloatArray,
    m2: FloatArray, s2: FloatArray, n2: FloatArray, variance: str,
) -> Pair:  # fmt: skip
    df, start = n2 - 1, 1 / n1 + 1 / n2
    delta = small_sample_factor(df) * (m1 - m2) / s2
    if variance == "unbiased":
        return delta, unbiased(delta, df, start)
    if variance == "heteroscedastic":
        return delta, (s1 / s2) ** 2 / (n1 - 1) + 1 / df + delta**2 / (2 * df)
    return delta, start + delta**2 / (2 * n2)


def _ratio(
    m1: FloatArray, s1: FloatArray, n1: FloatArray,
    m2: FloatArray, s2: FloatArray, n2: FloatArray, variance: str,
) -> Pair:  # fmt: skip
    if variance == "pooled":
        s1 = s2 = _pooled_sd(s1, n1, s2, n2)
    return np.log(m1 / m2), (s1 / m1) ** 2 / n1 + (s2 / m2) ** 2 / n2


_MEASURES: dict[str, Callable[..., tuple[FloatArray, FloatArray]]] = {
    "md": _raw,
    "smd": _hedges,
    "smdh": _bonett,
    "glass": _glass,
    "rom": _ratio,
}
