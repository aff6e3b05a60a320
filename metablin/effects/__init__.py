"""Effect sizes: what papers print, put on the scale on which studies are pooled."""

from metablin.effects.continuous import correlations, mean_changes, means
from metablin.effects.contrasts import generic, hazard_ratios, log_effects
from metablin.effects.deviations import shared_deviation, standard_deviations
from metablin.effects.exact import exact_intervals
from metablin.effects.means import mean_differences
from metablin.effects.quantiles import means_from_quantiles
from metablin.effects.reported import hazard_ratios_reported
from metablin.effects.revman import Review, read_revman
from metablin.effects.single import proportions, rates
from metablin.effects.sizes import EffectSizes, Excluded
from metablin.effects.tables import rate_contrasts, two_by_two

__all__ = [
    "EffectSizes",
    "Excluded",
    "Review",
    "correlations",
    "exact_intervals",
    "generic",
    "hazard_ratios",
    "hazard_ratios_reported",
    "log_effects",
    "mean_changes",
    "mean_differences",
    "means",
    "means_from_quantiles",
    "proportions",
    "rate_contrasts",
    "rates",
    "read_revman",
    "shared_deviation",
    "standard_deviations",
    "two_by_two",
]
