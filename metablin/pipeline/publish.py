"""After the run: the claim ledger, the one-page report and the headline table."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from metablin.datasets import load
from metablin.datasets.package import data_directory
from metablin.pipeline.claims import NOT_COMPUTABLE
from metablin.pipeline.fingerprint import (
    digest_of,
    file_digest,
    library_versions,
    package_digest,
)
from metablin.pipeline.runner import dated, read_manifest, write_manifest
from metablin.pipeline.verify import ledger
from metablin.pipeline.workspace import held
from metablin.report.folder import OUTCOME
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

    Both enter the manifest, with a digest of all that they are made of, and are made again only
    when that or one of them changed.
    """
    with held(out, wait=True):
        made_of = _made_of(out)
        manifest = read_manifest(out)
        if manifest.get("published_from") != made_of or manifest.get("published") != _digests(out):
            _publish(out, manifest["versions"])
            write_manifest(out, manifest | {"published": _digests(out), "published_from": made_of})
    return out / REPORT


def _made_of(out: Path) -> str:
    """Return a digest of what ledger and report are made of: results, evidence, code, versions."""
    folders = [p.parent for p in out.glob(f"*/{OUTCOME}")]
    files = sorted(p for folder in folders for p in folder.iterdir() if p.is_file())
    return digest_of(
        {
            "results": {p.relative_to(out).as_posix(): file_digest(p) for p in files},
            "evidence": {p.name: file_digest(p) for p in sorted(data_directory().glob("*.*"))},
            "as_of": dated(out),
            "code": package_digest(),
            "versions": {**library_versions(), "tables": metadata.version("great-tables")},
        }
    )


def _digests(out: Path) -> dict[str, str]:
    files = (out / LEDGER, out / REPORT)
    return {path.name: file_digest(path) for path in files if path.is_file()}


def _publish(out: Path, versions: Mapping[str, str]) -> None:
    claims, date = ledger(out), dated(out)
    if date is not None:
        reason = f"these results are of {date}; claims are checked against all evidence"
        claims = claims.assign(status=NOT_COMPUTABLE, reason=reason)
    write_text(out / LEDGER, claims.to_csv(index=False, lineterminator="\n"))
    saved = Saved(out)
    html = render_report(
        sections=[_section(saved, name) for name in saved.analyses],
        headlines=headlines(saved, saved.analyses),
        claims=claims,
        discrepancies=load("discrepancies"),
        versions=versions,
    )
    write_text(out / REPORT, html)


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
