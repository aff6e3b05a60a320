"""Patients from printed summaries, where there is no curve."""

from metablin.reconstruct.summary.pair import reconstruct_summary_pair
from metablin.reconstruct.summary.single import SummaryDraws, reconstruct_summary

__all__ = ["SummaryDraws", "reconstruct_summary", "reconstruct_summary_pair"]
