"""The indirect comparison of two treatments through a third, and the record of all such results."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from metablin._input import level as check_level
from metablin._input import one
from metablin.effects import EffectSizes
from metablin.errors import DataError
from metablin.meta import MetaFit
from metablin.network.indirect.weights import MatchingWeights
from metablin.numerics.inference import critical
from metablin.records import Record, json_dict

__all__ = ["IndirectComparison", "bucher", "compare", "effect_of"]

LOG_MEASURES = ("or", "rr", "irr", "rate", "hr", "peto")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class IndirectComparison(Record):
    """One treatment against another that no trial compared with it.

    Attributes
    ----------
    method : str
        ``Bucher``, ``MAIC`` or ``STC``.
    measure : str
    anchored : bool
        Whether a common comparator carries the comparison. Without one it rests on every
        prognostic factor and effect modifier having been adjusted for.
    effect, std_error : float
        On the analysis scale.
    estimate, conf_low, conf_high : float
        On the reader's scale.
    statistic, p_value, level : float
    parts : tuple of (name, effect, variance)
        What the comparison is made of.
    weights : MatchingWeights or None
    notes : tuple of str
    """

    method: str
    measure: str
    anchored: bool
    effect: float
    std_error: float
    estimate: float
    conf_low: float
    conf_high: float
    statistic: float
    p_value: float
    level: float
    parts: tuple[tuple[str, float, float], ...]
    weights: MatchingWeights | None = None
    notes: tuple[str, ...] = ()

    def to_frame(self) -> pd.DataFrame:
        """Return one row: the comparison."""
        names = ("estimate", "std_error", "statistic", "p_value", "conf_low", "conf_high")
        row = {"term": self.method, **{n: getattr(self, n) for n in names},
               "conf_level": self.level}  # fmt: skip
        return pd.DataFrame([row])

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison as JSON-ready Python types."""
        names = ("method", "measure", "anchored", "effect", "std_error", "estimate", "conf_low",
                 "conf_high", "p_value", "level", "notes")  # fmt: skip
        out = {n: getattr(self, n) for n in names}
        out["parts"] = [{"part": p, "effect": y, "variance": v} for p, y, v in self.parts]
        out["weights"] = None if self.weights is None else self.weights.to_dict()
        return json_dict(out)

    def summary(self) -> str:
        """Return the comparison in words."""
        kind = "anchored" if self.anchored else "not anchored"
        lines = [
            f"{self.method}, {kind}, measure {self.measure}: {self.estimate:.4g} "
            f"[{100 * self.level:g}% CI {self.conf_low:.4g} to {self.conf_high:.4g}], "
            f"p = {self.p_value:.4g}"
        ]
        if self.weights is not None:
            lines.append(self.weights.summary())
        return "\n".join([*lines, *(f"Note: {n}" for n in self.notes)])


def compare(
    method: str,
    measure: str,
    anchored: bool,
    parts: tuple[tuple[str, float, float], ...],
    level: float,
    weights: MatchingWeights | None = None,
    notes: tuple[str, ...] = (),
) -> IndirectComparison:
    """Return the difference of the first part and the second, with the variances added."""
    effect = parts[0][1] - parts[1][1]
    se = math.sqrt(parts[0][2] + parts[1][2])
    half = float(critical(level)) * se
    ends = np.array([effect, effect - half, effect + half])
    if measure in LOG_MEASURES:
        ends = np.exp(ends)
    z = effect / se
    return IndirectComparison(
        method, measure, anchored, effect, se, float(ends[0]), float(ends[1]), float(ends[2]), z,
        float(2 * special.ndtr(-abs(z))), level, parts, weights, notes,
    )  # fmt: skip


def effect_of(name: str, value: object) -> tuple[float, float, str]:
    """Return effect, variance and measure of a fit, of one effect size, or of a pair of numbers.

    Raises
    ------
    DataError
        For anything else.
    """
    if isinstance(value, MetaFit):
        return value.analysis.estimate, value.analysis.std_error**2, value.measure
    if isinstance(value, EffectSizes) and value.k == 1:
        return float(value.yi[0]), float(value.vi[0]), value.measure
    if isinstance(value, tuple | list) and len(value) == 2:
        return one(name, value[0]), one(name, value[1], above=0) ** 2, "generic"
    raise DataError(
        "not an effect",
        column=name,
        value=type(value).__name__,
        allowed="what pool returns, one effect size, or (effect, std_error)",
    )


def bucher(first: object, second: object, *, level: float = 0.95) -> IndirectComparison:
    """Compare two treatments through a common comparator.

    Parameters
    ----------
    first, second : MetaFit, EffectSizes of one study, or (effect, std_error)
        Treatment A against C, and treatment B against C, on the analysis scale.
    level : float

    Returns
    -------
    IndirectComparison
        A against B.

    Raises
    ------
    DataError
        When the two are not of one measure.

    References
    ----------
    Bucher HC, Guyatt GH, Griffith LE, Walter SD (1997). The results of direct and indirect
    treatment comparisons in meta-analysis of randomized controlled trials.
    doi:10.1016/S0895-4356(97)00049-8

    Examples
    --------
    >>> c = bucher((-0.5, 0.2), (-0.2, 0.15))
    >>> round(c.effect, 3), round(c.std_error, 3)
    (-0.3, 0.25)
    """
    level = check_level(level)
    y1, v1, m1 = effect_of("first", first)
    y2, v2, m2 = effect_of("second", second)
    if m1 != m2:
        raise DataError("effects of two measures", column="second", value=m2, allowed=m1)
    return compare("Bucher", m1, True, (("first", y1, v1), ("second", y2, v2)), level)
