"""Effect sizes of two groups measured on a continuous scale."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from metablin._input import choice, items, labels, numeric, same_length
from metablin.effects.sizes import EffectSizes, build
from metablin.options import MeanMeasure, words

__all__ = ["mean_differences", "small_sample_factor"]

FloatArray = NDArray[np.float64]


def mean_differences(
    mean_treatment: ArrayLike,
    sd_treatment: ArrayLike,
    n_treatment: ArrayLike,
    mean_control: ArrayLike,
    sd_control: ArrayLike,
    n_control: ArrayLike,
    measure: MeanMeasure = "md",
    studies: Iterable[Any] | None = None,
) -> EffectSizes:
    """Return differences of means, treatment less control, raw or standardised.

    Parameters
    ----------
    mean_treatment, mean_control : array-like, shape (k,)
        Means, in the unit of the outcome.
    sd_treatment, sd_control : array-like, shape (k,)
        Standard deviations of the patients (not standard errors), greater than 0.
    n_treatment, n_control : array-like of whole numbers, shape (k,)
        Patients, at least 2 a group.
    measure : {"md", "smd"}
        Difference in the outcome's unit, variance sd1**2/n1 + sd2**2/n2; or Hedges' g, the
        difference over the pooled standard deviation times the exact small-sample factor, variance
        1/n1 + 1/n2 + g**2 / (2 (n1 + n2)).
    studies : iterable of str, optional
        Labels.

    Returns
    -------
    EffectSizes
        With ``transform == "none"``.

    Raises
    ------
    DataError
        When a number is missing, a standard deviation is not positive or a group has fewer than
        two patients, naming the study.

    References
    ----------
    Hedges LV (1981). Distribution theory for Glass's estimator of effect size and related
    estimators, eq. 6e. doi:10.3102/10769986006002107
    Viechtbauer W (2010). doi:10.18637/jss.v036.i03 (conventions of MD and SMD).

    Examples
    --------
    >>> e = mean_differences([5.0], [2.0], [20], [3.5], [2.5], [22], measure="smd")
    >>> e.yi.round(4).tolist(), e.vi.round(4).tolist()
    ([0.6465], [0.1004])
    """
    measure = choice("measure", measure, words(MeanMeasure))
    known = None if studies is None else [str(s) for s in items("studies", studies)]
    given = {
        "treatment": (mean_treatment, sd_treatment, n_treatment),
        "control": (mean_control, sd_control, n_control),
    }
    columns: dict[str, FloatArray] = {}
    for arm, (mean, sd, n) in given.items():
        columns[f"mean_{arm}"] = numeric(f"mean_{arm}", mean, studies=known)
        columns[f"sd_{arm}"] = numeric(f"sd_{arm}", sd, above=0, studies=known)
        columns[f"n_{arm}"] = numeric(f"n_{arm}", n, minimum=2, integer=True, studies=known)
    names = labels(known, same_length(**columns))
    m1, s1, n1, m2, s2, n2 = columns.values()
    if measure == "md":
        yi, vi = m1 - m2, s1**2 / n1 + s2**2 / n2
    else:
        df = n1 + n2 - 2
        pooled = np.sqrt(((n1 - 1) * s1**2 + (n2 - 1) * s2**2) / df)
        yi = small_sample_factor(df) * (m1 - m2) / pooled
        vi = 1 / n1 + 1 / n2 + yi**2 / (2 * (n1 + n2))
    return build(yi, vi, names, measure, "none", columns)


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
