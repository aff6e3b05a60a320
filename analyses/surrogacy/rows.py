"""Tables of surrogacy."""

from __future__ import annotations

import numpy as np
import pandas as pd

from metablin.errors import ConvergenceError
from metablin.mrd import Surrogacy, bivariate_effects
from metablin.mrd import surrogacy as fit_surrogacy

TITLES = {"os": "Overall survival", "event_free": "Event-free survival and its kin"}
SETS = {
    "blinatumomab": "Blinatumomab against chemotherapy",
    "both_drugs": "Blinatumomab or inotuzumab against chemotherapy",
}
CORRELATIONS = (-0.5, 0.0, 0.5)
SEED = 7
LISTED = (
    "key", "study", "drug", "endpoint", "events_treatment", "n_treatment", "events_control",
    "n_control", "odds_ratio", "hazard_ratio", "x", "vx", "y", "vy", "row_ids",
)  # fmt: skip


def subset(points: pd.DataFrame, group: str, name: str) -> pd.DataFrame:
    """Return the trials of one endpoint and one set of drugs."""
    chosen = points.loc[points["group"] == group]
    return chosen.loc[chosen["drug"] == "blinatumomab"] if name == "blinatumomab" else chosen


def fitted(points: pd.DataFrame, correlation: float = 0.0, draws: int = 300) -> Surrogacy:
    """Return the fit to a set of trials."""
    return fit_surrogacy(
        points["x"], points["vx"], points["y"], points["vy"], studies=points["study"].tolist(),
        correlation=correlation, draws=draws, seed=SEED,
    )  # fmt: skip


def lines(fits: dict[str, Surrogacy], points: pd.DataFrame) -> pd.DataFrame:
    """Return one line a fit and method; ``estimate`` is R²."""
    rows = []
    for key, fit in fits.items():
        group, name = key.split(".")
        frame = fit.to_frame()
        frame.insert(0, "key", [f"{key}.{m.replace('-', '_')}" for m in frame["method"]])
        ids = " ".join(dict.fromkeys(" ".join(subset(points, group, name)["row_ids"]).split()))
        rows.append(
            frame.assign(
                endpoint=TITLES[group], trials=SETS[name], estimate=frame["r2"],
                conf_low=frame["r2_low"], conf_high=frame["r2_high"],
                threshold_odds_ratio=np.exp(frame["threshold"]),
                threshold_exists=np.isfinite(frame["threshold"]), row_ids=ids,
            )
        )  # fmt: skip
    out = pd.concat(rows, ignore_index=True)
    # a line that may be flat has no threshold worth the name: its average effect is no prediction
    sloped = (out["slope_low"] > 0) | (out["slope_high"] < 0)
    out["threshold_exists"] = out["threshold_exists"] & sloped
    finite = out["threshold_exists"]
    for column in ("threshold", "threshold_odds_ratio"):
        out[column] = out[column].where(finite)
    return out.replace([np.inf, -np.inf], np.nan)


def bivariate(points: pd.DataFrame) -> pd.DataFrame:
    """Return the bivariate random-effects model of every endpoint, or why there is none."""
    rows = []
    for group, title in TITLES.items():
        part = subset(points, group, "both_drugs")
        line = {"key": f"{group}.both_drugs", "endpoint": title, "k": len(part), "why_not": "",
                "row_ids": " ".join(dict.fromkeys(" ".join(part["row_ids"]).split()))}  # fmt: skip
        try:
            fit = bivariate_effects(
                part["x"], part["vx"], part["y"], part["vy"], studies=part["study"].tolist()
            )
        except ConvergenceError as error:
            rows.append({**line, "why_not": str(error)})
            continue
        rows.append(
            {**line, "correlation": fit.correlation, "correlation_low": fit.correlation_low,
             "correlation_high": fit.correlation_high, "estimate": fit.r2, "conf_low": fit.r2_low,
             "conf_high": fit.r2_high, "slope": fit.slope, "slope_low": fit.slope_low,
             "slope_high": fit.slope_high, "intercept": fit.intercept, "tau2": fit.tau2}
        )  # fmt: skip
    return pd.DataFrame(rows).replace([np.inf, -np.inf], np.nan)


def correlations(points: pd.DataFrame) -> pd.DataFrame:
    """Return the errors-in-variables slope under assumed within-trial correlations."""
    rows = []
    for group, title in TITLES.items():
        for rho in CORRELATIONS:
            try:
                line = fitted(subset(points, group, "both_drugs"), rho, draws=2).daniels_hughes
            except ConvergenceError:
                continue
            rows.append(
                {"key": f"{group}.rho_{rho:+.1f}", "endpoint": title, "correlation": rho,
                 "slope": line.slope, "slope_low": line.slope_low, "slope_high": line.slope_high,
                 "tau2": line.tau2}
            )  # fmt: skip
    return pd.DataFrame(rows).replace([np.inf, -np.inf], np.nan)


def left_out(fits: dict[str, Surrogacy]) -> pd.DataFrame:
    """Return every trial's effect beside its prediction from the others."""
    rows = []
    for key, fit in fits.items():
        if fit.k < 4:
            continue
        frame = fit.leave_one_out("weighted")
        frame.insert(0, "key", [f"{key}.{i}" for i in range(1, len(frame) + 1)])
        ratios = {c: np.exp(frame[c]) for c in ("observed", "predicted", "pred_low", "pred_high")}
        rows.append(frame.assign(**ratios, endpoint=TITLES[key.split(".")[0]]))
    return pd.concat(rows, ignore_index=True)
