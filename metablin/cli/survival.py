"""``metablin survival``: a CSV of patients in, the analysis of a trial out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from metablin.cli import _io
from metablin.errors import DataError

__all__ = ["survival"]

ConfType = Literal["log-log", "log", "plain"]


def survival(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="CSV of patients: time, event.")
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
    plot: Annotated[Path | None, typer.Option(help="Write the curves (svg, png, pdf).")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print the estimates as CSV.")] = False,
) -> None:
    """Analyse the patients in FILE: medians, landmarks, restricted means, tests, models.

    FILE has a row a patient with time and event (1 event, 0 censored), and any other columns.
    """
    frame = _io.read_csv(file, ["time", "event"])
    if by is not None and by not in frame.columns:
        raise DataError(f"{file.name} lacks the column of --by", column=by)
    _io.check_picture(plot)
    if json and csv:
        raise typer.BadParameter("--json and --csv exclude each other")
    if control is not None and by is None:
        raise typer.BadParameter("--control needs --by")
    from metablin.survival import DEFAULT_FAMILIES, analyse_trial

    families = DEFAULT_FAMILIES if models == "all" else _names(models)
    found = analyse_trial(
        frame["time"].to_numpy(),
        frame["event"].to_numpy(),
        None if by is None else frame[by].to_numpy(),
        tau=tau,
        at=None if at is None else _times(at),
        models=families,
        control=control,
        conf_type=conf_type,
        level=level,
        group_name=by or "",
    )
    if plot is not None:
        _io.save_plot(found.plot(), plot)
    if json:
        _io.print_json(found.to_dict())
    elif csv:
        typer.echo(found.to_frame().to_csv(index=False, lineterminator="\n"), nl=False)
    else:
        typer.echo(found.summary())


def _names(text: str | None) -> tuple[str, ...]:
    return () if text is None else tuple(x.strip() for x in text.split(",") if x.strip())


def _times(text: str) -> list[float]:
    try:
        return [float(x) for x in text.split(",")]
    except ValueError as error:
        raise typer.BadParameter(f"--at takes numbers and commas, not {text!r}") from error
