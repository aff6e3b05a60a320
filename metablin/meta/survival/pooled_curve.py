"""The record of a pooled survival curve, and Rubin's rules over draws of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from metablin import _input
from metablin.errors import DataError
from metablin.records import Record, json_dict
from metablin.survival import rubin

__all__ = ["PooledCurve", "combine_pooled_curves"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class PooledCurve(Record):
    """A summary survival curve at g times.

    Attributes
    ----------
    time : ndarray, shape (g,)
    survival, conf_low, conf_high : ndarray, shape (g,)
        The mean of the population of trials and its pointwise limits.
    pred_low, pred_high : ndarray, shape (g,)
        Pointwise limits for a new trial; NaN with fewer than three trials.
    std_error : ndarray, shape (g,)
        Of log(-log S) for the mean.
    i2 : ndarray, shape (g,)
        Share of variance between trials, of everything up to each time (``combescure``) or of the
        survival at each time.
    k : ndarray, shape (g,)
        Trials followed that far (in every draw).
    studies : tuple of str
    method : str
    level : float
    """

    time: FloatArray
    survival: FloatArray
    conf_low: FloatArray
    conf_high: FloatArray
    pred_low: FloatArray
    pred_high: FloatArray
    std_error: FloatArray
    i2: FloatArray
    k: NDArray[np.intp]
    studies: tuple[str, ...]
    method: str
    level: float

    def to_frame(self) -> pd.DataFrame:
        """Return the curve, its bands, I2 and the number of trials at each time."""
        names = ("time", "survival", "conf_low", "conf_high", "pred_low", "pred_high", "i2", "k")
        return pd.DataFrame({name: getattr(self, name) for name in names})

    def at(self, times: ArrayLike) -> pd.DataFrame:
        """Return the curve at landmarks, log-linear between its times.

        Raises
        ------
        DataError
            Beyond the last time of the curve.
        """
        t = _input.numeric("times", times, minimum=0.0, maximum=float(self.time[-1]))
        out: dict[str, Any] = {"term": [f"survival at {x:g}" for x in t], "time": t}
        pairs = {
            "estimate": self.survival,
            "conf_low": self.conf_low,
            "conf_high": self.conf_high,
            "pred_low": self.pred_low,
            "pred_high": self.pred_high,
        }
        for name, values in pairs.items():
            with np.errstate(divide="ignore"):
                logs = np.log(np.r_[1.0, values])
            out[name] = np.exp(np.interp(t, np.r_[0.0, self.time], logs))
        return pd.DataFrame({**out, "conf_level": self.level})

    def median(self) -> pd.DataFrame:
        """Return the median, its interval and that of a new trial; infinite where not reached."""
        row = {
            "term": "median",
            "estimate": self._crossing(self.survival),
            "conf_low": self._crossing(self.conf_low),
            "conf_high": self._crossing(self.conf_high),
            "pred_low": self._crossing(self.pred_low),
            "pred_high": self._crossing(self.pred_high),
            "conf_level": self.level,
        }
        return pd.DataFrame([row])

    def _crossing(self, curve: FloatArray) -> float:
        if np.isnan(curve).any():
            return np.nan
        t, s = np.r_[0.0, self.time], np.r_[1.0, curve]
        below = np.flatnonzero(s <= 0.5)
        if below.size == 0:
            return np.inf
        i = int(below[0])
        a, b = np.log(s[i - 1]), np.log(max(s[i], 1e-300))
        return float(t[i - 1] + (t[i] - t[i - 1]) * (a - np.log(0.5)) / (a - b))

    def summary(self) -> str:
        """Return the median and the band as text."""
        m = self.median().iloc[0]
        head = (
            f"{len(self.studies)} trials, {self.method}: median {m['estimate']:.3g} "
            f"({self.level:.0%} CI {m['conf_low']:.3g} to {m['conf_high']:.3g}; "
            f"new trial {m['pred_low']:.3g} to {m['pred_high']:.3g})"
        )
        return f"{head}\n{self.to_frame().round(4).to_string(index=False)}"

    def to_dict(self) -> dict[str, Any]:
        """Return the curve, ready for JSON."""
        return json_dict(
            {
                "method": self.method,
                "conf_level": self.level,
                "studies": list(self.studies),
                "median": self.median().iloc[0].to_dict(),
                "curve": self.to_frame(),
            }
        )


def falling(curve: FloatArray, low: FloatArray, high: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return limits that do not rise: no upper limit above an earlier one, no lower below a later.

    Survival falls, so an upper limit holds for all later times, a lower one for all earlier ones;
    neither crosses the curve.

    Examples
    --------
    >>> low, high = falling(np.array([0.6, 0.5]), np.array([0.1, 0.3]), np.array([0.8, 0.9]))
    >>> low.tolist(), high.tolist()
    ([0.3, 0.3], [0.8, 0.8])
    """
    # fmin and fmax pass over NaN, which stays where it is.
    upper = np.fmin.accumulate(high)
    lower = np.minimum(np.fmax.accumulate(low[::-1])[::-1], curve)
    return np.where(np.isnan(low), np.nan, lower), np.where(np.isnan(high), np.nan, upper)


