"""Pseudo individual patient data from published curves, and from summaries without a curve."""

from metablin.reconstruct.batch import Batch, reconstruct_batch, reconstruct_many
from metablin.reconstruct.curve import reconstruct_km
from metablin.reconstruct.quality import check_hazard_ratio
from metablin.reconstruct.records import Check, PseudoIPD, Quality

__all__ = [
    "Batch",
    "Check",
    "PseudoIPD",
    "Quality",
    "check_hazard_ratio",
    "reconstruct_batch",
    "reconstruct_km",
    "reconstruct_many",
]
