"""``metablin reconstruct``: coordinates of Kaplan-Meier curves in, patients out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from metablin.cli import _io
from metablin.errors import DataError
from metablin.options import Clicks

if TYPE_CHECKING:
    import pandas as pd

    from metablin.io import AtRisk, Curves, ReadOptions, Table
    from metablin.reconstruct import Mended

__all__ = ["reconstruct"]


MOST_NAMED = 10  # curves named in the line on what was mended


def reconstruct(
    clicks: Annotated[
        Path,
        typer.Argument(
            exists=True, dir_okay=False,
            help="[id,] time, survival, as curve readers write them (CSV, text, xlsx).",
        ),
    ],
    out: Annotated[Path, typer.Option(help="Write patients: [id,] time, event.")],
    at_risk: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|TEXT",
            help='[id,] time, n_at_risk; or typed in: "A 0:154,6:96; B 0:150,6:80".',
        ),
    ] = None,
    totals: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="[id,] n, events (may be empty)."),
    ] = None,
    n: Annotated[int | None, typer.Option(help="Patients of the one curve.")] = None,
    events: Annotated[int | None, typer.Option(help="Events of the one curve.")] = None,
    failure: Annotated[
        bool, typer.Option("--failure", help="The curve is 1 - S (cumulative incidence).")
    ] = False,
    kind: Annotated[
        Clicks,
        typer.Option("--clicks", help="Just after falls; above and below them; or at any time."),
    ] = "auto",
    noise: Annotated[
        str | None, typer.Option(metavar="SD|exact", help="Reading error of survival (0 to 1).")
    ] = None,
    quality: Annotated[Path | None, typer.Option(help="Write the fit of each curve.")] = None,
    columns: _io.Columns = None,
    sheet: _io.Sheet = None,
    missing: _io.Missing = "error",
    percent: _io.Percent = False,
    unit: _io.Unit = None,
    jobs: Annotated[int, typer.Option(min=1, help="Worker processes.")] = 1,
) -> None:  # fmt: skip
    """Reconstruct individual patient data from the coordinates of Kaplan-Meier curves.

    With an id column, every curve of CLICKS in one call. Curves that cannot be used are reported
    one by one; the others are still written, and the exit code is 1.
    """
    if totals is not None and (n is not None or events is not None):
        raise typer.BadParameter("--totals and --n or --events exclude each other")
    table_file = None if at_risk is None or ":" in at_risk else Path(at_risk)
    if table_file is not None and not table_file.is_file():
        raise typer.BadParameter(f"--at-risk: no such file: {at_risk}")
    if at_risk is not None and table_file is None and _is_file(at_risk):
        table_file = Path(at_risk)
    inputs = (clicks, table_file, totals)
    _io.check_files([out, quality], inputs)
    asked = _io.options(columns, sheet, missing, percent, unit)
    from metablin.io import read_curves
    from metablin.reconstruct import reconstruct_batch

    curves = read_curves(clicks, asked, failure)
    notes = [curves.note]
    risk = None if at_risk is None else _risk(at_risk, asked, curves, notes)
    sizes, table = _sizes(totals, n, events, asked, curves, notes)
    errors = dict(curves.errors)
    if len(curves.clicks):
        batch = reconstruct_batch(
            _rows(curves.clicks, curves.rows), risk, sizes, jobs, percent=curves.percent,
            kind=kind, noise=_noise(noise),
            quality=quality is not None,
        )  # fmt: skip
        notes.append(_mended(batch.mended))
        errors |= {k: v for k, v in batch.errors.items() if k not in errors}
        named = curves.named and not (batch.ipd["id"] == "").any()
        if len(batch.ipd):
            _io.write_csv(_with_id(batch.ipd, named), out, *inputs)
        if quality is not None and len(batch.quality):
            _io.write_csv(_with_id(batch.quality, named), quality, *inputs)
    for label, error in errors.items():
        typer.echo(f"metablin: {_io.shown(str(_in_totals(error, table, label)))}", err=True)
    if errors:
        raise typer.Exit(1)
    _io.say(*notes)


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
    text = "; ".join(parts) + (f"; and {more} more curves" if more else "")
    return f"mended: {text}" if parts else ""


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except OSError:
        return False


def _with_id(frame: pd.DataFrame, named: bool) -> pd.DataFrame:
    return frame if named else frame.drop(columns="id")


def _rows(frame: pd.DataFrame, rows: object) -> pd.DataFrame:
    """Return the frame with the rows of the file it came from, for errors."""
    frame.attrs["rows"] = tuple(int(i) for i in rows)  # type: ignore[attr-defined]
    return frame


def _risk(source: str, asked: ReadOptions, curves: Curves, notes: list[str]) -> pd.DataFrame:
    from dataclasses import replace

    from metablin.io import match_ids, read_at_risk

    found: AtRisk = read_at_risk(source, replace(asked, columns=None, sheet=None))
    table = found.table
    names, said = match_ids(table["id"].tolist(), _known(curves))
    if table["id"].nunique() > 1 and not curves.named:
        raise DataError("the at-risk table has several arms and the clicks one curve without a "
                        "name", column="id", value=", ".join(table["id"].unique()),
                        allowed="clicks with an id, or the table of one arm")  # fmt: skip
    if not found.named and len(_known(curves)) > 1:
        raise DataError("the at-risk table names no arm and there are several curves", column="id",
                        allowed=f"an arm for each of {', '.join(_known(curves)[:8])}")  # fmt: skip
    table["id"] = [names.get(x, x) for x in table["id"]]
    notes += [found.note, f"at-risk table: {said}" if said else ""]
    return _rows(table, found.rows)


def _known(curves: Curves) -> list[str]:
    return [*dict.fromkeys(curves.clicks["id"]), *curves.errors]


def _sizes(
    totals: Path | None, n: int | None, events: int | None, asked: ReadOptions, curves: Curves,
    notes: list[str],
) -> tuple[pd.DataFrame | None, Table | None]:  # fmt: skip
    """Return the totals of the curves, from their file or from the command line."""
    import pandas as pd

    if totals is None:
        if n is None and events is None:
            return None, None
        known = _known(curves)
        if len(known) != 1:
            raise DataError(f"--n and --events are for one curve, and there are {len(known)}",
                            allowed="--totals with an id column")  # fmt: skip
        return pd.DataFrame({"id": known, "n": [n], "events": [events]}), None
    from dataclasses import replace

    from metablin.io import match_ids, open_table

    plain = replace(asked, columns=None, sheet=None)
    table = open_table(totals, plain, [("id", "n", "events"), ("id", "n"), ("n", "events"), ("n",)])
    roles = [role for role in ("n", "events") if role in table.roles]
    frame = pd.DataFrame(dict(zip(roles, table.all_numbers(roles, missing=True), strict=True)))
    if "id" in table.roles:
        ids = table.text("id")
        if "" in ids:
            raise DataError("missing", row=ids.index("") + 1, column="id",
                            allowed="a name in every row")  # fmt: skip
        names, said = match_ids(ids, _known(curves))
        frame.insert(0, "id", [names.get(x, x) for x in ids])
        table.said += [said] if said else []
    elif len(frame) == 1 and len(_known(curves)) == 1:
        frame.insert(0, "id", _known(curves))
    notes.append(table.note())
    return frame, table


def _in_totals(error: DataError, table: Table | None, label: str) -> DataError:
    """Add the row of the totals that an error about n or events comes from."""
    if error.row is not None or table is None or error.column not in table.roles:
        return error
    ids = table.text("id") if "id" in table.roles else [label]
    if label not in ids:
        return error
    return DataError(
        error.message, row=ids.index(label) + 1, column=error.column, value=error.value,
        allowed=error.allowed, study=label or None,
    )  # fmt: skip
