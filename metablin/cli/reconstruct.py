"""``metablin reconstruct`` and ``reconstruct-summary``: published numbers in, patients out."""

from __future__ import annotations

import difflib
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from metablin.cli import _io
from metablin.errors import DataError
from metablin.options import Clicks

if TYPE_CHECKING:
    import pandas as pd

    from metablin.reconstruct import Mended

__all__ = ["reconstruct", "reconstruct_summary"]

SINGLE = {
    "n": ("n",),
    "events": ("events",),
    "median": ("median", "median_months"),
    "median_low": ("median_low", "median_ci_low"),
    "median_high": ("median_high", "median_ci_high"),
    "followup": ("followup", "followup_months"),
    "followup_min": ("followup_min",),
    "followup_max": ("followup_max",),
}
REPEATED = {
    "time": ("time", "time_months"),
    "survival": ("survival",),
    "survival_low": ("survival_low", "survival_ci_low"),
    "survival_high": ("survival_high", "survival_ci_high"),
    "std_error": ("std_error",),
}
NOT_REACHED = {x for name in ("median", "median_low", "median_high") for x in SINGLE[name]}
MOST_NAMED = 10  # curves named in the line on what was mended
NEARLY = 0.85  # likeness of a column's name to that of an item from which it is a slip


def reconstruct(
    clicks: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="CSV: [id,] time, survival.")
    ],
    out: Annotated[Path, typer.Option(help="Write patients: [id,] time, event.")],
    at_risk: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="CSV: [id,] time, n_at_risk."),
    ] = None,
    totals: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="CSV: [id,] n, events (may be empty)."),
    ] = None,
    quality: Annotated[Path | None, typer.Option(help="Write the fit of each curve.")] = None,
    percent: Annotated[bool, typer.Option("--percent", help="Survival is in percent.")] = False,
    kind: Annotated[
        Clicks,
        typer.Option("--clicks", help="Just after falls; above and below them; or at any time."),
    ] = "auto",
    noise: Annotated[
        str | None, typer.Option(metavar="SD|exact", help="Reading error of survival (0 to 1).")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Worker processes.")] = 1,
) -> None:
    """Reconstruct individual patient data from the coordinates of Kaplan-Meier curves.

    With an id column, every curve of CLICKS in one call. Curves that cannot be used are reported
    one by one; the others are still written, and the exit code is 1.
    """
    from metablin.reconstruct import reconstruct_batch

    sizes = None if totals is None else _table(totals, ("n",))
    batch = reconstruct_batch(
        _table(clicks, ("time", "survival")),
        None if at_risk is None else _table(at_risk, ("time", "n_at_risk")),
        sizes,
        jobs,
        percent=percent,
        kind=kind,
        noise=_noise(noise),
        quality=quality is not None,
    )
    named = list(batch.errors) != [""] and not (batch.ipd["id"] == "").any()
    if len(batch.ipd):
        _io.write_csv(batch.ipd if named else batch.ipd.drop(columns="id"), out)
    if quality is not None and len(batch.quality):
        _io.write_csv(batch.quality if named else batch.quality.drop(columns="id"), quality)
    for label, error in batch.errors.items():
        typer.echo(f"metablin: {_in_totals(error, sizes, label)}", err=True)
    if batch.errors:
        raise typer.Exit(1)
    if batch.mended:
        typer.echo(f"metablin: {_mended(batch.mended)}", err=True)


def _noise(text: str | None) -> float | Literal["exact"] | None:
    """Read the option: a standard deviation, or exact coordinates."""
    if text is None:
        return None
    if text == "exact":
        return "exact"
    try:
        return float(text)
    except ValueError as error:
        raise typer.BadParameter(f"--noise: {text!r} is neither a number nor exact") from error


def _mended(found: dict[str, tuple[Mended, ...]]) -> str:
    """Say in one line what of which curves was mended."""
    parts = [
        (f"{label}: " if label else "") + ", ".join(x.text for x in mended)
        for label, mended in list(found.items())[:MOST_NAMED]
    ]
    more = len(found) - len(parts)
    return "mended: " + "; ".join(parts) + (f"; and {more} more curves" if more else "")


def reconstruct_summary(
    file: Annotated[
        Path, typer.Argument(metavar="SUMMARY", exists=True, dir_okay=False, help="CSV of arms.")
    ],
    out: Annotated[Path, typer.Option(help="Write patients: [id,] draw, time, event, grade.")],
    draws: Annotated[int, typer.Option(min=1, help="Data sets per arm.")] = 20,
    seed: Annotated[int, typer.Option(help="Seed of the draws.")] = 1,
) -> None:
    """Draw individual patient data from printed summaries, where there is no curve.

    Columns, all but n optional: id, n, events, median, median_low, median_high, followup,
    followup_min, followup_max, and one landmark a row: time, survival, survival_low,
    survival_high, std_error. Rows of one id belong to one arm; NR stands for not reached.
    """
    frame = _io.read_csv(file, ("n",))
    _check_columns(frame)
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

        table = pd.concat(parts, ignore_index=True)
        _io.write_csv(table if "id" in frame.columns else table.drop(columns="id"), out)
    for bad in errors:
        typer.echo(f"metablin: {bad}", err=True)
    if errors:
        raise typer.Exit(1)


