"""Why pooled medians differ: what each family makes of each arm, and which designs are pooled."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

import metablin as mb
from metablin.datasets import said
from metablin.meta.bayes import half_cauchy
from metablin.meta.cohorts import TAU_SCALE
from metablin.meta.survival.curves import log_cumulative_hazard
from metablin.survival import KMCurve, fit_parametric, rubin

from ..cohorts.arm_pools import Pool, name_of
from ..cohorts.coverage import lowest_coverage
from ..cohorts.designs import DESIGNS
from ..cohorts.populations import PROSPECTIVE
from ..lines import join_ids
from ..rebuilt import Rebuilt
from .cure import Draws, together
from .pools import curves_by_arm, followed, grades_of, pooled, printed_value

FITTED = ("weibull", "lognormal")
COMPARED = (6.0, 12.0)
FEW = 2
"""Arms from which on they are pooled."""
Known = tuple[Rebuilt, float, float]
"""An arm, its log cumulative hazard and its variance."""


def medians(pool: Pool, arms: Sequence[Rebuilt]) -> pd.DataFrame:
    """Return each arm's median as printed, reconstructed and fitted, and the pools of them."""
    lines = [_arm(pool, arm) for arm in arms]
    names = ("printed", "kaplan_meier", *FITTED)
    lines.append(
        _whole(pool, arms, "geometric_mean", "Geometric mean of the arms")
        | {n: _geometric([x[n] for x in lines]) for n in names}
    )
    curves = {"kaplan_meier": pooled(pool, arms).curve}
    curves |= {n: pooled(pool, arms, "parametric", n).curve for n in FITTED}
    lines.append(
        _whole(pool, arms, "pooled", "Pooled with random effects")
        | {n: _middle(c.median()["estimate"].to_list()) for n, c in curves.items()}
    )
    lines.append(_whole(pool, arms, "together", "All patients together") | _each(together(arms)))
    frame = pd.DataFrame(lines)
    frame.insert(1, "pool", pool.title)
    return frame


def _whole(pool: Pool, arms: Sequence[Rebuilt], name: str, words: str) -> dict[str, Any]:
    n = sum(a.printed.n or 0 for a in arms)
    return {"key": f"{pool.name}.{name}", "arm": words, "n": n, "row_ids": _ids(arms)}


def _each(draws: Draws) -> dict[str, float]:
    """Return the middle over draws of the median of the curve and of each family."""
    families = {n: _middle([_fit(t, e, n) for t, e in draws]) for n in FITTED}
    return {"kaplan_meier": _middle([mb.kaplan_meier(t, e).median for t, e in draws]), **families}


def _arm(pool: Pool, arm: Rebuilt) -> dict[str, Any]:
    draws = followed(arm)
    return {
        "key": f"{pool.name}.{arm.printed.key}",
        "arm": name_of(arm.printed),
        "design": arm.printed.design,
        "n": arm.printed.n,
        "followed_months": _middle([float(t.max()) for t, _ in draws]),
        "at_risk_12": _middle([float(np.sum(t >= COMPARED[1])) for t, _ in draws]),
        "printed": printed_value(arm.printed, "median"),
        **_each(draws),
        "row_ids": join_ids(arm.printed.row_ids),
    }


def _fit(time: np.ndarray, event: np.ndarray, family: str) -> float:
    return fit_parametric(time, event, family).quantile(0.5)


def _middle(values: Sequence[float]) -> float:
    middle = float(np.median(values))
    return middle if math.isfinite(middle) else math.nan


def _geometric(values: Sequence[float]) -> float:
    known = [v for v in values if math.isfinite(v)]
    return float(np.exp(np.mean(np.log(known))))


def by_design(pool: Pool, arms: Sequence[Rebuilt]) -> pd.DataFrame:
    """Return survival at two times, a pool a design, and the ratio of cumulative hazards.

    Each arm's log cumulative hazard is combined over its draws by Rubin's rules; arms of one
    design that are followed so far are pooled by the rule for few studies. The ratio of other
    designs over prospective ones is a moderator of all arms (REML, Hartung-Knapp).
    """
    lines: list[dict[str, Any]] = []
    for t in COMPARED:
        known = _followed_to(t, arms)
        for design in DESIGNS:
            group = [x for x in known if x[0].printed.design == design]
            lines += [_survival(pool, t, design, group)] if group else []
        if len({x[0].printed.design in PROSPECTIVE for x in known}) > 1:
            lines.append(_ratio(pool, t, known))
    return pd.DataFrame(lines)


def _followed_to(t: float, arms: Sequence[Rebuilt]) -> list[Known]:
    """Return the arms that are followed to a time, with their log cumulative hazard."""
    found = []
    for arm, draws in zip(arms, curves_by_arm(arms).values(), strict=True):
        y, v = _hazard(draws, t)
        if math.isfinite(y):
            found.append((arm, y, v))
    return found


def _hazard(draws: Sequence[KMCurve], t: float) -> tuple[float, float]:
    """Return log(-log S) at a time and its variance over draws; NaN where some draw ends before."""
    parts = np.array([[x[0] for x in log_cumulative_hazard(c, np.array([t]))] for c in draws])
    y, v, _ = rubin(parts[:, 0], parts[:, 1])
    return float(y), float(v)


def _survival(pool: Pool, t: float, design: str, group: Sequence[Known]) -> dict[str, Any]:
    e = _effects(group)
    prior = half_cauchy(TAU_SCALE)
    fit = (mb.pool(e) if len(group) < FEW else mb.pool(e, model="bayes", prior=prior)).analysis
    names = {"estimate": "estimate", "conf_low": "conf_high", "conf_high": "conf_low",
             "pred_low": "pred_high", "pred_high": "pred_low"}  # fmt: skip
    return {
        **_head(pool, t, design, group),
        "group": said("design")[design],
        "measure": f"Survival at {t:g} months",
        "unit": "proportion",
        "coverage": lowest_coverage(len(group)),
        **{n: math.exp(-math.exp(getattr(fit, other))) for n, other in names.items()},
    }


def _ratio(pool: Pool, t: float, both: Sequence[Known]) -> dict[str, Any]:
    other = [float(x[0].printed.design not in PROSPECTIVE) for x in both]
    fit = mb.pool(
        _effects(both), ci="hksj", moderators="other", data=pd.DataFrame({"other": other})
    )
    row = fit.to_frame().set_index("term").loc["other"]
    names = ("estimate", "conf_low", "conf_high")
    return {
        **_head(pool, t, "ratio", both),
        "group": "Retrospective and external over prospective",
        "measure": f"Ratio of cumulative hazards up to {t:g} months",
        "unit": "ratio",
        **{n: math.exp(row[n]) for n in names},
        "p_value": row["p_value"],
    }


def _effects(group: Sequence[Known]) -> mb.EffectSizes:
    return mb.generic(
        [y for _, y, _ in group], [v for *_, v in group],
        studies=[name_of(a.printed) for a, *_ in group],
    )  # fmt: skip


def _head(pool: Pool, t: float, name: str, group: Sequence[Known]) -> dict[str, Any]:
    arms = [a for a, *_ in group]
    return {
        "key": f"{pool.name}.{name}.{t:g}",
        "time": t,
        "k": len(arms),
        "studies": ", ".join(name_of(a.printed) for a in arms),
        "n": sum(a.printed.n or 0 for a in arms),
        "grades": grades_of(arms),
        "row_ids": _ids(arms),
    }


def _ids(arms: Sequence[Rebuilt]) -> str:
    return join_ids(i for a in arms for i in a.used.row_ids)
