"""Rows of a group as one table, and the sentence over it."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

import metablin as mb
from metablin.datasets import said
from metablin.report import format_estimate

from ..lines import join_ids, records
from .topics import Topic, of_trials

COLUMNS = (
    "key", "study", "design", "arm", "subgroup", "outcome", "events", "n", "time_months",
    "estimate", "conf_low", "conf_high", "unit", "not_reached", "row_ids",
)  # fmt: skip
DRUG, NOT_REACHED = "blinatumomab", ("NR", "NE")
WORDS = {**said("outcome"), **said("endpoint")}
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def listing(topic: Topic, tables: dict[str, pd.DataFrame], trials: pd.DataFrame) -> pd.DataFrame:
    """Return what is printed of a group: counts, survival and hazard ratios, one line a row."""
    known = trials.set_index("trial_id")
    whole = set(of_trials(topic, trials)["trial_id"])
    lines = []
    for name, read in (("proportions", _count), ("survival", _survival), ("contrasts", _ratio)):
        rows = _belonging(topic, tables[name], whole, known)
        lines += [read(r) | _about(topic, r, known) for r in records(rows)]
    frame = pd.DataFrame(lines, columns=list(COLUMNS))
    order = frame.assign(drug=~frame["arm"].str.contains(DRUG)).sort_values(
        ["study", "drug", "outcome", "time_months", "key"], kind="stable"
    )
    return frame.loc[order.index].fillna({"not_reached": ""}).reset_index(drop=True)


def _belonging(
    topic: Topic, rows: pd.DataFrame, whole: set[str], known: pd.DataFrame
) -> pd.DataFrame:
    """Return the rows with a value that belong to a topic, no meta-analysis among them."""
    what = rows["outcome"] if "outcome" in rows else rows["endpoint"]
    everybody = rows["subgroup"].str.fullmatch(r"(?:all|disease=newly_diagnosed)(?:;.*)?")
    belongs = rows["trial_id"].isin(whole) & everybody & what.isin(SHOWN)
    if topic.subgroup:
        belongs |= rows["subgroup"].str.contains(topic.subgroup) & what.isin(SHOWN)
    if topic.outcome:
        belongs |= what.str.contains(topic.outcome)
    design = known["design"].reindex(rows["trial_id"]).to_numpy()
    if "events" in rows and "survival" not in rows:
        value = rows[["events", "n"]].notna().all(axis=1)
    elif "survival" in rows:
        value = rows["survival"].notna() | rows["median_months"].notna()
        value |= rows["median_state"].isin(NOT_REACHED)
    else:
        value = (rows["measure"] == "hr") & rows["estimate"].notna()
        value &= rows["arm_treatment"].str.contains(DRUG)
    chosen: pd.DataFrame = rows.loc[belongs & value & (design != "meta_analysis")]
    return chosen


SHOWN = (
    "cr", "cr_crh", "cr_cri", "cr_crh_cri", "mrd_response", "complete_mrd_response", "mrd_negative",
    "cmr", "relapse", "allohsct", "continuous_cr", "os", "dfs", "rfs", "efs", "early_death",
    "induction_death", "treatment_related_mortality",
)  # fmt: skip
"""What of a group is listed: response, residual disease, relapse, survival, death."""


def _about(topic: Topic, row: dict[str, Any], known: pd.DataFrame) -> dict[str, Any]:
    trial = known.loc[row["trial_id"]]
    return {
        "key": f"{topic.key}.{row['row_id']}",
        "study": trial["label"],
        "design": trial["design"],
        "arm": row.get("arm") or row["arm_treatment"],
        "subgroup": row["subgroup"],
        "row_ids": row["row_id"],
    }


def _count(row: dict[str, Any]) -> dict[str, Any]:
    exact = mb.exact_intervals([row["events"]], [row["n"]]).iloc[0]
    return {
        "outcome": row["outcome"], "events": row["events"], "n": row["n"],
        "time_months": math.nan, "estimate": row["events"] / row["n"],
        "conf_low": exact["conf_low"], "conf_high": exact["conf_high"], "unit": "proportion",
    }  # fmt: skip


def _survival(row: dict[str, Any]) -> dict[str, Any]:
    at = not math.isnan(row["survival"])
    names = ("survival", "survival_ci_low", "survival_ci_high") if at else (
        "median_months", "median_ci_low", "median_ci_high")  # fmt: skip
    values = dict(zip(("estimate", "conf_low", "conf_high"), (row[n] for n in names), strict=True))
    unit = "proportion" if at else "months"
    return {"outcome": row["endpoint"], "events": math.nan, "n": row["n"],
            "time_months": row["time_months"], **values, "unit": unit,
            "not_reached": "" if at or row["median_state"] == "" else "estimate"}  # fmt: skip


def _ratio(row: dict[str, Any]) -> dict[str, Any]:
    return {"outcome": row["endpoint"], "events": math.nan, "n": math.nan, "time_months": math.nan,
            "estimate": row["estimate"], "conf_low": row["ci_low"], "conf_high": row["ci_high"],
            "unit": "ratio"}  # fmt: skip


def answers(found: dict[Topic, pd.DataFrame], trials: pd.DataFrame) -> pd.DataFrame:
    """Return one sentence a group, even where nothing is printed."""
    return pd.DataFrame([_answer(topic, rows, trials) for topic, rows in found.items()])


def _answer(topic: Topic, rows: pd.DataFrame, trials: pd.DataFrame) -> dict[str, Any]:
    on_drug = rows.loc[rows["arm"].str.contains(DRUG)]
    studies = list(dict.fromkeys(on_drug["study"]))
    leads = [_lead(topic, on_drug.loc[on_drug["study"] == s]) for s in studies]
    n = sum(float(on_drug.loc[on_drug["study"] == s, "n"].max() or 0) for s in studies
            if on_drug.loc[on_drug["study"] == s, "n"].notna().any())  # fmt: skip
    own = of_trials(topic, trials)
    silent: list[str] = own.loc[~own["label"].isin(studies), "label"].tolist()
    rest = f" No result is read of {', '.join(silent)}." if silent else ""
    body = "; ".join(x for x in leads if x)
    return {
        "key": topic.key,
        "group": topic.words,
        "k": len(studies),
        "n": n,
        "sentence": f"{_head(len(studies), n)}{': ' + body if body else ''}.{rest}",
        "row_ids": join_ids(on_drug["row_ids"]) or join_ids(own["trial_id"]),
    }


def _head(k: int, n: float) -> str:
    number = NUMBERS[k] if k < len(NUMBERS) else str(k)
    text = f"{number.capitalize()} stud{'y' if k == 1 else 'ies'}"
    return f"{text}, n = {n:.0f}" if n else text


def _lead(topic: Topic, rows: pd.DataFrame) -> str:
    """Return what the first leading outcome of a study came to, at its last time."""
    for outcome in topic.lead:
        own = rows.loc[(rows["outcome"] == outcome) & (rows["unit"] != "ratio")]
        own = own.assign(response=~own["subgroup"].str.contains("mrd_response=no"))
        own = own.sort_values(["response", "time_months", "n"], na_position="first", kind="stable")
        if not own.empty:
            row = own.iloc[-1]
            at = f" at {row['time_months']:g} months" if row["time_months"] > 0 else ""
            value = format_estimate({str(k): v for k, v in row.items()}, row["unit"])
            median, at = ("median ", " months") if row["unit"] == "months" else ("", at)
            at = "" if row["not_reached"] else at
            return f"{row['study']}, {median}{WORDS.get(outcome, outcome)} {value}{at}"
    return ""