def _table(path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    """Read a CSV; a column of clean numbers as floats, anything else as text to be checked."""
    import pandas as pd

    frame = _io.read_csv(path, columns)
    _check_ids(frame)
    for column in frame.columns:
        if column != "id":
            numbers = pd.to_numeric(frame[column], errors="coerce")
            if not numbers.isna().any():
                frame[column] = numbers.astype("float64")
    return frame


def _check_ids(frame: pd.DataFrame) -> None:
    """Refuse rows without an id where others have one."""
    if "id" in frame.columns and (frame["id"] == "").any():
        row = int((frame["id"] == "").to_numpy().argmax()) + 1
        raise DataError("missing", row=row, column="id", allowed="a name in every row")


def _check_columns(frame: pd.DataFrame) -> None:
    """Refuse two columns for one item, and a column whose name is nearly that of an item."""
    named = SINGLE | REPEATED
    for names in named.values():
        both = [x for x in names if x in frame.columns]
        if len(both) > 1:
            raise DataError(f"stands for the same as {both[0]}", column=both[1], allowed="one")
    known = {x for names in named.values() for x in names} | {"id"}
    absent = [x for x in known if x not in frame.columns]
    for column in frame.columns:
        near = difflib.get_close_matches(column, absent, n=1, cutoff=NEARLY)
        if column not in known and near:
            raise DataError("unknown column", column=column, allowed=f"{near[0]} is the name")


def _in_totals(error: DataError, totals: pd.DataFrame | None, label: str) -> DataError:
    """Add the row of the totals that an error about n or events comes from."""
    if error.row is not None or totals is None or error.column not in totals.columns:
        return error
    rows = (totals["id"] == label).to_numpy() if "id" in totals.columns else [True]
    return _with_row(error, list(rows).index(True) + 1, error.column, label) if any(rows) else error


def _in_file(error: DataError, rows: pd.DataFrame, label: str) -> DataError:
    """Add the row and the column of the file that an error about an arm comes from."""
    if error.row is not None or error.column is None:
        return error
    items = ("time", "survival") if error.column == "landmarks" else (error.column,)
    columns = [c for x in items for c in (SINGLE | REPEATED)[x] if c in rows.columns]
    cells = [(i, c, str(rows[c].iloc[i]).strip()) for i in range(len(rows)) for c in columns]
    given = [x for x in cells if x[2] != ""]
    exact = [x for x in given if _number(x[2]) == error.value]
    marked = [x for x in given if f"S({_number(x[2]):g})" in error.message.split(" exceeds ")[0]]
    for i, column, _ in (*exact, *marked, *given):
        shown = "survival" if error.column == "landmarks" and not exact else column
        return _with_row(error, _row(rows, i), shown if shown in columns else column, label)
    return _with_row(error, _row(rows, 0), columns[0] if columns else error.column, label)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _with_row(error: DataError, row: int, column: str | None, label: str) -> DataError:
    return DataError(
        error.message, row=row, column=column, value=error.value, allowed=error.allowed,
        study=label or None,
    )  # fmt: skip


def _draw(label: str, rows: pd.DataFrame, draws: int, seed: int) -> pd.DataFrame:
    from metablin import reconstruct as engine

    one = {name: _single(rows, name, names, label) for name, names in SINGLE.items()}
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
    text = str(rows[column].iloc[i]).strip()
    if text == "":
        return None
    if text.upper() in ("NE", "NA"):
        return None
    if text.upper() == "NR" and column in NOT_REACHED:
        return float("inf")
    number = _number(text)
    if not math.isfinite(number):
        raise DataError(
            "not a number", row=_row(rows, i), column=column, value=repr(text),
            allowed="a number, empty, or NR", study=label or None,
        )  # fmt: skip
    return number


def _single(rows: pd.DataFrame, name: str, names: tuple[str, ...], label: str) -> Any:
    """Read the one value of an arm; rows that repeat it must agree."""
    for column in names:
        if column not in rows.columns:
            continue
        values = [(i, _cell(rows, i, column, label)) for i in range(len(rows))]
        given = [(i, v) for i, v in values if v is not None]
        for i, v in given[1:]:
            if v != given[0][1]:
                raise DataError(
                    f"differs from {given[0][1]:g} in row {_row(rows, given[0][0])}",
                    row=_row(rows, i), column=column, value=v, study=label or None,
                )  # fmt: skip
        if given:
            return given[0][1]
    return None


def _landmarks(rows: pd.DataFrame, label: str) -> list[tuple[float, ...]]:
    columns = {
        name: next((c for c in names if c in rows.columns), None)
        for name, names in REPEATED.items()
    }
    out = []
    for i in range(len(rows)):
        values = {
            name: None if column is None else _cell(rows, i, column, label)
            for name, column in columns.items()
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
                "a limit without its partner", row=_row(rows, i), column=columns[lacks] or lacks,
                allowed="both limits or none", study=label or None,
            )  # fmt: skip
        if any(values[x] is None for x in extra):
            extra = ("std_error",) if values["std_error"] is not None else ()
        out.append(tuple(float(values[x] or 0.0) for x in ("time", "survival", *extra)))
    return out
