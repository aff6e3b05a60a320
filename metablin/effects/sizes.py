"""The container every effect-size function returns and every model takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from metablin._frame import Dropped
from metablin._input import level as check_level
from metablin.effects._scales import back_transform, from_freeman_tukey
from metablin.errors import DataError
from metablin.numerics.inference import critical
from metablin.records import Record, json_dict

__all__ = ["LARGEST", "Counts", "EffectSizes", "Excluded", "build", "readmit"]

FloatArray = NDArray[np.float64]

LARGEST = 1e60
"""Largest effect and variance, and inverse of the smallest variance: the models multiply up to two
squared weights with a squared effect, and that must stay below 1e308."""


ENDS = {
    "proportion": (0.0, 1.0),
    "rate": (0.0, np.inf),
    "rd": (-1.0, 1.0),
    "correlation": (-1.0, 1.0),
}
"""Ends of the reader's scale, by measure; others have none that a limit could cross."""


LONGEST = LARGEST**0.5
"""Longest time at risk, whose square is a variance."""


class Counts(Mapping[str, FloatArray]):
    """Read-only mapping of column name to a read-only array of length k.

    A column that is not there is a :class:`DataError`: effects given as ratios or yi and vi serve
    no model of counts.

    Examples
    --------
    >>> c = Counts({"events": np.array([1.0, 2.0])})
    >>> c["events"].flags.writeable, list(c)
    (False, ['events'])
    """

    __slots__ = ("_arrays",)

    def __init__(self, arrays: Mapping[str, ArrayLike]) -> None:
        self._arrays: dict[str, FloatArray] = {}
        for name, values in arrays.items():
            array = np.array(values, dtype=np.float64)
            array.setflags(write=False)
            self._arrays[name] = array

    def __getitem__(self, name: str) -> FloatArray:
        if name not in self._arrays:
            raise DataError(
                "the effects carry no such counts", column=name,
                allowed="effects made of them (proportions, two_by_two, rates), or another method",
            )  # fmt: skip
        return self._arrays[name]

    def __contains__(self, name: object) -> bool:
        return name in self._arrays

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def take(self, index: NDArray[np.intp]) -> Counts:
        """Return the same columns for the rows in `index`."""
        return Counts({name: a[index] for name, a in self._arrays.items()})


