"""One curve of a figure as read, and its way to patients."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from metablin._input import whole
from metablin.digitise.readers import Colour
from metablin.errors import DataError
from metablin.records import freeze

if TYPE_CHECKING:
    from metablin.reconstruct import PseudoIPD

__all__ = ["CONFIDENT", "Arm"]

FloatArray = NDArray[np.float64]
CONFIDENT = 0.6  # an arm below this is not written without being accepted


@dataclass(frozen=True, slots=True, eq=False)
class Arm:
    """One curve of a figure.

    Attributes
    ----------
    id : str
        Printed name, with the letter of the panel before it where there are several.
    name : str
        Printed name; a number where none was found.
    panel : int
        Panel, from 0.
    time, survival : ndarray, shape (k,)
        Clicks, in the figure's unit and in 0..1: both ends of every fall.
    censor_times : ndarray
        Places of censoring marks.
    at_risk_times : ndarray, shape (r,)
        Times of the table; empty without one.
    at_risk : ndarray of int, shape (r,)
        Numbers at risk.
    colour : (red, green, blue)
        Colour of the line.
    dash : tuple of float
        Dashes and gaps; empty for solid.
    confidence : float
        From 0 to 1; below `CONFIDENT` the reading is not to be relied on.
    reasons : tuple of str
        What lowered the confidence.
    exact : bool
        Whether the clicks are corners of a vector figure.
    xy : ndarray, shape (k, 2)
        The clicks in units of the drawing.
    named_by : str
        ``legend``, ``direct``, ``table``, ``given`` or ``order``.
    noise : float
        Reading error of a click's survival (standard deviation), 0 for a vector.
    axis_errors : (time, survival)
        Error of either end of the axes (standard deviation), in the figure's unit and in 0..1.
    """

    id: str
    name: str
    panel: int
    time: FloatArray
    survival: FloatArray
    censor_times: FloatArray
    at_risk_times: FloatArray
    at_risk: NDArray[np.int64]
    colour: Colour
    dash: tuple[float, ...]
    confidence: float
    reasons: tuple[str, ...]
    exact: bool
    xy: FloatArray
    named_by: str = ""
    noise: float = 0.0
    axis_errors: tuple[float, float] = (0.0, 0.0)

    def __post_init__(self) -> None:
        freeze(self)

    @property
    def doubtful(self) -> bool:
        """Whether the confidence is too low to rely on the reading."""
        return self.confidence < CONFIDENT

    def reconstruct(
        self, n: int | None = None, *, draws: int = 0, seed: int = 1, **options: Any
    ) -> PseudoIPD:
        """Reconstruct the patients of this arm.

        Parameters
        ----------
        n : int, optional
            Number of patients where the figure prints no table; with a table, the table's.
        draws : int
            Further plausible data sets. Each reads the figure again: the ends of the axes and the
            clicks are moved by their reading errors, before what the figure leaves open (times
            within a fall, censorings) is drawn as :func:`metablin.reconstruct_km` does.
        seed : int
            Seed of the draws.
        **options
            Handed on to :func:`metablin.reconstruct_km`.

        Raises
        ------
        DataError
            Without a table and without `n`: a number of patients is never assumed.
        """
        from metablin.reconstruct import reconstruct_km

        given: dict[str, Any] = {"label": self.id}
        if len(self.at_risk):
            given["at_risk"] = (self.at_risk_times, self.at_risk)
        elif n is None:
            raise DataError(
                "no number of patients", study=self.id,
                allowed="a table of numbers at risk in the figure, --at-risk, or --n",
            )  # fmt: skip
        else:
            given["n"] = n
        given |= {"clicks": "corners", "noise": "exact" if self.exact else self.noise or None}
        if self.exact and len(self.censor_times):
            given["censor_times"] = self.censor_times
        given |= options
        if self.exact:
            return reconstruct_km(self.time, self.survival, draws=draws, seed=seed, **given)
        best = reconstruct_km(self.time, self.survival, **given)
        sets: list[PseudoIPD] = []
        for stream in np.random.SeedSequence(whole("seed", seed, minimum=0)).spawn(draws):
            time, survival = self._read_again(np.random.default_rng(stream))
            again = int(stream.generate_state(1)[0])
            sets.extend(reconstruct_km(time, survival, draws=1, seed=again, **given).draws)
        return replace(best, draws=tuple(sets))

    def _read_again(self, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Return the clicks under axes whose ends are moved by their errors."""
        (t0, t1), (s0, s1) = (rng.normal(0.0, sd, 2) for sd in self.axis_errors)
        part = self.time / self.time[-1]
        time = np.maximum(self.time + t0 * (1 - part) + t1 * part, 0.0)
        survival = self.survival + s0 * (1 - self.survival) + s1 * self.survival
        time[0], survival[0] = 0.0, 1.0
        return time, np.minimum.accumulate(np.clip(survival, 0.0, 1.0))
