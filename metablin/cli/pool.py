"""``metablin pool``: a table of studies in, a pooled effect out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from metablin.cli import _io
from metablin.cli._diagnostics import Diagnostics, Test
from metablin.options import (
    DoubleZeros,
    ForestLayout,
    Interval,
    MeanVariance,
    Measure,
    Model,
    Prediction,
    Tau2,
    Transform,
    ZeroRule,
)

if TYPE_CHECKING:
    from metablin.effects import EffectSizes
    from metablin.io import Studies
    from metablin.meta import MetaFit

__all__ = ["pool"]

TABLES = ("or", "rr", "rd", "asd")
PAIRS = ("irr", "ird", "irsd")
MEANS = ("md", "smd", "smdh", "glass", "rom")
SCALES = {
    "proportion": ("logit", "log", "raw", "arcsine", "freeman-tukey"),
    "mean": ("raw", "log"),
    "correlation": ("fisher-z", "raw"),
}
"""Scales of measures that have several, the default first."""


def pool(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="Table of studies (CSV, xlsx).")
    ],
    measure: Annotated[Measure, typer.Option(help="What the columns hold.", case_sensitive=False)],
    transform: Annotated[
        Transform | None,
        typer.Option(
            help="Scale of proportions (default logit), means (raw) or correlations (fisher-z).",
            case_sensitive=False,
        ),
    ] = None,
    model: Annotated[
        Model, typer.Option(help="How studies combine.", case_sensitive=False)
    ] = "random",
    rule: Annotated[
        Literal["cohorts"] | None,
        typer.Option(help="The model that the number of single-arm cohorts can carry."),
    ] = None,
    tau2: Annotated[
        Tau2,
        typer.Option(help="Estimator of the heterogeneity variance.", case_sensitive=False),
    ] = "REML",
    ci: Annotated[
        Interval | None,
        typer.Option(
            help="Interval of the pooled effect (default hksj, where the model has it).",
            case_sensitive=False,
        ),
    ] = None,
    prediction: Annotated[
        Prediction, typer.Option(help="Kind of prediction interval.", case_sensitive=False)
    ] = "match",
    level: Annotated[float, typer.Option(help="Level of the intervals in the output.")] = 0.95,
    input_level: Annotated[
        float | None,
        typer.Option(help="Level of the file's intervals (default 0.95, or its column level)."),
    ] = None,
    zero_cells: Annotated[
        ZeroRule | None, typer.Option(help="What is added to zero cells of two arms.")
    ] = None,
    variance: Annotated[
        MeanVariance | None,
        typer.Option(help="Sampling variance of differences and ratios of means."),
    ] = None,
    double_zeros: Annotated[
        DoubleZeros | None, typer.Option(help="Trials without any event, or only such.")
    ] = None,
    by: Annotated[str | None, typer.Option(help="Column of subgroups.")] = None,
    moderators: Annotated[
        str | None, typer.Option(help='Meta-regression formula, e.g. "year + C(line)".')
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option(help="Column of rows that belong together: cluster-robust, or multilevel."),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(help="Column of weights for --model weighted (equal ones without it)."),
    ] = None,
    leave_one_out: Annotated[
        bool, typer.Option("--leave-one-out", help="Also pool without each study in turn.")
    ] = False,
    cumulative: Annotated[
        str | None, typer.Option(help="Also pool as studies are added, in the order of a column.")
    ] = None,
    bootstrap: Annotated[
        int | None, typer.Option(help="Also resample the clusters of --cluster, so many times.")
    ] = None,
    outlier_test: Annotated[
        int | None,
        typer.Option(help="Also test for outliers by so many draws (models student-t, mixture)."),
    ] = None,
    influence: Annotated[
        bool, typer.Option("--influence", help="Also measure the influence of each study.")
    ] = False,
    small_study: Annotated[
        Test | None, typer.Option(help="Also test for small-study effects.")
    ] = None,
    trim_and_fill: Annotated[
        bool, typer.Option("--trim-and-fill", help="Also trim and fill.")
    ] = False,
    columns: _io.Columns = None,
    sheet: _io.Sheet = None,
    missing: _io.Missing = "error",
    percent: _io.Percent = False,
    unit: _io.Unit = None,
    plot: Annotated[Path | None, typer.Option(help="Write a forest plot (svg, png, pdf).")] = None,
    layout: Annotated[ForestLayout, typer.Option(help="How the forest plot is set.")] = "plain",
    funnel: Annotated[
        Path | None, typer.Option(help="Write a funnel plot (svg, png, pdf).")
    ] = None,
    table: Annotated[
        Path | None, typer.Option(help="Write the studies and the pool as .md, .tex or .html.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Write methods and results in sentences (.md).")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Pool effect sizes from FILE, a table with one row a study.

    Columns by measure: proportion: events, n (or rate, n). or, rr, rd, asd: events_treatment,
    n_treatment, events_control, n_control. irr, ird, irsd: events_treatment,
    person_time_treatment, events_control, person_time_control. hr: estimate, conf_low, conf_high
    (or loghr, se); or, rr and irr alike where counts are missing. rate: events, person_time. md,
    smd, smdh, glass, rom: mean_treatment, sd_treatment, n_treatment, mean_control, sd_control,
    n_control (or std_error_...). mean: mean, sd (or std_error), n. correlation: r, n. generic: yi,
    vi (or yi, se). A column study labels the rows, a column level gives the level of each
    interval. The names of metafor, meta and RevMan are known; --columns maps others.
    """
    _usage(measure, transform, zero_cells, double_zeros, variance, model, cluster, by, weights)
    if bootstrap is not None and cluster is None:
        raise typer.BadParameter("--bootstrap needs --cluster")
    if outlier_test is not None and model not in ("student-t", "mixture"):
        raise typer.BadParameter("--outlier-test goes with --model student-t or mixture")
    _one_rule(rule, measure, model != "random", by, cluster, moderators)
    if layout != "plain" and plot is None:
        raise typer.BadParameter("--layout needs --plot")
    _io.check_picture(plot, file)
    _io.check_picture(funnel, file, option="--funnel")
    _io.check_files([plot, funnel, table, report], [file])
    _papers(table, report)
    from metablin.io import read_studies

    studies = read_studies(
        file, measure, _io.options(columns, sheet, missing, percent, unit), by=by,
        cluster=cluster, weights=weights, order=cumulative, moderators=moderators,
        input_level=input_level,
    )  # fmt: skip
    rules = {"zero_cells": zero_cells, "double_zeros": double_zeros, "variance": variance}
    with studies.table.places():
        effects = effect_sizes(studies, measure, transform, rules)
        fit = _fit(effects, studies, rule, model=model, tau2=tau2, ci=ci, level=level,
                   moderators=moderators, prediction=prediction)  # fmt: skip
    wanted = Diagnostics(leave_one_out, influence, small_study, trim_and_fill, funnel,
                         cumulative is not None, outlier_test, bootstrap)  # fmt: skip
    found = wanted.run(fit, studies)
    if plot is not None:
        _io.save_plot(fit.plot(layout=layout), plot)
    if table is not None or report is not None:
        _write_papers(fit, table, report)
    if json:
        _io.print_json(fit.to_dict() | wanted.to_dict(found))
    else:
        _io.tell("\n\n".join([fit.summary(), *(x.summary() for x in found.values())]))
    _io.say(studies.note())


