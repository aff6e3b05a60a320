"""Which function draws which record."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

__all__ = ["DRAWN_BY", "drawing"]

# Records by the name of their class, so that no picture needs the module that makes the result.
DRAWN_BY: dict[str, str] = {
    "Baujat": "baujat:baujat_plot",
    "Consistency": "consistency:consistency",
    "Digitised": "reading:reading",
    "Gosh": "gosh:gosh_plot",
    "HazardCurve": "hazard:of_curve",
    "Influence": "influence:influence_plot",
    "KMCurve": "km:of_curve",
    "LFKIndex": "doi:doi_plot",
    "MetaFit": "forest_layouts:forest_picture",
    "Network": "network:network_graph",
    "NetworkFit": "network:network_picture",
    "ParametricComparison": "models:of_comparison",
    "ParametricFit": "models:of_fit",
    "PetPeese": "funnel:funnel_of_pet_peese",
    "PooledCurve": "km:pooled_curve",
    "RMSTCurve": "rmst_curve:rmst_curve",
    "RefitSequence": "sequence:sequence",
    "ResponseComparison": "km:of_groups",
    "RiskOfBias": "traffic:traffic",
    "SelectionModel": "funnel:funnel_of_selection",
    "SmallStudyTest": "funnel:funnel_of_test",
    "Surrogacy": "surrogacy:surrogacy",
    "TreatmentCurves": "network_survival:treatment_curves_plot",
    "TrialSurvival": "km:of_groups",
    "TrimFill": "funnel:funnel",
}


def drawing(record: type) -> Callable[..., Any]:
    """Return the function that draws a record of this type.

    Raises
    ------
    TypeError
        When this kind of result has no picture.

    Examples
    --------
    >>> from metablin.meta import MetaFit
    >>> drawing(MetaFit).__name__
    'forest_picture'
    """
    for base in record.__mro__:
        if base.__name__ in DRAWN_BY:
            module, name = DRAWN_BY[base.__name__].split(":")
            found: Callable[..., Any] = getattr(
                importlib.import_module(f"metablin.plots.{module}"), name
            )
            return found
    raise TypeError(f"{record.__name__} has no picture")
