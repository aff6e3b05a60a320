"""``metablin reconstruct-summary``: printed summaries in, patients out."""

from __future__ import annotations

import difflib
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from metablin.cli import _io
from metablin.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

    from metablin.io import ReadOptions, Table

__all__ = ["reconstruct_summary"]

SINGLE = (
    "n", "events", "median", "median_low", "median_high", "followup", "followup_min",
    "followup_max",
)  # fmt: skip
REPEATED = ("time", "survival", "survival_low", "survival_high", "std_error")
ITEMS = (*SINGLE, *REPEATED)
LIMITS = {"conf_low": "median_low", "conf_high": "median_high"}
NOT_REACHED = ("median", "median_low", "median_high")
NEARLY = 0.85  # likeness of a column's name to that of an item from which it is a slip


def reconstruct_summary(
    file: Annotated[
        Path,
        typer.Argument(metavar="SUMMARY", exists=True, dir_okay=False, help="Table of arms."),
    ],
    out: Annotated[Path, typer.Option(help="Write patients: [id,] draw, time, event, grade.")],
    draws: Annotated[int, typer.Option(min=1, help="Data sets per arm.")] = 20,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the draws.")] = 1,
    columns: _io.Columns = None,
    sheet: _io.Sheet = None,
    percent: _io.Percent = False,
    unit: _io.Unit = None,
) -> None:
    """Draw individual patient data from printed summaries, where there is no curve.

    Columns, all but n optional: id, n, events, median, median_low, median_high, followup,
    followup_min, followup_max, and one landmark a row: time, survival, survival_low,
    survival_high, std_error. Rows of one id belong to one arm; NR stands for not reached.
    """
    _io.check_files([out], [file])
    from metablin.io import open_table

    asked = _io.options(columns, sheet, "error", percent, unit)
    table = open_table(file, asked, [("n",)], ("id", *ITEMS, *LIMITS))
    frame = _frame(table, asked)
    _check_ids(frame)
    groups = frame.groupby("id", sort=False) if "id" in frame.columns else [("", frame)]
    parts, errors = [], []
    for label, rows in groups:
        try:
            parts.append(_draw(str(label), rows, draws, seed))
        except DataError as error:
            errors.append(_in_file(error, rows, str(label)))
    if parts:
        import pandas as pd

        drawn = pd.concat(parts, ignore_index=True)
        _io.write_csv(drawn if "id" in frame.columns else drawn.drop(columns="id"), out, file)
    for bad in errors:
        typer.echo(f"metablin: {_io.shown(str(bad))}", err=True)
    if errors:
        raise typer.Exit(1)
    _io.say(table.note())


def _frame(table: Table, asked: ReadOptions) -> pd.DataFrame:
    """Return the cells as text under the names of the items, on the scales of the engine."""
    import pandas as pd

    _check_columns(table)
    if table.has("id"):
        table.take("id")
    for item in ITEMS:
        if table.has(item):
            table.take(item)
    _limits_of_the_median(table)
    texts = {LIMITS.get(role, role): table.text(role) for role in table.roles}
    for role in texts:
        factor = _factor(role, table, asked)
        if role != "id" and (factor != 1 or table.comma):
            texts[role] = [_scaled(cell, factor, table.comma) for cell in texts[role]]
    return pd.DataFrame(texts, dtype=str)


def _limits_of_the_median(table: Table) -> None:
    """Take limits that nothing else can have for those of the median, as R's survfit prints."""
    from metablin.io import printed_level

    others = {"survival", *LIMITS.values()} & set(table.roles)
    if "median" in table.roles and not others and table.has(*LIMITS):
        for role in LIMITS:
            table.take(role)
            printed = printed_level(table.header(role))
            if printed not in (None, 0.95):
                raise DataError(f"limits of the median at {printed:g}", column=table.header(role),
                                allowed="those of 95%; leave others out")  # fmt: skip
        table.said.append("the limits are those of the median")


def _factor(role: str, table: Table, asked: ReadOptions) -> float:
    if role.startswith(("median", "followup")) or role == "time":
        return asked.months
    shares = ("survival", "survival_low", "survival_high", "std_error")
    percent = asked.percent or (role in table.roles and "%" in table.header(role))
    return 0.01 if role in shares and percent else 1.0


def _scaled(cell: str, factor: float, comma: bool) -> str:
    from metablin.io import parse_number

    number = parse_number(cell.removesuffix("%").strip(), comma)
    return cell if number is None else repr(number * factor if factor != 1 else number)


def _check_ids(frame: pd.DataFrame) -> None:
    """Refuse rows without an id where others have one."""
    if "id" in frame.columns and (frame["id"] == "").any():
        row = int((frame["id"] == "").to_numpy().argmax()) + 1
        raise DataError("missing", row=row, column="id", allowed="a name in every row")


