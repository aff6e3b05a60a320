"""Clicks on a curve as they come: checked, mended, and told what kind and how precise they are."""

from metablin.reconstruct.curve.clicks._checks import GUESSED, Checked, Given, check_curve
from metablin.reconstruct.curve.clicks._curve import Curve
from metablin.reconstruct.curve.clicks._noise import check_noise
from metablin.reconstruct.curve.clicks._rows import Rows

__all__ = ["GUESSED", "Checked", "Curve", "Given", "Rows", "check_curve", "check_noise"]
