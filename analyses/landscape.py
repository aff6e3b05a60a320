"""The trial programme: how many trials, in which phase, how far, for how many patients."""

from __future__ import annotations

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from metablin.pipeline import Evidence, Figure, Headline, Outcome, Table, analysis, slug
from metablin.plots import style

from ._shared import POPULATIONS, join_ids, known_trials, with_trials

PHASES = ["1", "1/2", "2", "2/3", "3", "4", "unknown"]
STATUSES = {
    "completed": "#0072B2",
    "active_not_recruiting": "#56B4E9",
    "recruiting": "#009E73",
    "not_yet_recruiting": "#E69F00",
    "suspended": "#CC79A7",
    "terminated": "#D55E00",
    "unknown_status": "#7A7A7A",
}


@analysis(
    title="The trial programme",
    question="How large is the programme of trials, and which of them carry the evidence here?",
    reads=("landscape", "trials", "references"),
    order=80,
)
def landscape(evidence: Evidence) -> Outcome:
    """Count registered trials by phase and status, and the trials of the evidence base."""
    rows = evidence.load("landscape")
    trials = evidence.load("trials")
    by_status = cross(rows)
    return Outcome(
        tables={
            "totals": Table(
                totals(rows),
                "Registered trials and planned patients by phase",
                unit="count",
            ),
            "by_status": Table(by_status, "Registered trials by phase and status"),
            "evidence": Table(
                evidence_base(trials, known_trials(evidence)),
                "Trials and cohorts of blinatumomab in the evidence base",
                "Overlapping reports of the same patients are counted once; controls are among the "
                "patients where the report counts them in. Published meta-analyses and studies "
                "without blinatumomab, kept for comparison, stand in a line of their own and are "
                "not in the total.",
                unit="count",
            ),
        },
        figures={
            "programme": Figure(
                programme(by_status),
                "Registered trials of blinatumomab by phase and status",
                "Trials listed on the register in April 2022. Phase 2 dominates; most of it was "
                "still running.",
                "Stacked bars: number of registered trials for each phase, split by status.",
                "by_status",
            )
        },
        headlines=(
            Headline(
                "Trials and cohorts of blinatumomab in this evidence base",
                "evidence",
                "all",
                "count",
            ),
        ),
        notes=(
            "Planned patients are targets of the registrations, not patients treated; two large "
            "frontline protocols make up most of them.",
        ),
    )


def totals(rows: pd.DataFrame) -> pd.DataFrame:
    """Return numbers of trials and planned patients by phase and in all."""
    groups = [("all", rows), *((p, rows.loc[rows["phase"] == p]) for p in PHASES)]
    return pd.DataFrame(
        [
            {
                "key": slug(f"phase {name}") if name != "all" else "all",
                "phase": name,
                "estimate": part["n_trials"].sum(),
                "n_trials": part["n_trials"].sum(),
                "n_patients": part["n_patients"].sum(),
                "without_patient_number": int(part["n_patients"].isna().sum()),
                "row_ids": join_ids(part["row_id"]),
            }
            for name, part in groups
        ]
    )


def cross(rows: pd.DataFrame) -> pd.DataFrame:
    """Return numbers of trials by phase and status."""
    grouped = rows.groupby(["phase", "status"], sort=False)
    out = grouped.agg(
        n_trials=("n_trials", "sum"), n_patients=("n_patients", "sum"), row_ids=("row_id", join_ids)
    ).reset_index()
    out.insert(
        0, "key", [slug(f"phase {p} {s}") for p, s in zip(out["phase"], out["status"], strict=True)]
    )
    return out


def evidence_base(trials: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    """Return numbers of trials of blinatumomab by population and design, and of all others."""
    found = with_trials(trials[["trial_id", "arms"]], known)
    given = found["arms"].str.contains("blina") & (found["design"] != "meta_analysis")
    rows = found.loc[given]
    grouped = rows.groupby(["population", "design"], sort=True)
    parts = [
        {
            "key": f"{p}.{d}",
            "population": POPULATIONS[p],
            "design": d.replace("_", " "),
            "estimate": len(part),
            "patients": part["n_total"].sum(),
            "trials": join_ids(part["trial_id"]),
        }
        for (p, d), part in grouped
    ]
    whole = {
        "key": "all",
        "population": "All",
        "design": "all",
        "estimate": len(rows),
        "patients": rows["n_total"].sum(),
        "trials": "",
    }
    others = {
        "key": "for_comparison",
        "population": "Meta-analyses, and studies without blinatumomab",
        "design": "all",
        "estimate": len(found) - len(rows),
        "trials": join_ids(found.loc[~given, "trial_id"]),
    }
    return pd.DataFrame([whole, *parts, others])


def programme(by_status: pd.DataFrame) -> object:
    """Draw stacked bars of trials by phase, coloured by status."""
    fig, ax = style.figure(7.2, 3.4)
    wide = by_status.pivot_table(index="phase", columns="status", values="n_trials", aggfunc="sum")
    wide = wide.reindex(index=[p for p in PHASES if p in wide.index]).fillna(0)
    left = pd.Series(0.0, index=wide.index)
    for status, colour in STATUSES.items():
        if status in wide.columns:
            ax.barh(
                wide.index, wide[status], left=left, color=colour, label=status.replace("_", " ")
            )
            left += wide[status]
    _label_totals(ax, left)
    ax.invert_yaxis()
    ax.set_xlabel("Registered trials")
    ax.set_ylabel("Phase")
    ax.set_xlim(0, left.max() * 1.12)
    ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), title="Status", alignment="left")
    sns.despine(ax=ax)
    return fig


def _label_totals(ax: Axes, totals_by_phase: pd.Series) -> None:
    for phase, total in totals_by_phase.items():
        ax.text(total + 0.4, str(phase), f"{total:.0f}", va="center")
