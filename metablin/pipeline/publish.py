"""After the run: the claim ledger, the one-page report and the headline table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metablin.pipeline import store
from metablin.pipeline.fingerprint import file_digest
from metablin.pipeline.runner import MANIFEST
from metablin.pipeline.verify import ledger
from metablin.pipeline.workspace import held, write_text
from metablin.report import MISSING, format_estimate, format_number
from metablin.report.html import Section, render_report

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["headline_rows", "headline_table", "publish"]

LEDGER = "claims.csv"
REPORT = "report.html"


def publish(out: Path) -> Path:
    """Write the claim ledger and the report of the results in `out`; return the report's path.

    Both enter the manifest and are written again only when they would change.
    """
    with held(out, wait=True):
        return _publish(out)


def _publish(out: Path) -> Path:
    from metablin.datasets import load

    claims = ledger(out)
    _write(out / LEDGER, claims.to_csv(index=False, lineterminator="\n"))
    manifest = json.loads((out / MANIFEST).read_text(encoding="utf-8"))
    html = render_report(
        sections=[_section(folder) for folder in _folders(out)],
        headlines=headline_rows(out),
        claims=claims,
        discrepancies=load("discrepancies"),
        versions=manifest["versions"],
    )
    _write(out / REPORT, html)
    manifest["published"] = {name: file_digest(out / name) for name in (LEDGER, REPORT)}
    _write(out / MANIFEST, json.dumps(manifest, indent=2, ensure_ascii=False) + "\n")
    return out / REPORT


def _write(path: Path, text: str) -> None:
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        write_text(path, text)


def _folders(out: Path) -> list[Path]:
    """Return the folders of saved outcomes in the order of the report."""
    folders = sorted(p.parent for p in out.glob("*/outcome.json"))
    return sorted(folders, key=lambda folder: store.read_words(folder)["order"])


def _section(folder: Path) -> Section:
    words = store.read_outcome(folder)
    return Section(
        name=words["name"],
        title=words["title"],
        question=words["question"],
        notes=tuple(words["notes"]),
        tables=[(name, words["tables"][name], frame) for name, frame in words["frames"].items()],
        figures=[
            (name, words["figures"][name], (folder / f"{name}.svg").read_text(encoding="utf-8"))
            for name in words["figures"]
        ],
    )


def headline_rows(out: Path) -> list[dict[str, str]]:
    """Return the headline results of every analysis in `out`, formatted for people."""
    rows = []
    for folder in _folders(out):
        words = store.read_outcome(folder)
        for line in words["headlines"]:
            frame = words["frames"][line["table"]]
            row: dict[str, Any] = frame.loc[frame["key"] == line["key"]].iloc[0].to_dict()
            low, high = (format_number(row.get(c), line["unit"]) for c in ("pred_low", "pred_high"))
            rows.append(
                {
                    "analysis": words["name"],
                    "result": line["label"],
                    "estimate": format_estimate(row, line["unit"]),
                    "prediction": "" if MISSING in (low, high) else f"{low} to {high}",
                    "studies": format_number(row.get("k"), "count") if "k" in row else "",
                }
            )
    return rows


def headline_table(out: Path) -> Table:
    """Return the headline results as a table for the terminal."""
    from rich.table import Table

    table = Table(title="Headline results", title_justify="left")
    for name in ("Result", "Estimate (95% interval)", "Prediction interval", "Studies"):
        table.add_column(name, justify="right" if name == "Studies" else "left")
    for row in headline_rows(out):
        table.add_row(row["result"], row["estimate"], row["prediction"], row["studies"])
    return table
