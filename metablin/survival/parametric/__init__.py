"""Parametric and cure models of one arm: a family says log S and log f, the rest is shared."""

from metablin.survival.parametric.compare import (
    ParametricComparison,
    brier_score,
    compare_parametric,
    integrated_brier_score,
)
from metablin.survival.parametric.fit import ParametricFit, fit_parametric
from metablin.survival.parametric.names import DEFAULT as DEFAULT_FAMILIES

__all__ = [
    "DEFAULT_FAMILIES",
    "ParametricComparison",
    "ParametricFit",
    "brier_score",
    "compare_parametric",
    "fit_parametric",
    "integrated_brier_score",
]
