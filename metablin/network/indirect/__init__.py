"""Indirect comparisons of two trials: Bucher, matching-adjusted, simulated treatment comparison."""

from metablin.network.indirect.bucher import IndirectComparison, bucher
from metablin.network.indirect.maic import maic
from metablin.network.indirect.stc import stc
from metablin.network.indirect.weights import MatchingWeights, matching_weights

__all__ = ["IndirectComparison", "MatchingWeights", "bucher", "maic", "matching_weights", "stc"]
