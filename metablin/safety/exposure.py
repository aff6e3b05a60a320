"""Adverse events per time on treatment, from the little that papers print.

A paper prints how many of n patients had an event and a median exposure or number of cycles. Arms
that are treated for longer have more time to have an event. What a rate per time says then hangs
on how exposure varied between patients; three readings are offered side by side.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import special, stats

from metablin._input import choice, one
from metablin._input import level as check_level
from metablin.errors import DataError
from metablin.numerics.inference import critical
from metablin.records import Record, json_dict

__all__ = ["ASSUMPTIONS", "ExposureComparison", "compare_by_exposure", "exposure_rate"]

ASSUMPTIONS = {
    "total": "patients with an event over all time on treatment; time after the event is counted",
    "fixed": "constant hazard, first event only, every patient treated for the stated exposure",
    "exponential": "constant hazard, first event only, treatment times exponential with the "
    "stated exposure as their median",
}

HALF = 0.5
"""Moved into an empty cell, so that a rate of zero or of everyone has a finite logarithm."""


def exposure_rate(
    patients: float,
    n: float,
    exposure: float,
    assumption: str = "fixed",
    level: float = 0.95,
) -> dict[str, float]:
    """Return a rate of first events per unit of exposure.

    Parameters
    ----------
    patients, n : float
        Patients with the event, and patients treated.
    exposure : float
        Mean exposure for ``total``; the common exposure for ``fixed``; the median for
        ``exponential``.
    assumption : {"total", "fixed", "exponential"}
        With ``p = patients / n``: ``p / T``; ``-log(1 - p) / T``; ``log(2) / T * p / (1 - p)``.
    level : float
        Confidence level; limits are those of the exact binomial interval (exact Poisson for
        ``total``) on the rate's scale.

    Returns
    -------
    dict
        ``estimate, conf_low, conf_high``; infinite when every patient had the event and time to
        it is not known.

    Raises
    ------
    DataError
        For impossible counts or an exposure that is not positive.

    Examples
    --------
    >>> {a: round(exposure_rate(20, 40, 2.0, a)["estimate"], 4) for a in ASSUMPTIONS}
    {'total': 0.25, 'fixed': 0.3466, 'exponential': 0.3466}
    """
    assumption = choice("assumption", assumption, ASSUMPTIONS)
    x, m, t = _checked(patients, n, exposure)
    tail = (1 - check_level(level)) / 2
    if assumption == "total":
        low = 0.0 if x == 0 else float(special.gammaincinv(x, tail))
        high = float(special.gammaincinv(x + 1, 1 - tail))
        return {"estimate": x / (m * t), "conf_low": low / (m * t), "conf_high": high / (m * t)}
    low = 0.0 if x == 0 else float(stats.beta.ppf(tail, x, m - x + 1))
    high = 1.0 if x == m else float(stats.beta.ppf(1 - tail, x + 1, m - x))
    names = ("estimate", "conf_low", "conf_high")
    return {k: _hazard(p, t, assumption) for k, p in zip(names, (x / m, low, high), strict=True)}


def _checked(patients: float, n: float, exposure: float) -> tuple[float, float, float]:
    m = one("n", n, minimum=1, integer=True)
    x = one("patients", patients, minimum=0, integer=True)
    if x > m:
        raise DataError("more patients with the event than patients", column="patients",
                        value=f"{x:g}", allowed=f"at most n = {m:g}")  # fmt: skip
    return x, m, one("exposure", exposure, above=0)


def _hazard(p: float, t: float, assumption: str) -> float:
    if p >= 1:
        return np.inf
    if assumption == "fixed":
        return float(-np.log1p(-p) / t)
    return float(np.log(2) / t * p / (1 - p))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ExposureComparison(Record):
    """An event between two arms, without and with regard to time on treatment.

    Attributes
    ----------
    frame : pandas.DataFrame
        ``assumption, treatment, control`` (rates per unit of exposure; risks in the row
        ``unadjusted``), ``estimate, conf_low, conf_high, conf_level`` (their ratio), ``note``.
    exposure_ratio : float
        Exposure on treatment over control.
    tipping_ratio : float
        Exposure ratio at which the ``fixed`` reading would show no difference: above it the
        adjusted ratio is below 1.
    """

    frame: pd.DataFrame
    exposure_ratio: float
    tipping_ratio: float

    def to_frame(self) -> pd.DataFrame:
        """Return a copy of the rows."""
        return self.frame.copy()

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison as JSON-ready Python types."""
        return json_dict(
            {"exposure_ratio": self.exposure_ratio, "tipping_ratio": self.tipping_ratio,
             "rows": self.frame}
        )  # fmt: skip


