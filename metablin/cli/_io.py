"""What commands share: options of files, lines on stderr, JSON, pictures."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from metablin.io import ReadOptions, Studies

__all__ = [
    "Columns",
    "Missing",
    "Percent",
    "Sheet",
    "Unit",
    "check_files",
    "check_picture",
    "options",
    "print_json",
    "read_csv",
    "save_plot",
    "say",
    "shown",
    "studies",
    "tell",
    "write_csv",
]

PICTURES = (".svg", ".png", ".pdf")

Columns = Annotated[
    str | None,
    typer.Option(
        metavar="NAME=COLUMN,...", help="Which column is which, e.g. events=deaths,n=total."
    ),
]
Sheet = Annotated[str | None, typer.Option(help="Sheet of a workbook, by name or number.")]
Missing = Annotated[
    Literal["error", "drop"],
    typer.Option(help="A row with a missing value: refuse it, or leave it out and say so."),
]
Percent = Annotated[
    bool, typer.Option("--percent", help="Survival, rates and shares of the file are in percent.")
]
Unit = Annotated[
    Literal["days", "weeks", "months", "years"] | None,
    typer.Option(help="Unit of the file's times, which are then turned into months."),
]

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def options(
    columns: str | None, sheet: str | None, missing: Any, percent: bool, unit: Any
) -> ReadOptions:
    """Return what the command line says about a file."""
    from metablin.io import ReadOptions

    return ReadOptions(columns, sheet, missing, percent, unit)


def shown(text: str) -> str:
    """Return text without what would steer a terminal: its control characters are spelled out.

    Examples
    --------
    >>> print(shown("a" + chr(7)))  # doctest: +ELLIPSIS
    a...x07
    """
    return _CONTROL.sub(lambda c: c[0].encode("unicode_escape").decode(), text)


def tell(text: str) -> None:
    """Print text for people on standard output."""
    typer.echo(shown(text))


def say(*notes: str) -> None:
    """Say on stderr, once a command has succeeded, what was understood of its files."""
    for note in notes:
        if note:
            typer.echo(f"metablin: {' '.join(shown(note).split())}", err=True)


def print_json(value: Any) -> None:
    """Print one JSON object to standard output."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))


def check_files(outputs: Iterable[Path | None], inputs: Iterable[Path | None]) -> None:
    """Refuse outputs before any work: what cannot be written, or is an input."""
    wanted = [path for path in outputs if path is not None]
    if wanted:
        from metablin.io import check_outputs

        check_outputs(wanted, inputs)


def check_picture(path: Path | None, *inputs: Path | None, option: str = "--plot") -> None:
    """Refuse a picture before any work: a kind that cannot be written, a folder not there."""
    if path is None:
        return
    if path.suffix.lower() not in PICTURES:
        raise typer.BadParameter(f"{option} writes {', '.join(PICTURES)}, not {path.name}")
    check_files([path], inputs)


def read_csv(
    path: Path,
    required: Iterable[str] = (),
    asked: ReadOptions | None = None,
    known: Iterable[str] = (),
) -> pd.DataFrame:
    """Return a table as text.

    Columns in `required` must be there; they and those in `known` get these names, whatever
    their case in the file or what ``--columns`` says.
    """
    from metablin.io import ReadOptions, is_share, open_table, plain

    wanted = tuple(required)
    table = open_table(path, asked or ReadOptions(), [wanted], known)
    names = {table.header(role): role for role in wanted}
    names |= {table.headers[at]: role for role, at in table.given.items()}
    own = {plain(role): role for role in known if role not in names.values()}
    for header in table.headers:
        if header not in names and plain(header) in own and not is_share(header):
            names[header] = own.pop(plain(header))
    frame = table.frame().rename(columns=names)
    frame.attrs["note"] = f"{table.file}: {'; '.join(table.said)}" if table.said else ""
    frame.attrs["comma"] = table.comma
    return frame


def studies(path: Path, measure: Any, asked: ReadOptions | None = None) -> Studies:
    """Return the studies of a table whose columns the measure fixes."""
    from metablin.io import ReadOptions, read_studies

    return read_studies(path, measure, asked or ReadOptions())


def write_csv(frame: pd.DataFrame, path: Path, *inputs: Path | None) -> None:
    """Write a frame as CSV, whole or not at all."""
    from metablin.io import write_text

    write_text(path, frame.to_csv(index=False, lineterminator="\n"), inputs)


def save_plot(axes: Axes, path: Path) -> None:
    """Write the figure of `axes` whole, or not at all."""
    from metablin.plots.style import save_figure

    save_figure(axes.figure, path)
