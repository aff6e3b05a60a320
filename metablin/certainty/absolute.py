"""Absolute effects: survival by arm, difference, number needed to treat, months, per 1,000."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import special

from metablin import _input
from metablin.certainty.scale import RISKS, WORDS, risk_with
from metablin.errors import DataError
from metablin.meta import MetaFit
from metablin.meta.bayes import predicted_above
from metablin.records import Record, json_dict
from metablin.survival import KMCurve

__all__ = [
    "AbsoluteEffect",
    "absolute_effect",
    "area",
    "checked_threshold",
    "checked_times",
    "effect_table",
    "needed_to_treat",
    "probability_beyond",
]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class AbsoluteEffect(Record):
    """What an effect means for patients, at one or more times.

    Attributes
    ----------
    table : DataFrame
        One row per time: ``time``; ``risk_control, risk_treatment`` with ``risk_low, risk_high``;
        ``difference`` of the risks (treatment minus control: negative is fewer events) with
        ``conf_low, conf_high``; ``survival_control, survival_treatment`` and their difference in
        percentage points, ``points, points_low, points_high``; the number needed to treat, ``nnt,
        nnt_low, nnt_high`` (infinite where the interval of the difference holds zero) and
        ``nnt_text``; ``per_1000_control, per_1000_treatment, per_1000_difference, per_1000_low,
        per_1000_high``; ``p_benefit, p_harm``, the probability that the difference in a new
        setting exceeds the threshold on either side (NaN without a threshold).
    horizon, months, months_low, months_high : float
        Months of life (without the event) gained within the horizon; NaN where they do not follow.
    threshold : float
        Smallest difference in risk that matters; NaN when none was named.
    level : float
    measure : str
        Of the effect, or ``arms``.
    notes : tuple of str
        Where the baseline is from, what the limits leave out, why a value is missing.
    """

    table: pd.DataFrame
    horizon: float
    months: float
    months_low: float
    months_high: float
    threshold: float
    level: float
    measure: str
    notes: tuple[str, ...] = ()

    def to_frame(self) -> pd.DataFrame:
        """Return one row per time, with the months within the horizon in each."""
        months = {name: getattr(self, name) for name in _MONTHS}
        return self.table.assign(**months, conf_level=self.level)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON-ready Python types."""
        return json_dict(
            {
                "measure": self.measure,
                "level": self.level,
                "threshold": self.threshold,
                "times": self.table,
                **{name: getattr(self, name) for name in _MONTHS},
                "notes": list(self.notes),
            }
        )

    def summary(self) -> str:
        """Return the effect as text."""
        lines = [_line(row) for row in self.table.itertuples()]
        if not math.isnan(self.months):
            limits = "" if math.isnan(self.months_low) else (
                f" ({self.months_low:.1f} to {self.months_high:.1f})"
            )  # fmt: skip
            lines.append(f"within {self.horizon:g} months: {self.months:+.1f} months{limits}")
        return "\n".join([*lines, *self.notes])


_MONTHS = ("horizon", "months", "months_low", "months_high")


def _line(row: Any) -> str:
    when = "" if math.isnan(row.time) else f"at {row.time:g} months: "
    text = (
        f"{when}{row.per_1000_control:.0f} of 1,000 without, {row.per_1000_treatment:.0f} with: "
        f"{row.per_1000_difference:+.0f} ({row.per_1000_low:+.0f} to {row.per_1000_high:+.0f}); "
        f"number needed to treat {row.nnt_text}"
    )
    if not math.isnan(row.p_benefit):
        text += f"; in a new setting {row.p_benefit:.2f} probability of that much benefit"
    return text