def combine_pooled_curves(
    draws: Sequence[PooledCurve],
) -> tuple[PooledCurve, FloatArray]:
    """Combine pooled curves of reconstruction draws by Rubin's rules on the log(-log) scale.

    Parameters
    ----------
    draws : sequence of PooledCurve
        On the same times, one a draw.

    Returns
    -------
    curve : PooledCurve
        Bands widened by the variance between draws.
    share : ndarray, shape (g,)
        Share of the mean's variance that lies between draws.

    Examples
    --------
    >>> from metablin.meta.survival.curves import pool_curves
    >>> from metablin.survival import kaplan_meier
    >>> t, e = [2, 4, 5, 8, 9, 12, 15, 20], [1, 1, 0, 1, 1, 1, 0, 0]
    >>> one = pool_curves({"a": kaplan_meier(t, e), "b": kaplan_meier(t, e)}, times=[6, 12])
    >>> combine_pooled_curves([one, one])[1].tolist()
    [0.0, 0.0]
    """
    if not draws:
        raise DataError("no draws", column="draws", allowed="one or more")
    first = draws[0]
    for other in draws[1:]:
        if other.time.shape != first.time.shape or np.any(other.time != first.time):
            raise DataError("draws have different times", column="draws", allowed="one grid")

    def scaled(name: str) -> FloatArray:
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(-np.log(np.array([getattr(d, name) for d in draws]))))

    centre = scaled("survival")
    mean, total, share = rubin(centre, np.array([d.std_error for d in draws]) ** 2)
    extra = share * total
    own = np.sqrt(np.maximum(total - extra, 1e-300))

    def widened(name: str, sign: float) -> FloatArray:
        # half / own is the reference quantile (times the new trial's larger error).
        half = np.abs(scaled(name) - centre).mean(axis=0)
        quantile = np.abs(scaled("conf_low") - centre).mean(axis=0) / own
        wide = np.sqrt(half**2 + quantile**2 * extra)
        return np.asarray(np.exp(-np.exp(mean + sign * wide)))

    # Draws differ more at some times than at others; a limit still cannot rise.
    survival = np.minimum.accumulate(np.exp(-np.exp(mean)))
    low, high = falling(survival, widened("conf_low", 1.0), widened("conf_high", -1.0))
    pred_low, pred_high = falling(survival, widened("pred_low", 1.0), widened("pred_high", -1.0))

    curve = PooledCurve(
        time=first.time,
        survival=survival,
        conf_low=low,
        conf_high=high,
        pred_low=pred_low,
        pred_high=pred_high,
        std_error=np.sqrt(total),
        i2=np.mean([d.i2 for d in draws], axis=0),
        k=np.min([d.k for d in draws], axis=0),
        studies=first.studies,
        method=first.method,
        level=first.level,
    )
    return curve, share
