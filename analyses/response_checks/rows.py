"""Tables of the checks on response."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

import metablin as mb
from metablin.meta.checks.bias import begg, egger, peters
from metablin.meta.checks.gosh import gosh
from metablin.meta.checks.influence import influence
from metablin.meta.checks.sequence import leave_one_out
from metablin.pipeline import slug
from metablin.report.words import patients_words

from ..cohorts.populations import POPULATIONS, RELAPSED, SPLITS, split
from ..lines import effect_sizes, join_ids

# Fewer cohorts than this say nothing about asymmetry or influence.
MIN_COHORTS = 5


# One trial pools with nobody; two cannot show how much trials differ (half-normal prior on tau).
WITHIN: dict[int, dict[str, Any]] = {1: {"model": "common", "ci": "z"}, 2: {"model": "bayes"}}
GOSH_SEED = 20240401


def large_groups(rows: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Return the populations with enough cohorts to check, and these."""
    groups = [(p, rows.loc[rows["population"] == p]) for p in RELAPSED]
    return [(p, part) for p, part in groups if len(part) >= MIN_COHORTS]


def features(rows: pd.DataFrame) -> pd.DataFrame:
    """Return cohort rows with the features the regressions use."""
    prospective = rows["design"].isin(["rct", "single_arm"])
    return rows.assign(
        age=np.where(rows["population"] == "paediatric_rr", "children", "adults"),
        ph=np.where(rows["population"] == "adult_rr_ph_positive", "positive", "negative_or_mixed"),
        study_design=np.where(prospective, "prospective", "retrospective"),
        definition=np.where(rows["outcome"] == "cr_crh", "cr_crh", "other"),
    ).reset_index(drop=True)


FEATURES = {
    "age": "Age group (children against adults)",
    "ph": "Ph-positive against the rest",
    "study_design": "Retrospective against prospective",
    "definition": "Other definition against CR/CRh",
}


def moderators(rows: pd.DataFrame) -> pd.DataFrame:
    """Return one line a coefficient of the one-feature regressions over all cohorts."""
    lines: list[dict[str, Any]] = []
    for name, words in FEATURES.items():
        fit = mb.pool(effect_sizes(rows), moderators=name, data=rows[[name]])
        lines += _coefficients(name, words, fit, rows)
    return pd.DataFrame(lines)


def split_moderators(found: pd.DataFrame) -> pd.DataFrame:
    """Return the odds ratio of blasts and of earlier transplant within trials that report both."""
    lines: list[dict[str, Any]] = []
    for name, levels in SPLITS.items():
        rows = split(found, levels)
        if rows.empty:
            continue
        counts = rows.pivot(index="trial_id", columns="subgroup", values=["events", "n"])
        low, high = levels
        sizes = mb.two_by_two(
            counts["events"][high], counts["n"][high], counts["events"][low], counts["n"][low],
            studies=counts.index.tolist(),
        )  # fmt: skip
        fit = mb.pool(sizes, **WITHIN.get(sizes.k, {}))
        more, fewer = (patients_words(level) for level in (high, low))
        words = f"{more[0].upper()}{more[1:]} against {fewer}"
        lines.append(_within(name, words, fit, rows))
    return pd.DataFrame(lines)


def _within(name: str, words: str, fit: mb.MetaFit, rows: pd.DataFrame) -> dict[str, Any]:
    full = fit.to_dict()
    return {
        "key": f"{name}.{name}",
        "feature": words,
        "term": "within trials",
        "k": fit.k,
        "log_odds_ratio": float(np.log(full["estimate"])),
        "std_error": float(fit.to_frame()["std_error"].iloc[0]),
        "p_value": full["p_value"],
        "estimate": full["estimate"],
        "conf_low": full["conf_low"],
        "conf_high": full["conf_high"],
        "tau2": full["tau2"],
        "moderator_p": full["p_value"],
        "row_ids": join_ids(rows["row_id"]),
    }


def _coefficients(
    name: str, words: str, fit: mb.MetaFit, rows: pd.DataFrame
) -> list[dict[str, Any]]:
    full = fit.to_dict()
    return [
        {
            "key": f"{name}.{slug(c['term'])}",
            "feature": words,
            "term": c["term"],
            "k": fit.k,
            "log_odds_ratio": c["estimate"],
            "std_error": c["std_error"],
            "p_value": c["p_value"],
            "estimate": np.exp(c["estimate"]),
            "conf_low": np.exp(c["conf_low"]),
            "conf_high": np.exp(c["conf_high"]),
            "tau2": full["tau2"],
            "r2": full["r2"],
            "moderator_p": full["qm_p"],
            "row_ids": join_ids(rows["row_id"]),
        }
        for c in full["coefficients"]
        if c["term"] != "Intercept"
    ]


def influences(fits: dict[str, mb.MetaFit]) -> pd.DataFrame:
    """Return influence measures of every cohort within its population."""
    parts = [
        influence(fit).to_frame().assign(population=POPULATIONS[p], key=_keys(p, fit))
        for p, fit in fits.items()
    ]
    return _key_first(pd.concat(parts, ignore_index=True))


def left_out(fits: dict[str, mb.MetaFit]) -> pd.DataFrame:
    """Return the pooled response without each cohort in turn."""
    parts = [
        leave_one_out(fit)
        .to_frame()
        .rename(columns={"term": "left_out"})
        .assign(population=POPULATIONS[p], key=_keys(p, fit))
        for p, fit in fits.items()
    ]
    return _key_first(pd.concat(parts, ignore_index=True))


def _keys(population: str, fit: mb.MetaFit) -> list[str]:
    return [f"{population}.{slug(study)}" for study in fit.effects.studies]


def _key_first(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[["key", *(c for c in frame.columns if c != "key")]]


def small_study(fits: dict[str, mb.MetaFit]) -> pd.DataFrame:
    """Return Egger's, Peters' and Begg's tests for every population."""
    lines = []
    for p, fit in fits.items():
        for test in (peters(fit), egger(fit), begg(fit)):
            frame = test.to_frame()
            columns = ["method", "k", "estimate", "std_error", "statistic", "p_value"]
            line = frame[columns].iloc[0].to_dict()
            lines.append({"key": f"{p}.{line['method']}", "population": POPULATIONS[p], **line})
    return pd.DataFrame(lines)


def subsets(fits: dict[str, mb.MetaFit]) -> pd.DataFrame:
    """Return the spread of the pooled response over subsets of cohorts."""
    lines = []
    for p, fit in fits.items():
        frame = gosh(fit, seed=GOSH_SEED).to_frame()
        low, middle, high = np.quantile(frame["estimate"], [0.025, 0.5, 0.975])
        lines.append(
            {
                "key": p,
                "population": POPULATIONS[p],
                "subsets": len(frame),
                "median": middle,
                "low": low,
                "high": high,
                "i2_median": float(frame["i2"].median()),
            }
        )
    return pd.DataFrame(lines)