def needed_to_treat(difference: float, low: float, high: float) -> tuple[float, float, float, str]:
    """Return the number needed to treat, its limits and its text, from a difference in risk.

    Parameters
    ----------
    difference, low, high : float
        Risk with treatment minus risk without, and its limits; the event is unwanted.

    Returns
    -------
    (nnt, nnt_low, nnt_high, text)
        NNTB counts patients for one event less, NNTH for one more. Where the interval of the
        difference holds zero, ``nnt_high`` is infinite: the interval runs from NNTB through
        infinity to NNTH.

    References
    ----------
    Altman DG (1998). Confidence intervals for the number needed to treat. BMJ 317:1309-1312.
    doi:10.1136/bmj.317.7168.1309

    Examples
    --------
    >>> needed_to_treat(-0.05, -0.10, -0.025)
    (20.0, 10.0, 40.0, 'NNTB 20 (10 to 40)')
    >>> needed_to_treat(-0.05, -0.10, 0.02)[3]
    'NNTB 20 (NNTB 10 to infinity to NNTH 50)'
    """
    nnt, at_low, at_high = (math.inf if d == 0 else 1 / abs(d) for d in (difference, low, high))
    word = "NNTH" if difference > 0 else "NNTB"
    middle = "infinite" if math.isinf(nnt) else f"{word} {_whole(nnt)}"
    if low < 0 < high:
        text = f"{middle} (NNTB {_whole(at_low)} to infinity to NNTH {_whole(at_high)})"
        return nnt, (at_high if difference > 0 else at_low), math.inf, text
    near, far = sorted((at_low, at_high))
    return nnt, near, far, f"{middle} ({_whole(near)} to {_whole(far)})"


def _whole(value: float) -> str:
    return "infinity" if math.isinf(value) else f"{value:.0f}"


def absolute_effect(
    fit: MetaFit,
    baseline: float | Sequence[float] | KMCurve,
    at: float | Sequence[float] | None = None,
    threshold: float | None = None,
) -> AbsoluteEffect:
    """Translate a pooled effect into risks, differences and months at stated baseline risks.

    Parameters
    ----------
    fit : MetaFit
        A pool of hazard ratios, odds or risk ratios, or risk differences; the event is unwanted
        (death, relapse).
    baseline : float, sequence of float or KMCurve
        Risk of the event without treatment: one for each time, or the control curve it is read
        from.
    at : float or sequence of float, optional
        Times in months, in ascending order; needed for hazard ratios. Measures other than the
        hazard ratio belong to one time.
    threshold : float, optional
        Difference in risk that matters (0.05 is 50 per 1,000): adds the probability that the
        difference in a new setting is at least so large, from the predictive distribution.

    Returns
    -------
    AbsoluteEffect
        Limits are those of the effect; the baseline counts as known, as GRADE does. Months follow
        for a hazard ratio: the area between the control curve S and S^HR within the last time. A
        control risk given at times is joined by a constant hazard between them.

    Raises
    ------
    DataError
        For a risk outside 0 and 1, times out of order or beyond the curve, a threshold outside its
        scale.

    References
    ----------
    Skoetz N et al. (2020). GRADE guidelines 27. doi:10.1016/j.jclinepi.2019.10.015
    Altman DG, Andersen PK (1999). Calculating the number needed to treat for trials where the
    outcome is time to an event. BMJ 319:1492-1495. doi:10.1136/bmj.319.7223.1492

    Examples
    --------
    >>> import metablin as mb
    >>> fit = mb.pool(mb.hazard_ratios([0.5], [0.3], [0.9]))
    >>> effect = absolute_effect(fit, baseline=[0.2, 0.36], at=[12, 24], threshold=0.1)
    >>> effect.table[["per_1000_control", "per_1000_treatment"]].round(0).values.tolist()
    [[200.0, 106.0], [360.0, 200.0]]
    """
    if not isinstance(fit, MetaFit):
        raise DataError("not a fitted meta-analysis", column="fit", value=type(fit).__name__,
                        allowed="what pool returns")  # fmt: skip
    if fit.measure not in RISKS:
        raise DataError("no risk follows from this measure", column="measure", value=fit.measure,
                        allowed=" | ".join(RISKS))  # fmt: skip
    times = checked_times(at, fit.measure, baseline)
    p0 = _baseline(baseline, times)
    wanted = checked_threshold(threshold)
    effects = np.array([fit.estimate, fit.conf_low, fit.conf_high])
    risks = risk_with(fit.measure, effects[:, None], p0)
    beyond, notes = _beyond(fit, p0, wanted)
    table = effect_table(times, p0, risks[0], risks[1:] - p0, beyond)
    months = [math.nan] * 3
    horizon = float(times[-1])
    if fit.measure == "hr":
        grid, control = _control(baseline, times, p0)
        step = isinstance(baseline, KMCurve)
        base = area(grid, control, step)
        months = [area(grid, control**x, step) - base for x in (effects[0], effects[2], effects[1])]
    source = baseline.label or "control curve" if isinstance(baseline, KMCurve) else "as given"
    notes = (f"baseline risk: {source}; limits are those of the {WORDS[fit.measure]} alone", *notes)
    return AbsoluteEffect(
        table, horizon, months[0], months[1], months[2], wanted, fit.level, fit.measure, notes
    )


