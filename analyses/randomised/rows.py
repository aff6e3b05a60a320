"""Tables of the randomised comparisons."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

import metablin as mb
from metablin.certainty import RiskOfBias
from metablin.datasets import said
from metablin.meta.bayes import half_normal
from metablin.meta.checks.sequence import leave_one_out
from metablin.pipeline import slug

from ..cohorts.bias import of_outcome
from ..cohorts.comparisons import Choice
from ..cohorts.populations import POPULATIONS
from ..lines import join_ids, pooled_row

TITLES = {
    "os": "Overall survival",
    "event_free": "Event-free, disease-free or relapse-free survival",
}
EVENTS = {TITLES["os"]: "Death", TITLES["event_free"]: "Relapse, another event or death"}
ANSWER = "The answer: rule for few studies"
AGES = said("age_group", "results")
LEFT_OUT = ("key", "left_out", "estimate", "conf_low", "conf_high", "pred_low", "pred_high",
            "tau2", "i2", "endpoint", "row_ids")  # fmt: skip
GROUPS = {
    **POPULATIONS,
    "first_line_adults": "First line, adults",
    "first_line_children": "First line, children",
    "all": "All lines: an average over different questions",
    "consolidation": "Consolidation, the comparisons a regulator pooled",
    "children_any_line": "Children and young adults, any line",
}
OTHERS: dict[str, tuple[str, dict[str, Any]]] = {
    "hartung_knapp": ("Hartung-Knapp, REML", {}),
    "bayes": ("Bayesian, half-normal prior of scale 0.5", {"model": "bayes"}),
    "bayes_narrow": (
        "Bayesian, half-normal prior of scale 0.25",
        {"model": "bayes", "prior": half_normal(0.25)},
    ),
    "dersimonian_laird": ("DerSimonian-Laird, Wald", {"tau2": "DL", "ci": "z"}),
    "common": ("Common effect", {"model": "common", "ci": "z"}),
}


def effect_sizes(rows: pd.DataFrame) -> mb.EffectSizes:
    """Return the log hazard ratios of evidence rows."""
    columns = (rows["estimate"], rows["ci_low"], rows["ci_high"])
    return mb.hazard_ratios(*columns, studies=rows["label"].tolist())


def fitted(choices: Sequence[Choice]) -> dict[str, mb.MetaFit]:
    """Return the pool of every choice by the rule for few studies, by key."""
    return {c.key: mb.pool_contrasts(effect_sizes(c.rows)) for c in choices}


def listing(rows: pd.DataFrame, bias: RiskOfBias) -> pd.DataFrame:
    """Return one line a comparison, with its overall risk of bias for the group of its endpoint."""
    words = {
        (group, study): word
        for group in rows["group"].unique()
        for study, word in of_outcome(bias, group).overall()[["study", "judgement"]].to_numpy()
    }
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
            "risk_of_bias": [
                words.get(pair, "not judged")
                for pair in zip(rows["group"], rows["label"], strict=True)
            ],
            "source_key": rows["source_key"],
            "row_ids": rows["row_id"] + " " + rows["trial_id"],
        }
    )


def pooled(choices: Sequence[Choice], fits: dict[str, mb.MetaFit]) -> pd.DataFrame:
    """Return pooled hazard ratios: a question a line, then averages over several questions."""
    ordered = sorted(choices, key=lambda c: (list(TITLES).index(c.endpoint), not c.main))
    return pd.DataFrame([_line(c, fits[c.key]) for c in ordered])


def sensitivity(choices: Sequence[Choice]) -> pd.DataFrame:
    """Return every pool of two comparisons or more under other models and intervals."""
    lines = []
    for choice in (c for c in choices if len(c.rows) > 1):
        for name, (words, options) in OTHERS.items():
            fit = mb.pool(effect_sizes(choice.rows), **options)
            lines.append(_line(choice, fit, f"_{name}") | {"choice": words})
    return pd.DataFrame(lines)


def beside(answers: pd.DataFrame, others: pd.DataFrame) -> pd.DataFrame:
    """Return each question's answer and, below it, what other choices make of the same trials.

    Parameters
    ----------
    answers, others : pandas.DataFrame
        What `pooled` and `sensitivity` return.
    """
    main = others.loc[others["main"]]
    wanted = set(zip(main["endpoint"], main["group"], strict=True))
    mine = [pair in wanted for pair in zip(answers["endpoint"], answers["group"], strict=True)]
    both = pd.concat([answers.loc[mine].assign(choice=ANSWER), main], ignore_index=True)
    blocks = both["endpoint"].map(EVENTS) + ": " + both["group"]
    return both.assign(group=blocks).sort_values("group", kind="stable", ignore_index=True)


def _line(choice: Choice, fit: mb.MetaFit, suffix: str = "") -> dict[str, Any]:
    rows = choice.rows
    n = int(rows["n_total"].sum())
    more = {"endpoint": TITLES[choice.endpoint], "group": words_of(choice.name),
            "main": choice.main, "trials": ", ".join(rows["label"]), "n": n}  # fmt: skip
    line = pooled_row(f"{choice.key}{suffix}", fit, rows, **more)
    return line | {"row_ids": join_ids([*rows["row_id"], *rows["trial_id"]])}


def words_of(key: str) -> str:
    """Return a pool's name in words."""
    if key.startswith("age_"):
        return f"{AGES[key.removeprefix('age_')]}, any line"
    return GROUPS[key]


def left_out(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the ratio pooled over all lines without each comparison in turn."""
    parts = []
    for name, title in TITLES.items():
        part = rows.loc[rows["group"] == name]
        if len(part) < 2:  # one cannot be left out of one
            continue
        frame = leave_one_out(mb.pool(effect_sizes(part))).to_frame()
        ids = [join_ids(part["row_id"].drop(i)) for i in part.index]
        keys = [f"{name}.{slug(trial)}" for trial in part["label"]]
        frame = frame.rename(columns={"term": "left_out"}).assign(endpoint=title, row_ids=ids)
        frame.insert(0, "key", keys)
        parts.append(frame)
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=LEFT_OUT)
