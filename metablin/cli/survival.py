"""``metablin survival``: a CSV of patients in, the analysis of a trial out."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from metablin.cli import _io
from metablin.errors import DataError

if TYPE_CHECKING:
    from metablin.io import Table

__all__ = ["survival"]

ConfType = Literal["log-log", "log", "plain"]


def survival(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="Table of patients: time, event.")
    ],
    by: Annotated[str | None, typer.Option(help="Column of arms.")] = None,
    tau: Annotated[
        float | None, typer.Option(help="Horizon of restricted means (default: the largest).")
    ] = None,
    at: Annotated[str | None, typer.Option(help="Landmark times, e.g. 12,24,36.")] = None,
    models: Annotated[
        str | None,
        typer.Option(help='Families to fit, e.g. weibull,weibull-mixture-cure, or "all".'),
    ] = None,
    control: Annotated[
        str | None, typer.Option(help="Reference arm (default: first in sorted order).")
    ] = None,
    conf_type: Annotated[ConfType, typer.Option(help="Scale of the curve's interval.")] = "log-log",
    level: Annotated[float, typer.Option(help="Confidence level.")] = 0.95,
    columns: _io.Columns = None,
    sheet: _io.Sheet = None,
    missing: _io.Missing = "error",
    percent: _io.Percent = False,
    unit: _io.Unit = None,
    plot: Annotated[Path | None, typer.Option(help="Write the curves (svg, png, pdf).")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print the estimates as CSV.")] = False,
) -> None:
    """Analyse the patients in FILE: medians, landmarks, restricted means, tests, models.

    FILE has a row a patient with time and event (1 event, 0 censored), and any other columns.
    """
    if json and csv:
        raise typer.BadParameter("--json and --csv exclude each other")
    if control is not None and by is None:
        raise typer.BadParameter("--control needs --by")
    _io.check_picture(plot, file)
    from metablin.io import open_table

    asked = _io.options(columns, sheet, missing, percent, unit)
    table = open_table(file, asked, [("time", "event")])
    group = None if by is None else table.take_named(by, "--by")
    table.check_units(["time"])
    if missing == "drop":
        table.complete([*table.roles])
    time, event = _follow_up(table)
    if group is not None:
        table.complete([group])
    from metablin.survival import DEFAULT_FAMILIES, analyse_trial

    families = DEFAULT_FAMILIES if models == "all" else _names(models)
    with table.places():
        found = analyse_trial(
            time * asked.months,
            event,
            None if group is None else _arms(table, group),
            tau=tau,
            at=None if at is None else _times(at),
            models=families,
            control=control,
            conf_type=conf_type,
            level=level,
            group_name=group or "",
        )
    if plot is not None:
        _io.save_plot(found.plot(), plot)
    if json:
        _io.print_json(found.to_dict())
    elif csv:
        typer.echo(found.to_frame().to_csv(index=False, lineterminator="\n"), nl=False)
    else:
        _io.tell(found.summary())
    if unit is not None and unit != "months":
        table.said.append(f"times in {unit}, turned into months")
    _io.say(table.note(f"{len(table)} patients") if table.note() else "")


HAD = {
    "true", "yes", "y", "event", "dead", "died", "death", "deceased", "relapse", "relapsed",
    "recurred", "progression", "progressed", "failure", "failed", "tot", "verstorben", "décédé",
}  # fmt: skip
HAD_NOT = {
    "false", "no", "n", "none", "no_event", "event_free", "alive", "living", "censor", "censored",
    "disease_free", "diseasefree", "relapse_free", "progression_free", "lebend", "lebt", "vivant",
}  # fmt: skip
"""Words of a column of events, as R, SPSS and cBioPortal (``1:DECEASED``) write them."""


def _follow_up(table: Table) -> tuple[Any, Any]:
    """Return times and events; of words, one means the event and all others no event."""
    cells = table.text("event")
    kinds = {c: _kind(c) for c in cells}
    had = sorted(c for c, kind in kinds.items() if kind in HAD)
    if kinds and all(kind in HAD | HAD_NOT for kind in kinds.values()):
        if len({kinds[c] for c in had}) > 1:
            raise DataError(
                "two kinds of events", column=table.header("event"), value=" and ".join(had),
                allowed="one; or 1 for the events that are meant, 0 for all else",
            )  # fmt: skip
        rest = sorted(set(kinds) - set(had))
        table.said.append(", ".join(f"{c} is an event" for c in had)
                          + (" and " if had and rest else "")
                          + ", ".join(f"{c} is censored" for c in rest))  # fmt: skip
        return table.numbers("time"), [1.0 if kinds[c] in HAD else 0.0 for c in cells]
    time, event = table.all_numbers(["time", "event"])
    if set(event.tolist()) == {1.0, 2.0}:
        raise DataError("codes 1 and 2 are not event indicators", column=table.header("event"),
                        allowed="0 or 1; if 2 is the event, as in R, subtract 1")  # fmt: skip
    return time, event


def _kind(cell: str) -> str:
    """Return a word without case, blanks and the code that may stand before it."""
    return re.sub(r"[\s-]+", "_", re.sub(r"^[01]\s*[:=]\s*", "", cell.strip().lower()))


def _arms(table: Table, group: str) -> list[Any]:
    """Return the arms; numbers as numbers, so that dose 9 comes before dose 28."""
    from metablin.io import parse_number

    cells = table.text(group)
    numbers = [parse_number(c, table.comma) for c in cells]
    if any(x is None for x in numbers):
        return cells
    return [int(x) if x == int(x) else x for x in numbers if x is not None]


def _names(text: str | None) -> tuple[str, ...]:
    return () if text is None else tuple(x.strip() for x in text.split(",") if x.strip())


def _times(text: str) -> list[float]:
    try:
        return [float(x) for x in text.split(",")]
    except ValueError as error:
        raise typer.BadParameter(f"--at takes numbers and commas, not {text!r}") from error
