"""``metablin data``: look at the evidence base, check it, and follow a number to its source."""

from __future__ import annotations

import csv as csv_module
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from metablin.cli import _io
from metablin.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["app"]

# Words longer than this are folded rather than given a column of their own width.
MAX_WORD = 15
MAX_KEY = 20
GAP = 2

app = typer.Typer(
    help="The evidence base: list, show, validate, trace.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Csv = Annotated[bool, typer.Option("--csv", help="Print CSV.")]


@app.command("list")
def list_tables(json: Json = False, csv: Csv = False) -> None:
    """List the tables with their numbers of rows."""
    _one_format(json, csv)
    from metablin.datasets import tables

    frame = tables()
    if json:
        _io.print_json({"tables": _records(frame)})
    elif csv:
        _print_csv(frame)
    else:
        _print_table(frame, ["table", "rows", "preferred", "description"])


@app.command()
def show(
    table: Annotated[str, typer.Argument(help="Name of a table, see list.")],
    all_rows: Annotated[
        bool, typer.Option("--all-rows", help="Also rows that are not preferred.")
    ] = False,
    trial: Annotated[str | None, typer.Option(help="Only rows about this trial.")] = None,
    json: Json = False,
    csv: Csv = False,
) -> None:
    """Show a table: the main columns for people, all of them with --csv or --json."""
    _one_format(json, csv)
    from metablin.datasets import describe, load

    frame = load(table, all_rows=all_rows)
    if trial is not None:
        frame = _of_trial(frame, trial)
    if json:
        kept = {k: frame.attrs[k] for k in ("table", "title", "description", "fields")}
        _io.print_json({**kept, "rows": _records(frame)})
    elif csv:
        _print_csv(frame)
    else:
        shown = _print_table(frame, describe(table).show, title=frame.attrs["title"])
        more = len(frame.columns) - len(shown)
        kind = "rows" if all_rows or "preferred" not in frame else "preferred rows"
        typer.echo(f"{len(frame)} {kind}; --csv and --json give {more} more columns.")


@app.command()
def validate(
    directory: Annotated[
        Path | None,
        typer.Argument(
            metavar="[DIR]",
            exists=True,
            file_okay=False,
            help="Directory with datapackage.json; by default the base of the package.",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Check every cell, row and table, and report all violations."""
    from metablin.datasets import validate as check

    report = check(directory)
    if json:
        _io.print_json(report.to_dict())
    else:
        typer.echo(report.summary())
    if not report.ok:
        n, first = len(report.violations), report.violations[0]
        count = "1 violation" if n == 1 else f"{n} violations, the first"
        typer.echo(f"metablin: {count}: {first}", err=True)
        raise typer.Exit(1)


@app.command()
def trace(
    trial_id: Annotated[str, typer.Argument(help="A trial, see show trials.")],
    json: Json = False,
    csv: Csv = False,
) -> None:
    """Print every row about a trial with its source."""
    _one_format(json, csv)
    from metablin.datasets import trace as rows_about

    frame = rows_about(trial_id)
    if json:
        _io.print_json({"trial_id": trial_id, "rows": _records(frame)})
    elif csv:
        _print_csv(frame)
    else:
        _print_trace(frame, trial_id)


def _one_format(json: bool, csv: bool) -> None:
    if json and csv:
        raise typer.BadParameter("--json and --csv exclude each other")


def _of_trial(frame: pd.DataFrame, trial: str) -> pd.DataFrame:
    from metablin.datasets import find_trial

    if "trial_id" not in frame:
        raise DataError(f"table {frame.attrs['table']} has no trial_id", column="--trial")
    find_trial(trial)
    return frame.loc[frame["trial_id"] == trial]


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame as objects: whole numbers as int, None in place of NaN."""
    import pandas as pd

    fields = frame.attrs.get("fields", {})
    columns = {}
    for name in frame.columns:
        values = [None if v != v else v for v in frame[name]]
        if fields.get(name, {}).get("type") == "integer":
            values = [None if v is None else int(v) for v in values]
        columns[name] = pd.Series(values, dtype=object)
    return pd.DataFrame(columns)


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    from metablin.records import jsonable

    return [
        {str(k): jsonable(v) for k, v in row.items()}
        for row in _plain(frame).to_dict(orient="records")
    ]


def _print_csv(frame: pd.DataFrame) -> None:
    out = io.StringIO()
    writer = csv_module.writer(out, lineterminator="\n")
    writer.writerow(frame.columns)
    for row in _plain(frame).itertuples(index=False):
        writer.writerow([str(v).lower() if isinstance(v, bool) else v for v in row])
    typer.echo(out.getvalue(), nl=False)


def _text(value: object) -> str:
    if value is None:
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _print_table(
    frame: pd.DataFrame, columns: Sequence[str], title: str | None = None
) -> list[str]:
    """Print the columns that fit the width without breaking words; return their names."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    plain = _plain(frame)
    cells = {c: [_text(v) for v in plain[c]] for c in columns}
    widths = _widths(cells, console.width)
    table = Table(
        title=title, title_justify="left", box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0)
    )
    for name, width in widths.items():
        numeric = frame[name].dtype.kind in "fi"
        table.add_column(
            Text(name.replace("_", " ")),
            justify="right" if numeric else "left",
            width=width,
            overflow="fold",
        )
    for row in zip(*(cells[c] for c in widths), strict=True):
        table.add_row(*map(Text, row))
    console.print(table)
    return list(widths)


def _widths(cells: dict[str, list[str]], total: int) -> dict[str, int]:
    """Return the columns that fit a total width, each wide enough for its words."""
    left = total
    widths: dict[str, int] = {}
    wanted: dict[str, int] = {}
    for i, (name, column) in enumerate(cells.items()):
        texts = [name.replace("_", " "), *set(column)]
        word = max(len(word) for text in texts for word in text.split() or [""])
        width = min(word, MAX_WORD if i else MAX_KEY)
        if width + GAP <= left or i == 0:
            widths[name], wanted[name] = width, max(map(len, texts))
            left -= width + GAP
    while left > 0 and (hungry := [c for c in widths if widths[c] < wanted[c]]):
        for name in hungry[:left]:
            widths[name] += 1
        left -= len(hungry[:left])
    return widths


def _print_trace(frame: pd.DataFrame, trial_id: str) -> None:
    for name, rows in frame.groupby("table", sort=False):
        marks = ["" if p else "(not preferred)" for p in rows["preferred"]]
        out = rows.assign(reported=(rows["reported"] + " ").str.cat(marks).str.strip())
        columns = ["row_id", "item", "reported", "source_key", "locator"]
        filled = [c for c in columns if (out[c] != "").any()]
        _print_table(out, filled, f"{trial_id}: {name}")
        typer.echo()
    cited = frame[frame["source_key"] != ""].drop_duplicates("source_key")
    cited = cited.sort_values("source_key")
    cited = cited.assign(where=cited["doi"].where(cited["doi"] != "", cited["source_url"]))
    _print_table(cited, ["source_key", "citation", "where"], f"{trial_id}: sources")
    typer.echo(f"{len(frame)} rows from {len(cited)} sources; --csv and --json give every column.")
