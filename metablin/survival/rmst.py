"""Restricted mean survival time and restricted mean time lost, with their contrasts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from metablin import _input
from metablin._frame import reads
from metablin.errors import DataError
from metablin.numerics.kaplan_meier import product_limit
from metablin.options import Missing
from metablin.records import Record, json_dict
from metablin.survival._normal import normal_row, ratio_row
from metablin.survival.patients import Patients, count, groups, patients
from metablin.survival.ties import onto

__all__ = ["RMST", "RMSTCurve", "rmst", "rmst_curve"]

FloatArray = NDArray[np.float64]

NO_TEST = "one group: nothing to test"
NO_VARIANCE = "no event by tau in either group: no variance, no test"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class RMST(Record):
    """Restricted means of k groups at one tau.

    Attributes
    ----------
    tau : float
        Horizon, in the unit of time.
    labels : tuple of str
        Groups, control first; one empty label without groups.
    estimate, std_error : ndarray, shape (k,)
        Restricted mean survival time and its standard error. The restricted mean time lost is
        ``tau - estimate`` with the same standard error.
    level : float
        Confidence level.
    """

    tau: float
    labels: tuple[str, ...]
    estimate: FloatArray
    std_error: FloatArray
    level: float

    def arms(self) -> pd.DataFrame:
        """Return RMST and RMTL of each group."""
        rows = []
        for i, name in enumerate(self.labels):
            suffix = f": {name}" if name else ""
            m, se = float(self.estimate[i]), float(self.std_error[i])
            rows.append(normal_row(f"RMST{suffix}", m, se, self.level))
            rows.append(normal_row(f"RMTL{suffix}", self.tau - m, se, self.level))
        frame = pd.DataFrame(rows)
        return frame.drop(columns=["statistic", "p_value"])

    def contrasts(self) -> pd.DataFrame:
        """Return differences and ratios of each group against the control.

        The ratios are tested on the log scale by the delta method. Empty without groups; a ratio
        whose mean is zero is left out. Without an event by tau in either group there is no
        variance, hence no statistic and no p-value, and ``note`` says so.
        """
        rows: list[dict[str, Any]] = []
        m0, s0 = float(self.estimate[0]), float(self.std_error[0])
        for i in range(1, len(self.labels)):
            name = f"{self.labels[i]} vs {self.labels[0]}"
            m1, s1 = float(self.estimate[i]), float(self.std_error[i])
            rows.append(
                normal_row(f"RMST difference: {name}", m1 - m0, float(np.hypot(s0, s1)), self.level)
            )
            for kind, a, b in (("RMST", m1, m0), ("RMTL", self.tau - m1, self.tau - m0)):
                if min(a, b) > 0:
                    se = float(np.hypot(s1 / a, s0 / b))
                    rows.append(ratio_row(f"{kind} ratio: {name}", np.log(a / b), se, self.level))
        for row in rows:
            row["note"] = "" if row["std_error"] > 0 else NO_VARIANCE
        return pd.DataFrame(rows)

    def to_frame(self) -> pd.DataFrame:
        """Return groups, then contrasts; a mean by itself is not tested, as its ``note`` says."""
        arms = self.arms()
        if len(self.labels) == 1:
            return arms
        contrasts = self.contrasts()
        arms = arms.assign(note=NO_TEST).reindex(columns=contrasts.columns)
        return pd.concat([arms, contrasts], ignore_index=True)

    def to_dict(self) -> dict[str, Any]:
        """Return the result, ready for JSON."""
        return json_dict({"tau": self.tau, "arms": self.arms(), "contrasts": self.contrasts()})


@reads("time", "event", optional=("group", "entry", "weights"))
def rmst(
    time: ArrayLike,
    event: ArrayLike,
    tau: float | None = None,
    group: Iterable[Any] | None = None,
    *,
    control: object = None,
    entry: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    level: float = 0.95,
    data: Any = None,
    missing: Missing = "error",
) -> RMST:
    r"""Estimate the area under the survival curve up to `tau`, and compare groups.

    The variance is that of the estimate, :math:`\sum_{t_i \le \tau} A_i^2 d_i/(n_i(n_i-d_i))`
    with :math:`A_i` the area from :math:`t_i` to `tau`, not the variance of min(T, tau).

    Parameters
    ----------
    time, event : array-like, shape (n,)
        Follow-up and 1 event, 0 censored.
    tau : float, optional
        Horizon; the largest every group supports when not given.
    group : iterable, length n, optional
        Labels of two or more groups.
    control : object, optional
        Reference group; the first in sorted order when not given.
    entry, weights : array-like, shape (n,), optional
        Late entry and case weights.
    level : float
        Confidence level.

    Returns
    -------
    RMST

    Raises
    ------
    DataError
        When `tau` lies beyond the last follow-up of a group whose curve has not reached 0.

    References
    ----------
    Uno H, Claggett B, Tian L, et al (2014). Moving beyond the hazard ratio. J Clin Oncol
    32:2380-2385. doi:10.1200/JCO.2014.55.2208

    Royston P, Parmar MKB (2013). Restricted mean survival time. BMC Med Res Methodol 13:152.
    doi:10.1186/1471-2288-13-152

    Examples
    --------
    >>> rmst([1, 2, 3, 4], [1, 1, 1, 0], tau=4).estimate
    array([2.5])
    """
    p = patients(time, event, entry, weights)
    parts = _split(p, group, control)
    horizon = horizon_of(parts, tau)
    found = [area(part, np.array([horizon])) for part in parts.values()]
    return RMST(
        tau=horizon,
        labels=tuple(parts),
        estimate=np.array([m[0] for m, _ in found]),
        std_error=np.array([se[0] for _, se in found]),
        level=_input.level(level),
    )


def _split(p: Patients, group: Iterable[Any] | None, control: object) -> dict[str, Patients]:
    if group is None:
        return {"": p}
    g = groups(group, p.n, control)
    return {name: p.take(g.codes == i) for i, name in enumerate(g.levels)}


def _furthest(p: Patients) -> float:
    """Return the last time up to which the curve is known; infinite when it reaches 0."""
    last = p.time == p.time.max()
    return np.inf if bool(np.all(p.event[last] == 1.0)) else float(p.time.max())


def horizon_of(parts: dict[str, Patients], tau: float | None) -> float:
    """Return a horizon every group supports: `tau` once checked, or the largest."""
    if tau is None:
        return min(float(part.time.max()) for part in parts.values())
    horizon = _input.one("tau", tau, above=0.0)
    for name, part in parts.items():
        if float(onto(np.array(horizon), np.unique(part.time))) > _furthest(part):
            where = f" of group {name}" if name else ""
            raise DataError(
                f"beyond the last follow-up{where}",
                column="tau",
                value=f"{horizon:g}",
                allowed=f"at most {_furthest(part):g}",
            )
    return horizon


def area(p: Patients, tau: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the area under the curve up to each of `tau` (g,), and its standard error.

    The sum over event times is expanded, so that one pass serves every horizon.
    """
    c = count(p)
    survival, _ = product_limit(c.n_event, c.n_risk)
    steps = np.diff(c.time, prepend=0.0) * np.r_[1.0, survival[:-1]]
    to_here = np.cumsum(steps)
    alive = c.n_risk - c.n_event
    use = (c.n_event > 0) & (survival > 0)
    g = np.divide(c.n_event, c.n_risk * alive, out=np.zeros_like(alive), where=use)
    i = np.searchsorted(c.time, tau, side="right") - 1
    before = i < 0
    i = np.maximum(i, 0)
    total = np.where(before, tau, to_here[i] + (tau - c.time[i]) * survival[i])
    if tau.size == 1:
        rest = np.where(c.time <= tau[0], total[0] - to_here, 0.0)
        return total, np.sqrt(np.array([np.sum(rest * rest * g)]))
    sums = [np.where(before, 0.0, np.cumsum(g * to_here**power)[i]) for power in (0, 1, 2)]
    variance = total * total * sums[0] - 2.0 * total * sums[1] + sums[2]
    return total, np.sqrt(np.maximum(variance, 0.0))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class RMSTCurve(Record):
    """Restricted means over a grid of horizons.

    Attributes
    ----------
    tau : ndarray, shape (g,)
    labels : tuple of str
        k groups, control first.
    estimate, std_error : ndarray, shape (k, g)
    level : float
    """

    tau: FloatArray
    labels: tuple[str, ...]
    estimate: FloatArray
    std_error: FloatArray
    level: float

    def to_frame(self) -> pd.DataFrame:
        """Return ``tau, group, estimate, ...`` for groups, then for differences to the control."""
        parts = []
        for i, name in enumerate(self.labels):
            parts.append(self._rows(name or "all", self.estimate[i], self.std_error[i]))
        for i in range(1, len(self.labels)):
            difference = self.estimate[i] - self.estimate[0]
            se = np.hypot(self.std_error[i], self.std_error[0])
            parts.append(self._rows(f"{self.labels[i]} - {self.labels[0]}", difference, se))
        return pd.concat(parts, ignore_index=True)

    def _rows(self, name: str, estimate: FloatArray, se: FloatArray) -> pd.DataFrame:
        rows = [
            normal_row(name, float(m), float(s), self.level)
            for m, s in zip(estimate, se, strict=True)
        ]
        frame = pd.DataFrame(rows).drop(columns=["statistic", "p_value"])
        frame.insert(0, "tau", self.tau)
        return frame


