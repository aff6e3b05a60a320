"""Intervals of single proportions that use no transform."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd
from numpy.typing import ArrayLike

from metablin._input import choice
from metablin._input import level as check_level
from metablin.effects.single import events_of

__all__ = ["INTERVALS", "exact_intervals"]

INTERVALS = {"clopper-pearson": "beta", "wilson": "wilson", "agresti-coull": "agresti_coull"}


def exact_intervals(
    events: ArrayLike,
    n: ArrayLike,
    method: str = "clopper-pearson",
    level: float = 0.95,
    studies: Iterable[Any] | None = None,
) -> pd.DataFrame:
    """Return proportions with intervals from statsmodels.

    Parameters
    ----------
    events, n : array-like of whole numbers, shape (k,)
        Patients with the event, and patients.
    method : {"clopper-pearson", "wilson", "agresti-coull"}
    level : float
    studies : iterable of str, optional
        Labels.

    Returns
    -------
    DataFrame
        ``study, events, n, estimate, conf_low, conf_high, conf_level``.

    References
    ----------
    Brown LD, Cai TT, DasGupta A (2001). Interval estimation for a binomial proportion.
    doi:10.1214/ss/1009213286

    Examples
    --------
    >>> exact_intervals([0, 18], [10, 42])["conf_high"].round(4).tolist()
    [0.3085, 0.5904]
    """
    from statsmodels.stats.proportion import proportion_confint

    chosen = INTERVALS[choice("method", method, INTERVALS)]
    x, size, names = events_of(events, n, studies)
    low, high = proportion_confint(x, size, alpha=1 - check_level(level), method=chosen)
    return pd.DataFrame(
        {
            "study": list(names),
            "events": x,
            "n": size,
            "estimate": x / size,
            "conf_low": low.clip(0, 1),
            "conf_high": high.clip(0, 1),
            "conf_level": level,
        }
    )
