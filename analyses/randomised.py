"""The randomised comparisons: hazard ratios of blinatumomab against chemotherapy."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.figure import Figure as MplFigure

import metablin as mb
from metablin.meta.checks.sequence import leave_one_out
from metablin.pipeline import Evidence, Figure, Headline, Outcome, Table, analysis, slug

from ._shared import POPULATIONS, join_ids, known_trials, pooled_row, with_trials

ENDPOINTS = {
    "os": ("os",),
    "event_free": ("efs", "dfs", "rfs"),
}
TITLES = {
    "os": "Overall survival",
    "event_free": "Event-free, disease-free or relapse-free survival",
}
BLINATUMOMAB = ("blinatumomab", "blinatumomab_plus_chemotherapy")
AGES = {"adult": "Adults", "paediatric": "Children", "mixed": "Children and young adults"}


@analysis(
    title="Randomised comparisons",
    question="Does blinatumomab lengthen survival against chemotherapy, and by how much?",
    reads=("trials", "contrasts", "references"),
    order=20,
)
def randomised(evidence: Evidence) -> Outcome:
    """Pool hazard ratios over all patients randomised, by endpoint, age group and line."""
    rows = comparisons(evidence.load("contrasts"), known_trials(evidence))
    return Outcome(
        tables={
            "comparisons": Table(
                listing(rows),
                "Randomised comparisons",
                "Hazard ratios over all patients of a comparison, blinatumomab over chemotherapy; "
                "patients are those randomised.",
                unit="ratio",
            ),
            "pooled": Table(
                pooled(rows),
                "Pooled hazard ratios",
                "Random effects on the log scale, REML, Hartung-Knapp interval. Beside it: the "
                "common effect, DerSimonian-Laird, and for few trials the Bayesian model with a "
                "half-normal prior of scale 0.5 on tau.",
                unit="ratio",
            ),
            "leave_one_out": Table(
                left_out(rows),
                "Pooled hazard ratio when one comparison is left out",
                unit="ratio",
            ),
        },
        figures={
            **{name: forest_by(rows, name) for name in ENDPOINTS},
            **{f"left_out_{name}": left_out_figure(rows, name) for name in ENDPOINTS},
        },
        headlines=tuple(
            Headline(f"Hazard ratio, {title.lower()}", "pooled", f"{name}.all", "ratio")
            for name, title in TITLES.items()
        ),
        notes=(
            "The trials differ in line of treatment, age and control; the pooled ratio is an "
            "average over those settings, and the prediction interval says how far one setting may "
            "lie from it.",
            "Hazard ratios are those the reports give; where hazards cross or a plateau exists one "
            "ratio describes the difference poorly.",
        ),
    )


def comparisons(rows: pd.DataFrame, trials: pd.DataFrame) -> pd.DataFrame:
    """Return hazard ratios with intervals of whole randomised comparisons with blinatumomab."""
    found = with_trials(rows, trials)
    kept = found.loc[
        (found["design"] == "rct")
        & (found["measure"] == "hr")
        & found["arm_treatment"].isin(BLINATUMOMAB)
        & (found["arm_control"] == "chemotherapy")
        & found["subgroup"].str.fullmatch(r"all(;.*)?")
        & found[["estimate", "ci_low", "ci_high"]].notna().all(axis=1)
    ]
    group = {e: name for name, endpoints in ENDPOINTS.items() for e in endpoints}
    kept = kept.assign(group=kept["endpoint"].map(group))
    order = list(POPULATIONS)
    kept = kept.assign(order=kept["population"].map(order.index))
    return kept.sort_values(["group", "order", "trial_id"], kind="stable").reset_index(drop=True)


def effect_sizes(rows: pd.DataFrame) -> mb.EffectSizes:
    """Return the log hazard ratios of evidence rows."""
    columns = (rows["estimate"], rows["ci_low"], rows["ci_high"])
    return mb.hazard_ratios(*columns, studies=rows["label"].tolist())


def listing(rows: pd.DataFrame) -> pd.DataFrame:
    """Return one line a comparison."""
    return pd.DataFrame(
        {
            "key": rows["row_id"],
            "trial": rows["label"],
            "population": rows["population"].map(POPULATIONS),
            "age_group": rows["age_group"].map(AGES),
            "endpoint": rows["endpoint"],
            "n": rows["n_total"].astype(int),
            "estimate": rows["estimate"],
            "conf_low": rows["ci_low"],
            "conf_high": rows["ci_high"],
            "source_key": rows["source_key"],
            "row_ids": rows["row_id"] + " " + rows["trial_id"],
        }
    )


def pooled(rows: pd.DataFrame) -> pd.DataFrame:
    """Return pooled hazard ratios: all trials, by population, by age group, other models."""
    lines = []
    for name in ENDPOINTS:
        part = rows.loc[rows["group"] == name]
        groups = {"all": part}
        groups |= {p: part.loc[part["population"] == p] for p in part["population"].unique()}
        groups |= {f"age_{a}": part.loc[part["age_group"] == a] for a in part["age_group"].unique()}
        lines += [_line(name, key, chosen) for key, chosen in groups.items()]
        lines += [
            _line(name, key, chosen, "bayes", model="bayes")
            for key, chosen in groups.items()
            if len(chosen) > 1
        ]
        lines.append(_line(name, "all", part, "common", model="common", ci="z"))
        lines.append(_line(name, "all", part, "dersimonian_laird", tau2="DL", ci="z"))
    return pd.DataFrame(lines)


def _line(
    name: str, key: str, rows: pd.DataFrame, variant: str = "", **options: str
) -> dict[str, Any]:
    fit = mb.pool(effect_sizes(rows), **options)
    full = f"{name}.{key}_{variant}" if variant else f"{name}.{key}"
    n = int(rows["n_total"].sum())
    line = pooled_row(full, fit, rows, endpoint=TITLES[name], group=_words(key), n=n)
    return line | {"row_ids": join_ids([*rows["row_id"], *rows["trial_id"]])}


def _words(key: str) -> str:
    if key.startswith("age_"):
        return AGES[key.removeprefix("age_")]
    return POPULATIONS.get(key, "All randomised comparisons")


def left_out(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the pooled hazard ratio without each comparison in turn."""
    parts = []
    for name, title in TITLES.items():
        part = rows.loc[rows["group"] == name]
        frame = leave_one_out(mb.pool(effect_sizes(part))).to_frame()
        ids = [join_ids(part["row_id"].drop(i)) for i in part.index]
        keys = [f"{name}.{slug(trial)}" for trial in part["label"]]
        frame = frame.rename(columns={"term": "left_out"}).assign(endpoint=title, row_ids=ids)
        frame.insert(0, "key", keys)
        parts.append(frame)
    return pd.concat(parts, ignore_index=True)


