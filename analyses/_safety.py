"""Rows behind the safety analysis: which counts, which comparisons, which exposure."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from metablin.report.words import GRADES
from metablin.safety import (
    benjamini_hochberg,
    compare_by_exposure,
    event_difference,
    event_differences,
    event_rates,
    gamma_shrinkage,
    implausible_cells,
)

from ._shared import POPULATIONS, join_ids, with_trials

# Words different reports use for one thing.
SAME = {
    "neurotoxicity": "neurologic event",
    "platelet count decreased": "thrombocytopenia",
    "neutrophil count decreased": "neutropenia",
}
POOLED_TERMS = (
    "cytokine release syndrome",
    "neurologic event",
    "any adverse event",
    "treatment-related adverse event",
    "pyrexia",
    "febrile neutropenia",
    "neutropenia",
    "anaemia",
    "thrombocytopenia",
    "infection",
    "sepsis",
    "pneumonia",
    "headache",
    "tremor",
    "seizure",
)
# A pooled report and the trials in it; the report gives way where a trial speaks for itself.
PARTS = {"mt103_206_211_pooled": ("mt103_206", "mt103_211")}
ALLOCATED = "rct"
PROSPECTIVE = ("rct", "single_arm")
REVIEW = "mocquot2022"
HALF = 0.5
FIRST = " (cycle 1)"
ONE_COURSE = r"(?:cycle 1|block 3)\b"
"""How the note of a count over one course of treatment begins: a first cycle, or the block of
chemotherapy in whose place blinatumomab was given."""
SUMMARIES = ("any adverse event", "treatment-related adverse event", "serious adverse event")
BLINATUMOMAB = ("blinatumomab", "blinatumomab_plus_chemotherapy")


def counts(rows: pd.DataFrame, trials: pd.DataFrame, discrepancies: pd.DataFrame) -> pd.DataFrame:
    """Return counted rows with population, period, one word for one event, and doubtful cells.

    Doubtful are single terms in every patient, severe counts above the same term of any grade, and
    any-grade counts of a review that a listed disagreement names.
    """
    found = with_trials(rows, trials)
    found = found.loc[found["events"].notna() & found["n"].notna() & (found["grade"] != "")]
    found = found.assign(term=_one_word(found), study=found["label"])
    found = found.sort_values("row_id", kind="stable")
    found = found.drop_duplicates(["trial_id", "arm", "term", "grade"])
    flagged = implausible_cells(found)
    named = {i for ids in discrepancies["row_ids"] for i in str(ids).split()}
    listed = (
        found["row_id"].isin(named)
        & (found["source_key"] == REVIEW)
        & (found["trial_id"] == "blast")
        & (found["grade"] == "any")
    )
    reason = found["row_id"].map(dict(zip(flagged["row_id"], flagged["reason"], strict=True)))
    reason = reason.where(reason.notna() | ~listed, "any-grade count equal to the serious one")
    in_first = found["term"].str.endswith(FIRST) | found["note"].str.match(ONE_COURSE)
    return found.assign(
        reason=reason.fillna(""),
        left_out=reason.notna() & (found["grade"] == "any"),
        period=np.where(in_first, "first cycle", "whole treatment"),
        event=found["term"].str.removesuffix(FIRST),
    ).reset_index(drop=True)


def _one_word(rows: pd.DataFrame) -> pd.Series:
    """Return one word for one event; a trial that uses both words means two things by them."""
    base = rows["term"].str.removesuffix(FIRST)
    other = base.replace(SAME)
    own = set(zip(rows["trial_id"], base, strict=True))
    both = [pair in own for pair in zip(rows["trial_id"], other, strict=True)]
    return rows["term"].where(both, rows["term"].replace(SAME))


def cohorts(found: pd.DataFrame) -> pd.DataFrame:
    """Return blinatumomab arms of prospective trials: no doubtful cell, no patient twice.

    Counts of one course alone would pull a rate over the whole treatment down and stay out.
    """
    kept = found.loc[
        found["arm"].isin(BLINATUMOMAB)
        & found["term"].isin(POOLED_TERMS)
        & found["grade"].isin(list(GRADES))
        & found["design"].isin(PROSPECTIVE)
        & ~found["left_out"]
        & (found["period"] == "whole treatment")
        & ~found["note"].str.contains("unit is|cycles", regex=True)
    ]
    keys = set(zip(kept["trial_id"], kept["term"], kept["grade"], strict=True))
    covered = [
        any((part, term, grade) in keys for part in PARTS.get(trial, ()))
        for trial, term, grade in zip(kept["trial_id"], kept["term"], kept["grade"], strict=True)
    ]
    return kept.loc[~np.array(covered)].reset_index(drop=True)


def pooled_rates(kept: pd.DataFrame) -> pd.DataFrame:
    """Return the rate of every term and grade by population and over all of them."""
    both = pd.concat([kept, kept.assign(population="all")], ignore_index=True)
    by = ["population", "term", "grade"]
    frame = event_rates(both, by=by)
    ids = both.groupby(by, sort=False)["row_id"].apply(join_ids)
    keys = [tuple(r) for r in frame[by].to_numpy()]
    frame = frame.assign(
        group=frame["population"].map({**POPULATIONS, "all": "All populations"}),
        grade_words=frame["grade"].map(GRADES),
        row_ids=[ids[k] for k in keys],
    )
    frame.insert(0, "key", [".".join(_slug(x) for x in k) for k in keys])
    return frame


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", str(text).lower()).strip("_")


def randomised(found: pd.DataFrame) -> pd.DataFrame:
    """Return both arms of every term a randomised trial reports, one line a term."""
    rows = found.loc[
        (found["design"] == ALLOCATED)
        & found["grade"].isin(["any", "grade3plus"])
        & (found["source_key"] != REVIEW)
    ]
    by = ["trial_id", "event", "grade", "period"]
    drug = rows.loc[rows["arm"].isin(BLINATUMOMAB)].set_index(by)
    control = rows.loc[rows["arm"] == "chemotherapy"].set_index(by)
    joined = drug.join(control[["events", "n", "row_id"]], rsuffix="_control", how="inner")
    joined = joined.reset_index()
    return joined.assign(row_ids=joined["row_id"] + " " + joined["row_id_control"])


def differences(pairs: pd.DataFrame) -> pd.DataFrame:
    """Return each trial's risk difference and ratio by term, with q-values and shrinkage."""
    lines = []
    for row in pairs.to_dict(orient="records"):
        table = (row["events"], row["n"], row["events_control"], row["n_control"])
        rd = event_difference(*table)
        rr = event_difference(*table, measure="rr")
        lines.append(
            {
                "key": f"{row['trial_id']}.{row['grade']}.{_slug(row['term'])}",
                "study": row["study"],
                "trial_id": row["trial_id"],
                "term": row["event"],
                "period": row["period"],
                "summary": row["event"] in SUMMARIES,
                "grade": row["grade"],
                "events_treatment": table[0],
                "n_treatment": table[1],
                "events_control": table[2],
                "n_control": table[3],
                "treatment": table[0] / table[1],
                "control": table[2] / table[3],
                **rd,
                "risk_ratio": rr["estimate"],
                "risk_ratio_low": rr["conf_low"],
                "risk_ratio_high": rr["conf_high"],
                "row_ids": row["row_ids"],
            }
        )
    frame = pd.DataFrame(lines)
    single = frame.loc[~frame["summary"]]
    family = single.groupby(["trial_id", "grade", "period"], sort=False)["p_value"]
    q = family.transform(lambda p: benjamini_hochberg(p.to_numpy()))
    frame["q_value"] = q.reindex(frame.index)
    frame["events"] = frame["events_treatment"] + frame["events_control"]
    shrunk = frame.loc[(frame["grade"] == "grade3plus") & (frame["events"] > 0) & ~frame["summary"]]
    # expected at the control arm's rate, half a patient added; its own error is not in the limits
    rate = (shrunk["events_control"] + HALF) / (shrunk["n_control"] + HALF)
    fit = gamma_shrinkage(shrunk["events_treatment"], shrunk["n_treatment"] * rate, shrunk["key"])
    for name, values in (("ebgm", fit.ebgm), ("eb05", fit.low), ("eb95", fit.high)):
        frame[name] = pd.Series(values, index=shrunk.index).reindex(frame.index)
    finite = ["risk_ratio", "risk_ratio_high"]
    frame[finite] = frame[finite].replace([np.inf], np.nan)
    return frame


