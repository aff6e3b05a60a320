"""What stands beside the download of the evidence: one file, and descriptions for machines."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import yaml

from metablin.datasets import data_directory

ARCHIVE = "metablin-evidence.zip"
DATED = (1980, 1, 1, 0, 0, 0)
"""Time of every file in the archive, so that the same evidence is the same bytes."""
LICENCE = "https://spdx.org/licenses/GPL-3.0-or-later"


def archive() -> bytes:
    """Return the evidence as a zip file: tables, descriptor, references."""
    home = data_directory()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for path in sorted(p for p in home.rglob("*") if p.suffix in (".csv", ".json", ".bib")):
            about = zipfile.ZipInfo(str(path.relative_to(home)), DATED)
            about.compress_type = zipfile.ZIP_DEFLATED
            file.writestr(about, path.read_bytes())
    return out.getvalue()


def codemeta(cff: dict[str, Any]) -> str:
    """Return the description of the software in CodeMeta."""
    return dump(
        {
            "@context": "https://w3id.org/codemeta/3.0",
            "@type": "SoftwareSourceCode",
            "name": "metablin",
            "description": cff["title"],
            "version": str(cff["version"]),
            "license": LICENCE,
            "programmingLanguage": "Python",
            "keywords": cff["keywords"],
            "author": people(cff),
        }
    )


def crate(cff: dict[str, Any], date: str) -> str:
    """Return the description of the evidence as a research object (RO-Crate)."""
    package = json.loads((data_directory() / "datapackage.json").read_text("utf-8"))
    tables = [r for r in package["resources"] if str(r.get("path", "")).endswith(".csv")]
    parts = [f"evidence/{Path(t['path']).name}" for t in tables]
    graph: list[dict[str, Any]] = [
        {
            "@id": "ro-crate-metadata.json",
            "@type": "CreativeWork",
            "about": {"@id": "./"},
            "conformsTo": {"@id": "https://w3id.org/ro/crate/1.1"},
        },
        {
            "@id": "./",
            "@type": "Dataset",
            "name": cff["title"],
            "description": package.get("description", cff["title"]),
            "datePublished": date,
            "version": str(cff["version"]),
            "license": {"@id": LICENCE},
            "author": people(cff),
            "identifier": cff.get("doi", "no archive DOI yet"),
            "hasPart": [{"@id": name} for name in (ARCHIVE, *parts)],
        },
        {"@id": ARCHIVE, "@type": "File", "name": "Evidence", "encodingFormat": "application/zip"},
    ]
    graph += [
        {"@id": part, "@type": "File", "name": t["title"], "description": t["description"],
         "encodingFormat": "text/csv"}
        for part, t in zip(parts, tables, strict=True)
    ]  # fmt: skip
    return dump({"@context": "https://w3id.org/ro/crate/1.1/context", "@graph": graph})


def people(cff: dict[str, Any]) -> list[dict[str, str]]:
    """Return the authors."""
    named = [a.get("name") or f"{a['given-names']} {a['family-names']}" for a in cff["authors"]]
    return [{"@type": "Organization", "name": name} for name in named]


def dump(value: object) -> str:
    """Return JSON as text."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def read(path: Path) -> dict[str, Any]:
    """Return a citation file."""
    found: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    return found
