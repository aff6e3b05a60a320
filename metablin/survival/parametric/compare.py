"""Families side by side: one table of fit, landmarks, cure fraction and extrapolated mean."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from metablin import _input
from metablin.errors import ConvergenceError, DataError, MetablinWarning
from metablin.records import Record, json_dict
from metablin.survival.km import KMCurve, curve_of
from metablin.survival.parametric.fit import ParametricFit, fit_parametric
from metablin.survival.parametric.names import ALLOWED, DEFAULT, check_name
from metablin.survival.patients import Patients, patients
from metablin.survival.ties import onto

__all__ = ["ParametricComparison", "brier_score", "compare_parametric", "integrated_brier_score"]

FloatArray = NDArray[np.float64]

LANDMARKS = (12.0, 24.0, 36.0, 60.0)
GRID = 200


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ParametricComparison(Record):
    """Several families fitted to one arm.

    Attributes
    ----------
    fits : tuple of ParametricFit
        Those that could be fitted, by increasing AIC.
    failed : tuple of (str, str)
        Families that could not, each with the reason: no maximum, too few events for its knots.
    notes : dict
        Warnings of a fit, by family.
    brier : dict
        Integrated Brier score by family.
    curve : KMCurve
        The Kaplan-Meier curve of the same patients.
    times : tuple of float
        Landmarks of the table.
    """

    fits: tuple[ParametricFit, ...]
    failed: tuple[tuple[str, str], ...]
    notes: dict[str, str]
    brier: dict[str, float]
    curve: KMCurve
    times: tuple[float, ...]

    @property
    def best(self) -> ParametricFit:
        """The fit with the lowest AIC."""
        return self.fits[0]

    def to_frame(self) -> pd.DataFrame:
        """Return one row a family, failed ones last with the reason in ``note``.

        Columns: ``family, parameters, loglik, aic, bic, ibs, survival_T`` for each landmark,
        ``cure_fraction, cure_low, cure_high, mean`` (extrapolated; infinite with a plateau),
        ``note``.
        """
        rows = [self._row(f) for f in self.fits]
        rows += [{"family": name, "note": reason} for name, reason in self.failed]
        return pd.DataFrame(rows)

    def _row(self, f: ParametricFit) -> dict[str, Any]:
        estimate, low, high = f.cure_fraction()
        survival = f.survival(self.times)["estimate"]
        return {
            "family": f.family.name,
            "parameters": f.theta.size,
            "loglik": f.loglik,
            "aic": f.aic,
            "bic": f.bic,
            "ibs": self.brier[f.family.name],
            **{f"survival_{t:g}": s for t, s in zip(self.times, survival, strict=True)},
            "cure_fraction": estimate,
            "cure_low": low,
            "cure_high": high,
            "mean": f.mean(),
            "note": self.notes.get(f.family.name, ""),
        }

    def to_dict(self) -> dict[str, Any]:
        """Return the table and the fits, ready for JSON."""
        return json_dict({"table": self.to_frame(), "fits": [f.to_dict() for f in self.fits]})


def compare_parametric(
    time: ArrayLike,
    event: ArrayLike,
    families: Sequence[str] = DEFAULT,
    *,
    times: ArrayLike = LANDMARKS,
    entry: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    level: float = 0.95,
) -> ParametricComparison:
    """Fit several families to one arm and put them in one table.

    Parameters
    ----------
    time, event : array-like, shape (n,)
        Follow-up, greater than 0, and 1 event, 0 censored.
    families : sequence of str
        Names as in `fit_parametric`.
    times : array-like
        Landmarks of the table (1, 2, 3 and 5 years in months when not given).
    entry, weights : array-like, shape (n,), optional
        Late entry and case weights.
    level : float
        Confidence level.

    Returns
    -------
    ParametricComparison

    Raises
    ------
    DataError
        For an unknown family, no family, bad data, or events too few for any of the families.
    ConvergenceError
        When no family can be fitted.

    Examples
    --------
    >>> table = compare_parametric([2, 3, 5, 7, 11], [1, 1, 1, 0, 1], ["exponential", "weibull"])
    >>> sorted(f.family.name for f in table.fits)
    ['exponential', 'weibull']
    """
    p = patients(time, event, entry, weights)
    landmarks = _input.numeric("times", times, minimum=0.0)
    confidence = _input.level(level)
    fits: list[ParametricFit] = []
    failed: list[tuple[str, str]] = []
    notes: dict[str, str] = {}
    names = [check_name(name) for name in _input.items("families", families)]
    if not names:
        raise DataError("no family to fit", column="families", allowed=ALLOWED)
    refused: list[DataError] = []
    for name in names:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", MetablinWarning)
            try:
                fits.append(
                    fit_parametric(
                        time, event, name, entry=entry, weights=weights, level=confidence
                    )
                )
            except DataError as error:
                refused.append(error)
                failed.append((name, str(error)))
            except ConvergenceError as error:
                failed.append((name, str(error)))
        said = [str(w.message) for w in caught if issubclass(w.category, MetablinWarning)]
        if said and fits:
            notes[fits[-1].family.name] = "; ".join(said)
    if not fits and len(refused) == len(failed) > 0:
        raise refused[0]
    if not fits:
        raise ConvergenceError("; ".join(reason for _, reason in failed))
    fits.sort(key=lambda f: f.aic)
    horizon = float(p.time[p.event == 1.0].max())
    return ParametricComparison(
        fits=tuple(fits),
        failed=tuple(failed),
        notes=notes,
        brier={f.family.name: _integrated(f, p, horizon) for f in fits},
        curve=curve_of(p, "log-log", confidence, ""),
        times=tuple(float(t) for t in landmarks),
    )


def integrated_brier_score(
    fit: ParametricFit, time: ArrayLike, event: ArrayLike, tau: float | None = None
) -> float:
    """Return the integrated Brier score of a fitted curve on patients.

    Parameters
    ----------
    fit : ParametricFit
    time, event : array-like, shape (n,)
    tau : float, optional
        Horizon; the last event when not given.

    References
    ----------
    Graf E, Schmoor C, Sauerbrei W, Schumacher M (1999). Assessment and comparison of prognostic
    classification schemes for survival data. Stat Med 18:2529-2545.
    doi:10.1002/(SICI)1097-0258(19990915/30)18:17/18<2529::AID-SIM274>3.0.CO;2-5

    Examples
    --------
    >>> fit = fit_parametric([2, 3, 5, 7, 11], [1, 1, 1, 0, 1], "exponential")
    >>> round(integrated_brier_score(fit, [2, 3, 5, 7, 11], [1, 1, 1, 0, 1]), 3)
    0.2
    """
    p = patients(time, event)
    if not p.event.any():
        raise DataError("no events", column="event", allowed="at least one event")
    horizon = float(p.time[p.event == 1.0].max()) if tau is None else tau
    return _integrated(fit, p, _input.one("tau", horizon, above=0.0))


def brier_score(
    survival: ArrayLike, times: ArrayLike, time: ArrayLike, event: ArrayLike
) -> FloatArray:
    """Return the Brier score at each time of one predicted curve for all patients.

    Censoring is accounted for by inverse probability weights from its Kaplan-Meier curve.

    Parameters
    ----------
    survival, times : array-like, shape (m,)
        Predicted S(t) at the times.
    time, event : array-like, shape (n,)

    Returns
    -------
    ndarray, shape (m,)

    Examples
    --------
    >>> brier_score([0.5], [4], [2, 3, 5, 7], [1, 1, 1, 1])
    array([0.25])
    """
    s = _input.numeric("survival", survival, minimum=0.0, maximum=1.0)
    t = _input.numeric("times", times, minimum=0.0)
    _input.same_length(survival=s, times=t)
    return _brier(s, t, patients(time, event))


def _brier(s: FloatArray, t: FloatArray, p: Patients) -> FloatArray:
    censoring = curve_of(Patients(p.time, 1.0 - p.event, p.entry, p.weights), "plain", 0.95, "")
    g = np.r_[1.0, censoring.survival]
    t = onto(t, censoring.time)
    before = g[np.searchsorted(censoring.time, p.time, side="left")]
    at = g[np.searchsorted(censoring.time, t, side="right")]
    order = np.argsort(p.time, kind="stable")
    dead = np.where(p.event == 1.0, p.w / np.where(before > 0, before, 1.0), 0.0)[order]
    sorted_time = p.time[order]
    gone = np.searchsorted(sorted_time, t, side="right")
    died = np.r_[0.0, np.cumsum(dead)][gone]
    alive = p.w.sum() - np.r_[0.0, np.cumsum(p.w[order])][gone]
    alive = np.divide(alive, at, out=np.zeros_like(alive), where=at > 0)
    return np.asarray((s * s * died + (1.0 - s) ** 2 * alive) / p.w.sum())


def _integrated(fit: ParametricFit, p: Patients, tau: float) -> float:
    t = np.linspace(0.0, tau, GRID + 1)[1:]
    with np.errstate(all="ignore"):
        s = np.exp(fit.family.log_survival(fit.theta[:, None], t))
    return float(np.trapezoid(np.r_[0.0, _brier(s, t, p)], np.r_[0.0, t]) / tau)
