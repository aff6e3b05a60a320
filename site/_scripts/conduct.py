"""What a trial was: who, what against what, when, how many, who paid; its conduct and bias."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape

import pandas as pd
from cells import Row, block, card_table, citation, html, line

from metablin.certainty import TOOLS
from metablin.datasets import entry, said
from metablin.report import format_number
from metablin.report.words import arm_words, typeset

FACTS = {
    "registry_id": "Registry",
    "phase": "Phase",
    "design": "Design",
    "population": "Population",
    "age_range": "Age",
    "n_total": "Patients",
    "arms": "Arms",
    "dose": "Dose",
    "primary_endpoint": "Primary endpoint",
    "enrolment_start": "Enrolment from",
    "enrolment_end": "Enrolment to",
    "data_cutoff": "Data cut-off",
    "median_followup_months": "Median follow-up, months",
    "who_paid": "Who paid",
    "source_key": "Main source",
    "note": "Notes",
}
ALWAYS = ("population", "n_total", "arms", "enrolment_start", "enrolment_end")
"""Said of every trial, recorded or not."""
REVIEW = "meta_analysis"
NOT_RECORDED = "not recorded"
NOWHERE = {"who_paid": "not recorded in this base"}
"""What no table of the base holds, though readers of a trial ask for it."""
KNOWN = {**said("endpoint"), **said("outcome")}
CONDUCT = ("What", "As reported", "Source")
BIAS = ("Domain", "Risk of bias", "Why")
ASKED = {"os": "Overall survival", "event_free": "Survival without relapse or another event"}
JUDGED = (
    "Judged by the published algorithms from answers with a reason each; see [how this review was "
    "made](../about.qmd#risk-of-bias)."
)


def facts(trial: pd.Series, rows: Sequence[Row]) -> str:
    """Return the facts of a trial as an HTML table of two columns."""
    lines = []
    own = [row for row in rows if row["table"] == "trials"]
    for column, words in FACTS.items():
        value = NOWHERE.get(column) or trial[column]
        if value == "" or value != value:
            if column not in ALWAYS or trial["design"] == REVIEW:
                continue
            value = NOT_RECORDED
        if column == "design":
            value = entry("design", str(value)).words
        elif column == "phase":
            value = str(value).replace("_", " ")
        elif column == "arms":
            value = arm_words(str(value))
        elif column == "primary_endpoint":
            value = re.sub(r"[a-z]\w*", lambda m: KNOWN.get(m[0], m[0]), str(value))
        text = format_number(value, "months" if "months" in column else "count")
        text = escape(typeset(text))
        if column == "source_key" and own:
            text = citation(own[0])
        lines.append(f'<tr><th scope="row">{escape(words)}</th><td>{text}</td></tr>')
    return f'<div class="scroll"><table class="facts"><tbody>{"".join(lines)}</tbody></table></div>'


def conduct_words(conduct: pd.DataFrame, judged: pd.DataFrame, cited: Mapping[str, str]) -> str:
    """Return how a trial was conducted and how its risk of bias is judged, each with its reason."""
    parts = []
    if len(judged):
        parts += [JUDGED, html(bias_table(judged))]
    if len(conduct):
        parts.append(html(conduct_table(conduct.fillna(""), cited)))
    return "\n\n".join(parts) or "Neither conduct nor risk of bias of this study has been recorded."


def bias_table(judged: pd.DataFrame) -> str:
    """Return the judgements of a study, a block an outcome and tool, a line a domain."""
    lines = []
    for (outcome, tool), part in judged.groupby(["outcome", "tool"], sort=False):
        words = ASKED.get(str(outcome), str(outcome).replace("_", " "))
        lines.append(block(f"{words} ({TOOLS[str(tool)].title})", len(BIAS)))
        for row in part.to_dict(orient="records"):
            reason = str(row["reason"]).replace("_", " ")
            cells = (escape(row["judgement"]), escape(typeset(reason)))
            lines.append(line(row["domain"].replace("_", " ").capitalize(), cells, BIAS[1:]))
    return card_table(BIAS, lines)


def conduct_table(conduct: pd.DataFrame, cited: Mapping[str, str]) -> str:
    """Return the facts of the conduct of a trial, each with its source."""
    lines = []
    for row in conduct.to_dict(orient="records"):
        cells = (
            escape(typeset(str(row["value"]))),
            f"{cited[row['row_id']]}, {escape(typeset(str(row['locator'])))}",
        )
        lines.append(line(row["fact"].replace("_", " ").capitalize(), cells, CONDUCT[1:]))
    return card_table(CONDUCT, lines)
