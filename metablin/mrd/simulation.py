"""Simulation of immortal-time bias: what a naive comparison of responders gets wrong, and when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from metablin._input import level as check_level
from metablin._input import numeric, one
from metablin._input import seed as check_seed
from metablin.errors import ConvergenceError, DataError
from metablin.mrd.postbaseline import spells
from metablin.numerics.inference import critical
from metablin.records import Record, json_dict

__all__ = ["ImmortalTime", "simulate_cohort", "simulate_immortal_time"]

FloatArray = NDArray[np.float64]

STEPS, TOLERANCE = 50, 1e-10
"""Newton steps of a one-parameter concave likelihood; half a dozen are usual."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ImmortalTime(Record):
    """How three comparisons of responders do against a known truth.

    Attributes
    ----------
    frame : pandas.DataFrame
        ``true_hr, window, method, simulations, estimate`` (mean log hazard ratio, as a ratio),
        ``bias`` (of the log), ``mc_error`` (Monte Carlo error of the bias), ``sd`` (of the
        estimates), ``mean_std_error``, ``coverage`` and ``coverage_mc_error``.
    n, simulations, seed : int
    """

    frame: pd.DataFrame
    n: int
    simulations: int
    seed: int

    def to_frame(self) -> pd.DataFrame:
        """Return a copy of the rows."""
        return self.frame.copy()

    def to_dict(self) -> dict[str, Any]:
        """Return the simulation as JSON-ready Python types."""
        return json_dict(
            {"n": self.n, "simulations": self.simulations, "seed": self.seed, "rows": self.frame}
        )


