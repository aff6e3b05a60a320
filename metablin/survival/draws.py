"""Draws of one arm or one trial, combined by Rubin's rules."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from metablin import _input
from metablin.errors import DataError
from metablin.numerics.inference import critical
from metablin.numerics.rubin import rubin
from metablin.survival.km import KMCurve
from metablin.survival.patients import Patients
from metablin.survival.rmst import area

__all__ = ["combine_curves"]

FloatArray = NDArray[np.float64]


def combine_curves(
    curves: Sequence[KMCurve], *, at: ArrayLike = (), tau: float | None = None
) -> pd.DataFrame:
    """Combine draws of one arm: median, survival at landmarks, restricted mean.

    Survival is combined on the log(-log) scale, the median on the log scale (its within-draw
    variance from the width of its Brookmeyer-Crowley interval), the restricted mean as it is.

    Parameters
    ----------
    curves : sequence of KMCurve
        One a draw.
    at : array-like
        Landmark times.
    tau : float, optional
        Horizon of the restricted mean.

    Returns
    -------
    pandas.DataFrame
        ``term, estimate, conf_low, conf_high, conf_level, between_share, draws, note``. What some
        draw cannot give (a median that is not reached, a landmark beyond follow-up) is the middle
        draw's value without Rubin's rules, and ``note`` says so.

    Examples
    --------
    >>> from metablin.survival import kaplan_meier
    >>> one = kaplan_meier([1, 2, 3, 4, 5, 6], [1, 1, 1, 1, 0, 1])
    >>> combine_curves([one, one], at=[2])["between_share"].tolist()[1]
    0.0
    """
    if not curves:
        raise DataError("no draws", column="curves", allowed="one or more")
    level = curves[0].level
    times = _input.numeric("at", np.atleast_1d(np.asarray(at, dtype=object)), minimum=0.0)
    rows = [_median(curves, level)]
    rows += [_landmark(curves, float(t), level) for t in times]
    if tau is not None:
        rows.append(_restricted(curves, tau, level))
    return pd.DataFrame(rows)


def _row(
    term: str, values: tuple[float, float, float], share: float, draws: int, level: float, note: str
) -> dict[str, object]:
    return {
        "term": term,
        "estimate": values[0],
        "conf_low": values[1],
        "conf_high": values[2],
        "conf_level": level,
        "between_share": share,
        "draws": draws,
        "note": note,
    }


def _middle(table: FloatArray) -> tuple[float, float, float]:
    """Return the row whose estimate is the middle one; missing limits stay missing."""
    i = int(np.argsort(table[:, 0], kind="stable")[(len(table) - 1) // 2])
    return float(table[i, 0]), float(table[i, 1]), float(table[i, 2])


def _median(curves: Sequence[KMCurve], level: float) -> dict[str, object]:
    table = np.array([c.quantile_values(0.5) for c in curves])
    if not (np.isfinite(table).all() and (table > 0).all()):
        return _row(
            "median", _middle(table), np.nan, len(curves), level, "not reached in some draws"
        )
    z = critical(level)
    logs = np.log(table)
    spread = ((logs[:, 2] - logs[:, 1]) / (2.0 * z)) ** 2
    centre, total, share = rubin(logs[:, 0], spread)
    # The interval keeps the draws' own asymmetry.
    factor = np.sqrt(total / max(float(spread.mean()), 1e-300)) if spread.any() else 1.0
    low = centre - factor * np.mean(logs[:, 0] - logs[:, 1])
    high = centre + factor * np.mean(logs[:, 2] - logs[:, 0])
    values = tuple(float(np.exp(x)) for x in (centre, low, high))
    return _row("median", values, float(share), len(curves), level, "")  # type: ignore[arg-type]


def _landmark(curves: Sequence[KMCurve], t: float, level: float) -> dict[str, object]:
    term = f"survival at {t:g}"
    table = np.array([c.values_at(np.array([t]))[:, 0] for c in curves])
    s, se = table[:, 0], table[:, 1]
    if not np.all((s > 0) & (s < 1)):
        note = "beyond follow-up, or at 0 or 1, in some draws"
        return _row(term, _middle(table[:, [0, 2, 3]]), np.nan, len(curves), level, note)
    centre, total, share = rubin(np.log(-np.log(s)), (se / (s * np.log(s))) ** 2)
    z = critical(level)
    ends = [float(np.exp(-np.exp(centre + k * z * np.sqrt(total)))) for k in (0.0, 1.0, -1.0)]
    return _row(term, (ends[0], ends[1], ends[2]), float(share), len(curves), level, "")


def _restricted(curves: Sequence[KMCurve], tau: float, level: float) -> dict[str, object]:
    horizon = _input.numeric("tau", tau, above=0.0)
    means, errors = [], []
    for curve in curves:
        if curve.beyond(horizon)[0]:
            raise DataError(
                "beyond the last follow-up of a draw",
                column="tau",
                value=f"{tau:g}",
                allowed=f"at most {curve.time[-1]:g}",
            )
        m, se = area(patients_of(curve), horizon)
        means.append(m[0])
        errors.append(se[0])
    centre, total, share = rubin(np.array(means), np.array(errors) ** 2)
    half = float(critical(level)) * float(np.sqrt(total))
    values = (float(centre), float(centre) - half, float(centre) + half)
    return _row(f"RMST at {tau:g}", values, float(share), len(curves), level, "")


def patients_of(curve: KMCurve) -> Patients:
    """Return the patients behind a curve, one row a time and outcome with its count as weight.

    Raises
    ------
    DataError
        When the curve has late entries, which it does not keep patient by patient.
    """
    if curve.entry.size:
        raise DataError("a curve with late entries", column="curves", allowed="entry at time 0")
    time = np.r_[curve.time, curve.time]
    event = np.r_[np.ones(curve.time.size), np.zeros(curve.time.size)]
    weight = np.r_[curve.n_event, curve.n_censored]
    keep = weight > 0
    return Patients(time[keep], event[keep], None, weight[keep])
