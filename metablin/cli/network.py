"""``metablin network``: a CSV of arms or contrasts in, a network meta-analysis out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from metablin.cli import _io
from metablin.errors import DataError
from metablin.options import (
    Missing,
    NetworkInterval,
    NetworkMeasure,
    NetworkModel,
    NetworkPrediction,
    SmallValues,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from metablin.network import NetworkFit

__all__ = ["network"]

Tau2 = Literal["REML", "DL", "ML", "PM"]
Picture = Literal["graph", "forest", "splits", "heat", "ranks", "contributions", "league"]

COLUMNS = ("study", "treatment", "treat1", "treat2", "events", "n", "person_time", "mean", "sd",
           "yi", "vi", "std_error", "estimate", "conf_low", "conf_high", "level",
           "shared_variance")  # fmt: skip


def network(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="CSV of arms or contrasts.")
    ],
    measure: Annotated[NetworkMeasure, typer.Option(help="What the columns hold.")],
    reference: Annotated[
        str | None, typer.Option(help="Treatment the others are compared with.")
    ] = None,
    model: Annotated[NetworkModel, typer.Option(help="How studies combine.")] = "random",
    tau2: Annotated[Tau2, typer.Option(help="Estimator of the heterogeneity variance.")] = "REML",
    ci: Annotated[NetworkInterval, typer.Option(help="Interval of the effects.")] = "z",
    level: Annotated[float, typer.Option(help="Confidence level.")] = 0.95,
    prediction: Annotated[
        NetworkPrediction, typer.Option(help="How prediction intervals are made.")
    ] = "match",
    small_values: Annotated[
        SmallValues, typer.Option(help="Whether small effects are good; P-scores need it.")
    ] = "desirable",
    missing: Annotated[Missing, typer.Option(help="What to do with empty cells.")] = "error",
    plot: Annotated[Path | None, typer.Option(help="Write a picture (svg, png, pdf).")] = None,
    picture: Annotated[Picture, typer.Option(help="Which picture --plot writes.")] = "graph",
    columns: _io.Columns = None,
    sheet: _io.Sheet = None,
    league: Annotated[bool, typer.Option("--league", help="Print the league table too.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Compare every treatment of FILE with every other, directly and through the network.

    One row an arm: study, treatment and by measure: or, rr, rd: events, n. rate: events,
    person_time. md, smd: mean, sd, n. generic: yi, vi; or one row a study with its arms
    side by side (treat1, event1, n1, treat2, event2, n2). Or one row a contrast: study, treat1,
    treat2 and yi, vi (treat1 minus treat2) or estimate, conf_low, conf_high (treat1 over treat2).
    """
    _io.check_picture(plot, file)
    asked = _io.options(columns, sheet, "error", False, None)
    frame = _io.read_csv(file, (), asked, COLUMNS)
    _no_totals(frame)
    from metablin.network import network as network_of
    from metablin.network import network_pool
    from metablin.network.wide import lengthened

    long, wide = lengthened(frame, measure)
    n = network_of(_numbers(long, frame.attrs["comma"]), measure, missing=missing)
    fit = network_pool(n, model=model, tau2=tau2, ci=ci, level=level, reference=reference,
                       prediction=prediction)  # fmt: skip
    if plot is not None:
        _io.save_plot(_draw(fit, picture, small_values), plot)
    if json:
        _io.print_json(fit.to_dict(small_values))
    else:
        _io.tell(fit.summary(small_values))
        if league:
            typer.echo("\n" + fit.league().to_string())
    _io.say(frame.attrs["note"], wide, *n.notes)


def _no_totals(frame: pd.DataFrame) -> None:
    from metablin.io import is_total

    for i, label in enumerate(frame.get("study", ()), start=1):
        if is_total(label):
            raise DataError("a row of totals, not a study", row=i, column="study", value=label,
                            allowed="studies only; delete the row")  # fmt: skip


def _numbers(frame: pd.DataFrame, comma: bool) -> pd.DataFrame:
    """Read the numbers of a file as its country writes them; what is none stays for the door."""
    from metablin.io import parse_number
    from metablin.network.data import columns_of

    out = frame.copy()
    for name, column in columns_of(frame).items():
        if name not in ("study", "treatment", "treat1", "treat2"):
            read = [parse_number(cell, comma) for cell in frame[column]]
            cells = zip(frame[column], read, strict=True)
            out[column] = [cell if value is None else value for cell, value in cells]
    return out


def _draw(fit: NetworkFit, picture: str, small_values: SmallValues) -> Axes:
    from metablin.plots.network import network_picture
    from metablin.plots.network_matrices import rankogram

    if picture == "ranks":
        return rankogram(fit, small_values=small_values)
    return network_picture(fit, picture=picture)
