"""From an arm to patients: hands clicks, table and marks to the reconstruction."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from metablin.errors import DataError
from metablin.reconstruct import reconstruct_km

if TYPE_CHECKING:
    from metablin.digitise.records import Arm
    from metablin.reconstruct import PseudoIPD

__all__ = ["patients"]


def patients(arm: Arm, **options: Any) -> PseudoIPD:
    """Reconstruct the patients of one arm.

    Parameters
    ----------
    arm : Arm
        A curve as read.
    **options
        Handed on to :func:`metablin.reconstruct_km`; ``n`` where the figure prints no table.

    Returns
    -------
    PseudoIPD
    """
    given: dict[str, Any] = {"label": arm.id}
    if len(arm.at_risk):
        given["at_risk"] = (arm.at_risk_times, arm.at_risk)
    elif "n" not in options:
        raise DataError(
            "no number of patients", study=arm.id,
            allowed="a table of numbers at risk in the figure, --at-risk, or --n",
        )  # fmt: skip
    if len(arm.censor_times) and arm.exact:
        given["censor_times"] = arm.censor_times
    if arm.exact:
        known = inspect.signature(reconstruct_km).parameters
        given.update(
            {k: v for k, v in {"clicks": "corners", "noise": "exact"}.items() if k in known}
        )
    return reconstruct_km(arm.time, arm.survival, **(given | options))
