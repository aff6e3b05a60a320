"""Pseudo individual patient data from published curves, and from summaries without a curve."""

from metablin.reconstruct.curve import (
    Batch,
    reconstruct_batch,
    reconstruct_km,
    reconstruct_many,
)
from metablin.reconstruct.printed import check_hazard_ratio
from metablin.reconstruct.records import Check, Mended, PseudoIPD, Quality
from metablin.reconstruct.summary import (
    SummaryDraws,
    reconstruct_summary,
    reconstruct_summary_pair,
)

__all__ = [
    "Batch",
    "Check",
    "Mended",
    "PseudoIPD",
    "Quality",
    "SummaryDraws",
    "check_hazard_ratio",
    "reconstruct_batch",
    "reconstruct_km",
    "reconstruct_many",
    "reconstruct_summary",
    "reconstruct_summary_pair",
]
