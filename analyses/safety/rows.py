"""Tables of harms: rates, differences, exposure."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from metablin.safety import (
    benjamini_hochberg,
    compare_by_exposure,
    event_difference,
    event_differences,
    event_rates,
    gamma_shrinkage,
)

from ..cohorts.coverage import lowest_coverage
from ..cohorts.designs import suffix
from ..cohorts.harms import GRADES
from ..cohorts.populations import POPULATIONS, with_trials
from ..lines import join_ids

HALF = 0.5
ALL = "All populations and designs: an average over different patients"
UNITS = {"rd": "points", "or": "ratio", "rr": "ratio"}
SUMMARIES = ("any adverse event", "treatment-related adverse event", "serious adverse event")


def pooled_rates(kept: pd.DataFrame) -> pd.DataFrame:
    """Return the rate of every term and grade by population and design, and over all of them."""
    both = pd.concat([kept, kept.assign(population="all", design="all")], ignore_index=True)
    by = ["population", "design", "term", "grade"]
    frame = event_rates(both, by=by)
    groups = both.groupby(by, sort=False)
    ids, names = groups["row_id"].apply(join_ids), groups["study"].apply(", ".join)
    keys = [tuple(r) for r in frame[by].to_numpy()]
    frame = frame.assign(
        group=frame["population"].map({**POPULATIONS, "all": ALL}),
        grade_words=frame["grade"].map(GRADES),
        studies=[names[k] for k in keys],
        row_ids=[ids[k] for k in keys],
        coverage=[
            lowest_coverage(int(k) if model == "bayes" else 0, ratio=False)
            for k, model in zip(frame["k"], frame["model"], strict=True)
        ],
    )
    frame.insert(0, "key", [_key(*k) for k in keys])
    return frame


def _key(population: str, design: str, term: str, grade: str) -> str:
    key = ".".join(_slug(x) for x in (population, term, grade))
    return key if design == "all" else f"{key}{suffix(design)}"


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", str(text).lower()).strip("_")


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
                term=term,
                unit=table["measure"].map(UNITS),
                trials=", ".join(part["study"]),
                row_ids=join_ids(part["row_ids"]),
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
            "arm": found["arm"].to_numpy(),
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


def doubtful(found: pd.DataFrame) -> pd.DataFrame:
    """Return flagged cells with the reason, and whether they were left out of the pools."""
    kept = found.loc[found["reason"] != ""]
    columns = ["study", "arm", "term", "grade", "events", "n", "reason", "left_out"]
    out = kept[columns].assign(row_ids=kept["row_id"])
    out.insert(0, "key", kept["row_id"])
    return out
