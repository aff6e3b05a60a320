"""Tables of response."""

from __future__ import annotations

from typing import Any

import pandas as pd

import metablin as mb
from metablin.datasets import said

from ..cohorts.designs import DESIGNS, MAIN, by_design, suffix
from ..cohorts.populations import POPULATIONS, PROSPECTIVE, RELAPSED
from ..cohorts.responses import one_definition
from ..lines import effect_sizes, pooled_row

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


def ordered(rows: pd.DataFrame) -> pd.DataFrame:
    """Return cohorts by population and, within it, by design, single-arm trials first."""
    place = [RELAPSED.index(p) for p in rows["population"]]
    rank = [DESIGNS.index(d) for d in rows["design"]]
    sorted_rows = rows.assign(place=place, rank=rank).sort_values(
        ["place", "rank", "label"], kind="stable"
    )
    return sorted_rows.reset_index(drop=True)


def group_and_design(rows: pd.DataFrame) -> pd.Series:
    """Return population and design of every cohort as words."""
    return rows["population"].map(POPULATIONS) + ": " + rows["design"].map(said("design"))


def by_definition(rows: pd.DataFrame) -> pd.DataFrame:
    """Return one pooled line for every population, definition and design with any cohort."""
    lines = []
    order = dict.fromkeys(DEFINITIONS.values())
    for population in RELAPSED:
        for words in order:
            here = (rows["population"] == population) & (rows["outcome"].map(DEFINITIONS) == words)
            part = rows.loc[here]
            key = f"{population}.{'_or_'.join(sorted(set(part['outcome'])))}"
            lines += [
                _line(f"{key}{suffix(design)}", some, design, definition=words)
                for design, some in by_design(part)
            ]
    return pd.DataFrame(lines)


def _line(key: str, rows: pd.DataFrame, design: str, **more: Any) -> dict[str, Any]:
    """Return a pooled line of cohorts of one population and design."""
    about = {
        "group": POPULATIONS[rows["population"].iloc[0]],
        "design": design,
        "studies": ", ".join(rows["study"]),
        "events": rows["events"].sum(),
        "n": rows["n"].sum(),
    }
    return pooled_row(key, mb.pool_cohorts(effect_sizes(rows)), rows, **about, **more)


def by_population(rows: pd.DataFrame) -> pd.DataFrame:
    """Return one pooled line for every population and design: designs never share a pool."""
    lines = [
        _line(f"{population}{suffix(design)}", part, design)
        for population in RELAPSED
        for design, part in by_design(rows.loc[rows["population"] == population])
    ]
    return pd.DataFrame(lines)


def cohorts(rows: pd.DataFrame) -> pd.DataFrame:
    """Return one line a cohort: definition, counts, rate with its interval."""
    frame = effect_sizes(rows).to_frame()
    return pd.DataFrame(
        {
            "key": rows["row_id"].to_numpy(),
            "study": rows["study"].to_numpy(),
            "population": rows["population"].map(POPULATIONS).to_numpy(),
            "design": rows["design"].to_numpy(),
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
    whole = mb.pool(effect_sizes(rows), by=rows[column].tolist())
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
            designs = DESIGNS_OF.get(name.removeprefix("any_definition_"), (MAIN,))
            if name not in MIXED:
                chosen = chosen.loc[chosen["design"].isin(designs)]
            # one cohort leaves nothing to choose
            if chosen.empty or (len(chosen) == 1 and "rule" not in changes):
                continue
            transform = changes.get("transform", "logit")
            options = {k: v for k, v in changes.items() if k not in ("transform", "words", "rule")}
            if "rule" in changes:
                fit = mb.pool_cohorts(effect_sizes(chosen))
            else:
                fit = mb.pool(effect_sizes(chosen, transform), **options)
            more = {"group": POPULATIONS[population], "choice": changes["words"]}
            lines.append(pooled_row(f"{population}.{name}", fit, chosen, **more))
    return pd.DataFrame(lines)


CHOICES: dict[str, dict[str, Any]] = {
    "main": {"words": "Main: CR or CRh, single-arm trials, rule for few studies", "rule": "few"},
    "mixed_model": {"words": "Binomial-normal model, t interval", "model": "glmm", "ci": "t"},
    "half_normal": {"words": "Bayesian, half-normal prior of scale 0.5", "model": "bayes"},
    "inverse_variance": {"words": "Inverse variance: logit, REML, Hartung-Knapp"},
    "dersimonian_laird": {"words": "DerSimonian-Laird, Wald interval", "tau2": "DL", "ci": "z"},
    "common": {"words": "Common effect", "model": "common", "ci": "z"},
    "freeman_tukey": {"words": "Freeman-Tukey scale", "transform": "freeman-tukey"},
    "arcsine": {"words": "Arcsine scale", "transform": "arcsine"},
    "prospective": {"words": "Single-arm and randomised trials together", "rule": "few"},
    "any_design": {"words": "All designs together", "rule": "few"},
    "any_definition": {"words": "Any definition of remission, all designs", "rule": "few"},
    "any_definition_prospective": {
        "words": "Any definition, single-arm and randomised trials together",
        "rule": "few",
    },
}
MIXED = ("any_design", "any_definition")
DESIGNS_OF = {"prospective": PROSPECTIVE}


def excluded(trials: pd.DataFrame) -> pd.DataFrame:
    """Return the cohorts that no pool takes patients from, with the reason in `screening`."""
    rows = trials.loc[trials["left_out"] != ""]
    return pd.DataFrame(
        {"key": rows["trial_id"].to_numpy(), "study": rows["label"].to_numpy(),
         "reason": rows["left_out"].to_numpy(), "row_ids": rows["trial_id"].to_numpy()}
    )  # fmt: skip
