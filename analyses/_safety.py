"""Rows behind the safety analysis: which counts, which comparisons, which exposure."""

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
    implausible_cells,
)

from ._shared import POPULATIONS, join_ids, with_trials

GRADES = {
    "any": "any grade",
    "grade3plus": "grade 3 or worse",
    "serious": "serious",
    "fatal": "fatal",
    "discontinuation": "ending treatment",
    "interruption": "interrupting treatment",
}
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
BLINATUMOMAB = ("blinatumomab", "blinatumomab_plus_chemotherapy")


def counts(rows: pd.DataFrame, trials: pd.DataFrame) -> pd.DataFrame:
    """Return counted rows with population, one word for one event, and implausible cells marked."""
    found = with_trials(rows, trials)
    found = found.loc[found["events"].notna() & found["n"].notna() & (found["grade"] != "")]
    found = found.assign(term=found["term"].replace(SAME), study=found["label"])
    found = found.sort_values("row_id", kind="stable")
    found = found.drop_duplicates(["trial_id", "arm", "term", "grade"])
    flagged = implausible_cells(found)
    return found.assign(
        implausible=found["row_id"].isin(flagged["row_id"]),
        reason=found["row_id"].map(dict(zip(flagged["row_id"], flagged["reason"], strict=True))),
    ).reset_index(drop=True)


def cohorts(found: pd.DataFrame) -> pd.DataFrame:
    """Return blinatumomab arms for pooling: no implausible cell, no patient twice."""
    kept = found.loc[
        found["arm"].isin(BLINATUMOMAB)
        & found["term"].isin(POOLED_TERMS)
        & found["grade"].isin(list(GRADES))
        & ~found["implausible"]
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
    rows = found.loc[(found["design"] == ALLOCATED) & found["grade"].isin(["any", "grade3plus"])]
    by = ["trial_id", "term", "grade"]
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
            {"key": f"{row['trial_id']}.{row['grade']}.{_slug(row['term'])}",
             "study": row["study"], "trial_id": row["trial_id"], "term": row["term"],
             "grade": row["grade"], "events_treatment": table[0], "n_treatment": table[1],
             "events_control": table[2], "n_control": table[3], "treatment": table[0] / table[1],
             "control": table[2] / table[3], **rd, "risk_ratio": rr["estimate"],
             "risk_ratio_low": rr["conf_low"], "risk_ratio_high": rr["conf_high"],
             "row_ids": row["row_ids"]}
        )  # fmt: skip
    frame = pd.DataFrame(lines)
    family = frame.groupby(["trial_id", "grade"], sort=False)["p_value"]
    frame["q_value"] = family.transform(lambda p: benjamini_hochberg(p.to_numpy()))
    frame["events"] = frame["events_treatment"] + frame["events_control"]
    share = frame["n_treatment"] / (frame["n_treatment"] + frame["n_control"])
    shrunk = frame.loc[(frame["grade"] == "grade3plus") & (frame["events"] > 0)]
    fit = gamma_shrinkage(
        shrunk["events_treatment"], (shrunk["events"] * share.loc[shrunk.index]), shrunk["key"]
    )
    for name, values in (("ebgm", fit.ebgm), ("eb05", fit.low), ("eb95", fit.high)):
        frame[name] = pd.Series(values, index=shrunk.index).reindex(frame.index)
    finite = ["risk_ratio", "risk_ratio_high"]
    frame[finite] = frame[finite].replace([np.inf], np.nan)
    return frame


def across_trials(pairs: pd.DataFrame) -> pd.DataFrame:
    """Return pooled differences of severe events that two or more trials report."""
    lines = []
    severe = pairs.loc[pairs["grade"] == "grade3plus"]
    for term, part in severe.groupby("term", sort=True):
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
    found = rows.loc[
        (rows["trial_id"] == trial) & rows["term"].str.startswith("exposure: treatment cycles")
    ]
    out = {}
    for row in found.to_dict(orient="records"):
        text = re.search(r"median ([0-9.]+)", f"{row['printed']} {row['note']}")
        if text:
            out[str(row["arm"])] = (float(text.group(1)), str(row["row_id"]))
    return out


def by_exposure(pairs: pd.DataFrame, cycles: dict[str, tuple[float, str]]) -> pd.DataFrame:
    """Return severe events of one trial without and with regard to time on treatment."""
    (t1, row1), (t0, row0) = cycles["blinatumomab"], cycles["chemotherapy"]
    lines = []
    for row in pairs.loc[pairs["grade"] == "grade3plus"].to_dict(orient="records"):
        found = compare_by_exposure(
            row["events"], row["n"], t1, row["events_control"], row["n_control"], t0
        )
        table = found.to_frame()
        slug = _slug(row["term"])
        table.insert(0, "key", [f"{slug}.{a}" for a in table["assumption"]])
        lines.append(
            table.assign(term=row["term"], exposure_ratio=found.exposure_ratio,
                         tipping_ratio=found.tipping_ratio,
                         row_ids=f"{row['row_ids']} {row1} {row0}")
        )  # fmt: skip
    return pd.concat(lines, ignore_index=True)
