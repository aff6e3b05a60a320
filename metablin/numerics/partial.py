"""Terms of the partial likelihood: patients at risk and deaths of several arms, and ties."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["ArmCounts", "arm_counts", "efron", "log_hazard_ratio", "tied"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]

MAX_ITERATIONS = 50
STEP = 1e-10  # of a log hazard ratio: far below any standard error


@dataclass(frozen=True, slots=True, eq=False)
class ArmCounts:
    """Deaths and numbers at risk by arm at every event time, (times, arms)."""

    time: FloatArray
    deaths: FloatArray
    at_risk: FloatArray


def arm_counts(
    time: FloatArray, event: NDArray[np.generic], arm: NDArray[np.generic], arms: int = 2
) -> ArmCounts:
    """Return the counts of patients whose arms are numbered 0 to `arms` - 1.

    Parameters
    ----------
    time, event, arm : ndarray, shape (n,)
        Times in any unit; 1 for an event, 0 for censored; number of the arm.
    arms : int

    Examples
    --------
    >>> time, event, arm = [1.0, 2.0, 2.0, 3.0], [1, 1, 1, 0], [0, 0, 1, 1]
    >>> c = arm_counts(np.array(time), np.array(event), np.array(arm))
    >>> c.time.tolist(), c.deaths.tolist(), c.at_risk.tolist()
    ([1.0, 2.0], [[1.0, 0.0], [1.0, 1.0]], [[2.0, 2.0], [1.0, 2.0]])
    """
    died = event == 1
    at = np.unique(time[died])
    deaths = np.zeros((len(at), arms))
    at_risk = np.zeros((len(at), arms))
    for j in range(arms):
        here = arm == j
        ends = np.sort(time[here])
        at_risk[:, j] = len(ends) - np.searchsorted(ends, at, side="left")
        deaths[:, j] = np.bincount(np.searchsorted(at, time[here & died]), minlength=len(at))
    return ArmCounts(at, deaths, at_risk)


def tied(deaths: NDArray[np.number]) -> tuple[IntArray, FloatArray]:
    """Return every death's time, and the share of that time's deaths that went before it.

    Parameters
    ----------
    deaths : ndarray, shape (m,)
        Whole numbers.

    Returns
    -------
    row, share : ndarray, shape (r,)
        One term a death.

    Examples
    --------
    >>> row, share = tied(np.array([1, 2]))
    >>> row.tolist(), share.tolist()
    ([0, 1, 1], [0.0, 0.0, 0.5])
    """
    d = deaths.astype(np.intp)
    row = np.repeat(np.arange(d.size), d)
    return row, (np.arange(row.size) - (np.cumsum(d) - d)[row]) / d[row]


def efron(at_risk: FloatArray, deaths: FloatArray) -> tuple[FloatArray, IntArray]:
    """Return the patients of every arm at risk at each death, those tied with it partly gone.

    Parameters
    ----------
    at_risk, deaths : ndarray, shape (m, arms)

    Returns
    -------
    terms : ndarray, shape (arms, r)
    row : ndarray of int, shape (r,)
        Time of every death.

    References
    ----------
    Efron B (1977). The efficiency of Cox's likelihood function for censored data. J Am Stat
    Assoc 72:557-565. doi:10.1080/01621459.1977.10480613

    Examples
    --------
    >>> efron(np.array([[3.0, 4.0]]), np.array([[1.0, 1.0]]))[0].tolist()
    [[3.0, 2.5], [4.0, 3.5]]
    """
    row, share = tied(deaths.sum(axis=1))
    return np.take(at_risk.T, row, axis=1) - share * np.take(deaths.T, row, axis=1), row


def log_hazard_ratio(
    time: FloatArray, event: NDArray[np.generic], group: NDArray[np.generic]
) -> float:
    """Cox log hazard ratio of group 1 over group 0, Efron's correction for ties.

    Parameters
    ----------
    time, event, group : ndarray, shape (n,)
        As in :func:`arm_counts`, with groups 0 and 1.

    Returns
    -------
    float
        NaN where the likelihood has no maximum: without events, or with all of them in one group.

    Examples
    --------
    >>> round(log_hazard_ratio(np.arange(1.0, 5.0), np.ones(4), np.array([0, 1, 0, 1])), 3)
    -0.941
    """
    counts = arm_counts(time, event, group)
    (control, treated), _ = efron(counts.at_risk, counts.deaths)
    events = counts.deaths[:, 1].sum()
    beta = 0.0
    for _ in range(MAX_ITERATIONS):
        p = treated * np.exp(beta) / (treated * np.exp(beta) + control)
        information = float((p * (1.0 - p)).sum())
        if information <= 0.0:
            return float("nan")
        move = float(np.clip((events - p.sum()) / information, -1.0, 1.0))
        beta += move
        if abs(move) < STEP:
            return beta
    return float("nan")
