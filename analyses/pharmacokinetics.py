"""Pharmacokinetics across the reviews: proportionality, and whether the numbers fit together."""

from __future__ import annotations

import numpy as np
import pandas as pd
import seaborn as sns
import statsmodels.formula.api as smf
from matplotlib.figure import Figure as MplFigure

from metablin.errors import DataError
from metablin.pipeline import Evidence, Figure, Headline, Outcome, Table, analysis, slug
from metablin.plots import style
from metablin.report.words import source_names

from ._shared import join_ids

HOURS_A_DAY = 24.0
TO_PICOGRAM_PER_ML = {"pg/mL": 1.0, "ng/mL": 1000.0}
COLOURS = {"ug/day": "#0072B2", "ug/m2/day": "#D55E00"}
PANELS = {
    "half_life": "Half-life (hours)",
    "clearance": "Clearance (L/h or L/h/m²)",
    "volume_of_distribution": "Volume (L or L/m²)",
}


@analysis(
    title="Pharmacokinetics",
    question="Does exposure rise in proportion to dose, and do the quoted parameters agree?",
    reads=("pharmacokinetics", "references"),
    order=70,
)
def pharmacokinetics(evidence: Evidence) -> Outcome:
    """Fit the power model of steady state on dose and check the identities between parameters."""
    rows = evidence.load("pharmacokinetics", all_rows=True)
    reported = common_units(rows)
    points = steady_state(reported)
    power = proportionality(points.loc[points["preferred"]])
    return Outcome(
        tables={
            "reported": Table(reported, "Parameters as quoted, in common units"),
            "steady_state": Table(points, "Steady-state concentrations by dose"),
            "proportionality": Table(
                power,
                "Power model: log concentration on log dose",
                "A slope of 1 is proportionality. Each measured concentration counts once, with "
                "the dose it is tabled under. The interval reflects the scatter of quoted means "
                "around the line, not the spread between patients.",
                unit="ratio",
            ),
            "identities": Table(
                identities(reported),
                "Do the quoted parameters fit together?",
                "Half-life from volume and clearance, concentration from dose and clearance, of "
                "one compartment at steady state; ratio of quoted to implied.",
            ),
            "agreement": Table(
                agreement(reported),
                "How far the reviews agree",
                "Lowest and highest value quoted for one parameter in one unit (and dose).",
            ),
        },
        figures={
            "dose": Figure(
                dose_figure(points, power),
                "Steady-state concentration against dose",
                "Both axes logarithmic; the line is fitted to the filled points. Open points are "
                "the same concentrations, quoted a second time with doses by body surface.",
                "Scatter of concentration against daily dose with the fitted line.",
                "steady_state",
            ),
            "parameters": Figure(
                parameter_figure(reported, source_names(evidence.load("references"))),
                "Half-life, clearance and volume across the reviews",
                "Bars are one standard deviation where one is quoted. Absolute values and those "
                "per square metre are marked apart.",
                "Three panels of points, one a review, for half-life, clearance and volume.",
                "reported",
            ),
        },
        headlines=(
            Headline("Slope of log concentration on log dose", "proportionality", "slope", "ratio"),
        ),
        notes=(
            "The reviews quote a handful of means, several of them from the same two reports; no "
            "patient-level data stand behind these lines.",
        ),
    )


