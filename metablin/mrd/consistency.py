"""Do the parts add up to the whole? Subgroup curves against the curve of all patients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import optimize

from metablin._input import numeric, same_length
from metablin.errors import DataError
from metablin.records import Record, json_dict

__all__ = ["Consistency", "mixture_bounds", "mixture_check", "mixture_median"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Consistency(Record):
    """The survival of all patients, of responders and of the rest, with what each implies.

    Attributes
    ----------
    time, overall, responders : ndarray, shape (m,)
        Times and survival.
    nonresponders : ndarray, shape (m,)
        Given, or NaN.
    share : float
        Share of responders among all patients.
    implied, implied_low, implied_high : ndarray, shape (m,)
        Survival of non-responders that the whole and the responders imply,
        ``(S - p S_r) / (1 - p)``, with its range when every printed figure may be off by
        `tolerance`; limits are kept inside 0..1, `implied` itself is not.
    consistent : ndarray of bool, shape (m,)
        Whether a non-responder curve between 0 and 1 (and, where given, the printed one within
        `tolerance`) exists at that time.
    tolerance : float
    """

    time: FloatArray
    overall: FloatArray
    responders: FloatArray
    nonresponders: FloatArray
    share: float
    implied: FloatArray
    implied_low: FloatArray
    implied_high: FloatArray
    consistent: NDArray[np.bool_]
    tolerance: float

    def to_frame(self) -> pd.DataFrame:
        """Return one row a time."""
        names = ("time", "overall", "responders", "nonresponders", "implied", "implied_low",
                 "implied_high", "consistent")  # fmt: skip
        return pd.DataFrame({n: getattr(self, n) for n in names}).assign(share=self.share)

    def to_dict(self) -> dict[str, Any]:
        """Return the check as JSON-ready Python types."""
        return json_dict({"share": self.share, "times": self.to_frame()})


def mixture_check(
    time: ArrayLike,
    overall: ArrayLike,
    responders: ArrayLike,
    share: float,
    nonresponders: ArrayLike | None = None,
    tolerance: float = 0.005,
) -> Consistency:
    """Check that a cohort's curve is the mixture of its responders' and non-responders' curves.

    Survival of all is ``S(t) = p S_r(t) + (1 - p) S_n(t)`` at every time, whatever the hazards,
    when everybody is in one of the two groups from time zero.

    Parameters
    ----------
    time : array-like, shape (m,)
    overall, responders : array-like, shape (m,)
        Survival probabilities.
    share : float
        Responders among all, strictly between 0 and 1.
    nonresponders : array-like, shape (m,), optional
        Survival to check against; derived when not given.
    tolerance : float
        What every printed probability may be off by: half a unit of its last digit, or more to
        allow for sampling when groups were read from different analyses.

    Returns
    -------
    Consistency

    Raises
    ------
    DataError
        For probabilities outside 0..1 or arrays of different length.

    Examples
    --------
    >>> found = mixture_check([12, 24], [0.6, 0.5], [0.7, 0.62], share=0.75)
    >>> found.implied.round(3).tolist(), found.consistent.tolist()
    ([0.3, 0.14], [True, True])
    """
    t = numeric("time", time, minimum=0)
    s, r = (numeric(c, x, minimum=0, maximum=1) for c, x in
            (("overall", overall), ("responders", responders)))  # fmt: skip
    p = _share(share)
    given = np.full(len(t), np.nan)
    if nonresponders is not None:
        given = numeric("nonresponders", nonresponders, minimum=0, maximum=1, missing=True)
    same_length(time=t, overall=s, responders=r, nonresponders=given)
    slack = float(numeric("tolerance", tolerance, minimum=0)[0])
    implied = (s - p * r) / (1 - p)
    reach = slack * (1 + p) / (1 - p)
    low, high = implied - reach, implied + reach
    edge = 1e-12
    exists = (high >= -edge) & (low <= 1 + edge)
    matches = np.isnan(given) | (np.abs(implied - given) <= reach + slack + edge)
    return Consistency(
        t, s, r, given, p, implied, np.clip(low, 0, 1), np.clip(high, 0, 1), exists & matches, slack
    )


def mixture_bounds(overall: ArrayLike, share: float) -> tuple[FloatArray, FloatArray]:
    """Return what the curve of all and the share alone say about the responders' curve.

    Parameters
    ----------
    overall : array-like, shape (m,)
        Survival of all patients.
    share : float
        Responders among all.

    Returns
    -------
    low, high : ndarray, shape (m,)
        ``max(0, (S - (1 - p)) / p)`` (nobody among the others died) and ``min(1, S / p)``
        (everybody else died): no assumption is in them.

    References
    ----------
    Horowitz JL, Manski CF (1995), Econometrica 63:281-302 (contaminated sampling).
    doi:10.2307/2951627

    Examples
    --------
    >>> low, high = mixture_bounds([0.5], 0.8)
    >>> low.round(3).tolist(), high.round(3).tolist()
    ([0.375], [0.625])
    """
    s, p = numeric("overall", overall, minimum=0, maximum=1), _share(share)
    return np.maximum(0, (s - (1 - p)) / p), np.minimum(1, s / p)


def mixture_median(median_responders: float, median_nonresponders: float, share: float) -> float:
    """Return the median of a mixture of two exponential groups.

    Whatever the curves, the median of all lies between those of the groups; with constant hazards
    it is the root of ``p 2^(-t/m_r) + (1 - p) 2^(-t/m_n) = 1/2``.

    Examples
    --------
    >>> mixture_median(24.0, 24.0, 0.8)
    24.0
    >>> round(mixture_median(24.0, 6.0, 0.8), 1)
    18.0
    """
    m1, m2 = (float(numeric("median", m, above=0)[0])
              for m in (median_responders, median_nonresponders))  # fmt: skip
    p = _share(share)
    low, high = min(m1, m2), max(m1, m2)
    if low == high:
        return low
    excess = lambda t: p * 2 ** (-t / m1) + (1 - p) * 2 ** (-t / m2) - 0.5  # noqa: E731
    return float(optimize.brentq(excess, low, high, xtol=1e-12))


def _share(share: float) -> float:
    p = float(numeric("share", share)[0])
    if not 0 < p < 1:
        raise DataError(
            "not a share of responders", column="share", value=share, allowed="between 0 and 1"
        )
    return p
