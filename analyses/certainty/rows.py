"""Tables of certainty: grades, their domains, summaries of findings, without high risk."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

import metablin as mb
from metablin.certainty import SIGNS, SUGGESTED, RiskOfBias, without_high_risk
from metablin.errors import DataError

from ..cohorts.bias import of_outcome
from ..cohorts.comparisons import Choice
from ..lines import join_ids
from ..randomised.absolute import Baseline
from ..randomised.rows import TITLES, fitted, words_of
from .questions import Body

SHOWN = ("per_1000_control", "per_1000_treatment", "per_1000_difference", "per_1000_low",
         "per_1000_high")  # fmt: skip
LEFT = ("k_low", "low_estimate", "low_conf_low", "low_conf_high")


def grades(bodies: Sequence[Body]) -> pd.DataFrame:
    """Return one line a body of evidence: where it starts, where it ends, in which words."""
    lines = []
    for body in bodies:
        r = body.rated
        lines.append(
            {
                "key": body.key,
                "question": body.question.words,
                "outcome": r.outcome,
                "k": r.fit.k,
                "patients": r.patients,
                "estimate": r.fit.estimate,
                "conf_low": r.fit.conf_low,
                "conf_high": r.fit.conf_high,
                "unit": "proportion" if r.fit.measure == "proportion" else "ratio",
                "start": r.start,
                "convention": r.convention,
                "start_level": r.start_level,
                "level": r.level,
                "certainty": r.word,
                "lowered": ", ".join(d.domain for d in r.domains if d.final < 0),
                "sentence": r.sentence,
                "status": _status(body),
                "row_ids": body.row_ids,
            }
        )
    return pd.DataFrame(lines)


def _status(body: Body) -> str:
    own = [d.domain for d in body.rated.domains if d.reason]
    return f"{SUGGESTED}, but for {', '.join(own)}" if own else SUGGESTED


def domains(bodies: Sequence[Body], judged: pd.DataFrame) -> pd.DataFrame:
    """Return one line for every body and domain: rule, numbers, levels, what would change it.

    Parameters
    ----------
    bodies : sequence of Body
    judged : pandas.DataFrame
        What :func:`..cohorts.bias.judgements` returns: the rows behind a comparison's risk of bias.
    """
    lines = []
    for body in bodies:
        then = {str(r.domain): str(r.level_then) for r in body.rated.changes().itertuples()}
        lines += [
            {
                "key": f"{body.key}.{d.domain.replace(' ', '_')}",
                "question": body.question.words,
                "outcome": body.rated.outcome,
                "domain": d.domain,
                "suggested": d.suggested,
                "final": d.final,
                "rule": d.rule,
                "inputs": d.inputs,
                "would_change": d.would_change,
                "level_then": then.get(d.domain, ""),
                "override": d.reason,
                "row_ids": _ids(body, d.domain, judged),
            }
            for d in body.rated.domains
        ]
    return pd.DataFrame(lines)


def _ids(body: Body, domain: str, judged: pd.DataFrame) -> str:
    if domain != "risk of bias" or body.rated.start == "rate" or judged.empty:
        return body.row_ids
    outcome = "os" if body.key.startswith("os.") else "event_free"
    mine = judged.loc[
        judged["study"].isin(body.rated.fit.effects.studies)
        & (judged["outcome"] == outcome)
        & (judged["domain"] == "overall")
    ]
    return join_ids([body.row_ids, *mine["row_ids"]])


def findings(bodies: Sequence[Body]) -> pd.DataFrame:
    """Return the summaries of findings, a question after the other.

    Raises
    ------
    DataError
        When rows of one question stand at different times or follow different conventions.
    """
    parts = []
    for words in dict.fromkeys(b.question.words for b in bodies):
        mine = [b for b in bodies if b.question.words == words]
        table = mb.summary_of_findings([b.rated for b in mine])
        said, numbers = table.to_frame(), table.numbers()
        parts.append(
            pd.DataFrame(
                {
                    "key": [b.key for b in mine],
                    "question": words,
                    "outcome": [_when(b) for b in mine],
                    "patients": said["patients (studies)"],
                    "without": said["without"],
                    "with": said["with"],
                    "difference": said["difference"],
                    "nnt": [_needed(b) for b in mine],
                    "effect": said["effect"],
                    "certainty": [b.rated.word for b in mine],
                    "signs": [SIGNS[b.rated.level] for b in mine],
                    "lowered": said["lowered for"],
                    "sentence": said["in words"],
                    "baseline": [b.baseline for b in mine],
                    "level": numbers["level"],
                    "estimate": numbers["estimate"],
                    "conf_low": numbers["conf_low"],
                    "conf_high": numbers["conf_high"],
                    **{c: numbers[c] for c in SHOWN},
                    "row_ids": [b.row_ids for b in mine],
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def _needed(body: Body) -> str:
    absolute = body.rated.absolute
    return "" if absolute is None else str(absolute.table["nnt_text"].iloc[0])


def _when(body: Body) -> str:
    at = body.rated.at
    return body.rated.outcome if math.isnan(at) else f"{body.rated.outcome}, {at:g} months"


def sensitivity(choices: Sequence[Choice], bias: RiskOfBias) -> pd.DataFrame:
    """Return every pool of randomised comparisons without those judged at high risk overall."""
    lines = []
    for choice, fit in zip(choices, fitted(choices).values(), strict=True):
        of = of_outcome(bias, choice.endpoint).overall().set_index("study")["judgement"]
        line: dict[str, Any] = {
            "key": choice.key, "endpoint": TITLES[choice.endpoint], "group": words_of(choice.name),
            "k": fit.k, "estimate": fit.estimate, "conf_low": fit.conf_low,
            "conf_high": fit.conf_high, "high": ", ".join(s for s in choice.rows["label"]
                                                          if of[s] == "high"),
        }  # fmt: skip
        left: dict[str, Any] = dict.fromkeys(LEFT, math.nan)
        try:
            low = without_high_risk(fit, of.to_dict())
            again = fit if low.k == fit.k else mb.pool_contrasts(low.effects)
            values = (again.k, again.estimate, again.conf_low, again.conf_high)
            left, note = dict(zip(LEFT, values, strict=True)), ""
        except DataError as error:
            left, note = left | {"k_low": 0}, error.message
        ids = join_ids([*choice.rows["row_id"], *choice.rows["trial_id"]])
        lines.append(line | left | {"note": note, "row_ids": ids})
    return pd.DataFrame(lines)


def given(overrides: pd.DataFrame) -> pd.DataFrame:
    """Return the overrides as they were written; often none."""
    return overrides.rename(columns={"row_id": "key"}).assign(row_ids=overrides["row_id"])


def middle(controls: dict[float, list[Baseline]], at: float) -> Baseline | None:
    """Return the middle control group at a time; None where none is followed to it."""
    found = controls.get(at, [])
    if not found:
        return None
    by = sorted(found, key=lambda b: b.survival)
    half = len(by) // 2
    value = by[half].survival if len(by) % 2 else (by[half - 1].survival + by[half].survival) / 2
    names = ", ".join(b.label for b in found)
    label = found[0].label if len(found) == 1 else f"middle of {names}"
    return Baseline("", label, at, value, join_ids(b.row_ids for b in found))
