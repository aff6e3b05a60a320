"""Rows behind the MRD analysis: cohorts, responders against the rest, times and thresholds."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

import metablin as mb
from metablin.datasets import said
from metablin.mrd import (
    ResponderHR,
    ResponsePools,
    immortal_time_bounds,
    mixture_median,
    response_rates,
    simulate_immortal_time,
)

from ..cohorts.coverage import simulated_coverage
from ..cohorts.designs import suffix
from ..cohorts.populations import POPULATIONS, with_trials
from ..cohorts.responders import ENDPOINTS
from ..lines import join_ids, pooled_row

WEEKS_A_MONTH = 365.25 / 12 / 7
DENOMINATORS = said("denominator", "results")
SEED = 20240607
SIMULATIONS = 1000
TRUTHS = (1.0, 0.5)
WINDOWS = (1.5, 3.0, 6.0)
POOLS = ("population", "denominator", "design")
DETAILED = ("population", "denominator", "outcome", "timepoint", "design")
THRESHOLDS = said("threshold", "results")


def response_table(pools: ResponsePools, cohorts: pd.DataFrame) -> pd.DataFrame:
    """Return pooled rates with keys, words for people and the evidence rows behind them."""
    frame = pools.to_frame()
    ids = []
    for key in pools.fits:
        same = [cohorts[c] == v for c, v in zip(pools.by, key, strict=True)]
        ids.append(join_ids(cohorts["row_id"][np.logical_and.reduce(same)]))
    keys = [".".join(k.replace(" ", "_") for k in key[:-1]) + suffix(key[-1]) for key in pools.fits]
    outcomes = cohorts.set_index("row_id")["outcome"]
    frame = frame.assign(
        definitions=[_definitions(outcomes[cell.split()]) for cell in ids],
        group=frame["population"].map(POPULATIONS),
        of_whom=frame["denominator"].map(DENOMINATORS),
        studies=[", ".join(fit.effects.studies) for fit in pools.fits.values()],
        coverage=[simulated_coverage(fit) for fit in pools.fits.values()],
        row_ids=ids,
    ).drop(columns=["population", "denominator"])
    frame.insert(0, "key", keys)
    return frame


def _definitions(outcomes: pd.Series) -> str:
    count = outcomes.value_counts(sort=False)
    return ", ".join(f"{str(name).replace('_', ' ')}: {k}" for name, k in count.items())


def cycle_months(doses: pd.Series) -> float:
    """Return the usual length of a cycle, in months, from the schedules the trials state."""
    weeks = [
        sum(int(n) for n in found.groups())
        for text in doses
        if (found := re.search(r"([0-9]+) weeks on\s*/?\s*([0-9]+) weeks off", str(text)))
    ]
    return float(np.median(weeks)) / WEEKS_A_MONTH


def bias_bounds(rows: pd.DataFrame, found: pd.DataFrame, doses: pd.Series) -> pd.DataFrame:
    """Return the range of every flagged hazard ratio once immortal time is taken out."""
    cycle = cycle_months(doses)
    records = []
    flagged = found["immortal_time"] & found["log_hr"].notna()
    for i in np.flatnonzero(flagged):
        row, line = rows.iloc[i], found.iloc[i]
        window = cycle * (1 if "cycle 1" in row["mrd_timepoint"] else 2)
        low = half = high = np.nan
        why = ""
        if np.isnan(row["n_responders"] + row["n_nonresponders"]):
            why = "numbers of responders and others not printed"
        elif np.isnan(row["median_nonresponders"] + row["followup"]):
            why = "median of the others or follow-up not printed"
        else:
            share = row["n_responders"] / (row["n_responders"] + row["n_nonresponders"])
            hazard = np.log(2) / row["median_nonresponders"]
            given = (line["estimate"], hazard)
            low, high = immortal_time_bounds(*given, window, row["followup"], share)
            half = immortal_time_bounds(*given, window / 2, row["followup"], share)[1]
        records.append(
            {"key": row["row_id"], "study": row["study"], "endpoint": row["endpoint"],
             "window_months": window, "naive": line["estimate"], "low": low, "half_window": half,
             "high": high,
             "why_not": why, "row_ids": row["row_id"]}
        )  # fmt: skip
    return pd.DataFrame(records)


def consistency_of_medians(rows: pd.DataFrame) -> pd.DataFrame:
    """Check printed medians of the whole against those of its responders and the rest."""
    sizes = rows.loc[~rows["subset"]].groupby("trial_id")[["n_responders", "n_nonresponders"]].max()
    filled = rows.assign(
        **{c: rows[c].fillna(rows["trial_id"].map(sizes[c])) for c in sizes.columns}
    )
    known = filled.loc[
        filled[["median_responders", "median_nonresponders", "median_all", "n_responders",
              "n_nonresponders"]].notna().all(axis=1)
    ]  # fmt: skip
    records = []
    for row in known.to_dict(orient="records"):
        share = row["n_responders"] / (row["n_responders"] + row["n_nonresponders"])
        pair = (row["median_responders"], row["median_nonresponders"])
        records.append(
            {"key": row["row_id"], "study": row["study"], "endpoint": row["endpoint"],
             "responders": pair[0], "nonresponders": pair[1], "share": share,
             "whole": row["median_all"], "between": min(pair) <= row["median_all"] <= max(pair),
             "whole_if_exponential": mixture_median(*pair, share), "row_ids": row["row_id"]}
        )  # fmt: skip
    columns = ["key", "study", "endpoint", "responders", "nonresponders", "share", "whole",
               "between", "whole_if_exponential", "row_ids"]  # fmt: skip
    return pd.DataFrame(records, columns=columns)


def anchors(contrasts: pd.DataFrame, trials: pd.DataFrame) -> pd.DataFrame:
    """Return published ratios of MRD-negative over MRD-positive patients, never pooled in.

    Ratios printed the other way round are turned.
    """
    rows = with_trials(contrasts, trials)
    rows = rows.loc[
        (rows["measure"] == "hr")
        & rows["arm_treatment"].str.startswith("mrd_")
        & ~rows["subgroup"].str.contains("treatment_")
        & rows[["estimate", "ci_low", "ci_high"]].notna().all(axis=1)
        & ~rows["design"].isin(["single_arm"])
    ]
    turned = rows["arm_treatment"].str.contains("positive")
    e = mb.hazard_ratios(
        rows["estimate"], rows["ci_low"], rows["ci_high"], level=rows["ci_level"].fillna(0.95)
    )
    sign = np.where(turned, -1.0, 1.0)
    half = 1.959963984540054 * e.vi**0.5
    return pd.DataFrame(
        {
            "key": rows["row_id"].to_numpy(),
            "study": rows["label"].to_numpy(),
            "endpoint": rows["endpoint"].to_numpy(),
            "subgroup": rows["subgroup"].to_numpy(),
            "estimate": np.exp(sign * e.yi),
            "conf_low": np.exp(sign * e.yi - half),
            "conf_high": np.exp(sign * e.yi + half),
            "turned": turned.to_numpy(),
            "row_ids": rows["row_id"].to_numpy(),
        }
    )


def cohort_table(cohorts: pd.DataFrame) -> pd.DataFrame:
    """Return one line a cohort."""
    e = mb.proportions(cohorts["events"], cohorts["n"], studies=cohorts["study"].tolist())
    frame = e.to_frame()
    kept = ["study", "population", "denominator", "outcome", "timepoint", "events", "n"]
    out = cohorts[kept].assign(
        estimate=cohorts["events"] / cohorts["n"],
        conf_low=frame["conf_low"].to_numpy(),
        conf_high=frame["conf_high"].to_numpy(),
        row_ids=cohorts["row_id"],
    )
    out.insert(0, "key", cohorts["row_id"])
    return out


def responders_table(found: ResponderHR, rows: pd.DataFrame) -> pd.DataFrame:
    """Return one line a comparison with route, timing and evidence row."""
    frame = found.to_frame()
    frame.insert(0, "key", rows["row_id"].to_numpy())
    return frame.assign(
        among=rows["among"].to_numpy(),
        n_responders=rows["n_responders"].to_numpy(),
        n_nonresponders=rows["n_nonresponders"].to_numpy(),
        in_pool=(~rows["subset"]).to_numpy() & frame["log_hr"].notna().to_numpy(),
        row_ids=rows["row_id"].to_numpy(),
    )


def pooled(found: ResponderHR, rows: pd.DataFrame) -> pd.DataFrame:
    """Return pooled hazard ratios: of comparisons that handle time; the others are context."""
    lines = []
    usable = found.frame["log_hr"].notna()
    for name, title in ENDPOINTS.items():
        here = usable & (found.frame["endpoint"] == name)
        handled = here & ~found.frame["immortal_time"]
        choices = {
            "time_handled": ("Landmark or time-dependent", handled),
            "time_not_handled": ("Context: time before response not handled",
                                 here & found.frame["immortal_time"]),
            "all": ("Context: all comparisons", here),
            "exact_routes": ("Context: without assumed distributions",
                             here & ~found.frame["approximate"]),
            "adults": ("Context: adults only", here & (rows["age_group"] == "adult")),
            "relapsed": ("Context: relapsed or refractory disease only",
                         here & (rows["disease_status"] == "relapsed_refractory")),
        }  # fmt: skip
        for key, (words, mask) in choices.items():
            if mask.any() and (key == "all" or not mask.equals(here)):
                part = ResponderHR(found.frame.loc[mask].reset_index(drop=True))
                fit = mb.pool_contrasts(part.effects())
                more = {"endpoint": title, "choice": words,
                        "studies": ", ".join(rows.loc[mask, "study"])}  # fmt: skip
                lines.append(pooled_row(f"{name}.{key}", fit, rows.loc[mask], **more))
    return pd.DataFrame(lines)


STRATA = {"e1910": "MRD-negative, randomised", "e1910_mrdpos": "MRD-positive"}
"""The parts of the trial that has both, by MRD after intensification."""


def by_mrd_status(contrasts: pd.DataFrame, trials: pd.DataFrame) -> pd.DataFrame:
    """Return hazard ratios of blinatumomab by MRD status of the randomised, or that none is read.

    Parameters
    ----------
    contrasts : pandas.DataFrame
    trials : pandas.DataFrame
        What ``known_trials`` returns.
    """
    known = trials.set_index("trial_id")
    lines = []
    for trial, who in STRATA.items():
        if trial not in known.index:  # of an earlier date
            continue
        about = {"study": known.loc[trial, "label"], "who": who, "n": known.loc[trial, "n_total"]}
        rows = contrasts.loc[
            (contrasts["trial_id"] == trial)
            & (contrasts["measure"] == "hr")
            & contrasts["subgroup"].str.fullmatch(r"all(;.*)?")
            & contrasts[["estimate", "ci_low", "ci_high"]].notna().all(axis=1)
        ]
        for row in rows.to_dict(orient="records"):
            values = {"estimate": row["estimate"], "conf_low": row["ci_low"],
                      "conf_high": row["ci_high"]}  # fmt: skip
            lines.append({"key": row["row_id"], **about, "endpoint": row["endpoint"], **values,
                          "note": "", "row_ids": f"{row['row_id']} {trial}"})  # fmt: skip
        if rows.empty:
            note = known.loc[trial, "left_out"]
            lines.append({"key": trial, **about, "endpoint": "os", "note": note, "row_ids": trial})
    return pd.DataFrame(lines)


def by_threshold(cohorts: pd.DataFrame) -> pd.DataFrame:
    """Return pooled rates by assay threshold and time point."""
    frame = response_table(response_rates(cohorts, DETAILED), cohorts)
    return frame.assign(threshold=[THRESHOLDS[k.split(".")[2]] for k in frame["key"]])


def simulated() -> pd.DataFrame:
    """Return what comparisons from the start of treatment, from landmarks and by time give."""
    frame = simulate_immortal_time(TRUTHS, WINDOWS, simulations=SIMULATIONS, seed=SEED).to_frame()
    keys = [f"hr_{r.true_hr:g}.window_{r.window:g}.{r.method}" for r in frame.itertuples()]
    frame.insert(0, "key", keys)
    return frame