def _papers(table: Path | None, report: Path | None) -> None:
    """Refuse tables and texts of a kind that cannot be written (exit 2)."""
    if table is not None and table.suffix.lower() not in (".md", ".tex", ".html", ".htm"):
        raise typer.BadParameter(f"--table writes .md, .tex or .html, not {table.name}")
    if report is not None and report.suffix.lower() != ".md":
        raise typer.BadParameter(f"--report writes .md, not {report.name}")


def _write_papers(fit: MetaFit, table: Path | None, report: Path | None) -> None:
    from metablin.io import write_text
    from metablin.report.export import export
    from metablin.report.paper import write_up

    if table is not None:
        export(fit, table)
    if report is not None:
        write_text(report, write_up(fit).to_markdown())


def _usage(
    measure: str, transform: str | None, zero_cells: str | None, double_zeros: str | None,
    variance: str | None, model: str, cluster: str | None, by: str | None, weights: str | None,
) -> None:  # fmt: skip
    """Refuse options that do not go together (exit 2)."""
    wrong = {
        f"--transform is for proportions, means and correlations, not for {measure}":
            transform is not None and measure not in SCALES,
        f"--transform of {measure}: {', '.join(SCALES.get(measure, ()))}":
            transform is not None and transform not in SCALES.get(measure, (transform,)),
        f"--variance is for differences and ratios of means, not for {measure}":
            variance is not None and measure not in MEANS,
        f"--zero-cells is for two arms, not for {measure}":
            zero_cells is not None and measure not in (*TABLES, *PAIRS),
        f"--double-zeros is for two-by-two tables, not for {measure}":
            double_zeros is not None and measure not in TABLES,
        "--zero-cells treatment-arm is for two-by-two tables":
            zero_cells == "treatment-arm" and measure in PAIRS,
        "--model multilevel needs --cluster": model == "multilevel" and cluster is None,
        "--cluster does not go with --by; take the subgroup as a moderator":
            cluster is not None and by is not None,
        "--cluster goes with --model random, common or multilevel":
            cluster is not None and model not in ("random", "common", "multilevel"),
        "--weights goes with --model weighted": weights is not None and model != "weighted",
    }  # fmt: skip
    for message, is_so in wrong.items():
        if is_so:
            raise typer.BadParameter(message)


