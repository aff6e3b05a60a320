"""``metablin digitise`` and ``metablin read``: a figure in, clicks or patients out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from metablin.cli import _io
from metablin.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

    from metablin.digitise import Digitised

__all__ = ["digitise", "read"]

PICTURES = (".png", ".html")
FigureFile = Annotated[
    Path,
    typer.Argument(
        metavar="FIGURE", exists=True, dir_okay=False, help="PDF, SVG, PNG, JPEG, TIFF or WebP."
    ),
]
Page = Annotated[int | None, typer.Option(help="Page of a PDF; else the first with a figure.")]
PanelName = Annotated[str | None, typer.Option(help="One panel: its number or its letter.")]
ArmNames = Annotated[str | None, typer.Option(help="Number of arms, or their names: A,B.")]
XAxis = Annotated[str | None, typer.Option(help="First and last mark of the time axis: 0,60.")]
YAxis = Annotated[str | None, typer.Option(help="The same for survival: 0,1 or 0,100.")]
AtRisk = Annotated[str | None, typer.Option(help='CSV, or "A 0:154,6:96; B 0:150,6:80".')]
Printed = Annotated[
    str | None, typer.Option(help='To compare with: "hr=0.61; p=0.01; A median=12.3,events=90".')
]
Failure = Annotated[bool, typer.Option("--failure", help="The curves rise: 1 - S is drawn.")]
Report = Annotated[Path | None, typer.Option(help="Write the reading on the figure: PNG or HTML.")]
Accept = Annotated[bool, typer.Option("--accept", help="Write doubtful readings too, marked.")]


def digitise(
    figure: FigureFile,
    out: Annotated[Path | None, typer.Option(help="Write clicks: id, time, survival.")] = None,
    page: Page = None,
    panel: PanelName = None,
    arms: ArmNames = None,
    x_axis: XAxis = None,
    y_axis: YAxis = None,
    at_risk: AtRisk = None,
    printed: Printed = None,
    failure: Failure = False,
    at_risk_out: Annotated[
        Path | None, typer.Option(help="Write the table: id, time, n_at_risk.")
    ] = None,
    report: Report = None,
    edit: Annotated[
        Path | None, typer.Option(help="Write a page (HTML) on which to correct the reading.")
    ] = None,
    stages: Annotated[
        Path | None, typer.Option(help="Write a picture per stage into this folder, to debug.")
    ] = None,
    accept: Accept = False,
) -> None:
    """Read the Kaplan-Meier curves of a figure, without clicking.

    The readings carry a confidence by arm. Below 0.6 no clicks are written and the exit code is 1;
    the message says what to give by hand. --accept writes such arms too, marked in a column.
    --report and --edit show a doubtful reading as well: that is what they are for.
    """
    outputs = [out, at_risk_out, report, edit]
    if not any(outputs) and stages is None:
        raise typer.BadParameter("nothing to write: give --out, --report, --edit or --stages")
    _check_outputs(outputs, figure, at_risk, report, edit)
    found = _found(figure, page, panel, arms, x_axis, y_axis, at_risk, failure)
    if stages is not None:
        found.stages(stages)
    if at_risk_out is not None and not len(found.risk):
        raise DataError("no table of numbers at risk was found", allowed="--at-risk")
    found, compared = _compared(found, printed)
    _pictures(found, report, edit)
    if out is not None or at_risk_out is not None:
        _refuse_doubtful(found, accept)
    if out is not None:
        _io.write_csv(_marked(found.clicks, found, accept), out, figure)
    if at_risk_out is not None:
        _io.write_csv(_marked(found.risk, found, accept), at_risk_out, figure)
    _io.say(*compared, *found.summary().splitlines())


def read(
    figure: FigureFile,
    out: Annotated[Path, typer.Option(help="Write patients: id, time, event.")],
    page: Page = None,
    panel: PanelName = None,
    arms: ArmNames = None,
    x_axis: XAxis = None,
    y_axis: YAxis = None,
    at_risk: AtRisk = None,
    printed: Printed = None,
    n: Annotated[int | None, typer.Option(help="Patients of an arm without a table.")] = None,
    failure: Failure = False,
    report: Report = None,
    accept: Accept = False,
) -> None:
    """Read a figure and reconstruct its patients, in one go."""
    import pandas as pd

    _check_outputs([out, report], figure, at_risk, report, None)
    found = _found(figure, page, panel, arms, x_axis, y_axis, at_risk, failure)
    if printed is None:
        _pictures(found, report, None)
        _refuse_doubtful(found, accept)
    ipd = found.reconstruct(n)
    found, compared = _compared(found, printed, ipd)
    if printed is not None:
        _pictures(found, report, None)
        _refuse_doubtful(found, accept)
    parts = [pd.DataFrame({"id": k, "time": v.time, "event": v.event}) for k, v in ipd.items()]
    _io.write_csv(_marked(pd.concat(parts, ignore_index=True), found, accept), out, figure)
    _io.say(*compared, *found.summary().splitlines())


def _found(
    figure: Path, page: int | None, panel: str | None, arms: str | None,
    x_axis: str | None, y_axis: str | None, at_risk: str | None, failure: bool,
) -> Digitised:  # fmt: skip
    from metablin.digitise import digitise as engine
    from metablin.digitise import parse_axis

    return engine(
        figure,
        page=page,
        panel=panel,
        arms=_arms(arms),
        x_axis=None if x_axis is None else parse_axis(x_axis, "--x-axis"),
        y_axis=None if y_axis is None else parse_axis(y_axis, "--y-axis"),
        at_risk=at_risk,
        failure=failure,
    )


def _arms(text: str | None) -> int | list[str] | None:
    if text is None:
        return None
    if text.strip().isdigit():
        return int(text)
    return [name.strip() for name in text.split(",") if name.strip()]


def _check_outputs(
    outputs: list[Path | None], figure: Path, at_risk: str | None,
    report: Path | None, edit: Path | None,
) -> None:  # fmt: skip
    """Refuse outputs before any work: what cannot be written, or is an input."""
    if report is not None and report.suffix.lower() not in PICTURES:
        raise typer.BadParameter(f"--report writes {' or '.join(PICTURES)}, not {report.name}")
    if edit is not None and edit.suffix.lower() != ".html":
        raise typer.BadParameter(f"--edit writes .html, not {edit.name}")
    typed = at_risk is None or ":" in at_risk
    _io.check_files(outputs, [figure, None if typed else Path(str(at_risk))])


def _pictures(found: Digitised, report: Path | None, edit: Path | None) -> None:
    if report is not None:
        found.overlay(report)
    if edit is not None:
        found.edit(edit)


def _compared(
    found: Digitised, printed: str | None, ipd: dict[str, Any] | None = None
) -> tuple[Digitised, list[str]]:
    """Return the reading, doubted where the paper contradicts it, and the items compared."""
    if printed is None:
        return found, []
    from metablin.digitise import check_printed

    return check_printed(found, printed, ipd)


def _refuse_doubtful(found: Digitised, accept: bool) -> None:
    """Refuse a reading that is not to be relied on, naming what to give by hand."""
    doubtful = found.doubtful()
    if doubtful and not accept:
        reasons = "; ".join(
            f"{a.id} (confidence {a.confidence:.2f}): {', '.join(a.reasons)}" for a in doubtful
        )
        raise DataError(
            f"{found.file}: the reading is doubtful, no clicks were written: {reasons}",
            allowed="what is named given by hand, or --accept to write it marked",
        )


def _marked(frame: pd.DataFrame, found: Digitised, accept: bool) -> pd.DataFrame:
    """Add a column that marks doubtful arms, where there are some and they were accepted."""
    doubtful = {a.id for a in found.doubtful()}
    if not (accept and doubtful):
        return frame
    return frame.assign(doubtful=frame["id"].isin(doubtful).astype(int))