def simulate_cohort(
    n: int,
    *,
    true_hr: float,
    window: float,
    response: float = 0.75,
    median: float = 9.0,
    followup: float = 36.0,
    rng: np.random.Generator,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Simulate a cohort in which a share responds at a time within a window.

    The hazard is constant, and multiplied by `true_hr` from the moment of response on. Patients
    who die first do not respond.

    Parameters
    ----------
    n : int
        Patients.
    true_hr : float
        Hazard ratio after response.
    window : float
        Responses are spread evenly from 0 to this time.
    response : float
        Share that would respond if nobody died first.
    median : float
        Median survival without response.
    followup : float
        Time of censoring; entry is spread so that it lies between half of it and all of it.
    rng : numpy.random.Generator

    Returns
    -------
    time, event, changed_at : ndarray, shape (n,)
        `changed_at` is NaN for those who did not respond.

    Examples
    --------
    >>> t, e, at = simulate_cohort(50, true_hr=0.5, window=3.0, rng=np.random.default_rng(1))
    >>> bool((at[~np.isnan(at)] <= t[~np.isnan(at)]).all())
    True
    """
    n = int(one("n", n, minimum=1, integer=True))
    for name, value in (("true_hr", true_hr), ("window", window), ("median", median),
                        ("followup", followup)):  # fmt: skip
        one(name, value, above=0)
    one("response", response, above=0, maximum=1)
    hazard = np.log(2) / median
    responds_at = np.where(rng.random(n) < response, window * rng.random(n), np.inf)
    budget = rng.exponential(size=n)  # cumulative hazard at which the event comes
    before = hazard * np.minimum(responds_at, 1e9)
    after = responds_at + (budget - before) / (hazard * true_hr)
    death = np.where(budget <= before, budget / hazard, after)
    end = followup * (0.5 + 0.5 * rng.random(n))
    time = np.minimum(death, end)
    changed = np.where(responds_at < time, responds_at, np.nan)
    return time, (death <= end).astype(np.float64), changed


def simulate_immortal_time(
    true_hrs: Sequence[float] = (1.0, 0.5),
    windows: Sequence[float] = (1.5, 3.0, 6.0),
    *,
    n: int = 200,
    simulations: int = 300,
    seed: int = 1,
    level: float = 0.95,
    **cohort: float,
) -> ImmortalTime:
    """Compare naive, landmark and time-dependent hazard ratios of responders with the truth.

    Parameters
    ----------
    true_hrs, windows : sequence of float
        Hazard ratios after response and latest response times; the landmark is the window's end.
    n, simulations, seed : int
        Patients a cohort, cohorts a setting, and the seed of the generator.
    level : float
        Confidence level of the coverage.
    **cohort
        ``response, median, followup`` of :func:`simulate_cohort`.

    Returns
    -------
    ImmortalTime

    Raises
    ------
    DataError
        When a setting is not positive.

    Examples
    --------
    >>> found = simulate_immortal_time([1.0], [6.0], n=200, simulations=20).to_frame()
    >>> naive, landmark = found["estimate"][0], found["estimate"][1]
    >>> bool(naive < 0.8), bool(landmark > 0.8)
    (True, True)
    """
    numeric("true_hrs", list(true_hrs), above=0)
    numeric("windows", list(windows), above=0)
    n, simulations, seed = (
        int(one(name, value, minimum=0, integer=True))
        for name, value in (("n", n), ("simulations", simulations), ("seed", seed))
    )
    check_level(level)
    unknown = set(cohort) - {"response", "median", "followup"}
    if unknown:
        raise DataError("no such setting", column=min(unknown),
                        allowed="response | median | followup")  # fmt: skip
    if simulations < 2 or n < 10:
        raise DataError("too small a simulation", value=f"{simulations} of {n}",
                        allowed="at least 2 of at least 10")  # fmt: skip
    rng = np.random.default_rng(check_seed(seed))
    z = float(critical(level))
    rows: list[dict[str, Any]] = []
    for true_hr in true_hrs:
        for window in windows:
            draws = np.array([_one(n, true_hr, window, rng, cohort) for _ in range(simulations)])
            rows += [
                {"true_hr": true_hr, "window": window, "method": m,
                 **_score(draws[:, i], float(np.log(true_hr)), z)}
                for i, m in enumerate(("naive", "landmark", "time-dependent"))
            ]  # fmt: skip
    return ImmortalTime(pd.DataFrame(rows), n, simulations, seed)


def _one(
    n: int, true_hr: float, window: float, rng: np.random.Generator, cohort: dict[str, float]
) -> list[tuple[float, float]]:
    """Return naive, landmark and time-dependent estimates of one simulated cohort."""
    time, event, at = simulate_cohort(n, true_hr=true_hr, window=window, rng=rng, **cohort)
    changed = ~np.isnan(at)
    start = np.zeros(n)
    late = time > window
    in_time = late & (at <= window)
    entry, exit_, failed, later = spells(time, event, at)
    return [
        _two_groups(start, time, event, changed),
        _two_groups(start[late], time[late], event[late], in_time[late]),
        _two_groups(entry, exit_, failed, later == 1),
    ]


def _two_groups(
    entry: FloatArray, exit_: FloatArray, event: FloatArray, group: NDArray[np.bool_]
) -> tuple[float, float]:
    """Return the Cox log hazard ratio of two groups without ties, and its standard error.

    The partial likelihood needs only how many of each group are at risk at every event.
    """
    times = np.sort(exit_[event == 1])
    of_group = np.sort(exit_[(event == 1) & group]).size
    counts = []
    for part in (group, ~group):
        entered = np.searchsorted(np.sort(entry[part]), times, side="left")
        counts.append(entered - np.searchsorted(np.sort(exit_[part]), times, side="left"))
    if of_group in (0, times.size):
        raise ConvergenceError("one group of a simulated cohort has no events")
    beta = 0.0
    for _ in range(STEPS):
        share = counts[0] * np.exp(beta) / (counts[0] * np.exp(beta) + counts[1])
        score, information = of_group - share.sum(), float((share * (1 - share)).sum())
        step = float(score / information)
        beta += float(np.clip(step, -1.0, 1.0))
        if abs(step) < TOLERANCE:
            return beta, information**-0.5
    raise ConvergenceError("the hazard ratio of a simulated cohort did not converge")


def _score(draws: FloatArray, truth: float, z: float) -> dict[str, float]:
    estimates, errors = draws[:, 0], draws[:, 1]
    count = len(estimates)
    covered = float((np.abs(estimates - truth) <= z * errors).mean())
    sd = float(estimates.std(ddof=1))
    return {
        "simulations": count,
        "estimate": float(np.exp(estimates.mean())),
        "bias": float(estimates.mean() - truth),
        "mc_error": sd / count**0.5,
        "sd": sd,
        "mean_std_error": float(errors.mean()),
        "coverage": covered,
        "coverage_mc_error": (covered * (1 - covered) / count) ** 0.5,
    }
