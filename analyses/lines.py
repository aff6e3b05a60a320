"""How evidence rows become effect sizes, and pooled results lines of a table."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import pandas as pd

import metablin as mb
from metablin.options import ProportionTransform

from .cohorts.coverage import simulated_coverage


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the lines of a frame, each by the names of its columns."""
    return [{str(k): v for k, v in line.items()} for line in frame.to_dict(orient="records")]


def effect_sizes(rows: pd.DataFrame, transform: ProportionTransform = "logit") -> mb.EffectSizes:
    """Return the proportions of evidence rows on an analysis scale."""
    return mb.proportions(
        rows["events"], rows["n"], transform=transform, studies=rows["study"].tolist()
    )


def by_group(rows: pd.DataFrame, groups: pd.Series) -> mb.MetaFit:
    """Return the fit of all rows with that of every group as its subgroups.

    Groups are fitted by :func:`metablin.pool_cohorts`; the test between them is that of the
    inverse-variance model.
    """
    names = groups.tolist()
    whole = mb.pool_cohorts(effect_sizes(rows))
    test = mb.pool(effect_sizes(rows), by=names).subgroup_test
    parts = {
        name: mb.pool_cohorts(effect_sizes(rows.loc[groups == name]))
        for name in dict.fromkeys(names)
    }
    return dataclasses.replace(whole, subgroups=parts, subgroup_test=test)


def join_ids(ids: Iterable[object]) -> str:
    """Return evidence row ids as one cell."""
    return " ".join(str(i) for i in ids)


def unit_of(term: str) -> str:
    """Return how an item of a survival curve is printed: a median in months, else a share."""
    return "months" if term == "median" else "proportion"


def pooled_row(key: str, fit: mb.MetaFit, rows: pd.DataFrame, **more: Any) -> dict[str, Any]:
    """Return one line of a result table from a pooled fit and the evidence rows behind it."""
    return {
        "key": key,
        **more,
        "k": fit.k,
        "estimate": fit.estimate,
        "conf_low": fit.conf_low,
        "conf_high": fit.conf_high,
        "pred_low": fit.pred_low,
        "pred_high": fit.pred_high,
        "tau2": fit.tau2,
        "i2": fit.i2,
        "q_p": mb.pool(fit.effects).q_p if fit.model == "bayes" else fit.q_p,
        "p_value": fit.p_value,
        "coverage": simulated_coverage(fit),
        "model": fit.model,
        "tau2_method": fit.tau2_method,
        "ci_method": fit.ci_method,
        "row_ids": join_ids(rows["row_id"]),
    }


def all_of(count: int, of: int, noun: str) -> str:
    """Return how many of several, in words that a title takes.

    Examples
    --------
    >>> all_of(3, 3, "line"), all_of(1, 3, "line"), all_of(0, 2, "line"), all_of(1, 1, "line")
    ('all 3 lines', '1 of 3 lines', 'none of 2 lines', 'the one line')
    """
    nouns = f"{noun}{'s' * (of != 1)}"
    if count == of:
        return f"all {of} {nouns}" if of > 1 else f"the one {noun}"
    return f"{count or 'none'} of {of} {nouns}"


def span(values: Iterable[float], digits: int = 0, unit: str = "", scale: float = 1.0) -> str:
    """Return the least and the largest of several values, or the one they all are.

    Examples
    --------
    >>> span([0.321, 0.49], unit="%", scale=100.0), span([0.5], digits=2)
    ('32% to 49%', '0.50')
    """
    found = [scale * v for v in values]
    ends = [f"{v:.{digits}f}{unit}" for v in (min(found), max(found))]
    return ends[0] if ends[0] == ends[1] else " to ".join(ends)