def across_trials(pairs: pd.DataFrame) -> pd.DataFrame:
    """Return pooled differences of severe events that two or more trials report."""
    lines = []
    severe = pairs.loc[pairs["grade"] == "grade3plus"].sort_values("period", ascending=False)
    severe = severe.drop_duplicates(["trial_id", "event"])
    for term, part in severe.groupby("event", sort=True):
        if len(part) < 2:
            continue
        table = event_differences(
            part["events"], part["n"], part["events_control"], part["n_control"],
            studies=part["study"].tolist(),
        )  # fmt: skip
        table.insert(
            0, "key", [f"{_slug(str(term))}.{m.replace('-', '_')}" for m in table["method"]]
        )
        lines.append(
            table.assign(
                term=term, trials=", ".join(part["study"]), row_ids=join_ids(part["row_ids"])
            )
        )
    return pd.concat(lines, ignore_index=True)


def exposure_cycles(rows: pd.DataFrame, trial: str) -> dict[str, tuple[float, str]]:
    """Return the median number of cycles of each arm of a trial, with its evidence row."""
    found = rows.loc[(rows["trial_id"] == trial) & (rows["exposure_unit"] == "cycles")]
    return {
        str(arm): (float(median), str(row_id))
        for arm, median, row_id in found[["arm", "exposure", "row_id"]].itertuples(index=False)
    }


