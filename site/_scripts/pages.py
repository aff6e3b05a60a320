"""Pages written from the evidence: one a trial, and one an analysis that lists its sources."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pandas as pd
from curves import AS_IT_IS, FOLDER, Gallery
from rows import sentences, share

from metablin.certainty import risk_of_bias
from metablin.datasets import entry, load, said
from metablin.pipeline.trace import evidence_rows
from metablin.report import format_number
from metablin.report.words import (
    arm_words,
    outcome_words,
    patients_words,
    short_names,
    typeset,
)

REPORTED = {
    "proportions": "Proportions",
    "survival": "Survival",
    "contrasts": "Comparisons",
    "mrd_stratified": "Outcome by MRD response",
    "safety": "Adverse events",
    "pharmacokinetics": "Pharmacokinetics",
}
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
KNOWN = {**said("endpoint"), **said("outcome")}
LEGEND = (
    "Rows in grey are kept for the record; another report of the same quantity is used in the "
    "analyses. *Primary*: read in the trial's own paper, abstract, register or label; *quoted "
    "elsewhere*: read in a review or another paper; *derived*: computed, as the note says."
)
READOUT = 'class="readout"'
ARMS = {
    "arm": "Arm",
    "patients": "Patients",
    "endpoint": "Endpoint",
    "n": "n",
    "events": "Events",
    "median": "Median, months",
    "landmarks": "Survival at month",
    "status": "Outcome",
    "grade": "Grade",
    "verdict": "Against the print",
    "differing_items": "What differs",
}
DISAGREEMENTS = {
    "item": "What",
    "value_a": "One source",
    "value_b": "Another",
    "used": "Used here",
    "reason": "Why",
    "discrepancy_id": "Number",
}
CONDUCT = ("What", "As reported", "Source")
JUDGED = {"outcome": "Outcome", "domain": "Domain", "judgement": "Risk of bias", "reason": "Why"}
CLAIMS = {"statement": "Statement", "printed": "Printed", "where": "Where", "claim_id": "Claim"}


def trial_pages(results: Path, folder: Path) -> dict[str, str]:
    """Return one page for every trial, by file name; its curves are drawn below `folder`."""
    gallery = Gallery(results, folder / FOLDER)
    rows = evidence()
    by_id = rows.set_index("row_id")["trial_id"]
    cited = dict(zip(rows["row_id"], rows.apply(citation, axis=1), strict=True))
    claims = load("claims")
    discrepancies = load("discrepancies")
    touched = discrepancies["row_ids"].map(
        lambda ids: {by_id.get(i, "") for i in str(ids).split() if i in by_id.index}
    )
    labels = short_names()
    judged = risk_of_bias(load("risk_of_bias")).to_frame()
    conduct = load("conduct", all_rows=True)
    pages = {}
    for _, trial in load("trials", all_rows=True).iterrows():
        name = trial["trial_id"]
        pairs = zip(discrepancies["trial_id"], touched, strict=True)
        about = [(d == name) or (name in t) for d, t in pairs]
        arms = reconstructions(results, set(rows.loc[rows["trial_id"] == name, "row_id"]))
        pages[f"{name}.qmd"] = trial_page(
            trial,
            labels[name],
            rows.loc[rows["trial_id"] == name],
            discrepancies.loc[about],
            claims.loc[claims["trial_id"] == name],
            reconstruction_words(arms, gallery.show(name, labels[name], arms)),
            conduct_words(
                conduct.loc[conduct["trial_id"] == name],
                judged.loc[judged["study"] == name],
                cited,
            ),
        )
    gallery.close()
    return pages


def trial_page(
    trial: pd.Series,
    label: str,
    rows: pd.DataFrame,
    discrepancies: pd.DataFrame,
    claims: pd.DataFrame,
    reconstruction: str,
    conduct: str,
) -> str:
    """Return the page of one trial as a Quarto document without code."""
    about = f"Every number about {label} in the evidence base, with its source."
    parts = [
        front_matter(label, about, script="curve.js" if READOUT in reconstruction else ""),
        html(facts(trial, rows)),
        "## Conduct and risk of bias",
        conduct,
        "## Survival, reconstructed",
        reconstruction,
        f"## What was reported\n\n{LEGEND}",
    ]
    for table, title in REPORTED.items():
        part = rows.loc[rows["table"] == table]
        if len(part):
            parts += [f"### {title}", html(evidence_table(part))]
    if not rows["table"].isin(list(REPORTED)).any():
        parts.append("No row of results is recorded for this trial yet.")
    parts += ["## Disagreements between sources", discrepancy_words(discrepancies)]
    if len(claims):
        parts += [
            "## What reviews print about it",
            "Each is recomputed in the [claim ledger](../reproducibility.qmd#claim-ledger).",
            html(plain_table(claims.assign(where=claim_places(claims)), CLAIMS)),
        ]
    return "\n\n".join(parts) + "\n"


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


def reconstructions(results: Path, ids: set[str]) -> pd.DataFrame:
    """Return the arms reconstructed from any of these rows; empty when there is none."""
    path = results / "reconstruction" / "arms.csv"
    if not path.is_file():
        return pd.DataFrame()
    frame = pd.read_csv(path, dtype={"row_ids": str}).fillna({"row_ids": ""})
    return frame.loc[[not ids.isdisjoint(cell.split()) for cell in frame["row_ids"]]]


def reconstruction_words(arms: pd.DataFrame, pictures: str) -> str:
    """Return what is known of the reconstructed curves of a trial: pictures, then the list."""
    if arms.empty:
        return "No arm of this trial has been reconstructed in the results published here."
    arms = arms.fillna("").assign(
        patients=arms["patients"].map(patients_words),
        endpoint=arms["endpoint"].map(outcome_words),
        landmarks=arms["landmarks"].fillna("").map(landmark_words),
    )
    shown = {c: words for c, words in ARMS.items() if (arms[c].astype(str) != "").any()}
    return (
        "Patients rebuilt from what is printed; the [survival page]"
        "(../survival.qmd#reconstructed-curves) says how and what the grades mean.\n\n"
        + pictures
        + "\n\nEvery arm with its grade, and how its reconstruction compares with the print:\n\n"
        + html(plain_table(arms, shown))
    )


def landmark_words(text: str) -> str:
    """Return landmarks as percentages: ``0.31 (0.2-0.4) at 6`` is ``31% (20% to 40%) at 6``."""
    shares = re.sub(r"(?<![\d.])(?:0\.\d+|[01](?= at| \())", lambda m: share(float(m[0])), text)
    return re.sub(r"(?<=%)-(?=[\d.]+%)", " to ", shares)


def claim_places(claims: pd.DataFrame) -> list[str]:
    """Return review and place of every claim."""
    pairs = zip(claims["seed"], claims["locator"], strict=True)
    return [typeset(f"seed {seed}, {place}") for seed, place in pairs]


def discrepancy_words(rows: pd.DataFrame) -> str:
    """Return the disagreements about a trial."""
    if rows.empty:
        return "None is recorded."
    return html(plain_table(rows, DISAGREEMENTS))


def evidence() -> pd.DataFrame:
    """Return every row of the evidence with ``what`` and ``value`` as sentences."""
    rows = evidence_rows().join(sentences(), on="row_id")
    plain = rows[["item", "reported"]].map(lambda text: re.sub("[_=]", " ", typeset(str(text))))
    rows["what"] = rows["what"].fillna(plain["item"]).map(typeset)
    rows["value"] = rows["value"].fillna(plain["reported"]).map(typeset)
    rows["trial"] = rows["trial_id"].map(short_names())
    return rows.fillna({"trial": ""})


def facts(trial: pd.Series, rows: pd.DataFrame) -> str:
    """Return the facts of a trial as an HTML table of two columns."""
    lines = []
    own = rows.loc[rows["table"] == "trials"].to_dict(orient="records")
    for column, words in FACTS.items():
        value = trial[column]
        if value == "" or value != value:
            continue
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


def source_pages(results: Path) -> dict[str, str]:
    """Return one page for every analysis with the evidence behind each of its tables."""
    everything = evidence().drop_duplicates("row_id").set_index("row_id", drop=False)
    pages = {}
    for path in sorted(results.glob("*/outcome.json")):
        words = json.loads(path.read_text("utf-8"))
        title = f"Sources: {words['title']}"
        parts = [sources_head(title, f"The evidence rows behind {words['title'].lower()}.")]
        parts.append(
            "Each row is one number read from one place; its identifier leads to the page of its "
            "[trial](../trials.qmd), with everything else that was reported there. " + LEGEND
        )
        for name, table in words["tables"].items():
            parts.append(f"## {table['title']} {{#{anchor(name)}}}")
            frame = pd.read_csv(path.with_name(f"{name}.csv"), dtype=str, keep_default_na=False)
            parts.append(source_section(frame, everything))
        pages[f"{words['name']}.qmd"] = "\n\n".join(parts) + "\n"
    return pages


def sources_head(title: str, description: str) -> str:
    """Return the head of a page of sources; the search finds its rows on the trials' own pages."""
    return front_matter(title, description).removesuffix("---") + "search: false\n---"


