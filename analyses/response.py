"""Haematological response to blinatumomab by population and definition."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure as MplFigure

import metablin as mb
from metablin.pipeline import Evidence, Figure, Headline, Outcome, Table, analysis
from metablin.plots import forest

from ._selection import EXCLUDED, RESPONSES, WHOLE, candidates, one_a_cohort, one_definition
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

DEFINITIONS = {
    "cr_crh": "CR or CRh",
    "cr_crh_cri": "CR, CRh or CRi",
    "cr_cri": "CR, CRh or CRi",
    "cr": "CR as the report defines it",
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
    """Pool haematological response by population and definition, with sensitivity analyses."""
    trials = known_trials(evidence)
    rows = evidence.load("proportions")
    found = candidates(rows, trials, RESPONSES)
    haematological = one_a_cohort(found, WHOLE)
    haematological = haematological.loc[haematological["population"].isin(RELAPSED)]
    same = one_definition(found)
    splits = {name: split(same, levels) for name, levels in SPLITS.items()}
    main = one_definition(haematological)
    return Outcome(
        tables={
            "cohorts": Table(
                cohorts(haematological),
                "Haematological response by cohort",
                "CR/CRh where reported, otherwise the nearest definition reported.",
                unit="proportion",
            ),
            "pooled": Table(
                pooled(main, "population", RELAPSED),
                "Pooled haematological response (CR or CRh)",
                "Cohorts that report CR with full or partial haematological recovery, the "
                "definition of the registration trials. Binomial-normal model (GLMM, exact "
                "within cohorts), t interval; two cohorts get the Bayesian model with a "
                "half-normal prior of scale 0.5 on tau; one cohort foretells no other.",
                unit="proportion",
            ),
            "by_definition": Table(
                by_definition(haematological),
                "Haematological response by population and definition",
                "Definitions are not mixed within one pool.",
                unit="proportion",
            ),
            "splits": Table(
                pd.concat(
                    [pooled(part, "subgroup", SPLITS[name]) for name, part in splits.items()],
                    ignore_index=True,
                ),
                "Response by marrow blasts and by earlier transplant",
                "CR or CRh, adults; a trial that reports another definition by blasts or earlier "
                "transplant stays out.",
                unit="proportion",
            ),
            "sensitivity": Table(
                sensitivity(haematological),
                "Haematological response under other choices",
                "The rows with any definition mix CR/CRh with CR, CRi and marrow remission: asked "
                "for here and nowhere else.",
                unit="proportion",
            ),
            "excluded": Table(excluded(), "Cohorts left out, and why"),
        },
        figures={
            "haematological": forest_by(
                ordered(haematological),
                group_and_definition(ordered(haematological)),
                "Haematological response in relapsed or refractory disease",
                "by_definition",
            ),
            **{
                name: forest_by(
                    part,
                    part["subgroup"].map(SPLIT_LABELS),
                    _split_title(name),
                    "splits",
                    overall=part["trial_id"].nunique() > 1,
                )
                for name, part in splits.items()
            },
        },
        headlines=(
            *(
                Headline(f"CR or CRh: {POPULATIONS[p]}", "pooled", p, "proportion")
                for p in RELAPSED
            ),
        ),
        notes=(
            "Response is defined differently between reports (CR/CRh, CR with any recovery, marrow "
            "remission). The pools keep to CR/CRh; other definitions stand apart, and a pool over "
            "all of them is among the other choices only.",
            "Most cohorts are single-arm; a pooled proportion has no control group.",
            "Where the binomial-normal model puts tau² at zero, its prediction interval is its "
            "confidence interval, even when Cochran's Q says the cohorts differ: the large "
            "cohorts agree, and it is the small ones that Q sees, which weigh little in the "
            "likelihood. For CR/CRh in adults with Ph-negative disease that maximum is real (R's "
            "lme4 and a slow integration find it too) but hardly higher than that at a clear "
            "tau², so that zero is no evidence of agreement; the inverse-variance line among the "
            "other choices shows how far a new cohort may be off.",
            "Retrospective cohorts of one country and the same years may share patients, which "
            "their reports do not show; they stand outside the main pools.",
        ),
    )


def _split_title(name: str) -> str:
    return {
        "blasts": "Haematological response by marrow blasts before treatment",
        "prior_hsct": "Haematological response by earlier transplant",
    }[name]


def ordered(rows: pd.DataFrame) -> pd.DataFrame:
    """Return cohorts by population and, within it, by definition, CR/CRh first."""
    place = [RELAPSED.index(p) for p in rows["population"]]
    rank = [list(DEFINITIONS).index(o) for o in rows["outcome"]]
    sorted_rows = rows.assign(place=place, rank=rank).sort_values(
        ["place", "rank", "label"], kind="stable"
    )
    return sorted_rows.reset_index(drop=True)


def group_and_definition(rows: pd.DataFrame) -> pd.Series:
    """Return population and definition of every cohort as words."""
    return rows["population"].map(POPULATIONS) + ": " + rows["outcome"].map(DEFINITIONS)


def by_definition(rows: pd.DataFrame) -> pd.DataFrame:
    """Return one pooled line for every population and definition with any cohort."""
    lines = []
    order = dict.fromkeys(DEFINITIONS.values())
    for population in RELAPSED:
        for words in order:
            here = (rows["population"] == population) & (rows["outcome"].map(DEFINITIONS) == words)
            part = rows.loc[here]
            if part.empty:
                continue
            more = {"group": POPULATIONS[population], "definition": words,
                    "events": part["events"].sum(), "n": part["n"].sum()}  # fmt: skip
            key = f"{population}.{'_or_'.join(sorted(set(part['outcome'])))}"
            lines.append(pooled_row(key, mb.pool_cohorts(effect_sizes(part)), part, **more))
    return pd.DataFrame(lines)


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
            "definition": rows["outcome"].map(DEFINITIONS).to_numpy(),
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


def sensitivity(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the pooled response of every population under other models, scales and cohorts."""
    lines = []
    for population in RELAPSED:
        part = rows.loc[rows["population"] == population]
        for name, changes in CHOICES.items():
            chosen = part if name.startswith("any_definition") else one_definition(part)
            if name.endswith("prospective"):
                chosen = chosen.loc[chosen["design"].isin(PROSPECTIVE)]
            # one cohort leaves nothing to choose
            if chosen.empty or (len(chosen) == 1 and "rule" not in changes):
                continue
            transform = str(changes.get("transform", "logit"))
            options = {k: v for k, v in changes.items() if k not in ("transform", "words", "rule")}
            if "rule" in changes:
                fit = mb.pool_cohorts(effect_sizes(chosen))
            else:
                fit = mb.pool(effect_sizes(chosen, transform), **options)
            more = {"group": POPULATIONS[population], "choice": changes["words"]}
            lines.append(pooled_row(f"{population}.{name}", fit, chosen, **more))
    return pd.DataFrame(lines)


PROSPECTIVE = ("rct", "single_arm")
CHOICES: dict[str, dict[str, str]] = {
    "main": {"words": "Main: CR or CRh, binomial-normal model", "rule": "cohorts"},
    "inverse_variance": {"words": "Inverse variance: logit, REML, Hartung-Knapp"},
    "dersimonian_laird": {"words": "DerSimonian-Laird, Wald interval", "tau2": "DL", "ci": "z"},
    "common": {"words": "Common effect", "model": "common", "ci": "z"},
    "freeman_tukey": {"words": "Freeman-Tukey scale", "transform": "freeman-tukey"},
    "arcsine": {"words": "Arcsine scale", "transform": "arcsine"},
    "any_definition": {"words": "Any definition of remission, mixed", "rule": "cohorts"},
    "any_definition_prospective": {
        "words": "Any definition, prospective cohorts only",
        "rule": "cohorts",
    },
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
