"""Safety: how often an adverse event happens, whether the drug causes it, and for how long treated.

Rates over trials and predicted counts (:mod:`metablin.safety.rates`), randomised differences
(:mod:`metablin.safety.differences`), events per time on treatment
(:mod:`metablin.safety.exposure`), and many terms at once (:mod:`metablin.safety.shrinkage`).
"""

from metablin.safety.differences import event_difference, event_differences
from metablin.safety.exposure import (
    ASSUMPTIONS,
    ExposureComparison,
    compare_by_exposure,
    exposure_rate,
)
from metablin.safety.rates import (
    EventRate,
    event_rate,
    event_rates,
    implausible_cells,
    predicted_count,
)
from metablin.safety.shrinkage import (
    GammaShrinkage,
    benjamini_hochberg,
    expected_counts,
    gamma_shrinkage,
)

__all__ = [
    "ASSUMPTIONS",
    "EventRate",
    "ExposureComparison",
    "GammaShrinkage",
    "benjamini_hochberg",
    "compare_by_exposure",
    "event_difference",
    "event_differences",
    "event_rate",
    "event_rates",
    "expected_counts",
    "exposure_rate",
    "gamma_shrinkage",
    "implausible_cells",
    "predicted_count",
]
