"""What can only be described: organ classes, spontaneous reports, dose steps and cycles."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
from statsmodels.stats.proportion import proportion_confint

from metablin.datasets import said
from metablin.pipeline import slug
from metablin.safety import event_rates

from ..cohorts.harms import BLINATUMOMAB, GRADES, PARTS, REVIEW, SAME
from ..cohorts.populations import POPULATIONS, PROSPECTIVE, with_trials
from ..lines import join_ids, records

CLASS_GRADES = ("any", "grade3plus", "serious")
CYCLE = re.compile(r" \((cycle [12])\)$")
HARMS = {
    "cytokine release syndrome": ("cytokine release syndrome",),
    "neurologic event": ("neurologic event", "seizure", "encephalopathy"),
    "any adverse event": ("any adverse event",),
}
# A schedule that starts low and rises; a schedule by body surface is the same without the word.
STEPPED = re.compile(r"week 1|stepwise|5-15")


def organ_classes(found: pd.DataFrame, terms: pd.DataFrame) -> pd.DataFrame:
    """Return how many patients had an event of an organ class at the least.

    Terms of one class overlap in patients, so a trial's most frequent term is a lower bound of
    its class; a term that stands for the whole class is the class itself.
    """
    rows = found.merge(terms.rename(columns={"term": "event"}), on="event", how="inner")
    rows = rows.loc[
        rows["arm"].isin(BLINATUMOMAB)
        & rows["design"].isin(PROSPECTIVE)
        & rows["grade"].isin(CLASS_GRADES)
        & ~rows["left_out"]
        & ~rows["trial_id"].isin(list(PARTS))
        & ~rows["note"].str.contains("unit is|cycles", regex=True)
    ]
    by = ["trial_id", "organ_class", "grade"]
    best = rows.assign(share=rows["events"] / rows["n"]).sort_values(
        ["share", "row_id"], ascending=[False, True], kind="stable"
    )
    counted = best.groupby(by)["event"].nunique()
    whole = best.groupby(by)["whole_class"].any()
    best = best.drop_duplicates(by)
    keys = [tuple(k) for k in best[by].to_numpy()]
    best = best.assign(terms=[counted[k] for k in keys], whole=[whole[k] for k in keys])
    groups = best.groupby(["organ_class", "grade"])
    extra = groups.agg(
        trials_with_whole_class=("whole", "sum"), most_terms=("terms", "max"),
        row_ids=("row_id", join_ids),
    )  # fmt: skip
    frame = event_rates(best, by=["organ_class", "grade"])
    frame = frame.drop(columns="term", errors="ignore")
    frame = frame.merge(extra.reset_index(), on=["organ_class", "grade"], validate="one_to_one")
    frame.insert(0, "key", [
        f"{slug(c)}.{g}" for c, g in zip(frame["organ_class"], frame["grade"], strict=True)
    ])  # fmt: skip
    return frame.sort_values(["grade", "estimate"], ascending=[True, False], kind="stable")


def class_shares(rows: pd.DataFrame, terms: pd.DataFrame) -> pd.DataFrame:
    """Return the share of each organ class in the events that a review took from the register.

    This is what reporting proportions are: events of a class over all events, of the terms listed.
    The first share takes the cells as printed, the second leaves the doubtful ones out.
    """
    listed = rows.loc[(rows["source_key"] == REVIEW) & rows["grade"].isin(["any", "serious"])]
    listed = listed.loc[listed["arm"].isin(BLINATUMOMAB) & listed["events"].notna()]
    listed = listed.assign(event=listed["term"].replace(SAME))
    listed = listed.merge(terms.rename(columns={"term": "event"}), on="event", how="inner")
    sound = listed.loc[~((listed["events"] >= listed["n"]) & (listed["n"] > 1))]
    out = []
    for (grade, name), part in listed.groupby(["grade", "organ_class"], sort=True):
        whole = listed.loc[listed["grade"] == grade, "events"].sum()
        kept = sound.loc[sound["grade"] == grade]
        without = kept.loc[kept["organ_class"] == name, "events"].sum()
        out.append(
            {"key": f"{slug(str(name))}.{grade}", "organ_class": name, "grade": GRADES[str(grade)],
             "terms": part["event"].nunique(), "events": part["events"].sum(), "all_events": whole,
             "estimate": part["events"].sum() / whole,
             "share_without_doubtful": without / kept["events"].sum(),
             "row_ids": join_ids(part["row_id"])}
        )  # fmt: skip
    frame = pd.DataFrame(out)
    rank = frame.groupby("grade")["events"].rank(ascending=False, method="min")
    frame.insert(3, "rank", rank.astype(int))
    return frame.sort_values(["grade", "rank", "organ_class"], kind="stable")


def spontaneous(reports: pd.DataFrame) -> pd.DataFrame:
    """Return spontaneous reports as printed, with the share that the counts give."""
    computed = reports["count"] / reports["total"]
    rest = reports["share"].isna() | (reports["category"] != "not stated")
    named = reports.loc[reports["category"] != "not stated"]
    others = named.groupby(["patient_set", "kind"])["share"].sum(min_count=2)
    keys = list(zip(reports["patient_set"], reports["kind"], strict=True))
    remainder = pd.Series([1 - others.get(k, np.nan) for k in keys], index=reports.index)
    return pd.DataFrame(
        {
            "key": reports["row_id"],
            "database": reports["database"].map(said("database")),
            "collected_to": reports["collected_to"],
            "kind": reports["kind"],
            "category": reports["category"],
            "counted": reports["counted"],
            "count": reports["count"],
            "total": reports["total"],
            "estimate": computed.where(computed.notna(), reports["share"]),
            "printed_share": reports["share"],
            "remainder": remainder.mask(rest),
            "note": reports["note"],
            "row_ids": reports["row_id"],
        }
    )


def doses_and_cycles(rows: pd.DataFrame, trials: pd.DataFrame, doses: pd.Series) -> pd.DataFrame:
    """Return counts of the signature harms by cycle and by dose level, with exact limits."""
    found = with_trials(rows, trials)
    found = found.loc[
        found["arm"].isin(BLINATUMOMAB) & found[["events", "n"]].notna().all(axis=1)
    ].assign(event=found["term"].replace(SAME).str.replace(CYCLE, "", regex=True))
    found = found.loc[found["event"].isin({t for names in HARMS.values() for t in names})]
    parts = [_cycles(found), _levels(found)]
    out = pd.concat(parts, ignore_index=True).sort_values(
        ["event", "grade", "label", "at"], kind="stable"
    )
    low, high = proportion_confint(out["events"], out["n"], method="beta")
    return pd.DataFrame(
        {
            "key": [
                f"{r['trial_id']}.{slug(r['event'])}.{r['grade']}.{slug(r['at'])}"
                for r in records(out)
            ],
            "study": out["label"].to_numpy(),
            "group": out["population"].map(POPULATIONS).to_numpy(),
            "schedule": doses.reindex(out["trial_id"]).to_numpy(),
            "term": out["event"].to_numpy(),
            "grade": out["grade"].map(GRADES).to_numpy(),
            "at": out["at"].to_numpy(),
            "events": out["events"].to_numpy(),
            "n": out["n"].to_numpy(),
            "estimate": (out["events"] / out["n"]).to_numpy(),
            "conf_low": np.where(out["events"] == 0, 0.0, low),
            "conf_high": np.where(out["events"] == out["n"], 1.0, high),
            "row_ids": out["row_id"].to_numpy(),
        }
    )


def _cycles(found: pd.DataFrame) -> pd.DataFrame:
    by_term = found["term"].str.extract(CYCLE, expand=False)
    by_note = found["note"].str.extract(r"^(cycle [12])\b", expand=False)
    first = found["note"].str.contains("unit is first courses")
    at = by_term.fillna(by_note).where(~first, "cycle 1")
    return found.assign(at=at).loc[at.notna()]


def _levels(found: pd.DataFrame) -> pd.DataFrame:
    """Return the recommended dose and, as a difference, the other dose levels."""
    every = found.loc[found["patient_set"].str.endswith("dose=all_levels")]
    out = []
    for row in records(every):
        same = found.loc[
            (found["trial_id"] == row["trial_id"]) & (found["term"] == row["term"])
            & (found["grade"] == row["grade"]) & found["preferred"]
        ]  # fmt: skip
        if len(same) != 1:
            continue
        part = records(same)[0]
        rest = {"events": row["events"] - part["events"], "n": row["n"] - part["n"]}
        ids = f"{row['row_id']} {part['row_id']}"
        out += [
            {**part, "at": "recommended stepwise dose"},
            {**row, **rest, "at": "all other dose levels", "row_id": ids},
        ]
    return pd.DataFrame(out, columns=[*found.columns, "at"])


def dose_gaps(table: pd.DataFrame, found: pd.DataFrame, current: pd.DataFrame) -> pd.DataFrame:
    """Return, for every prospective trial and signature harm, which counts no source gives."""
    arms = found.loc[found["arm"].isin(BLINATUMOMAB) & found["design"].isin(PROSPECTIVE)]
    arms = arms.loc[arms["trial_id"].isin(current["trial_id"])]
    doses = current.set_index("trial_id")["dose"]
    out = []
    for trial, part in arms.groupby("trial_id", sort=True):
        for harm in ("cytokine release syndrome", "neurologic event"):
            have = part.loc[part["term"] == harm]
            keys = table.loc[table["key"].str.startswith(f"{trial}.{slug(harm)}."), "at"]
            states = {
                "any grade": (have["grade"] == "any").any(),
                "grade 3 or worse": (have["grade"] == "grade3plus").any(),
                "grade 4 or worse": (have["grade"] == "grade4plus").any(),
                "by cycle": keys.str.startswith("cycle").any(),
                "by dose step": keys.str.contains("dose").any(),
            }
            rising = bool(STEPPED.search(doses[trial]))
            if not rising:
                states.pop("by dose step")
            out.append(
                {"key": f"{trial}.{slug(harm)}", "study": part["label"].iloc[0],
                 "group": POPULATIONS[part["population"].iloc[0]], "harm": harm,
                 "dose_rises": rising,
                 "found": ", ".join(k for k, v in states.items() if v) or "none",
                 "not_reported": ", ".join(k for k, v in states.items() if not v) or "none",
                 "row_ids": join_ids(have["row_id"]) or str(trial)}
            )  # fmt: skip
    return pd.DataFrame(out)