def checked_times(at: Any, measure: str, baseline: Any) -> FloatArray:
    """Return times in ascending order; NaN where a measure takes no time and none is given."""
    if at is None:
        if measure == "hr" or isinstance(baseline, KMCurve):
            raise DataError(
                "a hazard ratio needs the time of the risk",
                column="at",
                value="missing",
                allowed="months, one for each baseline risk",
            )
        return np.array([math.nan])
    times = _input.numeric("at", at, above=0.0)
    if (np.diff(times) <= 0).any():
        row = int(np.flatnonzero(np.diff(times) <= 0)[0]) + 2
        raise DataError("times out of order", row=row, column="at", value=f"{times[row - 1]:g}",
                        allowed="ascending months")  # fmt: skip
    if measure not in ("hr", "arms") and len(times) > 1:
        raise DataError(f"{len(times)} times", column="at",
                        allowed=f"one: a {WORDS[measure]} belongs to one time")  # fmt: skip
    return times


def _baseline(baseline: Any, times: FloatArray) -> FloatArray:
    if isinstance(baseline, KMCurve):
        survival = baseline.values_at(times)[0]
        if np.isnan(survival).any():
            bad = float(times[np.flatnonzero(np.isnan(survival))[0]])
            raise DataError("beyond the follow-up of the control curve", column="at", value=bad,
                            allowed=f"up to {baseline.time[-1]:g}")  # fmt: skip
        return np.asarray(1 - survival)
    p0 = _input.numeric("baseline", baseline, minimum=0.0, maximum=1.0)
    _input.same_length(at=times, baseline=p0)
    if (np.diff(p0) < 0).any():
        row = int(np.flatnonzero(np.diff(p0) < 0)[0]) + 2
        raise DataError(
            "a risk that falls with time",
            row=row,
            column="baseline",
            value=f"{p0[row - 1]:g}",
            allowed="risks of the event, not survival",
        )
    return p0


def checked_threshold(threshold: float | None) -> float:
    """Return a difference in risk that matters; NaN without one."""
    if threshold is None:
        return math.nan
    value = _input.one("threshold", threshold)
    if not 0 < value < 1:
        raise DataError("threshold outside its scale", column="threshold", value=value,
                        allowed="a difference in risk, between 0 and 1")  # fmt: skip
    return value


def effect_table(
    times: FloatArray, p0: FloatArray, p1: FloatArray, limits: FloatArray, beyond: FloatArray
) -> pd.DataFrame:
    """Return the columns of :class:`AbsoluteEffect`; `limits` are of the difference, (2, m)."""
    difference, (low, high) = p1 - p0, np.sort(limits, axis=0)
    nnt = [needed_to_treat(*map(float, d)) for d in zip(difference, low, high, strict=True)]
    columns: dict[str, Any] = {
        "time": times, "risk_control": p0, "risk_treatment": p1,
        "risk_low": p0 + low, "risk_high": p0 + high,
        "difference": difference, "conf_low": low, "conf_high": high,
        "survival_control": 1 - p0, "survival_treatment": 1 - p1,
        "points": -100 * difference, "points_low": -100 * high, "points_high": -100 * low,
        "nnt": [n[0] for n in nnt], "nnt_low": [n[1] for n in nnt],
        "nnt_high": [n[2] for n in nnt], "nnt_text": [n[3] for n in nnt],
        "per_1000_control": 1000 * p0, "per_1000_treatment": 1000 * p1,
        "per_1000_difference": 1000 * difference, "per_1000_low": 1000 * low,
        "per_1000_high": 1000 * high, "p_benefit": beyond[0], "p_harm": beyond[1],
    }  # fmt: skip
    return pd.DataFrame(columns)


