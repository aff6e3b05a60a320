"""Long lists of the site: trials, claims, disagreements, the manifest, agreement with R."""

from __future__ import annotations

import json
from html import escape

import pandas as pd
from _page import RESULTS, missing, place, raw, say, slug

import metablin as mb
from metablin.datasets import entry
from metablin.report import Column, Table, format_number
from metablin.report.words import short_names

__all__ = [
    "agreement",
    "claims_by",
    "disagreements",
    "document",
    "ledger",
    "manifest",
    "pages",
    "trials",
    "versions",
]

CLAIMS = "claims.csv"
KINDS = ("design", "disease_status", "age_group", "ph_status")
DESIGNS = ("Design", "Disease", "Age", "Ph")


def pages() -> str:
    """Return how many trials, cohorts and reports have a page."""
    return format_number(len(mb.load("trials", all_rows=True)), "count")


def trials() -> None:
    """Show every trial, each with a link to its page; a script adds filters where it runs."""
    frame = mb.load("trials", all_rows=True)
    labels = short_names()
    counts = evidence_counts()
    heads = ("Trial", *DESIGNS, "Patients", "Rows")
    head = "".join(
        f'<th scope="col"{" data-select" if h in DESIGNS else ""}'
        f"{' class=num' if h in heads[-2:] else ''}>{h}</th>"
        for h in heads
    )
    body = "".join(trial_line(trial, labels, counts) for _, trial in frame.iterrows())
    table = (
        '<div class="scroll"><table class="sortable">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )
    say(f"{raw(table)}\n\n[Data](evidence/trials.csv)")


def evidence_counts() -> pd.Series:
    """Return the number of rows about each trial in the tables of results."""
    tables = (
        "proportions",
        "survival",
        "contrasts",
        "mrd_stratified",
        "safety",
        "pharmacokinetics",
    )
    counts: pd.Series = pd.concat([mb.load(t, all_rows=True)["trial_id"] for t in tables])
    return counts.value_counts()


def trial_line(trial: pd.Series, labels: dict[str, str], counts: pd.Series) -> str:
    """Return one trial as a line of an HTML table."""
    name, n = trial["trial_id"], trial["n_total"]
    label = escape(labels[name])
    kinds = (entry(c, str(trial[c])).words for c in KINDS)
    found = int(counts.get(name, 0))
    return (
        f'<tr><td><a href="trials/{name}.html">{label}</a></td>'
        + "".join(f"<td>{escape(k)}</td>" for k in kinds)
        + f'<td class="num" data-value="{0 if n != n else int(n)}">{format_number(n, "count")}</td>'
        + f'<td class="num" data-value="{found}">{found}</td></tr>'
    )


def read_claims() -> pd.DataFrame:
    """Return the claim ledger as text."""
    return pd.read_csv(RESULTS / CLAIMS, dtype=str, keep_default_na=False)


def listed(
    frame: pd.DataFrame,
    columns: tuple[Column, ...],
    label: str,
    title: str,
    behind: str = "",
    note: str = "",
) -> None:
    """Show a list, all of it, as a table with a caption and links to what stands behind it."""
    keyed = frame.drop(columns="key", errors="ignore").reset_index(drop=True)
    keyed.insert(0, "key", keyed.index.astype(str))
    place(Table(keyed, columns, title, note), label, behind, most=len(keyed))


def behind(data: str, source: str = "") -> str:
    """Return the links under a list."""
    return f" [Data]({data})" + (f" · [Source]({source})" if source else "")


def claims_by(column: str, label: str) -> None:
    """Show how many claims ended in which status, by a column of the ledger."""
    counts = pd.crosstab(read_claims()[column], read_claims()["status"], margins=True)
    counts = counts.rename(index={"All": "all"}, columns={"All": "all"}).reset_index()
    counts[column] = counts[column].str.replace("_", " ")
    heads = [Column(str(c), str(c).capitalize(), "count") for c in counts.columns if c != column]
    columns = (Column(column, label), *heads)
    links = behind(f"results/{CLAIMS}", "evidence/claims.csv")
    listed(counts, columns, f"claims-by-{slug(column)}", "Claims by outcome", links)


LEDGER = (
    Column("statement", "Statement", codes="text"),
    Column("printed", "Printed"),
    Column("computed", "Computed", "number"),
    Column("status", "Outcome"),
    Column("reason", "Reason", codes="text"),
    Column("claim_id", "Claim"),
)


def ledger(status: str = "", *, words: str, label: str) -> None:
    """Show the lines of the ledger with a status (default: all of them)."""
    frame = read_claims()
    frame = frame.loc[frame["status"] == status] if status else frame
    frame = frame.assign(computed=pd.to_numeric(frame["computed"], errors="coerce"))
    columns = tuple(c for c in LEDGER if c.name != "status" or not status)
    listed(frame, columns, label, words, behind(f"results/{CLAIMS}", "evidence/claims.csv"))


DISAGREEMENTS = (
    Column("trial_id", "Trial", codes="names"),
    Column("item", "What", codes="text"),
    Column("value_a", "One source", codes="text"),
    Column("value_b", "Another", codes="text"),
    Column("used", "Used here", codes="text"),
    Column("reason", "Why", codes="text"),
    Column("discrepancy_id", "Number"),
)


def disagreements() -> None:
    """Show where sources disagree and what is used here."""
    listed(
        mb.load("discrepancies"),
        DISAGREEMENTS,
        "disagreements",
        "Where sources contradict each other or themselves",
        behind("evidence/discrepancies.csv", "trials.qmd"),
        "Both numbers stay in the evidence base.",
    )


MANIFEST = (
    Column("analysis", "Analysis"),
    Column("reads", "Evidence tables"),
    Column("outputs", "Files written", "count"),
)


def manifest() -> None:
    """Show what was run, and on what."""
    entries = json.loads((RESULTS / "manifest.json").read_text("utf-8"))["analyses"]
    rows = [
        {
            "analysis": name.replace("_", " "),
            "reads": ", ".join(entry["reads"]),
            "outputs": len(entry["outputs"]),
        }
        for name, entry in entries.items()
    ]
    listed(
        pd.DataFrame(rows),
        MANIFEST,
        "manifest",
        "Analyses of this edition",
        behind("results/manifest.json"),
        "The manifest has the digest of every file read and written.",
    )


def versions() -> None:
    """Show the versions of the libraries that can move a number."""
    found = json.loads((RESULTS / "manifest.json").read_text("utf-8"))["versions"]
    frame = pd.DataFrame({"library": list(found), "version": list(found.values())})
    columns = (Column("library", "Library"), Column("version", "Version"))
    links = behind("results/manifest.json")
    listed(frame, columns, "versions", "Libraries of this edition", links)


AGREEMENT = (
    Column("family", "Estimator"),
    Column("sets", "Data sets", "count"),
    Column("values", "Values compared", "count"),
    Column("largest", "Largest relative difference"),
)


def agreement() -> None:
    """Show the largest relative difference from R, by estimator."""
    if not (RESULTS / "agreement.csv").is_file():
        missing("agreement")
        return
    frame = pd.read_csv(RESULTS / "agreement.csv")
    frame = frame.assign(largest=frame["largest_relative_difference"].map("{:.0e}".format))
    listed(
        frame,
        AGREEMENT,
        "agreement",
        "Estimates, standard errors, confidence and prediction limits against metafor, over four "
        "kinds of interval",
        behind("results/agreement.csv"),
    )


def document(name: str) -> None:
    """Show a record that is kept in the repository as Markdown."""
    file = RESULTS / name
    if not file.is_file():
        missing(file.stem)
        return
    say(file.read_text("utf-8"))
