"""Hazard ratios from whatever a paper prints."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from metablin._input import labels
from metablin._input import level as check_level
from metablin.effects.contrasts import log_interval
from metablin.effects.sizes import EffectSizes, build
from metablin.errors import DataError
from metablin.numerics.inference import critical

__all__ = ["REPORTED_COLUMNS", "hazard_ratios_reported"]

FloatArray = NDArray[np.float64]

REPORTED_COLUMNS = (
    "hr",
    "low",
    "high",
    "level",
    "p_value",
    "sides",
    "events_treatment",
    "events_control",
    "events",
    "allocation",
    "favours",
    "observed_minus_expected",
    "variance",
    "median_treatment",
    "median_control",
)

P_FLOOR = 1e-300
"""Smallest p-value that still has a finite normal quantile in double precision, with a margin."""


@dataclass(frozen=True, slots=True)
class _Row:
    """One study's printed figures; what was not printed is missing."""

    number: int
    study: str
    values: Mapping[str, Any]

    def has(self, *names: str) -> bool:
        return all(not _blank(self.values.get(name)) for name in names)

    def positive(self, name: str) -> float:
        value = self.number_of(name)
        if not value > 0:
            raise self.error(name, "greater than 0")
        return value

    def number_of(self, name: str) -> float:
        try:
            value = float(self.values[name])
        except (TypeError, ValueError, OverflowError) as error:
            raise self.error(name, "a number") from error
        if not np.isfinite(value):
            raise self.error(name, "a finite number")
        return value

    def error(self, column: str, allowed: str, message: str = "not allowed") -> DataError:
        return DataError(
            message,
            row=self.number,
            column=column,
            value=self.values.get(column),
            allowed=allowed,
            study=self.study,
        )


def _blank(value: Any) -> bool:
    if value is None or (isinstance(value, str) and not value.strip()):
        return True
    return bool(isinstance(value, float | np.floating) and np.isnan(value))


def hazard_ratios_reported(
    data: pd.DataFrame | Mapping[str, Any], studies: Iterable[Any] | None = None
) -> EffectSizes:
    """Return log hazard ratios from tables in which every paper prints something else.

    Parameters
    ----------
    data : DataFrame or mapping of columns
        One row per study; columns not printed by a study are empty. The first of these that a
        row can serve is used, and named in the frame's ``counts`` as ``method``:

        1. ``observed_minus_expected, variance``: log-rank O - E in the treatment group and its
           variance V; log HR = (O - E)/V with variance 1/V.
        2. ``hr, low, high`` (``level``, default 0.95): the interval; with one limit empty, the
           other serves alone. ``sides`` = 1 says that ``level`` is one-sided: a one-sided 97.5%
           limit is a two-sided 95% one.
        3. ``hr, p_value``: variance from the two-sided p-value (``sides`` = 1 for one-sided).
        4. ``hr`` with events per group: variance 1/V of rule 5.
        5. ``p_value, events_treatment, events_control, favours``: V = d1 d2/(d1 + d2) and
           O - E = z sqrt(V), its sign from ``favours`` (``treatment`` or ``control``).
        6. ``p_value, events, favours``: as 5 with V = d r/(1 + r)**2, where ``allocation`` r is
           treatment to control (default 1: V = d/4).
        7. ``median_treatment, median_control`` with events per group: the ratio of medians under
           exponential survival, variance 1/d1 + 1/d2. Approximate.
    studies : iterable of str, optional
        Labels; a column ``study`` of `data` otherwise.

    Returns
    -------
    EffectSizes
        ``counts["method"]`` holds the rule's number, ``counts["approximate"]`` is 1 where the
        effect rests on an approximation (rules 4 to 7).

    Raises
    ------
    DataError
        Naming the study whose figures do not suffice or are impossible.

    Notes
    -----
    A p-value printed as an inequality gives no variance and is refused. A one-sided p-value is
    taken in the direction of ``favours`` (or of the hazard ratio); p above 1/2 turns the sign.

    References
    ----------
    Parmar MKB, Torri V, Stewart L (1998), eq. 2 to 13.
    doi:10.1002/(SICI)1097-0258(19981230)17:24<2815::AID-SIM110>3.0.CO;2-8
    Tierney JF and others (2007), methods 1 to 9. doi:10.1186/1745-6215-8-16

    Examples
    --------
    >>> e = hazard_ratios_reported({"hr": [0.71, 0.8, None], "low": [0.55, None, None],
    ...     "high": [0.93, None, None], "p_value": [None, 0.04, 0.075],
    ...     "events": [None, None, 485],
    ...     "favours": [None, None, "treatment"]})
    >>> e.counts["method"].tolist(), e.back(e.yi).round(2).tolist()
    ([2.0, 3.0, 6.0], [0.71, 0.8, 0.85])
    """
    frame = data if isinstance(data, pd.DataFrame) else _as_frame(data)
    _known_columns(frame)
    if studies is None and "study" in frame.columns:
        studies = frame["study"]
    names = labels(studies, len(frame))
    records = frame.astype(object).to_dict(orient="records")
    found = [
        _effect(_Row(i + 1, names[i], {str(c): x for c, x in r.items()}))
        for i, r in enumerate(records)
    ]
    yi, vi, method = (np.array([f[j] for f in found], dtype=np.float64) for j in range(3))
    counts = {"method": method, "approximate": (method >= FIRST_APPROXIMATE) * 1.0}
    return build(yi, vi, names, "hr", "log", counts)


