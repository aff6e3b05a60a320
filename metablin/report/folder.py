"""A folder of one analysis: put in place whole, without harm to files that no run wrote."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from pathlib import Path
from typing import Any

from metablin.errors import DataError, warn

__all__ = ["BUILDING", "OLD", "OUTCOME", "SCHEMA", "foreign_files", "name_foreign", "swap_in",
           "write_text"]  # fmt: skip

OUTCOME, SCHEMA = "outcome.json", ".schema.json"
BUILDING, OLD = ".tmp", ".old"

WRITTEN = (".csv", ".svg", ".png", SCHEMA)
"""Endings of tables, figures and schemas."""

DRAWN = (".svg", ".narrow.svg", ".png")
"""Endings of one figure: as drawn, for a telephone, as a bitmap."""


def write_text(path: Path, text: str) -> None:
    """Write `text` to a fresh file beside `path`, then rename it into place."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}{BUILDING}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def swap_in(building: Path, final: Path) -> None:
    """Put a folder that is complete in the place of the earlier one.

    Files that no run wrote stay in the folder, and are named in a warning.

    Raises
    ------
    DataError
        When a result would overwrite one of them.
    """
    for path in foreign_files(final):
        if (building / path.name).exists():
            raise DataError("a result would overwrite a file that no run wrote",
                            column="out", value=os.fspath(path),
                            allowed="another place for that file")  # fmt: skip
    for path in name_foreign(final):
        if path.is_dir() and not path.is_symlink():
            shutil.copytree(path, building / path.name, symlinks=True)
        else:
            shutil.copy2(path, building / path.name, follow_symlinks=False)
    old = final.with_name(f".{final.name}{OLD}")
    if old.is_dir():
        shutil.rmtree(old)
    if final.exists():
        os.replace(final, old)
    os.replace(building, final)
    if old.is_dir():
        shutil.rmtree(old)


def name_foreign(folder: Path) -> list[Path]:
    """Return `foreign_files` after a warning that names them."""
    found = foreign_files(folder)
    if found:
        names = ", ".join(p.name for p in found)
        warn(f"{folder}: {names}: no result of a run, left as it is")
    return found


def foreign_files(folder: Path) -> list[Path]:
    """Return what a folder of one analysis holds besides its words, tables and figures."""
    if not folder.is_dir():
        return []
    try:
        words: Any = json.loads((folder / OUTCOME).read_text(encoding="utf-8"))
        own = {OUTCOME, *(f"{n}{end}" for n in words["tables"] for end in (".csv", SCHEMA))}
        own |= {f"{n}{end}" for n in words["figures"] for end in DRAWN}
    except (OSError, ValueError, KeyError, TypeError):
        own = {p.name for p in folder.iterdir() if p.name.endswith(WRITTEN)} | {OUTCOME}
    return sorted(p for p in folder.iterdir() if p.name not in own)
