"""The scale a judgement is made on: absolute where a baseline risk is given, else the reader's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from metablin import _input
from metablin.errors import DataError

__all__ = ["RATIOS", "RISKS", "Scale", "decision_scale", "risk_with"]

FloatArray = NDArray[np.float64]

RATIOS = ("hr", "or", "rr", "irr", "peto")
RISKS = ("hr", "or", "rr", "peto", "rd")
SINGLE = ("proportion", "rate")

WORDS = {
    "hr": "HR", "or": "OR", "rr": "RR", "irr": "rate ratio", "peto": "Peto OR",
    "rd": "risk difference", "ird": "rate difference", "asd": "arcsine difference",
    "proportion": "proportion", "rate": "rate", "generic": "effect",
}  # fmt: skip


def risk_with(measure: str, effect: ArrayLike, baseline: ArrayLike) -> FloatArray:
    """Return the risk with treatment from an effect and the risk without.

    Parameters
    ----------
    measure : {"hr", "or", "rr", "peto", "rd"}
    effect : array-like
        On the reader's scale.
    baseline : array-like
        Risk of the event without treatment, 0 to 1; for a hazard ratio at the time of interest.

    Returns
    -------
    ndarray
        1 - (1 - p0)^HR; p0 OR / (1 - p0 + p0 OR); p0 RR and p0 + RD, held within 0 and 1.

    References
    ----------
    Skoetz N et al. (2020). GRADE guidelines 27. J Clin Epidemiol 118:124-131.
    doi:10.1016/j.jclinepi.2019.10.015

    Examples
    --------
    >>> risk_with("hr", [0.5, 1.0], 0.36).round(2).tolist()
    [0.2, 0.36]
    """
    x, p0 = np.asarray(effect, dtype=np.float64), np.asarray(baseline, dtype=np.float64)
    if measure == "hr":
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(-np.expm1(x * np.log1p(-p0)))
    if measure in ("or", "peto"):
        with np.errstate(invalid="ignore"):
            risk = p0 * x / (1 - p0 + p0 * x)
        return np.where(np.isposinf(x) & (p0 > 0), 1.0, risk)
    if measure == "rr":
        return np.clip(p0 * x, 0.0, 1.0)
    if measure == "rd":
        return np.clip(p0 + x, 0.0, 1.0)
    raise DataError("no risk follows from this measure", column="measure", value=measure,
                    allowed=" | ".join(RISKS))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Scale:
    """Where effects are compared with thresholds.

    Attributes
    ----------
    measure : str
        Of the fit.
    baseline : float
        Risk without treatment; NaN when the scale is the reader's own.
    null : float
        No difference on this scale; NaN for a rate in one group.
    thresholds : tuple of float
        Distances from the null (in logarithms for a ratio), smallest first; for a rate in one
        group the values themselves. Empty: the null alone decides.
    boundaries : tuple of float
        Where a decision would turn, in ascending order.
    """

    measure: str
    baseline: float
    null: float
    thresholds: tuple[float, ...]
    boundaries: tuple[float, ...]

    @property
    def absolute(self) -> bool:
        """Whether effects are read as differences in risk at a baseline."""
        return not math.isnan(self.baseline)

    def value(self, effect: ArrayLike) -> FloatArray:
        """Return effects of the reader's scale on this one (a ratio as its logarithm)."""
        x = np.asarray(effect, dtype=np.float64)
        if self.absolute:
            return risk_with(self.measure, x, self.baseline) - self.baseline
        if self.measure in RATIOS:
            with np.errstate(divide="ignore"):
                return np.log(x)
        return x

    def show(self, value: float) -> str:
        """Return a value of this scale as text."""
        if self.absolute:
            return f"{1000 * value:+.0f} per 1,000"
        if self.measure in RATIOS:
            return f"{WORDS[self.measure]} {math.exp(value):.2f}"
        if self.measure == "proportion":
            return f"{100 * value:.0f}%"
        return f"{value:.3g}"

    def zones(self, effects: ArrayLike) -> NDArray[np.intp]:
        """Return between which boundaries effects of the reader's scale lie."""
        return np.searchsorted(np.array(self.boundaries), self.value(effects), side="right")

    def crossed(self, low: float, high: float) -> tuple[float, ...]:
        """Return the boundaries strictly inside an interval of the reader's scale."""
        ends = self.value([low, high])
        return tuple(b for b in self.boundaries if ends[0] < b < ends[1])


def decision_scale(
    measure: str, baseline: float | None, threshold: float | Sequence[float] | None
) -> Scale:
    """Return the checked scale of a rating.

    Raises
    ------
    DataError
        For a baseline that is no risk, or a threshold outside its scale.
    """
    if baseline is not None and measure not in RISKS:
        raise DataError("a baseline risk has no meaning for this measure", column="baseline",
                        value=baseline, allowed=" | ".join(RISKS))  # fmt: skip
    p0 = math.nan if baseline is None else _risk(baseline)
    single = measure in SINGLE
    given = [] if threshold is None else [float(t) for t in _input.numeric("threshold", threshold)]
    cuts = _cuts(measure, p0, given)
    if single:
        return Scale(measure, p0, math.nan, cuts, cuts)
    sides = (*(-c for c in reversed(cuts)), *cuts) if cuts else (0.0,)
    return Scale(measure, p0, 0.0, cuts, sides)


def _risk(baseline: float) -> float:
    p0 = _input.one("baseline", baseline)
    if not 0 < p0 < 1:
        raise DataError("not a risk", column="baseline", value=p0, allowed="between 0 and 1")
    return p0


def _cuts(measure: str, p0: float, given: list[float]) -> tuple[float, ...]:
    """Return thresholds as distances in ascending order after checking their scale."""
    absolute = not math.isnan(p0)
    if absolute or measure in ("rd", "proportion"):
        top = max(p0, 1 - p0) if absolute else 1.0
        allowed = f"a share of patients, between 0 and {top:g}"
        cuts = [t if 0 < t < top else None for t in given]
    elif measure in RATIOS:
        allowed = "a ratio above 0, not 1, all on one side of 1"
        side = {t > 1 for t in given}
        cuts = [abs(math.log(t)) if t > 0 and t != 1 and len(side) == 1 else None for t in given]
    else:
        allowed = "above 0"
        cuts = [t if t > 0 else None for t in given]
    for row, (value, cut) in enumerate(zip(given, cuts, strict=True), start=1):
        if cut is None:
            raise DataError("threshold outside its scale", row=row if len(given) > 1 else None,
                            column="threshold", value=f"{value:g}", allowed=allowed)  # fmt: skip
    if len(given) not in (0, 1, 3) and measure not in SINGLE:
        raise DataError(
            f"{len(given)} thresholds",
            column="threshold",
            allowed="one (what matters), or three (small, moderate, large)",
        )
    whole = [c for c in cuts if c is not None]
    if sorted(set(whole)) != whole:
        raise DataError(
            "thresholds do not grow",
            column="threshold",
            value=" ".join(f"{t:g}" for t in given),
            allowed="small, moderate, large",
        )
    return tuple(whole)
