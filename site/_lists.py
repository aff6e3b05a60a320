"""Long lists of the site: trials, claims, disagreements, the manifest, agreement with R."""

from __future__ import annotations

import json
from html import escape

import pandas as pd
from _page import RESULTS, missing, raw, render, say, slug

import metablin as mb
from metablin.report import format_number
from metablin.report.words import short_names, spoken, typeset

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
WORDS = {
    "rct": "randomised",
    "meta_analysis": "meta-analysis",
    "adult": "adults",
    "paediatric": "children",
}
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
    return pd.concat([mb.load(t, all_rows=True)["trial_id"] for t in tables]).value_counts()


def trial_line(trial: pd.Series, labels: dict[str, str], counts: pd.Series) -> str:
    """Return one trial as a line of an HTML table."""
    name, n = trial["trial_id"], trial["n_total"]
    label = escape(labels[name])
    kinds = (trial[c] for c in ("design", "disease_status", "age_group", "ph_status"))
    found = int(counts.get(name, 0))
    return (
        f'<tr><td><a href="trials/{name}.html">{label}</a></td>'
        + "".join(f"<td>{escape(WORDS.get(k, spoken(str(k))))}</td>" for k in kinds)
        + f'<td class="num" data-value="{0 if n != n else int(n)}">{format_number(n, "count")}</td>'
        + f'<td class="num" data-value="{found}">{found}</td></tr>'
    )


def read_claims() -> pd.DataFrame:
    """Return the claim ledger as text."""
    return pd.read_csv(RESULTS / CLAIMS, dtype=str, keep_default_na=False)


def claims_by(column: str, label: str) -> None:
    """Show how many claims ended in which status, by a column of the ledger."""
    counts = pd.crosstab(read_claims()[column], read_claims()["status"], margins=True)
    counts = counts.rename(index={"All": "all"}, columns={"All": "all"})
    frame = counts.reset_index().rename(columns={column: label}).astype(str)
    frame[label] = frame[label].str.replace("_", " ")
    frame.columns = [c.capitalize() for c in frame.columns]
    caption(f"claims-by-{slug(column)}", render(frame, f"by-{column}"), "Claims by outcome.")


def ledger(status: str = "", *, words: str, label: str) -> None:
    """Show the lines of the ledger with a status (default: all of them)."""
    frame = read_claims()
    frame = frame.loc[frame["status"] == status] if status else frame
    shown = frame[["statement", "printed", "computed", "status", "reason", "claim_id"]].copy()
    shown["computed"] = [format_number(float(c)) if c else "–" for c in shown["computed"]]
    shown.columns = ["Statement", "Printed", "Computed", "Outcome", "Reason", "Claim"]
    if status:
        shown = shown.drop(columns="Outcome")
    caption(label, folded(shown, label), words)


def folded(frame: pd.DataFrame, name: str) -> str:
    """Return a long table behind a line that says how long it is."""
    lines = "".join(
        "<tr>" + "".join(f"<td>{escape(typeset(str(v)))}</td>" for v in values) + "</tr>"
        for values in frame.itertuples(index=False, name=None)
    )
    head = "".join(f'<th scope="col">{escape(c)}</th>' for c in frame.columns)
    return (
        f"<details><summary>{len(frame)} rows</summary>"
        f'<div class="scroll"><table id="{name}"><thead><tr>{head}</tr></thead>'
        f"<tbody>{lines}</tbody></table></div></details>"
    )


def caption(
    label: str,
    body: str,
    words: str,
    data: str = f"results/{CLAIMS}",
    source: str = "evidence/claims.csv",
) -> None:
    """Show an HTML table with a caption and links to its data and to the evidence behind it."""
    more = f" · [Source]({source})" if source else ""
    say(f"::: {{#tbl-{label}}}\n{raw(body)}\n\n{words} [Data]({data}){more}\n:::")


def disagreements() -> None:
    """Show where sources disagree and what is used here."""
    frame = mb.load("discrepancies")
    labels = short_names()
    shown = frame.assign(trial=frame["trial_id"].map(labels).fillna("–"))
    shown = shown[["trial", "item", "value_a", "value_b", "used", "reason", "discrepancy_id"]]
    shown.columns = ["Trial", "What", "One source", "Another", "Used here", "Why", "Number"]
    words = (
        "Where sources contradict each other or themselves. Both numbers stay in the evidence base."
    )
    file = "evidence/discrepancies.csv"
    caption("disagreements", folded(shown, "all-disagreements"), words, file, "trials.qmd")


def manifest() -> None:
    """Show what was run, on what, and how long it took."""
    entries = json.loads((RESULTS / "manifest.json").read_text("utf-8"))["analyses"]
    rows = [
        {
            "Analysis": name.replace("_", " "),
            "Evidence tables": ", ".join(entry["reads"]),
            "Files written": str(len(entry["outputs"])),
            "Seconds": f"{entry['seconds']:.1f}",
        }
        for name, entry in entries.items()
    ]
    body = render(pd.DataFrame(rows), "manifest")
    words = "Analyses of this edition; the manifest has the digest of every file read and written."
    caption("manifest", body, words, "results/manifest.json", "")


def versions() -> None:
    """Show the versions of the libraries that can move a number."""
    found = json.loads((RESULTS / "manifest.json").read_text("utf-8"))["versions"]
    frame = pd.DataFrame({"Library": list(found), "Version": list(found.values())})
    body = render(frame, "versions")
    caption("versions", body, "Libraries of this edition.", "results/manifest.json", "")


def agreement() -> None:
    """Show the largest relative difference from R, by estimator."""
    if not (RESULTS / "agreement.csv").is_file():
        missing("agreement")
        return
    frame = pd.read_csv(RESULTS / "agreement.csv")
    shown = pd.DataFrame(
        {
            "Estimator": frame["family"],
            "Data sets": frame["sets"].astype(str),
            "Values compared": frame["values"].map("{:,}".format),
            "Largest relative difference": frame["largest_relative_difference"].map(
                "{:.0e}".format
            ),
        }
    )
    caption(
        "agreement",
        render(shown, "agreement"),
        "Estimates, standard errors, confidence and prediction limits against metafor, over four "
        "kinds of interval.",
        "results/agreement.csv",
        "",
    )


def document(name: str) -> None:
    """Show a record that is kept in the repository as Markdown."""
    file = RESULTS / name
    if not file.is_file():
        missing(file.stem)
        return
    say(file.read_text("utf-8"))
