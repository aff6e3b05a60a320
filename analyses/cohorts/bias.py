"""Risk of bias of every study: answers to questions, judgements, what silence does to them."""

from __future__ import annotations

import pandas as pd

import metablin as mb
from metablin.certainty import TOOLS, RiskOfBias
from metablin.pipeline import Evidence

from ..lines import join_ids, records

ALLOCATED = "rob2"


def judged(answers: pd.DataFrame, overrides: pd.DataFrame, labels: pd.Series) -> RiskOfBias:
    """Return the judgements of every study and outcome, by the study's label.

    Parameters
    ----------
    answers, overrides : pandas.DataFrame
        Tables ``risk_of_bias`` and ``overrides``.
    labels : pandas.Series
        Label by trial.
    """
    own = overrides.loc[overrides["kind"] == "risk_of_bias"]
    own = own.rename(columns={"subject": "study", "value": "judgement"})
    mine = None if own.empty else own.assign(study=own["study"].map(labels))
    return mb.risk_of_bias(answers.assign(study=answers["study"].map(labels)), mine)


def all_judged(evidence: Evidence, trials: pd.DataFrame) -> RiskOfBias:
    """Return the judgements of every known trial with answers.

    Parameters
    ----------
    evidence : Evidence
        With ``risk_of_bias`` and ``overrides``.
    trials : pandas.DataFrame
        What ``known_trials`` returns.
    """
    labels = trials.set_index("trial_id")["label"]
    asked = evidence.load("risk_of_bias")
    if not asked["study"].isin(labels.index).any():
        return RiskOfBias(())
    known = asked.loc[asked["study"].isin(labels.index)]
    return judged(known, evidence.load("overrides"), labels)


def of_outcome(found: RiskOfBias, outcome: str) -> RiskOfBias:
    """Return the judgements of one outcome."""
    return RiskOfBias(tuple(j for j in found.judgements if j.outcome == outcome))


def some(found: RiskOfBias, outcome: str, tool: str) -> bool:
    """Return whether any study is judged by a tool, for an outcome."""
    return any(j.outcome == outcome and j.tool == tool for j in found.judgements)


def judgements(found: RiskOfBias, answers: pd.DataFrame, labels: pd.Series) -> pd.DataFrame:
    """Return one line for every study, outcome and domain, the whole of each last."""
    named = answers.assign(label=answers["study"].map(labels))
    trials = {label: trial for trial, label in labels.items()}
    lines = []
    for j in found.judgements:
        rows = named.loc[(named["label"] == j.study) & (named["outcome"] == j.outcome)]
        if j.domain != "overall":
            rows = rows.loc[rows["domain"] == j.domain]
        lines.append(
            {
                "key": f"{trials[j.study]}.{j.outcome}.{j.domain}",
                "study": j.study,
                "outcome": j.outcome,
                "tool": TOOLS[j.tool].title,
                "domain": j.domain.replace("_", " "),
                "judgement": j.judgement,
                "best": j.best,
                "worst": j.worst,
                "answers": j.answers,
                "no_information": j.no_information,
                "reason": j.reason,
                "source": j.source,
                "row_ids": join_ids([*rows["row_id"], trials[j.study]]),
            }
        )
    return pd.DataFrame(lines)


def silence(lines: pd.DataFrame) -> pd.DataFrame:
    """Return what the reports' silence does to each randomised comparison's judgement.

    Parameters
    ----------
    lines : pandas.DataFrame
        What :func:`judgements` returns.
    """
    found: list[dict[str, object]] = []
    if lines.empty:
        return pd.DataFrame()
    mine = lines.loc[lines["tool"] == TOOLS[ALLOCATED].title]
    for (study, outcome), part in mine.groupby(["study", "outcome"], sort=False):
        whole = part.loc[part["domain"] == "overall"].iloc[0]
        rest = part.loc[part["domain"] != "overall"]
        silent = rest.loc[rest["no_information"] != ""]
        found.append(
            {
                "key": whole["key"].removesuffix(".overall"),
                "study": study,
                "outcome": outcome,
                "judgement": whole["judgement"],
                "questions": sum(len(c.split()) for c in silent["no_information"]),
                "domains": len(silent),
                "where": ", ".join(silent["domain"]),
                "best": whole["best"],
                "worst": whole["worst"],
                "settled": "yes" if whole["best"] == whole["worst"] else "no",
                "published": "none recorded",
                "agreement": "nothing to compare with",
                "row_ids": whole["row_ids"],
            }
        )
    return pd.DataFrame(found)


def counts(lines: pd.DataFrame) -> dict[str, int]:
    """Return how many overall judgements of randomised comparisons silence leaves open."""
    open_ = [r for r in records(silence(lines)) if r["settled"] == "no"]
    return {"open": len(open_), "of": len(silence(lines))}
