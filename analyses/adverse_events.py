"""Adverse events of the three registration trials: sums, and per-trial rates with exact limits."""

from __future__ import annotations

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure as MplFigure
from statsmodels.stats.proportion import proportion_confint

from metablin.pipeline import Evidence, Figure, Outcome, Table, analysis, slug
from metablin.plots import style

from ._shared import join_ids

TRIALS = {"tower": "TOWER", "alcantara": "ALCANTARA", "blast": "BLAST"}
REVIEW = "mocquot2022"
COLOURS = {"tower": "#0072B2", "alcantara": "#CC79A7", "blast": "#E69F00"}


@analysis(
    title="Adverse events, a first look",
    question="Which adverse events were reported in TOWER, ALCANTARA and BLAST, and how often?",
    reads=("safety",),
    order=60,
)
def adverse_events(evidence: Evidence) -> Outcome:
    """Add up the registry counts of three trials and give each trial's rate."""
    rows = evidence.load("safety", all_rows=True)
    rows = rows.loc[
        (rows["source_key"] == REVIEW)
        & rows["trial_id"].isin(list(TRIALS))
        & rows["grade"].isin(["serious", "any"])
    ]
    per_trial = rates(rows)
    total = totals(rows)
    return Outcome(
        tables={
            "totals": Table(
                total,
                "Sums over the three trials",
                "Simple sums of patients, as reviews print them; not a pooled rate.",
                unit="proportion",
            ),
            "rates": Table(
                per_trial,
                "Rates by trial",
                "Exact (Clopper-Pearson) 95% intervals.",
                unit="proportion",
            ),
        },
        figures={
            grade: Figure(
                dots(per_trial, total, grade),
                f"{'Serious' if grade == 'serious' else 'All'} adverse events by trial",
                "Points are rates with exact 95% intervals; terms in order of the summed rate. "
                "The trials differ in population and in time on treatment, so differences "
                "between them are not effects of anything.",
                f"Dot plot of {grade} adverse-event rates by term for three trials.",
                "rates",
            )
            for grade in ("serious", "any")
        },
        notes=(
            "Counts were taken from the register by a review; some cells are implausible, such as "
            "pyrexia in every patient of one trial, and are listed among the disagreements.",
            "Three single-arm counts added up are a description, not an estimate for a patient.",
        ),
    )


def rates(rows: pd.DataFrame) -> pd.DataFrame:
    """Return each trial's rate with its exact interval, one line a trial, grade and term."""
    events, n = rows["events"].to_numpy(float), rows["n"].to_numpy(float)
    low, high = proportion_confint(events, n, method="beta")
    return pd.DataFrame(
        {
            "key": [
                f"{g}.{slug(t)}.{i}"
                for g, t, i in zip(rows["grade"], rows["term"], rows["trial_id"], strict=True)
            ],
            "grade": rows["grade"].to_numpy(),
            "term": rows["term"].to_numpy(),
            "trial_id": rows["trial_id"].to_numpy(),
            "events": events,
            "n": n,
            "estimate": events / n,
            "conf_low": np.where(events == 0, 0.0, low),
            "conf_high": np.where(events == n, 1.0, high),
            "row_ids": rows["row_id"].to_numpy(),
        }
    )


def totals(rows: pd.DataFrame) -> pd.DataFrame:
    """Return sums over the trials for every grade and term, most frequent first."""
    grouped = rows.groupby(["grade", "term"], sort=False)
    out = grouped.agg(
        events=("events", "sum"),
        n=("n", "sum"),
        k=("trial_id", "nunique"),
        row_ids=("row_id", join_ids),
    ).reset_index()
    low, high = proportion_confint(out["events"], out["n"], method="beta")
    out = out.assign(rate=out["events"] / out["n"], conf_low=low, conf_high=high)
    out["estimate"] = out["rate"]
    keys = [f"{g}.{slug(t)}" for g, t in zip(out["grade"], out["term"], strict=True)]
    out.insert(0, "key", keys)
    return out.sort_values(["grade", "events"], ascending=[False, False], kind="stable")


def dots(per_trial: pd.DataFrame, total: pd.DataFrame, grade: str) -> MplFigure:
    """Draw the rates of one grade: a row a term, a point and interval a trial."""
    order = total.loc[total["grade"] == grade, "term"].tolist()
    fig, ax = style.figure(6.8, 0.32 * len(order) + 1.1)
    for shift, (trial, label) in zip((-0.22, 0.0, 0.22), TRIALS.items(), strict=True):
        part = per_trial.loc[(per_trial["grade"] == grade) & (per_trial["trial_id"] == trial)]
        y = np.array([order.index(t) for t in part["term"]]) + shift
        ax.hlines(y, part["conf_low"], part["conf_high"], color=COLOURS[trial], lw=1.3)
        n = int(part["n"].iloc[0])
        ax.plot(part["estimate"], y, "o", ms=4, color=COLOURS[trial], label=f"{label} (n = {n})")
    ax.set_yticks(range(len(order)), order)
    ax.invert_yaxis()
    ax.set_xlim(0, None)
    ax.xaxis.set_major_formatter(lambda x, _: f"{100 * x:.0f}%")
    ax.set_xlabel("Patients with the event")
    ax.grid(axis="x", color="#e6e9ee")
    ax.legend(loc="lower center", bbox_to_anchor=(0.4, 1.0), ncol=len(TRIALS), frameon=False)
    sns.despine(ax=ax, left=True)
    return fig
