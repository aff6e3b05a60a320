"""What a trial was: who, what against what, when, how many, who paid; its conduct and bias."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape

import pandas as pd
from cells import citation, html, plain_table

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
    "source_key": "Main source",
    "note": "Notes",
}
ALWAYS = ("population", "n_total", "arms", "enrolment_start", "enrolment_end")
"""Said of every trial, recorded or not."""
REVIEW = "meta_analysis"
NOT_RECORDED = "not recorded"
PAID = "Who paid"
"""No table of the base holds it, which a reader of a trial wants to be told."""
KNOWN = {**said("endpoint"), **said("outcome")}
CONDUCT = ("What", "As reported", "Source")
JUDGED = {"outcome": "Outcome", "domain": "Domain", "judgement": "Risk of bias", "reason": "Why"}


def facts(trial: pd.Series, rows: pd.DataFrame) -> str:
    """Return the facts of a trial as an HTML table of two columns."""
    lines = []
    own = rows.loc[rows["table"] == "trials"].to_dict(orient="records")
    for column, words in FACTS.items():
        value = trial[column]
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
    lines.append(f'<tr><th scope="row">{PAID}</th><td>{NOT_RECORDED} in this base</td></tr>')
    return f'<div class="scroll"><table class="facts"><tbody>{"".join(lines)}</tbody></table></div>'


def conduct_words(conduct: pd.DataFrame, judged: pd.DataFrame, cited: Mapping[str, str]) -> str:
    """Return how a trial was conducted and how its risk of bias is judged, each with its reason."""
    parts = []
    if len(judged):
        reasons = judged["reason"].str.replace("_", " ")
        shown = judged.assign(
            outcome=judged["outcome"].str.replace("_", "-").map(lambda o: KNOWN.get(o, o)),
            domain=judged["domain"].str.replace("_", " "),
            reason=reasons,
        )
        parts.append(html(plain_table(shown, JUDGED)))
    if len(conduct):
        shown = conduct.fillna("")
        body = "".join(
            f"<tr><td>{escape(fact.replace('_', ' ').capitalize())}</td>"
            f"<td>{escape(typeset(str(value)))}</td>"
            f"<td>{cited[row]}, {escape(typeset(str(place)))}</td></tr>"
            for row, fact, value, place in shown[["row_id", "fact", "value", "locator"]].itertuples(
                index=False, name=None
            )
        )
        head = "".join(f'<th scope="col">{words}</th>' for words in CONDUCT)
        parts.append(
            html(
                f'<div class="scroll"><table><thead><tr>{head}</tr></thead>'
                f"<tbody>{body}</tbody></table></div>"
            )
        )
    said = "Judged by the published algorithms from answers with a reason each; see [how this "
    said += "review was made](../about.qmd#risk-of-bias)."
    if not parts:
        return "Neither conduct nor risk of bias of this study has been recorded."
    return "\n\n".join([said, *parts] if len(judged) else parts)
