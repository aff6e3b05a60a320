"""One trial: Kaplan-Meier, restricted means, tests, Cox, parametric and cure models."""

from metablin.survival.km import KMCurve, kaplan_meier, kaplan_meier_by, reverse_kaplan_meier

__all__ = ["KMCurve", "kaplan_meier", "kaplan_meier_by", "reverse_kaplan_meier"]
