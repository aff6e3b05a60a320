"""``metablin reproduce`` and ``metablin verify``: the main job and its check."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from metablin.cli import _io

if TYPE_CHECKING:
    from metablin.pipeline.runner import Progress
    from metablin.pipeline.verify import Verification

__all__ = ["reproduce", "verify"]

Folder = Annotated[
    Path | None,
    typer.Option("--analyses", file_okay=False, help="Folder of analyses (default: found)."),
]
Jobs = Annotated[int, typer.Option(min=1, help="Processes; the bytes do not depend on it.")]


def reproduce(
    names: Annotated[list[str] | None, typer.Argument(help="Analyses (default: all).")] = None,
    out: Annotated[
        Path | None, typer.Option(file_okay=False, help="Where results go (default: results).")
    ] = None,
    jobs: Jobs = 1,
    force: Annotated[bool, typer.Option("--force", help="Run what is up to date too.")] = False,
    analyses: Folder = None,
    as_of: Annotated[
        str | None,
        typer.Option(help="Only what was public on this date (results go to results-DATE)."),
    ] = None,
) -> None:
    """Run the analyses on the evidence base and write results, manifest and report."""
    from metablin.pipeline import find_analyses, runner
    from metablin.pipeline.publish import headline_table, publish

    folder = analyses or find_analyses()
    out = out or Path("results" if as_of is None else f"results-{as_of}")
    with _progress() as progress:
        runs = runner.reproduce(
            names or (), folder=folder, out=out, jobs=jobs, force=force, progress=progress,
            as_of=as_of,
        )  # fmt: skip
        report = publish(out)
    from rich.console import Console

    Console().print(headline_table(out))
    cached = sum(run.cached for run in runs)
    typer.echo(f"{len(runs)} analyses, {cached} up to date, {len(runs) - cached} computed")
    if as_of is not None:
        typer.echo(f"from what was public by {runner.dated(out)}")
    typer.echo(f"report: {report}")


def verify(
    jobs: Jobs = 1,
    analyses: Folder = None,
    update: Annotated[
        bool, typer.Option("--update", help="Accept today's values as the expected ones.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print the claim ledger as CSV.")] = False,
) -> None:
    """Recompute everything; compare with the committed values and with the published claims."""
    from metablin.pipeline import find_analyses
    from metablin.pipeline.verify import verify as run_verification

    with _progress() as progress:
        found = run_verification(
            analyses or find_analyses(), jobs=jobs, update=update, progress=progress
        )
    if json:
        _io.print_json(found.to_dict())
    elif csv:
        typer.echo(found.claims.to_csv(index=False), nl=False)
    else:
        _show(found)
    if not found.ok:
        raise typer.Exit(1)


def _show(found: Verification) -> None:
    from metablin.pipeline.claims import STATUSES

    for row in found.claims.to_dict(orient="records"):
        computed = "" if row["computed"] != row["computed"] else f"{row['computed']:.6g}"
        reason = f"  [{row['reason']}]" if row["reason"] else ""
        typer.echo(
            f"{row['claim_id']}  {row['status']:<21} printed {row['printed']:<14} "
            f"computed {computed or '-':<12} {row['statement']}{reason}"
        )
    for row in found.drift.to_dict(orient="records"):
        typer.echo(f"DRIFT {row['result']}: expected {row['expected']}, now {row['computed']}")
    counts = found.claims["status"].value_counts()
    typer.echo(
        f"{len(found.claims)} claims: "
        + ", ".join(f"{counts.get(status, 0)} {status}" for status in STATUSES)
        + f"; {len(found.drift)} result values differ from the expected ones"
    )


@contextmanager
def _progress() -> Iterator[Progress | None]:
    """Yield a callback that draws a progress bar on stderr, only where that is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as bar:
        tasks: dict[str, int] = {}

        def tell(name: str, state: str) -> None:
            if state == "started":
                tasks[name] = bar.add_task(name, total=None)
            elif name in tasks:
                bar.update(tasks[name], total=1, completed=1)  # type: ignore[arg-type]

        yield tell
