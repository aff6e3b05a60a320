"""After the run: the claim ledger, the one-page report and the headline table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from metablin.pipeline.claims import NOT_COMPUTABLE
from metablin.pipeline.fingerprint import file_digest
from metablin.pipeline.runner import MANIFEST, dated
from metablin.pipeline.verify import ledger
from metablin.pipeline.workspace import held
from metablin.report.html import Section, render_report
from metablin.report.render import headlines, to_terminal
from metablin.report.store import Saved, write_text

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["headline_table", "publish"]

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

    claims, date = ledger(out), dated(out)
    if date is not None:
        reason = f"these results are of {date}; claims are checked against all evidence"
        claims = claims.assign(status=NOT_COMPUTABLE, reason=reason)
    _write(out / LEDGER, claims.to_csv(index=False, lineterminator="\n"))
    manifest = json.loads((out / MANIFEST).read_text(encoding="utf-8"))
    saved = Saved(out)
    html = render_report(
        sections=[_section(saved, name) for name in saved.analyses],
        headlines=headlines(saved, saved.analyses),
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


def _section(saved: Saved, name: str) -> Section:
    words = saved.words(name)
    return Section(
        name=name,
        title=words["title"],
        question=words["question"],
        notes=tuple(words["notes"]),
        tables={table: saved.table(f"{name}/{table}") for table in words["tables"]},
        figures=[
            (key, said, (saved.out / name / f"{key}.svg").read_text(encoding="utf-8"))
            for key, said in words["figures"].items()
        ],
    )


def headline_table(out: Path) -> Table:
    """Return the headline results as a table for the terminal."""
    saved = Saved(out)
    return to_terminal(headlines(saved, saved.analyses))
