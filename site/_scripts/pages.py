"""Pages written from the evidence: one a trial, and one an analysis that lists its sources."""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Mapping, Sequence
from functools import cache
from pathlib import Path

import pandas as pd
from cells import REPORTED, Row, citation, evidence_table, front_matter, html, plain_table
from conduct import conduct_words, facts
from counted import Counted
from curves import FOLDER, Gallery
from patients import overlap_words, overlaps, screened, sets
from rows import sentences, share
from timeline import dated, kinds, timeline

from metablin.certainty import risk_of_bias
from metablin.datasets import load
from metablin.pipeline.trace import evidence_rows
from metablin.report.words import (
    outcome_words,
    patients_words,
    short_names,
    typeset,
)

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
    "unmet": "What it could not meet",
}
DISAGREEMENTS = {
    "item": "What",
    "value_a": "One source",
    "value_b": "Another",
    "used": "Used here",
    "reason": "Why",
    "discrepancy_id": "Number",
}
CLAIMS = {"statement": "Statement", "printed": "Printed", "where": "Where", "claim_id": "Claim"}


def trial_pages(results: Path, folder: Path) -> dict[str, str]:
    """Return one page for every trial, by file name; its curves are drawn below `folder`."""
    gallery = Gallery(results, folder / FOLDER)
    rows = evidence()
    cited = {row["row_id"]: citation(row) for row in rows}
    claims, discrepancies = load("claims"), load("discrepancies")
    touched = trials_of(discrepancies, rows)
    labels = short_names()
    judged = risk_of_bias(load("risk_of_bias")).to_frame()
    conduct = load("conduct", all_rows=True)
    counted, kind, dates = Counted(results.parent), kinds(), dated()
    described, decided = sets(), screened()
    shared = overlaps(described, decided)
    reconstructed = reconstructions(results)
    of_trial: dict[str, list[Row]] = {}
    for row in rows:
        of_trial.setdefault(row["trial_id"], []).append(row)
    pages = {}
    for _, trial in load("trials", all_rows=True).iterrows():
        name = trial["trial_id"]
        own = of_trial.get(name, [])
        arms = of_rows(reconstructed, {row["row_id"] for row in own})
        about = conduct_words(
            conduct.loc[conduct["trial_id"] == name], judged.loc[judged["study"] == name], cited
        )
        sections = {
            "": html(facts(trial, own)),
            "Where it counts": counted.words(name, own),
            "Reports of the same patients": overlap_words(name, shared[name], described, decided),
            "Conduct and risk of bias": about,
            "Survival, reconstructed": reconstruction_words(
                arms, gallery.show(name, labels[name], arms)
            ),
            "What was reported": reported_words(own),
            "Disagreements between sources": discrepancy_words(
                discrepancies.loc[[name in t for t in touched]]
            ),
            "What reviews print about it": claim_words(claims.loc[claims["trial_id"] == name]),
            "Its publications by date": timeline(own, kind, dates),
        }
        pages[f"{name}.qmd"] = trial_page(labels[name], sections)
    gallery.close()
    return pages


def trials_of(discrepancies: pd.DataFrame, rows: Sequence[Row]) -> list[set[str]]:
    """Return the trials that each disagreement is about."""
    by_id = {row["row_id"]: row["trial_id"] for row in rows}
    pairs = zip(discrepancies["trial_id"], discrepancies["row_ids"], strict=True)
    return [{trial, *(by_id.get(i, "") for i in str(ids).split())} for trial, ids in pairs]


def trial_page(label: str, sections: Mapping[str, str]) -> str:
    """Return the page of one trial as a Quarto document without code; empty sections fall away."""
    about = f"Every number about {label} in the evidence base, with its source."
    drawn = any(READOUT in text for text in sections.values())
    parts = [front_matter(label, about, script="curve.js" if drawn else "")]
    for title, text in sections.items():
        if text:
            parts += [f"## {title}"] * bool(title) + [text]
    return "\n\n".join(parts) + "\n"


