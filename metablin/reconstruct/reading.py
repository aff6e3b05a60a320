"""What careful reading of a printed curve achieves."""

from __future__ import annotations

__all__ = ["FUZZ", "READING_SD", "READING_TIME_SD"]

READING_SD = 0.0025  # of survival: what careful clicking achieves
READING_TIME_SD = 0.0008  # of the time axis
FUZZ = 2.5  # reading errors of time by which a click may lie beside its own
