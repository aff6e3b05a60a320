"""Cure models on reconstructed patients: families side by side, cure fraction over draws."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

import metablin as mb
from metablin.errors import ConvergenceError, DataError, MetablinWarning
from metablin.survival import ParametricFit, fit_parametric, rubin
from metablin.survival.draws import combine_curves

from ..lines import join_ids, unit_of
from ..rebuilt import Rebuilt
from .pools import followed, grades_of

FAMILIES = (
    "exponential",
    "weibull",
    "lognormal",
    "loglogistic",
    "weibull-mixture-cure",
    "lognormal-mixture-cure",
    "weibull-non-mixture-cure",
)
LANDMARKS = (12.0, 24.0, 36.0)
LEVEL = 0.95
TOGETHER = "all patients together, without differences between arms"
ALONE = "the arm by itself"
Draws = list[tuple[np.ndarray, np.ndarray]]


def together(arms: Sequence[Rebuilt]) -> Draws:
    """Return draw by draw the patients of all arms, each followed as far as print goes."""
    parts = [followed(a) for a in arms]
    return [
        (np.concatenate([t for t, _ in one]), np.concatenate([e for _, e in one]))
        for one in zip(*parts, strict=True)
    ]


def whole_lines(name: str, title: str, arms: Sequence[Rebuilt]) -> list[dict[str, Any]]:
    """Return median and landmarks of the patients of all arms together, over draws.

    Differences between arms are not modelled: this is what stands where arms are too few to pool
    with random effects.
    """
    draws = together(arms)
    curves = [mb.kaplan_meier(t, e) for t, e in draws]
    last = min(c.time[-1] for c in curves)
    found = combine_curves(curves, at=[t for t in LANDMARKS if t <= last])
    lines = []
    for row in found.to_dict(orient="records"):
        values = {n: row[n] for n in ("estimate", "conf_low", "conf_high")}
        lines.append(
            {
                "key": f"{name}.together.{str(row['term']).replace(' at ', '_')}",
                "pool": title,
                "term": row["term"],
                "unit": unit_of(row["term"]),
                "k": len(arms),
                "n": int(draws[0][0].size),
                **{n: v if math.isfinite(v) else math.nan for n, v in values.items()},
                "not_reached": " ".join(n for n, v in values.items() if math.isinf(v)),
                "between_share": row["between_share"],
                "method": TOGETHER if len(arms) > 1 else ALONE,
                "note": row["note"],
                "grades": grades_of(arms),
                "row_ids": _rows(arms),
            }
        )
    return lines


@cache
def fits(arms: tuple[Rebuilt, ...], family: str) -> list[ParametricFit]:
    """Return the fit of a family to the patients of all arms, in every draw that allows one.

    Table and figure ask for the same.
    """
    found = []
    for time, event in together(arms):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MetablinWarning)
            try:
                found.append(fit_parametric(time, event, family))
            except (ConvergenceError, DataError):
                continue
    return found


def cure_fraction(found: Sequence[ParametricFit]) -> dict[str, float]:
    """Return the cure fraction over draws by Rubin's rules, NaN for a family without one.

    Each draw's variance is that of a normal with its profile-likelihood interval; limits are kept
    within 0 to 1.
    """
    rows = np.array([f.cure_fraction() for f in found])
    z = float(special.ndtri(0.5 + LEVEL / 2))
    centre, total, share = rubin(rows[:, 0], ((rows[:, 2] - rows[:, 1]) / (2.0 * z)) ** 2)
    half = z * math.sqrt(float(total))
    return {
        "estimate": float(centre),
        "conf_low": max(0.0, float(centre) - half),
        "conf_high": min(1.0, float(centre) + half),
        "between_share": float(share),
        "draws_at_boundary": float(sum(f.at_boundary for f in found)),
    }


def comparison(name: str, title: str, arms: Sequence[Rebuilt]) -> pd.DataFrame:
    """Return one line a family: AIC against the best, survival, cure fraction with interval."""
    draws = together(arms)
    by_family = {f: fits(tuple(arms), f) for f in FAMILIES}
    whole = {f: v for f, v in by_family.items() if len(v) == len(draws)}
    aic = pd.DataFrame({f: [x.aic for x in v] for f, v in whole.items()})
    above = aic.sub(aic.min(axis=1), axis=0)
    best = aic.idxmin(axis=1).value_counts()
    lines = []
    for family, found in by_family.items():
        head = {
            "key": f"{name}.{family}",
            "set": title,
            "family": family,
            "k": len(arms),
            "n": int(draws[0][0].size),
            "draws_fitted": len(found),
            "aic_above_best": above[family].mean() if family in whole else math.nan,
            "best_in_draws": int(best.get(family, 0)),
        }
        tail = {"grades": grades_of(arms), "row_ids": _rows(arms)}
        lines.append({**head, **(_fitted(family, found) if found else {}), **tail})
    return pd.DataFrame(lines)


def _fitted(family: str, found: Sequence[ParametricFit]) -> dict[str, Any]:
    frames = [f.survival(LANDMARKS) for f in found]
    s = np.array([f["estimate"] for f in frames])
    se = np.array([f["std_error"] for f in frames])
    centre, _, share = rubin(s, se**2)
    out: dict[str, Any] = {f"survival_{t:g}": v for t, v in zip(LANDMARKS, centre, strict=True)}
    out["survival_36_between_share"] = share[-1]
    return {**out, **(cure_fraction(found) if "cure" in family else {})}


def _rows(arms: Sequence[Rebuilt]) -> str:
    return join_ids(i for a in arms for i in a.used.row_ids)