@dataclass(frozen=True, slots=True)
class Excluded:
    """A study that gives no effect size, and why.

    Attributes
    ----------
    study : str
        Label.
    row : int
        Data row, counted from 1.
    reason : str
        One sentence.
    """

    study: str
    row: int
    reason: str


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class EffectSizes(Record):
    """Effect sizes on the analysis scale with sampling variances, ready to pool.

    Attributes
    ----------
    yi, vi : ndarray, shape (k,)
        Effect sizes on the analysis scale (a log hazard ratio, a logit) and their variances.
    studies : tuple of str
        Labels of the k included studies.
    measure : str
        ``proportion``, ``or``, ``rr``, ``rd``, ``peto``, ``asd``, ``hr``, ``rate``, ``irr``,
        ``ird``, ``md``, ``smd``, ``smdh``, ``glass``, ``rom``, ``mean``, ``mc``, ``smcc``,
        ``smcr``, ``romc``, ``correlation`` or ``generic``.
    transform : str
        What was applied to reach the analysis scale: ``logit``, ``log``, ``raw``, ``arcsine``,
        ``freeman-tukey``, ``sqrt``, ``fisher-z`` or ``none``.
    counts : Counts
        The numbers behind the effects, one array of length k each (``events`` and ``n``, ...),
        before any correction.
    rows : ndarray of int, shape (k,)
        Zero-based input rows the k studies come from.
    n_rows : int
        Rows in the input, excluded ones included.
    zero_cells : str
        The rule for zero cells.
    corrected : ndarray of bool, shape (k,)
        Where that rule changed the counts before the effect was computed.
    excluded : tuple of Excluded
        Input rows that give no effect size, with the reason.
    """

    yi: FloatArray
    vi: FloatArray
    studies: tuple[str, ...]
    measure: str
    transform: str
    counts: Counts
    rows: NDArray[np.intp]
    n_rows: int
    zero_cells: str
    corrected: NDArray[np.bool_]
    excluded: tuple[Excluded, ...]

    @property
    def k(self) -> int:
        """Number of included studies."""
        return len(self.yi)

    def back(self, x: ArrayLike, n: ArrayLike | None = None) -> FloatArray:
        """Return values of the analysis scale on the reader's scale.

        Limits beyond the end of the scale (a proportion above 1, a rate below 0, a risk difference
        above 1) are the end.

        Parameters
        ----------
        x : array-like
            Values on the analysis scale.
        n : array-like, optional
            Sample size for the Freeman-Tukey back-transform; the harmonic mean of the included
            studies' n when it is not given. Other transforms do not use it.

        Returns
        -------
        ndarray
            Proportions, ratios, differences or rates, of the shape of `x`.
        """
        x = np.asarray(x, dtype=np.float64)
        if self.transform != "freeman-tukey":
            return np.asarray(np.clip(back_transform(self.transform)(x), *self._ends))
        size = self.harmonic_n if n is None else np.asarray(n, dtype=np.float64)
        return from_freeman_tukey(x, size)

    @property
    def _ends(self) -> tuple[float, float]:
        return ENDS.get(self.measure, (-np.inf, np.inf))

    @property
    def harmonic_n(self) -> float:
        """Harmonic mean of the sample sizes, used to undo the Freeman-Tukey transform."""
        return float(self.k / np.sum(1 / self.counts["n"]))

    def select(self, index: ArrayLike) -> EffectSizes:
        """Return the included studies at positions `index` (or where a mask is true)."""
        at = np.arange(self.k)[np.asarray(index)]
        return EffectSizes(
            yi=self.yi[at],
            vi=self.vi[at],
            studies=tuple(self.studies[i] for i in at),
            measure=self.measure,
            transform=self.transform,
            counts=self.counts.take(at),
            rows=self.rows[at],
            n_rows=self.n_rows,
            zero_cells=self.zero_cells,
            corrected=self.corrected[at],
            excluded=self.excluded,
        )

    def limits(self, level: float = 0.95) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return every study's estimate and normal limits on the reader's scale, each (k,)."""
        z = critical(check_level(level))
        half = z * np.sqrt(self.vi)
        n = self.counts["n"] if self.transform == "freeman-tukey" else None
        middle, low, high = (self.back(x, n) for x in (self.yi, self.yi - half, self.yi + half))
        return middle, low, high

    def to_frame(self, level: float = 0.95) -> pd.DataFrame:
        """Return one row per study: counts, ``yi``, ``vi``, and the reader's scale with limits."""
        estimate, low, high = self.limits(level)
        return pd.DataFrame(
            {
                "study": list(self.studies),
                **dict(self.counts.items()),
                "yi": self.yi,
                "vi": self.vi,
                "corrected": self.corrected,
                "estimate": estimate,
                "conf_low": low,
                "conf_high": high,
                "conf_level": level,
            }
        )

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON-ready Python types."""
        return json_dict(
            {
                "measure": self.measure,
                "transform": self.transform,
                "k": self.k,
                "zero_cells": self.zero_cells,
                "studies": self.to_frame(),
                "excluded": [
                    {"study": x.study, "row": x.row, "reason": x.reason} for x in self.excluded
                ],
            }
        )


def _check_range(
    yi: FloatArray, vi: FloatArray, studies: tuple[str, ...], keep: NDArray[np.intp]
) -> None:
    """Refuse effects and variances whose products no double can hold."""
    for name, values, low in (("yi", np.abs(yi), 0.0), ("vi", vi, 1 / LARGEST)):
        bad = keep[~((values[keep] >= low) & (values[keep] <= LARGEST))]
        if bad.size:
            i = int(bad[0])
            raise DataError(
                "too large or too small to compute with",
                row=i + 1,
                column=name,
                value=f"{values[i]:g}",
                allowed=f"{low:g} to {LARGEST:g} in size",
                study=studies[i],
            )


def build(
    yi: FloatArray,
    vi: FloatArray,
    studies: tuple[str, ...],
    measure: str,
    transform: str,
    counts: Mapping[str, ArrayLike],
    zero_cells: str = "none",
    corrected: NDArray[np.bool_] | None = None,
    reasons: Mapping[int, str] | None = None,
) -> EffectSizes:
    """Return an :class:`EffectSizes`, setting aside the rows in `reasons` (row -> reason)."""
    reasons = reasons or {}
    keep = np.array([i for i in range(len(yi)) if i not in reasons], dtype=np.intp)
    _check_range(yi, vi, studies, keep)
    marks = np.zeros(len(yi), dtype=np.bool_) if corrected is None else corrected
    return EffectSizes(
        yi=yi[keep],
        vi=vi[keep],
        studies=tuple(studies[i] for i in keep),
        measure=measure,
        transform=transform,
        counts=Counts(counts).take(keep),
        rows=keep,
        n_rows=len(yi),
        zero_cells=zero_cells,
        corrected=marks[keep],
        excluded=tuple(Excluded(studies[i], i + 1, why) for i, why in sorted(reasons.items())),
    )


def readmit(e: EffectSizes, gone: Dropped, labels: Sequence[Any] | None) -> EffectSizes:
    """Return `e` with its rows counted as in the table before incomplete rows were left out."""
    names = [f"study {i + 1}" for i in range(gone.n_rows)] if labels is None else list(labels)
    rows = gone.kept[e.rows]
    left = [Excluded(x.study, int(gone.kept[x.row - 1]) + 1, x.reason) for x in e.excluded]
    left += [Excluded(str(names[row]), row + 1, why) for row, why in gone.reasons]
    return replace(
        e,
        rows=rows,
        n_rows=gone.n_rows,
        studies=e.studies if labels is not None else tuple(names[i] for i in rows),
        excluded=tuple(sorted(left, key=lambda x: x.row)),
    )
