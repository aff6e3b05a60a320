"""Survival of every treatment on a stated baseline, and its rank by restricted mean."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from metablin._input import level as check_level
from metablin._input import numeric, one
from metablin.errors import DataError
from metablin.network.survival.multivariate import MultivariateFit
from metablin.network.survival.partial import basis_of
from metablin.records import Record, json_dict
from metablin.survival.patients import Patients, count
from metablin.survival.patients import patients as as_patients

__all__ = ["TreatmentCurves", "treatment_curves"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class TreatmentCurves(Record):
    """Survival of every treatment on one baseline.

    Attributes
    ----------
    treatments : tuple of str
    baseline : str
        The treatment whose patients make the baseline.
    time : ndarray, shape (g,)
    survival, conf_low, conf_high : ndarray, shape (t, g)
    horizons : ndarray, shape (h,)
    rmst : DataFrame
        ``treatment, horizon, estimate, std_error, conf_low, conf_high, mean_rank, p_best``.
    level : float
    draws, seed : int
    notes : tuple of str
    """

    treatments: tuple[str, ...]
    baseline: str
    time: FloatArray
    survival: FloatArray
    conf_low: FloatArray
    conf_high: FloatArray
    horizons: FloatArray
    rmst: pd.DataFrame
    level: float
    draws: int
    seed: int
    notes: tuple[str, ...] = ()

    def to_frame(self) -> pd.DataFrame:
        """Return one row per treatment and time."""
        g = len(self.time)
        return pd.DataFrame(
            {
                "treatment": np.repeat(self.treatments, g),
                "time": np.tile(self.time, len(self.treatments)),
                "estimate": self.survival.ravel(),
                "conf_low": self.conf_low.ravel(),
                "conf_high": self.conf_high.ravel(),
                "conf_level": self.level,
            }
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the curves as JSON-ready Python types."""
        return json_dict(
            {"baseline": self.baseline, "curves": self.to_frame(), "rmst": self.rmst,
             "notes": self.notes}
        )  # fmt: skip

    def summary(self) -> str:
        """Return the ranking by restricted mean in words."""
        return (
            f"Restricted means on the baseline of {self.baseline}, {self.draws} draws\n"
            + self.rmst.to_string(index=False, float_format="{:.4g}".format)
            + "".join(f"\nNote: {n}" for n in self.notes)
        )


def treatment_curves(
    fit: MultivariateFit,
    shape: str,
    baseline_time: ArrayLike,
    baseline_event: ArrayLike,
    *,
    baseline: str,
    horizons: ArrayLike,
    draws: int = 2000,
    seed: int = 1,
    level: float = 0.95,
) -> TreatmentCurves:
    """Put every treatment's hazard ratio on the survival of one group of patients.

    Parameters
    ----------
    fit : MultivariateFit
        Of :func:`hazard_vectors` with the same `shape`.
    shape : str
        Of the log hazard ratio in time.
    baseline_time, baseline_event : array-like, shape (n,)
        Patients of the baseline treatment: the population to which the curves speak.
    baseline : str
        Their treatment.
    horizons : array-like
        Where restricted means are compared; at most the end of the baseline's follow-up.
    draws, seed : int
        Of the effects from their normal distribution and of the baseline's hazards from beta
        distributions; bands and ranks come from them.
    level : float

    Returns
    -------
    TreatmentCurves

    Raises
    ------
    DataError
        For a horizon beyond the baseline, or another shape than the fit's.

    References
    ----------
    Jansen JP (2011). doi:10.1186/1471-2288-11-61
    """
    basis, names = basis_of(shape)
    if names != fit.network.outcomes:
        raise DataError("not the shape of the fit", column="shape", value=shape,
                        allowed=", ".join(fit.network.outcomes))  # fmt: skip
    if baseline not in fit.network.treatments:
        raise DataError("no study has this treatment", column="baseline", value=baseline,
                        allowed=" | ".join(fit.network.treatments))  # fmt: skip
    p = as_patients(baseline_time, baseline_event)
    taus = np.sort(numeric("horizons", np.ravel(np.asarray(horizons, dtype=float)), above=0))
    end = float(p.time.max())
    if taus[-1] > end:
        raise DataError("beyond the baseline's follow-up", column="horizons",
                        value=f"{taus[-1]:g}", allowed=f"at most {end:g}")  # fmt: skip
    number = int(one("draws", draws, minimum=100, maximum=1_000_000, integer=True))
    level = check_level(level)
    time, deaths, alive = _baseline(p, float(taus[-1]))
    hazard = deaths / (deaths + alive)
    g = basis(time)
    first = fit.network.treatments.index(baseline)
    middle = (fit.d - fit.d[first]) @ g.T
    grid = np.append(0.0, time)
    centre = _survival(hazard, middle)
    rng = np.random.default_rng(seed)
    sample = _draw(fit, first, g, (deaths, alive), number, rng)
    tails = [(1 - level) / 2, (1 + level) / 2]
    low, high = np.quantile(sample, tails, axis=0)
    means = np.stack([_area(grid, centre, t) for t in taus], axis=-1)
    drawn = np.stack([_area(grid, sample, t) for t in taus], axis=-1)
    rmst = _ranked(fit.network.treatments, taus, means, drawn, tails)
    return TreatmentCurves(
        fit.network.treatments, baseline, grid, centre, low, high, taus, rmst, level, number, seed,
        ("bands hold the error of effects and baseline, not that of another population",),
    )  # fmt: skip