def reported_words(rows: Sequence[Row]) -> str:
    """Return the results of a trial as printed, table by table."""
    parts = [LEGEND]
    for table, title in REPORTED.items():
        part = [row for row in rows if row["table"] == table]
        if part:
            parts += [f"### {title}", html(evidence_table(part))]
    if parts == [LEGEND]:
        parts.append("No row of results is recorded for this trial yet.")
    return "\n\n".join(parts)


def claim_words(claims: pd.DataFrame) -> str:
    """Return what reviews print about a trial, or nothing."""
    if claims.empty:
        return ""
    return (
        "Each is recomputed in the [claim ledger](../reproducibility.qmd#claim-ledger).\n\n"
        + html(plain_table(claims.assign(where=claim_places(claims)), CLAIMS))
    )


def reconstructions(results: Path) -> pd.DataFrame:
    """Return every reconstructed arm with what conflicts in its print; empty when there is none."""
    path = results / "reconstruction" / "arms.csv"
    if not path.is_file():
        return pd.DataFrame(columns=["row_ids"])
    arms = pd.read_csv(path, dtype={"row_ids": str}).fillna({"row_ids": ""})
    conflicts = path.with_name("inconsistent.csv")
    if not conflicts.is_file():
        return arms.assign(conflict="")
    found = pd.read_csv(conflicts).drop_duplicates("arm_key").set_index("arm_key")
    text = found["conflict"] + " (" + found["used_instead"] + ")"
    return arms.assign(conflict=arms["key"].map(text).fillna(""))


def of_rows(arms: pd.DataFrame, ids: set[str]) -> pd.DataFrame:
    """Return the arms reconstructed from any of these rows."""
    return arms.loc[[not ids.isdisjoint(cell.split()) for cell in arms["row_ids"]]]


def reconstruction_words(arms: pd.DataFrame, pictures: str) -> str:
    """Return what is known of the reconstructed curves of a trial: pictures, then the list."""
    if arms.empty:
        return "No arm of this trial has been reconstructed in the results published here."
    arms = arms.fillna("")
    arms = arms.assign(
        patients=arms["patients"].map(patients_words),
        endpoint=arms["endpoint"].map(outcome_words),
        landmarks=arms["landmarks"].map(landmark_words),
        unmet=[unmet(arm) for arm in arms.to_dict(orient="records")],
    )
    shown = {c: words for c, words in ARMS.items() if (arms[c].astype(str) != "").any()}
    return (
        "Patients rebuilt from what is printed; the [survival page]"
        "(../survival.qmd#reconstructed-curves) says how and what the grades mean.\n\n"
        + pictures
        + "\n\nEvery arm with its grade, and how its reconstruction compares with the print:\n\n"
        + html(plain_table(arms, shown))
    )


def unmet(arm: Mapping[Hashable, object]) -> str:
    """Return what a reconstruction could not meet: what differs, what conflicts in the print."""
    parts = (arm["differing_items"], arm["conflict"], arm["note"])
    return "; ".join(str(p) for p in parts if p)


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


@cache
def evidence() -> list[Row]:
    """Return every row of the evidence with ``what`` and ``value`` as sentences."""
    rows = evidence_rows().join(sentences(), on="row_id")
    plain = rows[["item", "reported"]].map(lambda text: re.sub("[_=]", " ", typeset(str(text))))
    rows["what"] = rows["what"].fillna(plain["item"]).map(typeset)
    rows["value"] = rows["value"].fillna(plain["reported"]).map(typeset)
    rows["trial"] = rows["trial_id"].map(short_names())
    return list(rows.fillna({"trial": ""}).to_dict(orient="records"))


def source_pages(results: Path) -> dict[str, str]:
    """Return one page for every analysis with the evidence behind each of its tables."""
    everything = {row["row_id"]: row for row in reversed(evidence())}
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


def source_section(frame: pd.DataFrame, everything: Mapping[str, Row]) -> str:
    """Return the evidence rows that a result table names."""
    if "row_ids" not in frame:
        return "This table is derived from the other tables of the analysis and names no rows."
    ids = list(dict.fromkeys(i for cell in frame["row_ids"] for i in cell.split()))
    return html(evidence_table([everything[i] for i in ids if i in everything], link=True))


def anchor(name: str) -> str:
    """Return a table's name as an identifier."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
