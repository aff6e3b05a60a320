"""Effect sizes: what papers print, put on the scale on which studies are pooled."""

from metablin.effects.contrasts import generic, hazard_ratios
from metablin.effects.single import proportions, rates
from metablin.effects.sizes import EffectSizes, Excluded
from metablin.effects.tables import rate_contrasts, two_by_two

__all__ = [
    "EffectSizes",
    "Excluded",
    "generic",
    "hazard_ratios",
    "proportions",
    "rate_contrasts",
    "rates",
    "two_by_two",
]
