"""``metablin pool``: a CSV of studies in, a pooled effect out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from metablin.cli import _io
from metablin.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

    from metablin.effects import EffectSizes

__all__ = ["pool"]

Measure = Literal["proportion", "or", "rr", "rd", "hr", "rate", "generic"]
Transform = Literal["logit", "log", "raw", "arcsine", "freeman-tukey"]
Model = Literal["random", "common", "glmm", "mantel-haenszel", "peto", "beta-binomial", "bayes"]
Tau2 = Literal["DL", "HE", "HS", "SJ", "ML", "REML", "EB", "PM"]
Interval = Literal["z", "t", "hksj", "hksj-adhoc"]

COLUMNS = {
    "proportion": ("events", "n"),
    "or": ("events_treatment", "n_treatment", "events_control", "n_control"),
    "rr": ("events_treatment", "n_treatment", "events_control", "n_control"),
    "rd": ("events_treatment", "n_treatment", "events_control", "n_control"),
    "hr": ("estimate", "conf_low", "conf_high"),
    "rate": ("events", "person_time"),
    "generic": ("yi", "vi"),
}


def pool(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV of studies.")],
    measure: Annotated[Measure, typer.Option(help="What the columns hold.")],
    transform: Annotated[
        Transform | None, typer.Option(help="Scale of proportions (default logit).")
    ] = None,
    model: Annotated[Model, typer.Option(help="How studies combine.")] = "random",
    tau2: Annotated[Tau2, typer.Option(help="Estimator of the heterogeneity variance.")] = "REML",
    ci: Annotated[
        Interval | None,
        typer.Option(help="Interval of the pooled effect (default hksj, where the model has it)."),
    ] = None,
    level: Annotated[float, typer.Option(help="Confidence level.")] = 0.95,
    by: Annotated[str | None, typer.Option(help="Column of subgroups.")] = None,
    moderators: Annotated[
        str | None, typer.Option(help='Meta-regression formula, e.g. "year + C(line)".')
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Write a forest plot (svg, png, pdf).")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Pool effect sizes from FILE, a CSV with one row a study.

    Columns by measure: proportion: events, n. or, rr, rd: events_treatment, n_treatment,
    events_control, n_control. hr: estimate, conf_low, conf_high. rate: events, person_time.
    generic: yi, vi. A column study labels the rows.
    """
    if transform is not None and measure != "proportion":
        raise typer.BadParameter(f"--transform is for proportions, not for {measure}")
    _io.check_picture(plot)
    frame = _io.read_csv(file, COLUMNS[measure])
    if by is not None and by not in frame.columns:
        raise DataError(f"{file.name} lacks the column of --by", column=by)
    from metablin import pool as pool_effects

    fit = pool_effects(
        effect_sizes(frame, measure, transform or "logit"),
        model=model,
        tau2=tau2,
        ci=ci,
        level=level,
        by=None if by is None else frame[by].tolist(),
        moderators=moderators,
        data=None if moderators is None else _numbers(frame),
    )
    if plot is not None:
        _io.save_plot(fit.plot(), plot)
    if json:
        _io.print_json(fit.to_dict())
    else:
        typer.echo(fit.summary())


def effect_sizes(frame: pd.DataFrame, measure: Any, transform: Any) -> EffectSizes:
    """Return the effect sizes of a CSV whose columns the measure fixes."""
    from metablin import effects

    studies = frame["study"].tolist() if "study" in frame.columns else None
    first, second, *rest = (frame[name].to_numpy() for name in COLUMNS[measure])
    if measure == "proportion":
        return effects.proportions(first, second, transform=transform, studies=studies)
    if measure in ("or", "rr", "rd"):
        return effects.two_by_two(first, second, rest[0], rest[1], measure=measure, studies=studies)
    if measure == "hr":
        return effects.hazard_ratios(first, second, rest[0], studies=studies)
    if measure == "rate":
        return effects.rates(first, second, studies=studies)
    return effects.generic(first, second, studies=studies)


def _numbers(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with every column that holds only numbers made numeric."""
    import pandas as pd

    out = frame.copy()
    for name in out.columns:
        converted = pd.to_numeric(out[name], errors="coerce")
        if converted.notna().all():
            out[name] = converted
    return out
