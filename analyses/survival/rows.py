"""Tables of survival on reconstructed patients."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from metablin.errors import DataError

from ..cohorts.arm_pools import POOLS, Pool, name_of
from ..cohorts.designs import DESIGNS
from ..lines import join_ids
from ..rebuilt import Rebuilt
from . import cure
from .pools import PooledDraws, pooled, pooled_lines

CURED = ("mrd_rfs", "mrd_os")
RELAPSED = tuple(p for p in POOLS if p.name in ("rr_blinatumomab", "rr_control"))


def wholes(arms: list[Rebuilt]) -> list[Rebuilt]:
    """Return the arms without parts of an arm that is there as a whole."""
    whole = {a.printed.patient_set for a in arms if a.printed.patient_set.count("/") == 1}
    return [
        a
        for a in arms
        if a.printed.patient_set in whole
        or "/".join(a.printed.patient_set.split("/")[:2]) not in whole
    ]


def main_arms(used: dict[Pool, list[Rebuilt]]) -> dict[Pool, list[Rebuilt]]:
    """Return the arms of the main design of every question."""
    return {pool: [a for a in arms if pool.main(a.printed)] for pool, arms in used.items()}


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
    """Return medians and landmarks of the pooled curves, and design by design of all patients."""
    lines = [x | {"design": one.pool.design} for one in curves for x in pooled_lines(one)]
    for pool, arms in used.items():
        for design in DESIGNS:
            own = [a for a in arms if a.printed.design == design]
            name = pool.name if design == pool.design else f"{pool.name}.{design}"
            found = cure.whole_lines(name, pool.title, own) if own else []
            lines += [x | {"design": design} for x in found]
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
    """Return arms that answer a question but cannot be reconstructed, and cohorts left out."""
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
        {"key": f"trial.{t}", "arm": label, "reason": why, "row_ids": t}
        for t, label, why in trials[["trial_id", "label", "left_out"]].to_numpy().tolist()
        if why
    ]
    return pd.DataFrame(lines)
