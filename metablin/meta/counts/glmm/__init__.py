"""Binomial-normal and Poisson-normal mixed models by adaptive Gauss-Hermite quadrature."""

from metablin.meta.counts.glmm.fit import (
    GLMMFit,
    glmm_proportions,
    glmm_rate_ratios,
    glmm_rates,
    glmm_two_by_two,
)

__all__ = [
    "GLMMFit",
    "glmm_proportions",
    "glmm_rate_ratios",
    "glmm_rates",
    "glmm_two_by_two",
]