def _check_columns(table: Table) -> None:
    """Refuse two columns for one item, and a column whose name is nearly that of an item."""
    from metablin.io import stands_for

    known = set()
    for item in ITEMS:
        own = {h for h in table.headers if h.casefold() in ITEMS and h.casefold() != item}
        both = [h for h in table.headers if h not in own and stands_for(item, h)]
        known |= set(both)
        if len(both) > 1 and item not in table.given:
            raise DataError(f"stands for the same as {both[0]}", column=both[1], allowed="one")
    given = {table.headers[i] for i in table.given.values()}
    for column in set(table.headers) - known - given - {"id"}:
        near = difflib.get_close_matches(column.casefold(), ITEMS, n=1, cutoff=NEARLY)
        if near:
            raise DataError("unknown column", column=column, allowed=f"{near[0]} is the name")


def _in_file(error: DataError, rows: pd.DataFrame, label: str) -> DataError:
    """Add the row and the column of the file that an error about an arm comes from."""
    if error.row is not None or error.column is None:
        return error
    items = ("time", "survival") if error.column == "landmarks" else (error.column,)
    columns = [c for c in items if c in rows.columns]
    cells = [(i, c, str(rows[c].iloc[i]).strip()) for i in range(len(rows)) for c in columns]
    given = [x for x in cells if x[2] != ""]
    exact = [x for x in given if _number(x[2]) == error.value]
    marked = [x for x in given if f"S({_number(x[2]):g})" in error.message.split(" exceeds ")[0]]
    for i, column, _ in (*exact, *marked, *given):
        shown = "survival" if error.column == "landmarks" and not exact else column
        return _with_row(error, _row(rows, i), shown if shown in columns else column, label)
    return _with_row(error, _row(rows, 0), columns[0] if columns else error.column, label)


def _number(text: str) -> float:
    from metablin.io import parse_number

    number = parse_number(text)
    return float("nan") if number is None else number


def _with_row(error: DataError, row: int, column: str | None, label: str) -> DataError:
    return DataError(
        error.message, row=row, column=column, value=error.value, allowed=error.allowed,
        study=label or None,
    )  # fmt: skip


def _draw(label: str, rows: pd.DataFrame, draws: int, seed: int) -> pd.DataFrame:
    from metablin import reconstruct as engine

    one = {name: _single(rows, name, label) for name in SINGLE}
    if one["n"] is None:
        raise DataError("missing", row=_row(rows, 0), column="n", study=label or None)
    median = one["median"]
    if one["median_low"] is not None or one["median_high"] is not None:
        median = tuple(
            None if x is None else x for x in (median, one["median_low"], one["median_high"])
        )
    elif median == float("inf"):
        median = (None, None, None)
    followup = one["followup"]
    if one["followup_min"] is not None or one["followup_max"] is not None:
        followup = (followup, one["followup_min"], one["followup_max"])
    sets = engine.reconstruct_summary(
        n=one["n"],
        events=one["events"],
        median=median,
        landmarks=_landmarks(rows, label),
        followup=followup,
        draws=draws,
        seed=seed,
        label=label,
    )
    frame = sets.to_frame()
    frame.insert(0, "id", label)
    return frame.assign(grade=sets.grade)


def _row(rows: pd.DataFrame, i: int) -> int:
    return int(rows.index[i]) + 1


def _cell(rows: pd.DataFrame, i: int, column: str, label: str) -> float | None:
    from metablin.io import explain, is_missing

    text = str(rows[column].iloc[i]).strip()
    if text.upper() == "NR" and column in NOT_REACHED:
        return float("inf")
    if is_missing(text):
        return None
    number = _number(text)
    if not math.isfinite(number):
        raise DataError(
            f"not a number ({explain(text)})", row=_row(rows, i), column=column,
            value=repr(text), allowed="a number, empty, or NR", study=label or None,
        )  # fmt: skip
    return number


def _single(rows: pd.DataFrame, column: str, label: str) -> Any:
    """Read the one value of an arm; rows that repeat it must agree."""
    if column not in rows.columns:
        return None
    values = [(i, _cell(rows, i, column, label)) for i in range(len(rows))]
    given = [(i, v) for i, v in values if v is not None]
    for i, v in given[1:]:
        if v != given[0][1]:
            raise DataError(
                f"differs from {given[0][1]:g} in row {_row(rows, given[0][0])}",
                row=_row(rows, i), column=column, value=v, study=label or None,
            )  # fmt: skip
    return given[0][1] if given else None


def _landmarks(rows: pd.DataFrame, label: str) -> list[tuple[float, ...]]:
    out = []
    for i in range(len(rows)):
        values = {
            name: _cell(rows, i, name, label) if name in rows.columns else None for name in REPEATED
        }
        if values["time"] is None and values["survival"] is None:
            continue
        for name in ("time", "survival"):
            if values[name] is None:
                raise DataError(
                    "a landmark needs time and survival", row=_row(rows, i), column=name,
                    study=label or None,
                )  # fmt: skip
        extra: tuple[str, ...] = ("survival_low", "survival_high")
        if (values["survival_low"] is None) != (values["survival_high"] is None):
            lacks = extra[0] if values["survival_low"] is None else extra[1]
            raise DataError(
                "a limit without its partner", row=_row(rows, i), column=lacks,
                allowed="both limits or none", study=label or None,
            )  # fmt: skip
        if any(values[x] is None for x in extra):
            extra = ("std_error",) if values["std_error"] is not None else ()
        out.append(tuple(float(values[x] or 0.0) for x in ("time", "survival", *extra)))
    return out
