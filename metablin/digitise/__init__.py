"""Read Kaplan-Meier figures: a file in, clicks, marks, numbers at risk and a confidence out."""

from metablin.digitise.figure import digitise
from metablin.digitise.records import CONFIDENT, Arm, Digitised

__all__ = ["CONFIDENT", "Arm", "Digitised", "digitise"]