def common_units(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the quoted parameters in hours, L/h, L and pg/mL (per square metre kept apart)."""
    shown = rows.loc[rows["parameter"].isin([*PANELS, "steady_state_concentration"])]
    shown = shown.loc[~shown["population"].fillna("").str.contains("another molecule")]
    factor = np.array(
        [_factor(p, u) for p, u in zip(shown["parameter"], shown["unit"], strict=True)]
    )
    middle = shown["estimate"].fillna((shown["low"] + shown["high"]) / 2).to_numpy(float)
    sd = np.where(
        shown["spread_type"] == "cv", shown["spread"] * middle, shown["spread"].to_numpy(float)
    )
    return pd.DataFrame(
        {
            "key": shown["row_id"].to_numpy(),
            "parameter": shown["parameter"].to_numpy(),
            "population": shown["population"].to_numpy(),
            "dose": pd.to_numeric(shown["dose"], errors="coerce").to_numpy(),
            "dose_unit": shown["dose_unit"].fillna("").to_numpy(),
            "estimate": middle * factor,
            "sd": sd * factor,
            "low": shown["low"].to_numpy(float) * factor,
            "high": shown["high"].to_numpy(float) * factor,
            "unit": [_unit(p, u) for p, u in zip(shown["parameter"], shown["unit"], strict=True)],
            "source_key": shown["source_key"].to_numpy(),
            "preferred": shown["preferred"].to_numpy(),
            "row_ids": shown["row_id"].to_numpy(),
        }
    )


def _factor(parameter: str, unit: str) -> float:
    if parameter == "clearance":
        return 1 / HOURS_A_DAY if "/day" in unit else 1.0
    return TO_PICOGRAM_PER_ML.get(unit, 1.0) if parameter.startswith("steady") else 1.0


def _unit(parameter: str, unit: str) -> str:
    if parameter == "half_life":
        return "h"
    if parameter.startswith("steady"):
        return "pg/mL"
    base = "L/h" if parameter == "clearance" else "L"
    return f"{base}/m2" if "m2" in unit else base


def steady_state(reported: pd.DataFrame) -> pd.DataFrame:
    """Return the steady-state concentrations whose dose is known."""
    here = reported.loc[(reported["parameter"] == "steady_state_concentration")]
    return here.loc[here["dose"].notna()].reset_index(drop=True)


def proportionality(points: pd.DataFrame) -> pd.DataFrame:
    """Return slope and intercept of log concentration on log dose, of doses in one unit."""
    data = points.assign(y=np.log(points["estimate"]), x=np.log(points["dose"]))
    if data["dose_unit"].nunique() != 1:
        raise DataError("doses in more than one unit", column="dose_unit", allowed="one unit")
    fit = smf.ols("y ~ x", data=data).fit()
    interval = fit.conf_int()
    names = {"x": "slope", "Intercept": "intercept"}
    return pd.DataFrame(
        {
            "key": [names[t] for t in fit.params.index],
            "estimate": fit.params.to_numpy(),
            "std_error": fit.bse.to_numpy(),
            "conf_low": interval[0].to_numpy(),
            "conf_high": interval[1].to_numpy(),
            "df": fit.df_resid,
            "k": len(data),
            "row_ids": join_ids(data["key"]),
        }
    )


def agreement(reported: pd.DataFrame) -> pd.DataFrame:
    """Return lowest and highest quoted value of every parameter, unit and dose."""
    grouped = reported.groupby(["parameter", "unit", "dose_unit", "dose"], dropna=False, sort=True)
    records = []
    for (parameter, unit, dose_unit, dose), part in grouped:
        at = f".{dose:g}_{slug(dose_unit)}" if dose == dose else ""
        records.append(
            {
                "key": f"{parameter}.{slug(unit)}{at}",
                "parameter": parameter,
                "unit": unit,
                "dose": dose,
                "dose_unit": dose_unit,
                "k": len(part),
                "lowest": part["estimate"].min(),
                "highest": part["estimate"].max(),
                "ratio": part["estimate"].max() / part["estimate"].min(),
                "sources": join_ids(sorted(set(part["source_key"]))),
                "row_ids": join_ids(part["key"]),
            }
        )
    return pd.DataFrame(records)


def identities(reported: pd.DataFrame) -> pd.DataFrame:
    """Return quoted values beside those the same source's other parameters imply."""
    records = []
    for source, part in reported.groupby("source_key"):
        clearances = part.loc[part["parameter"] == "clearance"]
        for clearance in clearances.itertuples():
            records += _implied_half_lives(str(source), part, clearance)
            records += _implied_concentrations(str(source), part, clearance)
    columns = ["key", "source_key", "identity", "quoted", "implied", "ratio", "unit", "row_ids"]
    return pd.DataFrame(records, columns=columns)


def _implied_half_lives(
    source: str, part: pd.DataFrame, clearance: object
) -> list[dict[str, object]]:
    per_area = clearance.unit.endswith("m2")
    volumes = part.loc[
        (part["parameter"] == "volume_of_distribution")
        & (part["unit"].str.endswith("m2") == per_area)
    ]
    halves = part.loc[(part["parameter"] == "half_life") & part["low"].isna()]
    return [
        _identity(
            f"{source}.half_life.{half.key}.{volume.key}",
            source,
            "half-life = ln 2 x volume / clearance",
            half.estimate,
            np.log(2) * volume.estimate / clearance.estimate,
            "h",
            (half.key, volume.key, clearance.key),
        )
        for volume in volumes.itertuples()
        for half in halves.itertuples()
    ]


def _implied_concentrations(
    source: str, part: pd.DataFrame, clearance: object
) -> list[dict[str, object]]:
    unit = "ug/m2/day" if clearance.unit.endswith("m2") else "ug/day"
    points = steady_state(part)
    # ug/day over L/h is ug per L times 1/24; 1 ug/L is 1000 pg/mL.
    return [
        _identity(
            f"{source}.steady_state.{point.key}",
            source,
            "steady state = dose / clearance",
            point.estimate,
            1000 * point.dose / HOURS_A_DAY / clearance.estimate,
            "pg/mL",
            (point.key, clearance.key),
        )
        for point in points.loc[points["dose_unit"] == unit].itertuples()
    ]


def _identity(
    key: str, source: str, name: str, quoted: float, implied: float, unit: str, ids: tuple[str, ...]
) -> dict[str, object]:
    return {
        "key": key,
        "source_key": source,
        "identity": name,
        "quoted": quoted,
        "implied": implied,
        "ratio": quoted / implied,
        "unit": unit,
        "row_ids": join_ids(ids),
    }


def dose_figure(points: pd.DataFrame, power: pd.DataFrame) -> MplFigure:
    """Draw concentrations against dose with the fitted line; a second quotation is hollow."""
    fig, ax = style.figure(5.4, 3.8)
    terms = power.set_index("key")["estimate"]
    for unit, part in points.groupby("dose_unit"):
        fitted = bool(part["preferred"].any())
        if fitted:
            x = np.geomspace(part["dose"].min() * 0.8, part["dose"].max() * 1.2, 50)
            y = np.exp(terms["intercept"] + terms["slope"] * np.log(x))
            ax.plot(x, y, color=COLOURS[unit], lw=1.2, alpha=0.7)
        fill = COLOURS[unit] if fitted else "white"
        ax.plot(part["dose"], part["estimate"], "o", color=COLOURS[unit], mfc=fill,
                label=_dose_label(unit))  # fmt: skip
        ranged = part.loc[part["low"].notna()]
        ax.vlines(ranged["dose"], ranged["low"], ranged["high"], color=COLOURS[unit], lw=1.2)
    ax.set_xscale("log")
    ax.set_yscale("log")
    doses = sorted(points["dose"].unique())
    ax.set_xticks(doses, [f"{d:g}" for d in doses])
    ax.set_yticks([200, 300, 400, 500, 600, 700], ["200", "300", "400", "500", "600", "700"])
    ax.minorticks_off()
    ax.set_xlabel("Dose a day")
    ax.set_ylabel("Steady state (pg/mL)")
    slope = power.set_index("key").loc["slope"]
    ax.set_title(
        f"slope {slope['estimate']:.2f} ({slope['conf_low']:.2f} to {slope['conf_high']:.2f})"
    )
    ax.legend(title="Dose unit", alignment="left")
    sns.despine(ax=ax)
    return fig


def _dose_label(unit: str) -> str:
    return {"ug/day": "µg a day", "ug/m2/day": "µg/m² a day"}[unit]


def parameter_figure(reported: pd.DataFrame, names_of: dict[str, str]) -> MplFigure:
    """Draw half-life, clearance and volume of every source side by side."""
    with style.house_style():
        fig = MplFigure(figsize=(8.4, 2.8))
        axes = fig.subplots(1, 3)
    for ax, (parameter, title) in zip(axes, PANELS.items(), strict=True):
        part = reported.loc[reported["parameter"] == parameter].reset_index(drop=True)
        for i, row in enumerate(part.itertuples()):
            per_area = row.unit.endswith("m2")
            low = (
                row.low
                if row.low == row.low
                else row.estimate - (row.sd if row.sd == row.sd else 0)
            )
            high = (
                row.high
                if row.high == row.high
                else row.estimate + (row.sd if row.sd == row.sd else 0)
            )
            ax.hlines(i, max(low, 0), high, color="#6b7480")
            ax.plot(
                row.estimate,
                i,
                "s" if per_area else "o",
                color="#0072B2",
                mfc="white" if per_area else None,
            )
        names = [
            names_of.get(source, f"Review {source[-4:]}") + " (per m²)" * unit.endswith("m2")
            for source, unit in zip(part["source_key"], part["unit"], strict=True)
        ]
        ax.set_yticks(range(len(part)), names)
        ax.invert_yaxis()
        ax.set_xlim(0, None)
        ax.set_title(title)
        sns.despine(ax=ax)
    fig.tight_layout()
    return fig