def _baseline(p: Patients, end: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return event times, deaths and survivors at each, up to `end`."""
    c = count(p)
    at = (c.n_event > 0) & (c.time > 0) & (c.time <= end)
    if not at.any():
        raise DataError("no event in the baseline", column="baseline_event", value="all 0")
    return c.time[at], c.n_event[at], c.n_risk[at] - c.n_event[at]


def _survival(hazard: FloatArray, log_ratio: FloatArray) -> FloatArray:
    """Return survival after each event time, 1 before; (..., g) becomes (..., g + 1)."""
    # With proportional hazards the discrete hazard h becomes 1 - (1 - h)^HR.
    step = np.log1p(-np.minimum(hazard, 1 - 1e-12)) * np.exp(np.clip(log_ratio, -30, 30))
    inner = np.exp(np.cumsum(step, axis=-1))
    return np.concatenate([np.ones((*inner.shape[:-1], 1)), inner], axis=-1)


def _draw(
    fit: MultivariateFit,
    first: int,
    g: FloatArray,
    counts: tuple[FloatArray, FloatArray],
    draws: int,
    rng: np.random.Generator,
) -> FloatArray:
    t, p = fit.d.shape
    values, vectors = np.linalg.eigh(fit.cov)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    deaths, alive = counts
    all_died = alive == 0
    out = np.empty((draws, t, len(deaths) + 1))
    for i in range(draws):
        d = fit.d + (root @ rng.standard_normal(t * p)).reshape(t, p)
        # Mean d/n and close to Greenwood's variance, within 0 and 1.
        h = np.where(all_died, 1.0, rng.beta(deaths, np.where(all_died, 1.0, alive)))
        out[i] = _survival(h, (d - d[first]) @ g.T)
    return out


def _area(grid: FloatArray, survival: FloatArray, tau: float) -> FloatArray:
    """Return the area under step functions that start at `grid`, up to `tau`."""
    ends = np.minimum(np.append(grid[1:], math.inf), tau)
    width = np.maximum(ends - grid, 0.0)
    return np.asarray(survival @ width)


def _ranked(
    treatments: tuple[str, ...],
    taus: FloatArray,
    means: FloatArray,
    drawn: FloatArray,
    tails: list[float],
) -> pd.DataFrame:
    rows = []
    for k, tau in enumerate(taus):
        ranks = np.argsort(np.argsort(-drawn[:, :, k], axis=1), axis=1) + 1
        low, high = np.quantile(drawn[:, :, k], tails, axis=0)
        for i, name in enumerate(treatments):
            rows.append({
                "treatment": name, "horizon": tau, "estimate": means[i, k],
                "std_error": float(drawn[:, i, k].std(ddof=1)), "conf_low": low[i],
                "conf_high": high[i], "mean_rank": float(ranks[:, i].mean()),
                "p_best": float((ranks[:, i] == 1).mean()),
            })  # fmt: skip
    frame = pd.DataFrame(rows)
    return frame.sort_values(["horizon", "mean_rank"], kind="stable").reset_index(drop=True)
