"""Response to blinatumomab: haematological response by population, MRD response by denominator."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure as MplFigure

import metablin as mb
from metablin.pipeline import Evidence, Figure, Headline, Outcome, Table, analysis
from metablin.plots import forest

from ._selection import (
    EVALUABLE,
    EXCLUDED,
    IN_REMISSION,
    MRD_RESPONSES,
    RESPONDERS,
    RESPONSES,
    WHOLE,
    candidates,
    one_a_cohort,
)
from ._shared import (
    POPULATIONS,
    RELAPSED,
    SPLITS,
    by_group,
    effect_sizes,
    known_trials,
    pooled_row,
    split,
)

DENOMINATORS = {
    "treated": "of all treated",
    "evaluable": "of those evaluable for MRD",
    "responders": "of haematological responders",
}
SPLIT_LABELS = {
    "blasts=<50": "Blasts below 50%",
    "blasts=>=50": "Blasts 50% or more",
    "prior_hsct=no": "No earlier transplant",
    "prior_hsct=yes": "Earlier transplant",
}


@analysis(
    title="Response",
    question="Who responds to blinatumomab, and how far does the answer vary between trials?",
    reads=("trials", "proportions", "references"),
    order=10,
)
def response(evidence: Evidence) -> Outcome:
    """Pool haematological and MRD response by population, with sensitivity analyses."""
    trials = known_trials(evidence)
    rows = evidence.load("proportions")
    found = candidates(rows, trials, RESPONSES)
    haematological = one_a_cohort(found, WHOLE)
    haematological = haematological.loc[haematological["population"].isin(RELAPSED)]
    splits = {name: split(found, levels) for name, levels in SPLITS.items()}
    mrd = mrd_rows(rows, trials)
    return Outcome(
        tables={
            "cohorts": Table(
                cohorts(haematological),
                "Haematological response by cohort",
                "CR/CRh where reported, otherwise the nearest definition reported.",
            ),
            "pooled": Table(
                pooled(haematological, "population", RELAPSED),
                "Pooled haematological response",
                "Binomial-normal model (GLMM, exact within cohorts), t interval; two cohorts "
                "get the Bayesian model with a half-normal prior of scale 0.5 on tau.",
            ),
            "splits": Table(
                pd.concat(
                    [pooled(part, "subgroup", SPLITS[name]) for name, part in splits.items()],
                    ignore_index=True,
                ),
                "Response by marrow blasts and by earlier transplant",
            ),
            "mrd_cohorts": Table(cohorts(mrd), "MRD response by cohort"),
            "mrd": Table(
                pooled_mrd(mrd),
                "Pooled MRD response by population and denominator",
                "Denominators are never mixed within one pool.",
            ),
            "sensitivity": Table(
                sensitivity(haematological), "Haematological response under other choices"
            ),
            "excluded": Table(excluded(), "Cohorts left out, and why"),
        },
        figures={
            "haematological": forest_by(
                haematological,
                haematological["population"].map(POPULATIONS),
                "Haematological response in relapsed or refractory disease",
                "pooled",
            ),
            **{
                name: forest_by(
                    part,
                    part["subgroup"].map(SPLIT_LABELS),
                    _split_title(name),
                    "splits",
                    overall=True,
                )
                for name, part in splits.items()
            },
            "mrd": forest_by(
                mrd.loc[mrd["population"] == "mrd_positive"],
                mrd.loc[mrd["population"] == "mrd_positive", "denominator"].map(DENOMINATORS),
                "MRD response of patients in remission with MRD",
                "mrd",
            ),
            "mrd_responders": forest_by(
                _responders(mrd),
                _responders(mrd)["population"].map(POPULATIONS),
                "MRD response among haematological responders",
                "mrd",
            ),
        },
        headlines=(
            *(Headline(f"Response: {POPULATIONS[p]}", "pooled", p, "proportion") for p in RELAPSED),
            Headline(
                "MRD response: in remission with MRD",
                "mrd",
                "mrd_positive.evaluable",
                "proportion",
            ),
        ),
        notes=(
            "Response is defined differently between trials (CR/CRh, CR with any recovery, marrow "
            "remission); the definition of each cohort is in the table.",
            "Most cohorts are single-arm; a pooled proportion has no control group.",
        ),
    )


def _split_title(name: str) -> str:
    return {
        "blasts": "Haematological response by marrow blasts before treatment",
        "prior_hsct": "Haematological response by earlier transplant",
    }[name]


def _responders(mrd: pd.DataFrame) -> pd.DataFrame:
    return mrd.loc[(mrd["denominator"] == "responders") & mrd["population"].isin(RELAPSED)]


def mrd_rows(rows: pd.DataFrame, trials: pd.DataFrame) -> pd.DataFrame:
    """Return one MRD response a cohort and denominator."""
    found = candidates(rows, trials, MRD_RESPONSES)
    return one_a_cohort(found, (*WHOLE, *IN_REMISSION, *RESPONDERS, *EVALUABLE))


def cohorts(rows: pd.DataFrame) -> pd.DataFrame:
    """Return one line a cohort: definition, counts, rate with its interval."""
    frame = effect_sizes(rows).to_frame()
    return pd.DataFrame(
        {
            "key": rows["row_id"].to_numpy(),
            "study": rows["study"].to_numpy(),
            "population": rows["population"].map(POPULATIONS).to_numpy(),
            "design": rows["design"].str.replace("_", " ").to_numpy(),
            "outcome": rows["outcome"].to_numpy(),
            "denominator": rows["denominator"].map(DENOMINATORS).to_numpy(),
            "events": rows["events"].to_numpy(),
            "n": rows["n"].to_numpy(),
            "estimate": (rows["events"] / rows["n"]).to_numpy(),
            "conf_low": frame["conf_low"].to_numpy(),
            "conf_high": frame["conf_high"].to_numpy(),
            "source_key": rows["source_key"].to_numpy(),
            "row_ids": rows["row_id"].to_numpy(),
        }
    )


def pooled(rows: pd.DataFrame, column: str, levels: tuple[str, ...]) -> pd.DataFrame:
    """Return one pooled line for every level of a column, with the test between them."""
    whole = mb.pool(effect_sizes(rows), by=rows[column].to_numpy())
    test = whole.subgroup_test
    lines = []
    for name in levels:
        part = rows.loc[rows[column] == name]
        more = {
            "group": POPULATIONS.get(name, SPLIT_LABELS.get(name, name)),
            "events": part["events"].sum(),
            "n": part["n"].sum(),
        }
        lines.append(pooled_row(_key(name), mb.pool_cohorts(effect_sizes(part)), part, **more))
    return pd.DataFrame(lines).assign(between_groups_p=test.p_value if test else float("nan"))


def _key(name: str) -> str:
    return name.replace("=", ".").replace("<", "below_").replace(".>.", ".from_")


def pooled_mrd(rows: pd.DataFrame) -> pd.DataFrame:
    """Return one pooled line for every population and denominator with any cohort."""
    lines = []
    for population in POPULATIONS:
        for denominator, words in DENOMINATORS.items():
            part = rows.loc[
                (rows["population"] == population) & (rows["denominator"] == denominator)
            ]
            if part.empty:
                continue
            more = {
                "group": POPULATIONS[population],
                "denominator": words,
                "events": part["events"].sum(),
                "n": part["n"].sum(),
            }
            fit = mb.pool_cohorts(effect_sizes(part))
            lines.append(pooled_row(f"{population}.{denominator}", fit, part, **more))
    return pd.DataFrame(lines)


def sensitivity(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the pooled response of every population under other models, scales and cohorts."""
    lines = []
    for population in RELAPSED:
        part = rows.loc[rows["population"] == population]
        for name, changes in CHOICES.items():
            chosen = part.loc[part["design"].isin(PROSPECTIVE)] if name == "prospective" else part
            if name == "cr_crh_only":
                chosen = part.loc[part["outcome"] == "cr_crh"]
            if chosen.empty:
                continue
            transform = str(changes.get("transform", "logit"))
            options = {k: v for k, v in changes.items() if k not in ("transform", "words")}
            if name in ("main", "prospective", "cr_crh_only"):
                fit = mb.pool_cohorts(effect_sizes(chosen))
            else:
                fit = mb.pool(effect_sizes(chosen, transform), **options)
            more = {"group": POPULATIONS[population], "choice": changes["words"]}
            lines.append(pooled_row(f"{population}.{name}", fit, chosen, **more))
    return pd.DataFrame(lines)