def _one_rule(rule: str | None, measure: str, *others: object) -> None:
    """Refuse options that a rule for few studies decides itself."""
    if rule is None:
        return
    if measure not in ("proportion", "rate"):
        raise typer.BadParameter("--rule cohorts is for proportions and rates")
    if any(others):
        raise typer.BadParameter(
            "--rule cohorts chooses the model: give no --model, --by, --cluster or --moderators"
        )


def effect_sizes(
    studies: Studies,
    measure: Any,
    transform: Any = None,
    options: Mapping[str, str | None] | None = None,
) -> EffectSizes:
    """Return the effect sizes of the columns that the measure fixes."""
    from metablin import effects

    c, names = studies.columns, studies.studies
    rules: dict[str, Any] = {k: v for k, v in (options or {}).items() if v is not None}
    if measure in SCALES:
        transform = transform or SCALES[measure][0]
    if "log_estimate" in c:
        return effects.log_effects(c["log_estimate"], c["std_error"], measure="hr", studies=names)
    if "log_ratio" in c or "ratio" in c:
        return _printed_ratios(studies, measure, rules)
    first, second, *rest = c.values()
    if measure == "proportion":
        return effects.proportions(first, second, transform=transform, studies=names)
    if measure in TABLES:
        first, second, third, fourth = (c[x] for x in TWO_BY_TWO)
        return effects.two_by_two(first, second, third, fourth, measure=measure, studies=names,
                                  **rules)  # fmt: skip
    if measure in PAIRS:
        return effects.rate_contrasts(first, second, rest[0], rest[1], measure=measure,
                                      studies=names, **rules)  # fmt: skip
    if measure in (*MEANS, "mean", "correlation"):
        return _continuous(studies, measure, transform, rules)
    if measure == "hr":
        return effects.hazard_ratios(first, second, rest[0], level=studies.level, studies=names)
    if measure == "rate":
        return effects.rates(first, second, studies=names)
    return effects.generic(first, second, studies=names)


def _printed_ratios(studies: Studies, measure: Any, rules: Mapping[str, Any]) -> EffectSizes:
    """Return ratios that are printed with an interval or as logarithms, without their counts."""
    from metablin import effects

    if rules:
        raise typer.BadParameter("the file has ratios, no counts: leave out rules for counts")
    c, names = studies.columns, studies.studies
    if "log_ratio" in c:
        log_ratio, std_error = c["log_ratio"], c["std_error"]
    else:
        e = effects.hazard_ratios(
            c["ratio"], c["conf_low"], c["conf_high"], level=studies.level, studies=names
        )
        log_ratio, std_error = e.yi, e.vi**0.5
    return effects.log_effects(log_ratio, std_error, measure=measure, studies=names)


def _continuous(
    studies: Studies, measure: Any, transform: Any, rules: Mapping[str, Any]
) -> EffectSizes:
    from metablin import effects

    c, names = studies.columns, studies.studies
    if measure == "mean":
        return effects.means(c["mean"], c["sd"], c["n"], transform=transform, studies=names)
    if measure == "correlation":
        return effects.correlations(c["r"], c["n"], transform=transform, studies=names)
    m1, s1, n1, m2, s2, n2 = (c[x] for x in SIX)
    return effects.mean_differences(m1, s1, n1, m2, s2, n2, measure=measure, studies=names, **rules)


SIX = tuple(f"{x}_{arm}" for arm in ("treatment", "control") for x in ("mean", "sd", "n"))
TWO_BY_TWO = ("events_treatment", "n_treatment", "events_control", "n_control")


def _fit(e: EffectSizes, studies: Studies, rule: str | None, **asked: Any) -> MetaFit:
    import metablin as mb

    if rule == "cohorts":
        return mb.pool_cohorts(e, level=asked["level"])
    frame = studies.frame
    if studies.by is not None:
        asked["by"] = frame[studies.by].tolist()
    if asked["moderators"] is not None:
        asked["data"] = frame
    if studies.weights is not None:
        asked["weights"] = studies.weights
    if studies.cluster is None:
        return mb.pool(e, **asked)
    groups = frame[studies.cluster].tolist()
    if asked["model"] == "multilevel":
        return mb.pool(e, levels={studies.cluster: groups}, **asked)
    return mb.clustered(mb.pool(e, **asked), groups)
