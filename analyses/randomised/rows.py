"""Tables of the randomised comparisons."""

from __future__ import annotations

from typing import Any

import pandas as pd

import metablin as mb
from metablin.datasets import said
from metablin.meta.checks.sequence import leave_one_out
from metablin.pipeline import slug

from ..cohorts.comparisons import ENDPOINTS
from ..cohorts.populations import POPULATIONS
from ..lines import join_ids, pooled_row

TITLES = {
    "os": "Overall survival",
    "event_free": "Event-free, disease-free or relapse-free survival",
}
AGES = said("age_group", "results")


def effect_sizes(rows: pd.DataFrame) -> mb.EffectSizes:
    """Return the log hazard ratios of evidence rows."""
    columns = (rows["estimate"], rows["ci_low"], rows["ci_high"])
    return mb.hazard_ratios(*columns, studies=rows["label"].tolist())


def listing(rows: pd.DataFrame) -> pd.DataFrame:
    """Return one line a comparison."""
    return pd.DataFrame(
        {
            "key": rows["row_id"],
            "trial": rows["label"],
            "population": rows["population"].map(POPULATIONS),
            "age_group": rows["age_group"].map(AGES),
            "endpoint": rows["endpoint"],
            "n": rows["n_total"].astype(int),
            "estimate": rows["estimate"],
            "conf_low": rows["ci_low"],
            "conf_high": rows["ci_high"],
            "source_key": rows["source_key"],
            "row_ids": rows["row_id"] + " " + rows["trial_id"],
        }
    )


def pooled(rows: pd.DataFrame) -> pd.DataFrame:
    """Return pooled hazard ratios: all trials, by population, by age group, other models."""
    lines = []
    for name in ENDPOINTS:
        part = rows.loc[rows["group"] == name]
        groups = {"all": part}
        groups |= {p: part.loc[part["population"] == p] for p in part["population"].unique()}
        groups |= {f"age_{a}": part.loc[part["age_group"] == a] for a in part["age_group"].unique()}
        lines += [_line(name, key, chosen) for key, chosen in groups.items()]
        lines += [
            _line(name, key, chosen, "bayes", model="bayes")
            for key, chosen in groups.items()
            if len(chosen) > 1
        ]
        lines.append(_line(name, "all", part, "common", model="common", ci="z"))
        lines.append(_line(name, "all", part, "dersimonian_laird", tau2="DL", ci="z"))
    return pd.DataFrame(lines)


def _line(
    name: str, key: str, rows: pd.DataFrame, variant: str = "", **options: Any
) -> dict[str, Any]:
    fit = mb.pool(effect_sizes(rows), **options)
    full = f"{name}.{key}_{variant}" if variant else f"{name}.{key}"
    n = int(rows["n_total"].sum())
    line = pooled_row(full, fit, rows, endpoint=TITLES[name], group=_words(key), n=n)
    return line | {"row_ids": join_ids([*rows["row_id"], *rows["trial_id"]])}


def _words(key: str) -> str:
    if key.startswith("age_"):
        return AGES[key.removeprefix("age_")]
    return POPULATIONS.get(key, "All randomised comparisons")


def left_out(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the pooled hazard ratio without each comparison in turn."""
    parts = []
    for name, title in TITLES.items():
        part = rows.loc[rows["group"] == name]
        frame = leave_one_out(mb.pool(effect_sizes(part))).to_frame()
        ids = [join_ids(part["row_id"].drop(i)) for i in part.index]
        keys = [f"{name}.{slug(trial)}" for trial in part["label"]]
        frame = frame.rename(columns={"term": "left_out"}).assign(endpoint=title, row_ids=ids)
        frame.insert(0, "key", keys)
        parts.append(frame)
    return pd.concat(parts, ignore_index=True)
