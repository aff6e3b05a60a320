"""Effects of weighted patients with robust variances."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metablin.errors import DataError
from metablin.survival import cox

__all__ = ["MEASURES", "arm_summary", "robust_cox", "weighted_contrast"]

FloatArray = NDArray[np.float64]

MEASURES = ("or", "rr", "rd", "md", "hr")


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """Outcome of patients: a number (0 or 1, or a measurement), or follow-up and event."""

    y: FloatArray
    time: FloatArray | None = None

    def take(self, at: NDArray[np.bool_] | NDArray[np.intp]) -> Outcome:
        """Return the patients at positions `at`."""
        return Outcome(self.y[at], None if self.time is None else self.time[at])


def arm_summary(measure: str, y: FloatArray, w: FloatArray) -> tuple[float, float]:
    """Return an arm's outcome on the analysis scale and its sandwich variance, weights as given.

    Examples
    --------
    >>> y, v = arm_summary("rd", np.array([1.0, 0.0, 1.0, 0.0]), np.ones(4))
    >>> y, v
    (0.5, 0.0625)
    """
    total = w.sum()
    mean = float(w @ y / total)
    variance = float((w**2) @ (y - mean) ** 2 / total**2)
    if measure in ("rd", "md"):
        return mean, variance
    if not 0 < mean < 1:
        raise DataError(
            "an arm in which nobody, or everybody, had the event",
            column="outcome",
            value=f"{mean:g}",
            allowed="events and non-events in every arm",
        )
    if measure == "or":
        return float(np.log(mean / (1 - mean))), variance / (mean * (1 - mean)) ** 2
    return float(np.log(mean)), variance / mean**2


def weighted_contrast(
    measure: str, outcome: Outcome, treated: NDArray[np.bool_], w: FloatArray
) -> tuple[float, float]:
    """Return the effect of the treated against the others, and its robust variance."""
    if measure == "hr":
        if outcome.time is None:
            raise DataError("a hazard ratio needs follow-up", column="time", value="missing")
        return robust_cox(outcome.time, outcome.y, treated.astype(np.float64), w)
    y1, v1 = arm_summary(measure, outcome.y[treated], w[treated])
    y0, v0 = arm_summary(measure, outcome.y[~treated], w[~treated])
    return y1 - y0, v1 + v0


def robust_cox(
    time: FloatArray, event: FloatArray, x: FloatArray, w: FloatArray
) -> tuple[float, float]:
    """Return the weighted log hazard ratio (Breslow ties) and its robust variance.

    References
    ----------
    Lin DY, Wei LJ (1989). The robust inference for the Cox proportional hazards model, eq. 2.1.
    doi:10.1080/01621459.1989.10478874
    Binder DA (1992), with weights. doi:10.1093/biomet/79.1.139
    """
    fit = cox(time, event, np.where(x > 0, "b", "a"), control="a", ties="breslow", weights=w)
    beta = float(fit.log_hr[0])
    risk = w * np.exp(beta * x)
    at, place = np.unique(time, return_inverse=True)
    s0 = np.cumsum(np.bincount(place, risk, len(at))[::-1])[::-1]
    s1 = np.cumsum(np.bincount(place, risk * x, len(at))[::-1])[::-1]
    deaths = np.bincount(place, w * event, len(at))
    mean = s1 / s0
    information = float((deaths * (mean - mean**2)).sum())
    step = np.cumsum(deaths / s0)
    drift = np.cumsum(deaths / s0 * mean)
    score = event * (x - mean[place]) - np.exp(beta * x) * (x * step[place] - drift[place])
    return beta, float(((w * score) ** 2).sum()) / information**2
