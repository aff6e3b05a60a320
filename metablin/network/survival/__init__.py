"""Survival networks from whatever is printed: hazard ratios, counts, medians, patients."""

from metablin.network.survival.curves import TreatmentCurves, treatment_curves
from metablin.network.survival.mixed import MixedNetwork, hazard_network
from metablin.network.survival.multivariate import (
    MultivariateFit,
    MultivariateNetwork,
    multivariate_pool,
)
from metablin.network.survival.vectors import (
    hazard_vectors,
    proportional_hazards,
    survival_vectors,
)

__all__ = [
    "MixedNetwork",
    "MultivariateFit",
    "MultivariateNetwork",
    "TreatmentCurves",
    "hazard_network",
    "hazard_vectors",
    "multivariate_pool",
    "proportional_hazards",
    "survival_vectors",
    "treatment_curves",
]
