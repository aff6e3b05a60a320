"""How the clicks on a curve came about, and how precise they are."""

from __future__ import annotations

from dataclasses import dataclass

from metablin.options import Clicks

__all__ = ["CAREFUL", "FUZZ", "READING_SD", "READING_TIME_SD", "Kind", "Reading"]

Kind = Clicks

READING_SD = 0.0025  # of survival: what careful clicking achieves
READING_TIME_SD = 0.0008  # of the time axis
FUZZ = 2.5  # reading errors of time by which a click may lie beside its own


@dataclass(frozen=True, slots=True)
class Reading:
    """Kind of the clicks and their reading errors: of survival, and of time in shares of its axis.

    `precision` is the reading error of survival itself; `sd` is what the fit works with, which is
    larger for coordinates that are better than any click.

    Kinds: ``drops``, just after falls; ``corners``, above and below falls (taken together as one
    click by the time of the fit); ``points``, at times of their own; ``auto``, not settled yet.
    """

    kind: Kind = "auto"
    sd: float = READING_SD
    time_sd: float = READING_TIME_SD
    precision: float = READING_SD


CAREFUL = Reading()
