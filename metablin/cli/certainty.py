"""``metablin certainty``: risk of bias from answers, or the certainty of a pool, from a CSV."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from metablin.cli import _io
from metablin.cli.pool import effect_sizes
from metablin.errors import DataError
from metablin.options import CertaintyMeasure, Interval, Model, Start, Tau2, Transform

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["certainty"]

ANSWERS = ("study", "domain", "question", "answer")


def certainty(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV of studies.")],
    measure: Annotated[
        CertaintyMeasure | None, typer.Option(help="What the columns hold (studies, not answers).")
    ] = None,
    start: Annotated[
        Start | None, typer.Option(help="Kind of evidence: where its certainty starts.")
    ] = None,
    answers: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="CSV of risk-of-bias answers."),
    ] = None,
    threshold: Annotated[
        str | None,
        typer.Option(help="Smallest effect that matters, or three: small,moderate,large."),
    ] = None,
    baseline: Annotated[
        float | None, typer.Option(help="Risk without treatment, 0 to 1: judge in absolute terms.")
    ] = None,
    at: Annotated[float | None, typer.Option(help="Time of the outcome in months.")] = None,
    outcome: Annotated[str, typer.Option(help="The unwanted event.")] = "the outcome",
    intervention: Annotated[str, typer.Option(help="What is compared.")] = "the treatment",
    population: Annotated[
        str, typer.Option(help="Whom the question is about; compared with a column population.")
    ] = "",
    indirectness: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, help="CSV of aspect, severity, reason, perhaps study."
        ),
    ] = None,
    overrides: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="CSV of a person's ratings: domain, levels, reason (of answers: study, domain, "
            "judgement, reason).",
        ),
    ] = None,
    overdue: Annotated[
        int | None, typer.Option(min=0, help="Registered comparisons overdue for results.")
    ] = None,
    half_width: Annotated[
        float, typer.Option(help="Half-width of a rate's interval that is accepted.")
    ] = 0.10,
    patients: Annotated[
        float | None, typer.Option(help="Patients, where the columns do not say.")
    ] = None,
    transform: Annotated[
        Transform | None, typer.Option(help="Scale of proportions (default logit).")
    ] = None,
    model: Annotated[Model, typer.Option(help="How studies combine.")] = "random",
    tau2: Annotated[Tau2, typer.Option(help="Estimator of the heterogeneity variance.")] = "REML",
    ci: Annotated[Interval | None, typer.Option(help="Interval of the pooled effect.")] = None,
    level: Annotated[float, typer.Option(help="Confidence level.")] = 0.95,
    plot: Annotated[
        Path | None, typer.Option(help="Write the lights, or the forest plot with marks.")
    ] = None,
    columns: _io.Columns = None,
    sheet: _io.Sheet = None,
    missing: _io.Missing = "error",
    percent: _io.Percent = False,
    unit: _io.Unit = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Judge risk of bias, or suggest the certainty of a pooled effect by GRADE.

    FILE with columns study, domain, question, answer (and outcome, tool, reason, source) holds
    signalling answers of RoB 2 or ROBINS-I: it prints the judgements. Any other FILE holds studies
    as for pool (--measure names the columns) with, if you like, a column risk_of_bias (low, some
    concerns, high; or moderate, serious, critical) and a column population: it prints the rating,
    the number behind each domain, and what would change it.
    """
    _io.check_picture(plot, file)
    sheet_only = _io.options(None, sheet, "error", False, None)
    frame = _io.read_csv(file, (), sheet_only)
    own = None if overrides is None else _io.read_csv(overrides, ("domain", "reason"))
    if set(ANSWERS) <= set(frame.columns):
        _judge(frame, own, plot, json)
        return
    if measure is None or start is None:
        lacks = "--measure" if measure is None else "--start"
        raise typer.BadParameter(
            f"{lacks} is needed for studies; answers have {', '.join(ANSWERS)}"
        )
    asked = _io.options(columns, sheet, missing, percent, unit)
    studies = _io.studies(file, measure, asked)
    frame = studies.frame
    from metablin import grade
    from metablin import pool as pool_effects

    with studies.table.places():
        fit = pool_effects(
            effect_sizes(studies, measure, transform or "logit"),
            model=model, tau2=tau2, ci=ci, level=level,
        )  # fmt: skip
    for name in ("population", *(("risk_of_bias",) if answers is None else ())):
        if name in frame.columns:  # so that the note does not call it unused
            studies.table.take_named(name, "columns")
    judged = _judgements(frame, fit, answers)
    rated = grade(
        fit, start, judged, _numbers(threshold), baseline,
        None if indirectness is None else _io.read_csv(indirectness, ("aspect", "severity")),
        at=at, outcome=outcome, population=population, populations=_codes(frame, fit),
        intervention=intervention,
        publication=None if overdue is None else {"overdue": overdue},
        overrides=own, half_width=half_width, patients=patients,
    )  # fmt: skip
    if plot is not None:
        _forest(fit, judged, outcome, plot)
    _print(rated, json)
    _io.say(studies.note())


def _print(result: Any, json: bool) -> None:
    if json:
        _io.print_json(result.to_dict())
    else:
        _io.tell(result.summary())


def _judge(frame: pd.DataFrame, own: pd.DataFrame | None, plot: Path | None, json: bool) -> None:
    """Print the judgements that answers lead to."""
    from metablin import risk_of_bias

    judged = risk_of_bias(frame, own)
    if plot is not None:
        _io.save_plot(judged.plot(), plot)
    _print(judged, json)


def _numbers(text: str | None) -> list[float] | None:
    """Return numbers separated by commas."""
    if text is None:
        return None
    try:
        return [float(part) for part in text.split(",")]
    except ValueError as error:
        raise DataError("not numbers", column="threshold", value=text,
                        allowed="0.05, or 0.02,0.05,0.10") from error  # fmt: skip


def _judgements(frame: pd.DataFrame, fit: Any, answers: Path | None) -> Any:
    """Return judgements from a file of answers, else from the column of the studies' file."""
    if answers is not None:
        from metablin import risk_of_bias

        return risk_of_bias(_io.read_csv(answers, ANSWERS))
    if "risk_of_bias" not in frame.columns:
        return None
    words = frame["risk_of_bias"].to_numpy()[fit.effects.rows]
    return dict(zip(fit.effects.studies, words, strict=True))


def _codes(frame: pd.DataFrame, fit: Any) -> list[str] | None:
    if "population" not in frame.columns:
        return None
    return [str(c) for c in frame["population"].to_numpy()[fit.effects.rows]]


def _forest(fit: Any, judged: Any, outcome: str, path: Path) -> None:
    """Write the forest plot with the marks of risk of bias."""
    from metablin.plots import bias_marks, forest_frame

    axes = fit.plot()
    if judged is not None:
        words = judged if isinstance(judged, dict) else {
            s: next(j.judgement for j in judged.of(s, outcome) if j.domain == "overall")
            for s in fit.effects.studies
        }  # fmt: skip
        bias_marks(axes, forest_frame(fit), words)
    _io.save_plot(axes, path)
