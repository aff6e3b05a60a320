"""Effect sizes: what papers print, put on the scale on which studies are pooled."""

from metablin.effects.contrasts import generic, hazard_ratios
from metablin.effects.single import proportions
from metablin.effects.sizes import EffectSizes, Excluded

__all__ = ["EffectSizes", "Excluded", "generic", "hazard_ratios", "proportions"]
