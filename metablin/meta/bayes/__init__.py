"""Bayesian meta-analysis by quadrature over tau, and priors for it."""

from metablin.meta.bayes.fit import BayesFit, bayes, predicted_above, prior_of
from metablin.meta.bayes.priors import (
    TURNER_COMPARISONS,
    TURNER_OUTCOMES,
    TauPrior,
    half_cauchy,
    half_normal,
    log_normal,
    log_t,
    rhodes,
    turner,
    uniform,
)

__all__ = [
    "TURNER_COMPARISONS",
    "TURNER_OUTCOMES",
    "BayesFit",
    "TauPrior",
    "bayes",
    "half_cauchy",
    "half_normal",
    "log_normal",
    "log_t",
    "predicted_above",
    "prior_of",
    "rhodes",
    "turner",
    "uniform",
]