def compare_by_exposure(
    patients_treatment: float,
    n_treatment: float,
    exposure_treatment: float,
    patients_control: float,
    n_control: float,
    exposure_control: float,
    level: float = 0.95,
) -> ExposureComparison:
    """Compare an event between arms as a ratio of risks and as ratios of rates.

    Parameters
    ----------
    patients_treatment, n_treatment, exposure_treatment : float
        Patients with the event, patients, and exposure per patient on treatment.
    patients_control, n_control, exposure_control : float
        The same on control, exposure in the same unit.
    level : float
        Confidence level.

    Returns
    -------
    ExposureComparison
        Limits by the delta method on the log: variance ``1/x - 1/n`` of a log risk, ``1/x`` of a
        log rate over total time, ``p / (n (1 - p) log(1 - p)^2)`` of ``log(-log(1 - p))``,
        ``1/x + 1/(n - x)`` of a log odds.

    Raises
    ------
    DataError
        For impossible numbers.

    References
    ----------
    Liu GF, Wang J, Liu K, Snavely DB (2006). Confidence intervals for an exposure adjusted
    incidence rate difference with applications to clinical trials. Stat Med 25:1275-1286.
    doi:10.1002/sim.2335

    Examples
    --------
    >>> found = compare_by_exposure(30, 100, 2.0, 20, 100, 1.0)
    >>> found.to_frame()["estimate"].round(3).tolist()
    [1.5, 0.75, 0.799, 0.857]
    >>> round(found.tipping_ratio, 3)
    1.598
    """
    z = float(critical(check_level(level)))
    one = _checked(patients_treatment, n_treatment, exposure_treatment)
    two = _checked(patients_control, n_control, exposure_control)
    rows = []
    for name in ("unadjusted", *ASSUMPTIONS):
        (r1, v1, fixed1), (r2, v2, fixed2) = _log_rate(*one, name), _log_rate(*two, name)
        half = z * (v1 + v2) ** 0.5
        rows.append(
            {
                "assumption": name,
                "treatment": float(np.exp(r1)),
                "control": float(np.exp(r2)),
                "estimate": float(np.exp(r1 - r2)),
                "conf_low": float(np.exp(r1 - r2 - half)),
                "conf_high": float(np.exp(r1 - r2 + half)),
                "conf_level": level,
                "note": "half a patient moved into an empty cell" if fixed1 or fixed2 else "",
            }
        )
    hazards = [_log_rate(*arm, "fixed")[0] + np.log(arm[2]) for arm in (one, two)]
    return ExposureComparison(
        pd.DataFrame(rows), one[2] / two[2], float(np.exp(hazards[0] - hazards[1]))
    )


def _log_rate(x: float, n: float, t: float, assumption: str) -> tuple[float, float, bool]:
    """Return the log rate (or risk), its variance, and whether an empty cell was filled."""
    filled = x == 0 or (x == n and assumption in ("fixed", "exponential"))
    if x == 0:
        x = HALF
    if x == n and assumption in ("fixed", "exponential"):
        x = n - HALF
    p = x / n
    if assumption == "unadjusted":
        # a risk of everybody keeps its value, but not the variance of nothing
        spread = min(x, n - HALF)
        return float(np.log(p)), 1 / spread - 1 / n, filled or x == n
    if assumption == "total":
        return float(np.log(p / t)), 1 / x, filled
    if assumption == "fixed":
        return float(np.log(-np.log1p(-p) / t)), p / (n * (1 - p) * np.log1p(-p) ** 2), filled
    return float(np.log(np.log(2) / t * p / (1 - p))), 1 / x + 1 / (n - x), filled
