"""``metablin revman``: what a Cochrane review holds, and any of its analyses pooled again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from metablin.cli import _io
from metablin.options import Interval, Model, Tau2

__all__ = ["revman"]


def revman(
    file: Annotated[
        Path,
        typer.Argument(
            exists=True, dir_okay=False,
            help="Review: .rm5, RevMan 5 data as CSV, or the export of RevMan Web.",
        ),
    ],
    analysis: Annotated[
        str | None, typer.Option(help="Pool this analysis, by its number (1.2).")
    ] = None,
    model: Annotated[
        Model | None, typer.Option(help="How studies combine (default as the review has it).")
    ] = None,
    tau2: Annotated[
        Tau2 | None, typer.Option(help="Estimator of tau2 (default as the review has it, DL).")
    ] = None,
    ci: Annotated[Interval | None, typer.Option(help="Interval (default z, as RevMan).")] = None,
    level: Annotated[float, typer.Option(help="Level of the intervals.")] = 0.95,
    out: Annotated[
        Path | None, typer.Option(help="Write the studies of the analysis as CSV.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Write a forest plot as RevMan sets it (svg, png, pdf).")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:  # fmt: skip
    """List the analyses of a Cochrane review, or pool one of them.

    Without options that say otherwise an analysis is pooled as the review did (Mantel-Haenszel,
    Peto, inverse variance; random effects by DerSimonian and Laird), and RevMan's own result stands
    beside it.
    """
    if analysis is None and (out or plot or model or tau2 or ci):
        raise typer.BadParameter("--analysis says which of the analyses is meant")
    _io.check_picture(plot, file)
    _io.check_files([out, plot], [file])
    import metablin as mb

    review = mb.read_revman(file)
    if review.left_out:
        _io.say(f"{file.name}: without data of studies: {', '.join(review.left_out)}")
    if analysis is None:
        if json:
            _io.print_json(review.to_dict())
        else:
            shown = review.to_frame().to_string(index=False, na_rep="", float_format="%.3f")
            _io.tell(f"{review.title}\n{shown}")
        return
    chosen = review[analysis]
    asked = chosen.options
    if model is not None:
        asked = {"model": model}
    fit = mb.pool(
        chosen.effects(), **asked | {k: v for k, v in (("tau2", tau2), ("ci", ci)) if v},
        level=level,
    )  # fmt: skip
    if out is not None:
        _io.write_csv(chosen.to_frame(), out, file)
    if plot is not None:
        _io.save_plot(fit.plot(layout="revman"), plot)
    printed = chosen.file.printed
    if json:
        own = chosen.to_dict()
        _io.print_json(fit.to_dict() | {"review": {k: own[k] for k in own if k != "studies"}})
        return
    _io.tell(f"{chosen.file.number} {chosen.file.comparison}: {chosen.file.outcome}")
    _io.tell(fit.summary())
    if printed["estimate"] == printed["estimate"]:
        _io.tell("RevMan: {estimate:.4g} ({conf_low:.4g} to {conf_high:.4g})".format(**printed))
