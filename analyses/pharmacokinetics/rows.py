"""Tables of pharmacokinetics."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import statsmodels.formula.api as smf

from metablin.errors import DataError
from metablin.pipeline import slug

from ..lines import join_ids
from ..lines import records as lines

HOURS_A_DAY = 24.0
TO_PICOGRAM_PER_ML = {"pg/mL": 1.0, "ng/mL": 1000.0}
PANELS = {
    "half_life": "Half-life (hours)",
    "clearance": "Clearance (L/h or L/h/m²)",
    "volume_of_distribution": "Volume (L or L/m²)",
}


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
        at = f".{dose:g}_{slug(str(dose_unit))}" if dose == dose else ""
        records.append(
            {
                "key": f"{parameter}.{slug(str(unit))}{at}",
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
        for clearance in lines(clearances):
            records += _implied_half_lives(str(source), part, clearance)
            records += _implied_concentrations(str(source), part, clearance)
    columns = ["key", "source_key", "identity", "quoted", "implied", "ratio", "unit", "row_ids"]
    return pd.DataFrame(records, columns=columns)


def _implied_half_lives(
    source: str, part: pd.DataFrame, clearance: dict[str, Any]
) -> list[dict[str, object]]:
    per_area = clearance["unit"].endswith("m2")
    volumes = part.loc[
        (part["parameter"] == "volume_of_distribution")
        & (part["unit"].str.endswith("m2") == per_area)
    ]
    halves = part.loc[(part["parameter"] == "half_life") & part["low"].isna()]
    return [
        _identity(
            f"{source}.half_life.{half['key']}.{volume['key']}",
            source,
            "half-life = ln 2 x volume / clearance",
            half["estimate"],
            np.log(2) * volume["estimate"] / clearance["estimate"],
            "h",
            (half["key"], volume["key"], clearance["key"]),
        )
        for volume in lines(volumes)
        for half in lines(halves)
    ]


def _implied_concentrations(
    source: str, part: pd.DataFrame, clearance: dict[str, Any]
) -> list[dict[str, object]]:
    unit = "ug/m2/day" if clearance["unit"].endswith("m2") else "ug/day"
    points = steady_state(part)
    # ug/day over L/h is ug per L times 1/24; 1 ug/L is 1000 pg/mL.
    return [
        _identity(
            f"{source}.steady_state.{point['key']}",
            source,
            "steady state = dose / clearance",
            point["estimate"],
            1000 * point["dose"] / HOURS_A_DAY / clearance["estimate"],
            "pg/mL",
            (point["key"], clearance["key"]),
        )
        for point in lines(points.loc[points["dose_unit"] == unit])
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