def left_out_figure(rows: pd.DataFrame, name: str) -> Figure:
    """Return the leave-one-out picture of one group of endpoints."""
    part = rows.loc[rows["group"] == name]
    result = leave_one_out(mb.pool(effect_sizes(part)))
    frame = result.to_frame()
    figure = result.plot().figure
    assert isinstance(figure, MplFigure)
    return Figure(
        figure,
        f"One comparison left out: {TITLES[name].lower()}",
        "Pooled hazard ratio with its 95% interval when the named comparison is left out.",
        f"Pooled hazard ratio between {frame['estimate'].min():.2f} and "
        f"{frame['estimate'].max():.2f} whichever comparison is left out.",
        "leave_one_out",
    )


def forest_by(rows: pd.DataFrame, name: str) -> Figure:
    """Return the forest plot of one group of endpoints, a block a population."""
    part = rows.loc[rows["group"] == name]
    fit = mb.pool(effect_sizes(part), by=part["population"].map(POPULATIONS).tolist())
    figure = fit.plot().figure
    assert isinstance(figure, MplFigure)
    return Figure(
        figure,
        TITLES[name],
        "Hazard ratios of blinatumomab over chemotherapy on a logarithmic axis; below 1 favours "
        "blinatumomab. Diamonds are pooled ratios with 95% intervals, bars below them prediction "
        "intervals. Limits follow from the standard error and can differ from the printed ones in "
        "the last digit.",
        f"Forest plot of {part['trial_id'].nunique()} randomised comparisons; pooled hazard ratio "
        f"{fit.estimate:.2f} ({fit.conf_low:.2f} to {fit.conf_high:.2f}).",
        "pooled",
    )
