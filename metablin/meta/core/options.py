"""What the caller of `pool` asked for, checked, and the refusals that all models share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from metablin.effects import EffectSizes
from metablin.errors import DataError

__all__ = ["CI_METHODS", "Options", "align", "needs_effects", "needs_measure"]

CI_METHODS = ("hksj", "hksj-adhoc", "z", "t")


@dataclass(frozen=True, slots=True)
class Options:
    """What the caller of `pool` asked for, after checking.

    Attributes
    ----------
    model, ci : str
        Names from :data:`MODELS` and its intervals.
    tau2 : str or float
        Estimator, or a value that is taken as known.
    level : float
        Confidence level.
    extra : mapping
        Keyword arguments for one model only.
    prediction : str
        Kind of prediction interval (model ``random``), from :data:`metablin.options.Prediction`.
    """

    model: str
    ci: str
    tau2: str | float = "REML"
    level: float = 0.95
    extra: Mapping[str, Any] = field(default_factory=dict)
    prediction: str = "match"

    def only(self, *names: str) -> Mapping[str, Any]:
        """Return ``extra`` after checking that it holds no other keys than `names`."""
        for name in self.extra:
            if name not in names:
                raise DataError(
                    f"not an option of model {self.model!r}",
                    column=name,
                    allowed=" | ".join(names) or "no further options",
                )
        return self.extra


def needs_effects(e: object) -> None:
    """Raise unless `e` is what :func:`metablin.proportions` and its kin return."""
    if not isinstance(e, EffectSizes):
        raise DataError(
            "not effect sizes",
            column="e",
            value=type(e).__name__,
            allowed="what proportions, two_by_two, hazard_ratios, rates or generic return",
        )


def needs_measure(e: EffectSizes, model: str, allowed: Iterable[str]) -> None:
    """Raise unless the effects are of a measure this model can take."""
    needs_effects(e)
    options = tuple(allowed)
    if e.measure not in options:
        raise DataError(
            f"model {model!r} cannot take this measure",
            column="measure",
            value=e.measure,
            allowed=" | ".join(options),
        )


def align(e: EffectSizes, name: str, values: Sequence[Any]) -> np.ndarray[Any, Any]:
    """Return `values`, one per input row, for the k included studies.

    Raises
    ------
    DataError
        When the length is neither that of the input nor k.
    """
    try:
        array = np.asarray(values)
    except ValueError:  # lists of different lengths within the list
        array = np.array(None)
    if array.ndim == 0:
        raise DataError("not one value a row", column=name, value=repr(values))
    if len(array) == e.n_rows:
        return array[e.rows]
    if len(array) == e.k:
        return array
    raise DataError(f"{len(array)} values for {e.n_rows} rows", column=name)
