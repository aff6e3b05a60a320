"""Tables of survival on reconstructed patients."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from metablin.errors import DataError

from ..cohorts.arm_pools import LEFT_OUT, POOLS, Pool, name_of
from ..lines import join_ids
from ..rebuilt import Rebuilt
from . import cure
from .pools import PooledDraws, pooled, pooled_lines

CURED = ("mrd_rfs", "mrd_os")
RELAPSED = tuple(p for p in POOLS if p.name not in CURED)


def wholes(arms: list[Rebuilt]) -> list[Rebuilt]:
    """Return the arms without parts of an arm that is there as a whole."""
    whole = {a.printed.patient_set for a in arms if a.printed.patient_set.count("/") == 1}
    return [
        a
        for a in arms
        if a.printed.patient_set in whole
        or "/".join(a.printed.patient_set.split("/")[:2]) not in whole
    ]


def pools(used: dict[Pool, list[Rebuilt]]) -> list[PooledDraws]:
    """Return the pooled curves of all questions with three arms or more."""
    found = []
    for pool, arms in used.items():
        try:
            found.append(pooled(pool, arms))
        except DataError:  # too few arms: shown as patients together instead
            continue
    return found


def pooled_table(curves: Sequence[PooledDraws], used: dict[Pool, list[Rebuilt]]) -> pd.DataFrame:
    """Return medians and landmarks of the pooled curves, and of all patients together."""
    lines = [x for one in curves for x in pooled_lines(one)]
    for pool, arms in used.items():
        lines += cure.whole_lines(pool.name, pool.title, arms)
    return pd.DataFrame(lines)


def cure_table(used: dict[Pool, list[Rebuilt]]) -> pd.DataFrame:
    """Return the cure models of all arms together, and of the largest arm alone."""
    parts = []
    for pool, arms in used.items():
        if pool.name not in CURED:
            continue
        largest = max(arms, key=lambda a: a.printed.n or 0)
        parts.append(cure.comparison(pool.name, pool.title, arms))
        title = f"{pool.title}: {name_of(largest.printed)} alone"
        parts.append(cure.comparison(f"{pool.name}.largest", title, [largest]))
    return pd.concat(parts, ignore_index=True)


def left_out(arms: dict[Pool, list[Rebuilt]], trials: pd.DataFrame) -> pd.DataFrame:
    """Return arms that answer a question but cannot be reconstructed, and trials left out."""
    labels = trials.set_index("trial_id")["label"]
    lines = [
        {
            "key": f"{pool.name}.{a.printed.key}",
            "arm": name_of(a.printed),
            "reason": f"missing: {a.printed.missing}" if a.printed.missing else a.conflict,
            "row_ids": join_ids(a.printed.row_ids),
        }
        for pool, some in arms.items()
        for a in some
        if a.draws is None
    ]
    lines += [
        {"key": f"trial.{t}", "arm": labels[t], "reason": why, "row_ids": ""}
        for t, why in LEFT_OUT.items()
    ]
    return pd.DataFrame(lines)