def exposures(rows: pd.DataFrame, trials: pd.DataFrame) -> pd.DataFrame:
    """Return time on treatment as printed, one line an arm."""
    found = with_trials(rows.loc[rows["exposure"].notna()], trials)
    return pd.DataFrame(
        {
            "key": found["row_id"].to_numpy(),
            "study": found["label"].to_numpy(),
            "arm": found["arm"].str.replace("_", " ").to_numpy(),
            "measure": found["term"].str.removeprefix("exposure: ").to_numpy(),
            "estimate": found["exposure"].to_numpy(),
            "low": found["exposure_low"].to_numpy(),
            "high": found["exposure_high"].to_numpy(),
            "unit": found["exposure_unit"].to_numpy(),
            "n": found["n"].to_numpy(),
            "row_ids": found["row_id"].to_numpy(),
        }
    )


def by_exposure(pairs: pd.DataFrame, cycles: dict[str, tuple[float, str]]) -> pd.DataFrame:
    """Return severe events of one trial without and with regard to time on treatment."""
    (t1, row1), (t0, row0) = cycles["blinatumomab"], cycles["chemotherapy"]
    lines = []
    severe = pairs.loc[(pairs["grade"] == "grade3plus") & (pairs["period"] == "whole treatment")]
    for row in severe.to_dict(orient="records"):
        found = compare_by_exposure(
            row["events"], row["n"], t1, row["events_control"], row["n_control"], t0
        )
        table = found.to_frame()
        slug = _slug(row["event"])
        table.insert(0, "key", [f"{slug}.{a}" for a in table["assumption"]])
        lines.append(
            table.assign(term=row["event"], exposure_ratio=found.exposure_ratio,
                         tipping_ratio=found.tipping_ratio,
                         row_ids=f"{row['row_ids']} {row1} {row0}")
        )  # fmt: skip
    return pd.concat(lines, ignore_index=True)


def printed_rates(rows: pd.DataFrame) -> pd.DataFrame:
    """Return event rates per patient-year a report prints, with the ratio of the arms."""
    found = rows.loc[rows["events_per_patient_year"].notna()]
    found = found.assign(
        rate=found["events_per_patient_year"],
        event=found["term"].str.removeprefix("exposure-adjusted rate: "),
    )
    wide = found.pivot(index="event", columns="arm", values=["rate", "row_id"])
    treated = wide["rate"]["blinatumomab"].astype(float)
    control = wide["rate"]["chemotherapy"].astype(float)
    return pd.DataFrame(
        {
            "key": [_slug(e) for e in wide.index],
            "term": list(wide.index),
            "treatment": treated.to_numpy(),
            "control": control.to_numpy(),
            "estimate": (treated / control.where(control > 0)).to_numpy(),
            "row_ids": (
                wide["row_id"]["blinatumomab"] + " " + wide["row_id"]["chemotherapy"]
            ).to_numpy(),
        }
    )


def by_burden(kept: pd.DataFrame) -> pd.DataFrame:
    """Compare relapse with remission, arms of different trials, for the two signature harms."""
    relapse = kept["population"].isin(["adult_rr_ph_negative", "adult_rr_ph_positive"])
    remission = kept["population"] == "mrd_positive"
    lines = []
    for term in ("cytokine release syndrome", "neurologic event"):
        for grade in ("any", "grade3plus"):
            here = (kept["term"] == term) & (kept["grade"] == grade)
            one, two = kept.loc[here & relapse], kept.loc[here & remission]
            if one.empty or two.empty:
                continue
            sums = [part[c].sum() for part in (one, two) for c in ("events", "n")]
            table = [float(v) for v in sums]
            lines.append(
                {"key": f"{_slug(term)}.{grade}", "term": term, "grade": GRADES[grade],
                 "events_relapse": table[0], "n_relapse": table[1], "events_remission": table[2],
                 "n_remission": table[3], **event_difference(*table), "randomised": False,
                 "row_ids": join_ids([*one["row_id"], *two["row_id"]])}
            )  # fmt: skip
    return pd.DataFrame(lines)
