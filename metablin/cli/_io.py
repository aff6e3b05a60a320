"""Files in and out of the command line: strict CSV in, whole files out."""

from __future__ import annotations

import csv
import errno
import io
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metablin.errors import DataError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["check_picture", "print_json", "read_csv", "save_plot", "write_csv"]

PICTURES = (".svg", ".png", ".pdf")
SEPARATORS = {";": "semicolons", "\t": "tabs"}


def read_csv(path: Path, required: Iterable[str]) -> pd.DataFrame:
    """Return a CSV file as text columns, after checking that it is a table.

    Parameters
    ----------
    path : Path
        UTF-8, comma-separated, with a header.
    required : iterable of str
        Columns that must be there.

    Raises
    ------
    DataError
        For text that is not UTF-8, no rows, a doubled or missing column, or a row with too many
        or too few cells.
    """
    import pandas as pd

    try:
        rows = list(csv.reader(io.StringIO(_decode(path), newline="")))
    except csv.Error as error:
        raise DataError(f"{path.name} is not a CSV file: {error}") from error
    rows = [[cell.strip() for cell in row] for row in rows if any(c.strip() for c in row)]
    if len(rows) < 2:
        raise DataError(f"{path.name} has no data rows", allowed="a header and at least one row")
    header = rows[0]
    _check_header(path, header, required)
    for number, row in enumerate(rows[1:], start=1):
        if len(row) != len(header):
            raise DataError(
                f"{path.name} has {len(row)} cells", row=number, allowed=f"{len(header)} cells"
            )
    return pd.DataFrame(rows[1:], columns=header, dtype=str)


def _check_header(path: Path, header: list[str], required: Iterable[str]) -> None:
    """Refuse doubled or missing columns; of other separators than commas, say so."""
    for name in header:
        if header.count(name) > 1:
            raise DataError(f"{path.name} has the column twice", column=name)
    for name in required:
        if name not in header:
            marks = [word for mark, word in SEPARATORS.items() if mark in header[0]]
            commas = f", with {marks[0]} where commas belong" if marks and len(header) == 1 else ""
            raise DataError(
                f"{path.name} lacks the column",
                column=name,
                allowed=f"found: {' '.join(', '.join(header).split())}{commas}",
            )


def _decode(path: Path) -> str:
    raw = path.read_bytes()
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise DataError(
            f"{path.name}, line {line}: byte {raw[error.start]:#04x} is not UTF-8",
            allowed="a CSV file in UTF-8",
        ) from error


def write_csv(frame: pd.DataFrame, path: Path) -> None:
    """Write a frame as CSV to a temporary file, then rename it into place."""
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        frame.to_csv(temporary, index=False, lineterminator="\n")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def print_json(value: Any) -> None:
    """Print one JSON object to standard output."""
    import typer

    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))


def check_picture(path: Path | None) -> None:
    """Refuse a picture before any work: a kind that cannot be written, a folder not there."""
    import typer

    if path is None:
        return
    if path.suffix.lower() not in PICTURES:
        raise typer.BadParameter(f"--plot writes {', '.join(PICTURES)}, not {path.name}")
    if not path.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path.parent))
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))


def save_plot(axes: Axes, path: Path) -> None:
    """Write the figure of `axes` whole, or not at all."""
    from metablin.plots.style import save_figure

    save_figure(axes.figure, path)