FIRST_APPROXIMATE = 4
"""Rules from this one on take the variance from event counts."""


def _known_columns(frame: pd.DataFrame) -> None:
    unknown = [str(c) for c in frame.columns if c not in (*REPORTED_COLUMNS, "study")]
    if unknown:
        raise DataError(
            "unknown column", column=unknown[0], allowed=", ".join(("study", *REPORTED_COLUMNS))
        )


Effect = tuple[float, float, float]


def _effect(row: _Row) -> Effect:
    for number, (needs, rule) in enumerate(_RULES, start=1):
        if any(row.has(*names) for names in needs):
            y, v = rule(row)
            return y, v, float(number)
    raise DataError(
        "these figures give no hazard ratio with a variance",
        row=row.number,
        study=row.study,
        allowed="O - E and V; HR with interval, p-value or events; p-value with events and "
        "favours; medians with events",
    )


def _log_rank(row: _Row) -> tuple[float, float]:
    v = row.positive("variance")
    return row.number_of("observed_minus_expected") / v, 1 / v


def _interval(row: _Row) -> tuple[float, float]:
    hr = row.positive("hr")
    level = _two_sided_level(row)
    if row.has("low", "high"):
        parts = [np.array([x]) for x in (hr, row.positive("low"), row.positive("high"), level)]
        try:
            y, v = log_interval(parts[0], parts[1], parts[2], parts[3], (row.study,), row.number)
        except DataError as error:
            raise row.error("low" if error.column == "conf_low" else "high", *_SPAN) from error
        return float(y[0]), float(v[0])
    name = "low" if row.has("low") else "high"
    limit = row.positive(name)
    if (limit >= hr) if name == "low" else (limit <= hr):
        raise row.error(name, *_SPAN)
    se = abs(np.log(hr) - np.log(limit)) / critical(level)
    return float(np.log(hr)), float(se**2)


_SPAN = ("low < hr < high", "the interval does not contain the estimate")


def _two_sided_level(row: _Row) -> float:
    """Level of the two-sided interval with the same limits."""
    level = check_level(row.number_of("level")) if row.has("level") else 0.95
    two = level if _sides(row) == 2 else 2 * level - 1
    if not two > 0:
        raise row.error("level", "above 0.5 when one-sided")
    return two


def _sides(row: _Row) -> int:
    if not row.has("sides"):
        return 2
    sides = row.number_of("sides")
    if sides not in (1, 2):
        raise row.error("sides", "1 or 2")
    return int(sides)


def _z(row: _Row) -> float:
    """Return the standard normal deviate of the p-value; negative for a one-sided p above 1/2."""
    p = row.number_of("p_value")
    if not P_FLOOR < p < 1:
        raise row.error("p_value", "greater than 0 and less than 1")
    return -float(special.ndtri(p if _sides(row) == 1 else p / 2))


def _hr_and_p(row: _Row) -> tuple[float, float]:
    y, z = float(np.log(row.positive("hr"))), _z(row)
    if y == 0 or z == 0:
        raise row.error(
            "p_value", "an HR other than 1 and p below 1", "HR = 1 or p = 1 gives no variance"
        )
    return y, (y / z) ** 2


def _hr_and_events(row: _Row) -> tuple[float, float]:
    return float(np.log(row.positive("hr"))), 1 / _v_of_groups(row)


def _v_of_groups(row: _Row) -> float:
    d1, d2 = row.positive("events_treatment"), row.positive("events_control")
    return d1 * d2 / (d1 + d2)


def _p_and_events(row: _Row) -> tuple[float, float]:
    return _from_p(row, _v_of_groups(row))


def _p_and_total(row: _Row) -> tuple[float, float]:
    r = row.positive("allocation") if row.has("allocation") else 1.0
    return _from_p(row, row.positive("events") * r / (1 + r) ** 2)


def _from_p(row: _Row, v: float) -> tuple[float, float]:
    favours = str(row.values["favours"]).strip().lower()
    if favours not in ("treatment", "control"):
        raise row.error("favours", "treatment | control")
    sign = -1.0 if favours == "treatment" else 1.0
    return sign * _z(row) / v**0.5, 1 / v


def _medians(row: _Row) -> tuple[float, float]:
    ratio = row.positive("median_control") / row.positive("median_treatment")
    return float(np.log(ratio)), 1 / _v_of_groups(row)


_GROUPS = ("events_treatment", "events_control")
_RULES: list[tuple[tuple[tuple[str, ...], ...], Callable[[_Row], tuple[float, float]]]] = [
    ((("observed_minus_expected", "variance"),), _log_rank),
    ((("hr", "low"), ("hr", "high")), _interval),
    ((("hr", "p_value"),), _hr_and_p),
    ((("hr", *_GROUPS),), _hr_and_events),
    ((("p_value", "favours", *_GROUPS),), _p_and_events),
    ((("p_value", "favours", "events"),), _p_and_total),
    ((("median_treatment", "median_control", *_GROUPS),), _medians),
]


def _as_frame(data: Any) -> pd.DataFrame:
    try:
        return pd.DataFrame(data)
    except (TypeError, ValueError) as error:
        raise DataError("not a table", column="data", value=repr(data),
                        allowed="a data frame, or a mapping of columns") from error  # fmt: skip
