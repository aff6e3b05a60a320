"""Patients from the coordinates of a published curve."""

from metablin.reconstruct.curve.many import Batch, reconstruct_batch, reconstruct_many
from metablin.reconstruct.curve.single import reconstruct_km

__all__ = ["Batch", "reconstruct_batch", "reconstruct_km", "reconstruct_many"]
