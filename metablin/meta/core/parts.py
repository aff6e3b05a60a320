"""Parts of a fitted meta-analysis: pooled effect, heterogeneity, test of subgroups."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from metablin.records import jsonable

__all__ = ["NAN", "Analysis", "Heterogeneity", "SubgroupTest"]

NAN = math.nan


@dataclass(frozen=True, slots=True)
class Analysis:
    """The pooled effect on the analysis scale (a log hazard ratio, a logit, ...)."""

    estimate: float
    std_error: float
    conf_low: float
    conf_high: float
    pred_low: float
    pred_high: float


@dataclass(frozen=True, slots=True)
class Heterogeneity:
    """Between-study variance and its company; values a model does not define are NaN."""

    tau2: float = NAN
    tau2_conf_low: float = NAN
    tau2_conf_high: float = NAN
    i2: float = NAN
    h2: float = NAN
    q: float = NAN
    q_df: float = NAN
    q_p: float = NAN


@dataclass(frozen=True, slots=True)
class SubgroupTest:
    """Test that all subgroups share one effect."""

    statistic: float
    df: int
    p_value: float
    method: str

    def to_dict(self) -> dict[str, Any]:
        """Return the test as JSON-ready Python types."""
        return {
            "statistic": jsonable(self.statistic),
            "df": self.df,
            "p_value": jsonable(self.p_value),
            "method": self.method,
        }