@reads("time", "event", optional=("group", "entry", "weights"))
def rmst_curve(
    time: ArrayLike,
    event: ArrayLike,
    group: Iterable[Any] | None = None,
    *,
    tau: ArrayLike | None = None,
    control: object = None,
    entry: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    level: float = 0.95,
    data: Any = None,
    missing: Missing = "error",
) -> RMSTCurve:
    """Estimate restricted means at every horizon of a grid (50 steps when none is given).

    Parameters are those of `rmst`; `tau` is an array of shape (g,).

    Examples
    --------
    >>> rmst_curve([1, 2, 3, 4], [1, 1, 1, 0], tau=[2, 4]).estimate
    array([[1.75, 2.5 ]])
    """
    p = patients(time, event, entry, weights)
    parts = _split(p, group, control)
    if tau is None:
        grid = np.linspace(0.0, horizon_of(parts, None), 51)[1:]
    else:
        grid = np.sort(_input.numeric("tau", tau, above=0.0))
        horizon_of(parts, float(grid[-1]))
    found = [area(part, grid) for part in parts.values()]
    return RMSTCurve(
        tau=grid,
        labels=tuple(parts),
        estimate=np.array([m for m, _ in found]),
        std_error=np.array([se for _, se in found]),
        level=_input.level(level),
    )