PROSPECTIVE = ("rct", "single_arm")
CHOICES: dict[str, dict[str, str]] = {
    "main": {"words": "Main: binomial-normal model"},
    "inverse_variance": {"words": "Inverse variance: logit, REML, Hartung-Knapp"},
    "dersimonian_laird": {"words": "DerSimonian-Laird, Wald interval", "tau2": "DL", "ci": "z"},
    "common": {"words": "Common effect", "model": "common", "ci": "z"},
    "freeman_tukey": {"words": "Freeman-Tukey scale", "transform": "freeman-tukey"},
    "arcsine": {"words": "Arcsine scale", "transform": "arcsine"},
    "prospective": {"words": "Prospective cohorts only"},
    "cr_crh_only": {"words": "Only cohorts that report CR/CRh"},
}


def excluded() -> pd.DataFrame:
    """Return the cohorts left out by name."""
    return pd.DataFrame({"key": list(EXCLUDED), "reason": list(EXCLUDED.values())})


def forest_by(
    rows: pd.DataFrame, groups: pd.Series, title: str, table: str, *, overall: bool = False
) -> Figure:
    """Return a forest plot with one block a group."""
    fit = by_group(rows, groups)
    figure = forest(fit, overall=overall).figure
    assert isinstance(figure, MplFigure)
    parts = "; ".join(
        f"{name}: {100 * part.estimate:.0f}%, {part.k} cohorts"
        for name, part in fit.subgroups.items()
    )
    return Figure(
        figure,
        title,
        "Squares are cohorts, their area the share of patients; diamonds are pooled proportions "
        "with 95% intervals, bars below them prediction intervals for a new cohort.",
        f"Forest plot. {parts}.",
        table,
    )
