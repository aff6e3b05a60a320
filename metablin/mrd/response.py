"""MRD response rates: one pool a stratum, and never two denominators in one pool unasked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from metablin._input import choice, needed
from metablin._input import level as check_level
from metablin.effects import proportions
from metablin.errors import DataError, warn
from metablin.meta import MetaFit, pool
from metablin.meta.cohorts import pool_cohorts
from metablin.records import Record, json_dict

__all__ = ["ResponsePools", "response_rates"]

KEYS = ("denominator", "threshold", "timepoint")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ResponsePools(Record):
    """Pooled response rates by stratum.

    Attributes
    ----------
    by : tuple of str
        Columns that define a stratum.
    fits : mapping of tuple to MetaFit
        One fit a stratum, in order of first appearance.
    mixed : frozenset of tuple
        Strata that hold more than one denominator, because the caller asked for it.
    """

    by: tuple[str, ...]
    fits: dict[tuple[str, ...], MetaFit]
    mixed: frozenset[tuple[str, ...]]

    def to_frame(self) -> pd.DataFrame:
        """Return one row a stratum; one cohort foretells no other, so it has no prediction."""
        return pd.DataFrame([self._row(key, fit) for key, fit in self.fits.items()])

    def _row(self, key: tuple[str, ...], fit: MetaFit) -> dict[str, Any]:
        counts = fit.effects.counts
        return {
            **dict(zip(self.by, key, strict=True)),
            "k": fit.k,
            "events": float(counts["events"].sum()),
            "n": float(counts["n"].sum()),
            "estimate": fit.estimate,
            "conf_low": fit.conf_low,
            "conf_high": fit.conf_high,
            "conf_level": fit.level,
            "pred_low": fit.pred_low if fit.k > 1 else float("nan"),
            "pred_high": fit.pred_high if fit.k > 1 else float("nan"),
            "tau2": fit.tau2,
            "i2": fit.i2,
            "model": fit.model,
            "mixed_denominators": key in self.mixed,
        }

    def to_dict(self) -> dict[str, Any]:
        """Return the strata as JSON-ready Python types."""
        return json_dict({"by": self.by, "strata": self.to_frame()})


def response_rates(
    data: pd.DataFrame,
    by: Sequence[str] = ("population", "denominator"),
    *,
    model: str = "auto",
    level: float = 0.95,
    mix_denominators: bool = False,
) -> ResponsePools:
    """Pool response rates within strata.

    Parameters
    ----------
    data : pandas.DataFrame
        One row a cohort: ``study, events, n, denominator`` (who was counted: all treated,
        haematological responders, those with an assay, ...) and the columns of `by`; also
        ``threshold`` and ``timepoint`` where they are strata.
    by : sequence of str
        Columns that define the strata.
    model : {"auto", "random", "common", "beta-binomial"}
        ``auto`` is the rule of :func:`metablin.pool_cohorts`; the rest see
        :func:`metablin.pool`.
    level : float
        Confidence level.
    mix_denominators : bool
        Allow a pool that mixes denominators. It is refused otherwise: a rate among responders
        and a rate among all treated answer different questions.

    Returns
    -------
    ResponsePools

    Raises
    ------
    DataError
        When a column is missing or has an empty cell, a cohort stands twice in one stratum, or a
        stratum mixes denominators and `mix_denominators` is false.

    Warns
    -----
    MetablinWarning
        When denominators are mixed on request, naming them.

    Examples
    --------
    >>> rows = pd.DataFrame({"study": list("abc"), "events": [16, 40, 24], "n": [20, 50, 40],
    ...                      "denominator": "evaluable", "population": "mrd_positive"})
    >>> found = response_rates(rows).to_frame()
    >>> int(found["k"][0]), round(float(found["estimate"][0]), 3)
    (3, 0.727)
    """
    chosen = choice("model", model, ("auto", "random", "common", "beta-binomial"))
    level = check_level(level)
    strata = (by,) if isinstance(by, str) else tuple(by)
    if not strata:
        raise DataError("no column to pool by", column="by", allowed="at least one column")
    columns = ("study", "denominator", *strata)
    needed(data, (*columns, "events", "n"), columns)
    if data.empty:
        raise DataError("no cohort to pool", allowed="at least one row")
    fits: dict[tuple[str, ...], MetaFit] = {}
    mixed = set()
    for raw, part in data.groupby(list(strata), sort=False):
        key = tuple(str(x) for x in (raw if isinstance(raw, tuple) else (raw,)))
        twice = part["study"][part["study"].duplicated()]
        if len(twice):
            raise DataError("one cohort twice in one pool", column="study", value=twice.iloc[0],
                            allowed="one row a cohort", study=", ".join(key))  # fmt: skip
        if _denominators(part, key, mix_denominators):
            mixed.add(key)
        e = proportions(part["events"], part["n"], studies=part["study"].tolist())
        fits[key] = pool_cohorts(e, level) if chosen == "auto" else pool(e, chosen, level=level)
    return ResponsePools(strata, fits, frozenset(mixed))


def _denominators(part: pd.DataFrame, key: tuple[str, ...], allowed: bool) -> bool:
    found = sorted(part["denominator"].astype(str).unique())
    if len(found) == 1:
        return False
    if not allowed:
        raise DataError(
            f"one pool ({', '.join(key)}) would mix denominators",
            column="denominator",
            value=", ".join(found),
            allowed="one denominator a pool, or mix_denominators=True",
        )
    warn(
        f"the pool {', '.join(key)} mixes denominators ({', '.join(found)}): the result is the "
        "rate of no defined group of patients"
    )
    return True