def source_section(frame: pd.DataFrame, everything: pd.DataFrame) -> str:
    """Return the evidence rows that a result table names."""
    if "row_ids" not in frame:
        return "This table is derived from the other tables of the analysis and names no rows."
    ids = list(dict.fromkeys(i for cell in frame["row_ids"] for i in cell.split()))
    known = [i for i in ids if i in everything.index]
    return html(evidence_table(everything.loc[known], link=True))


def anchor(name: str) -> str:
    """Return a table's name as an identifier."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def evidence_table(rows: pd.DataFrame, *, link: bool = False) -> str:
    """Return evidence rows as an HTML table; with `link` they name their trial and lead to it."""
    printed = bool((rows["printed"] != "").any())
    heads = (
        *(["Trial"] * link),
        "What",
        "Value",
        *(["Printed"] * printed),
        "Source",
        "Where",
        "Row",
    )
    head = "".join(f'<th scope="col">{c}</th>' for c in heads)
    body = "".join(evidence_line(row, link, printed) for row in rows.to_dict(orient="records"))
    return (
        f'<div class="scroll"><table class="evidence"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def evidence_line(row: Mapping[Any, Any], link: bool, printed: bool) -> str:
    """Return one evidence row as a line of an HTML table."""
    name = escape(row["row_id"])
    place = f' id="{name}"'
    if link:
        place = ""
        if row["trial_id"] and row["table"] in REPORTED:
            name = f'<a href="../trials/{row["trial_id"]}.html#{name}">{name}</a>'
        elif row["table"] == "trials":
            name = f'<a href="../trials/{name}.html">{name}</a>'
    trial = f"<td>{escape(row['trial'])}</td>" if link else ""
    note = f"<br><small>{escape(typeset(row['note']))}</small>" if row["note"] else ""
    kind = "" if row["preferred"] else ' class="aside"'
    as_printed = f"<td>{escape(typeset(row['printed']))}</td>" if printed else ""
    confidence = entry("confidence", row["confidence"]).words if row["confidence"] else ""
    where = f"{typeset(row['locator'])} ({confidence})"
    return (
        f'<tr{place}{kind}>{trial}<td class="what">{escape(row["what"])}</td>'
        f'<td class="value">{escape(row["value"])}</td>{as_printed}'
        f'<td class="source">{citation(row)}</td><td class="where">{escape(where)}{note}</td>'
        f'<td class="id">{name}</td></tr>'
    )


def citation(row: Mapping[Any, Any]) -> str:
    """Return a citation with a link to the work, or to the page on which the number was read."""
    name = row["citation"] or row["source_key"] or urlsplit(str(row["source_url"])).netloc
    text = escape(typeset(name))
    if row["doi"]:
        return f'<a href="https://doi.org/{escape(row["doi"])}">{text}</a>'
    if str(row["source_url"]).startswith("http"):
        return f'<a href="{escape(row["source_url"])}">{text}</a>'
    return text


def plain_table(frame: pd.DataFrame, columns: Mapping[str, str]) -> str:
    """Return columns of a frame as an HTML table; `columns` are their headings."""
    head = "".join(f'<th scope="col">{escape(words)}</th>' for words in columns.values())
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(typeset(format_number(v)))}</td>" for v in values) + "</tr>"
        for values in frame[list(columns)].itertuples(index=False, name=None)
    )
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def html(text: str) -> str:
    """Return HTML as a raw block of a Quarto document."""
    return f"```{{=html}}\n{AS_IT_IS}\n{text}\n```"


def front_matter(title: str, description: str, script: str = "") -> str:
    """Return the head of a document, with a script of the site where it needs one."""
    tag = f'<script src="../assets/{script}" defer></script>'
    return (
        f"---\ntitle: {json.dumps(title, ensure_ascii=False)}\n"
        f"description: {json.dumps(description, ensure_ascii=False)}\n"
        + (f"include-in-header:\n  text: {json.dumps(tag)}\n" if script else "")
        + "---"
    )