def probability_beyond(fit: MetaFit, threshold: ArrayLike) -> FloatArray:
    """Return the probability that the effect in a new setting lies above a threshold.

    Parameters
    ----------
    fit : MetaFit
        With a between-study variance and two studies or more.
    threshold : array-like
        On the reader's scale.

    Returns
    -------
    ndarray
        Upper tail of the predictive distribution: of the Bayesian model its own, a mixture of
        normals over tau; else estimate, sqrt(std_error^2 + tau2), and the reference distribution of
        the prediction interval. One minus it is the probability of lying below.

    Raises
    ------
    DataError
        When the fit has no such distribution (one study, a common effect).

    References
    ----------
    Higgins JPT, Thompson SG, Spiegelhalter DJ (2009). J R Stat Soc A 172:137-159.
    doi:10.1111/j.1467-985X.2008.00552.x

    Examples
    --------
    >>> import metablin as mb
    >>> fit = mb.pool(mb.hazard_ratios([0.7, 0.5, 0.9], [0.5, 0.3, 0.6], [0.98, 0.83, 1.35]))
    >>> bool(probability_beyond(fit, 1.0) < 0.2)
    True
    """
    if not isinstance(fit, MetaFit):
        raise DataError("not a fit", column="fit", value=repr(fit), allowed="what pool returns")
    limits = _input.numeric("threshold", threshold)
    limits = limits[0] if np.ndim(threshold) == 0 else limits
    spread = math.sqrt(fit.analysis.std_error**2 + max(fit.tau2, 0.0))
    if fit.k < 2 or math.isnan(spread) or math.isnan(fit.tau2):
        raise DataError("no predictive distribution", column="fit",
                        value=f"model {fit.model}, k = {fit.k}",
                        allowed="a random-effects pool of two studies or more")  # fmt: skip
    forward = {"log": np.log, "logit": special.logit, "none": np.asarray, "raw": np.asarray}
    if fit.effects.transform not in forward:
        raise DataError("no threshold on this transform", column="transform",
                        value=fit.effects.transform, allowed=" | ".join(forward))  # fmt: skip
    with np.errstate(divide="ignore", invalid="ignore"):
        cut = forward[fit.effects.transform](np.asarray(limits))
        if fit.model == "bayes":
            return predicted_above(fit, cut)
        z = (cut - fit.analysis.estimate) / spread
    if math.isinf(fit.df):
        return np.asarray(special.ndtr(-z))
    return np.asarray(special.stdtr(fit.df, -z))


def _beyond(fit: MetaFit, p0: FloatArray, threshold: float) -> tuple[FloatArray, tuple[str, ...]]:
    """Return the probabilities of benefit and harm beyond the threshold, (2, m)."""
    nothing = np.full((2, len(p0)), np.nan)
    if math.isnan(threshold):
        return nothing, ()
    try:
        lower = 1 - probability_beyond(fit, _effect(fit.measure, p0 - threshold, p0))
        upper = probability_beyond(fit, _effect(fit.measure, p0 + threshold, p0))
    except DataError as error:
        return nothing, (f"no probability in a new setting: {error.message}",)
    # A risk cannot fall below 0 or rise above 1: that much benefit or harm is out of reach.
    return np.array(
        [np.where(p0 > threshold, lower, 0), np.where(p0 + threshold < 1, upper, 0)]
    ), ()


def _effect(measure: str, p1: FloatArray, p0: FloatArray) -> FloatArray:
    """Return the effect that takes the risk from p0 to p1: the inverse of `risk_with`."""
    p1 = np.clip(p1, 0.0, 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        if measure == "hr":
            return np.log1p(-p1) / np.log1p(-p0)
        if measure == "rr":
            return p1 / p0
        if measure == "rd":
            return p1 - p0
        return p1 * (1 - p0) / ((1 - p1) * p0)


def _control(baseline: Any, times: FloatArray, p0: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return times and survival of the control arm from 0 to the horizon."""
    if isinstance(baseline, KMCurve):
        inside = baseline.time < times[-1]
        grid = np.r_[0.0, baseline.time[inside], times[-1]]
        return grid, np.r_[1.0, baseline.survival[inside], 1 - p0[-1]]
    return np.r_[0.0, times], np.r_[1.0, 1 - p0]


def area(time: FloatArray, survival: FloatArray, step: bool) -> float:
    """Return the area under a curve: a step function, or constant hazards between its points."""
    width, left, right = np.diff(time), survival[:-1], survival[1:]
    if step:
        return float(width @ left)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = (left - right) / np.log(left / right)
    # Where the curve is flat the mean is its height; where it falls to 0, no hazard is constant.
    mean = np.where(np.isclose(left, right, rtol=1e-9), left, mean)
    return float(width @ np.where(right <= 0, left / 2, mean))
