"""``metablin site`` and ``metablin trace``: publish the results, and follow one back."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated

import typer

from metablin.cli import _io
from metablin.errors import DataError

__all__ = ["find_quarto", "site", "trace"]

OLDEST = (1, 6)
HOW_TO_INSTALL = (
    "metablin: Quarto is not installed; get it with `pip install quarto-cli` or from "
    "https://quarto.org/docs/get-started/, or name it with QUARTO_PATH"
)

BAD = re.compile(
    r"The following string was found|Unable to resolve|Citeproc|unclosed|fenced div|Invalid URI",
    re.IGNORECASE,
)
"""What Quarto prints about fences, references, citations and descriptions that are not right."""
MOST = 5
"""Warnings that an error repeats."""

Results = Annotated[Path, typer.Option("--out", file_okay=False, help="Folder of results.")]


def site(
    serve: Annotated[
        bool, typer.Option("--serve", help="Serve the site and render again on changes.")
    ] = False,
    url: Annotated[
        str, typer.Option("--url", help="Address it is published at, for shared links.")
    ] = "",
    jobs: Annotated[
        int, typer.Option(min=1, help="Processes for the analyses; from 2 on, two render.")
    ] = 1,
    analyses: Annotated[
        Path | None,
        typer.Option(file_okay=False, help="Folder of analyses (default: found)."),
    ] = None,
) -> None:
    """Render the Quarto site to site/_site, after running what is not up to date."""
    from metablin.pipeline import find_analyses, runner
    from metablin.pipeline.publish import publish

    quarto = find_quarto()
    if quarto is None:
        typer.echo(HOW_TO_INSTALL, err=True)
        raise typer.Exit(1)
    _check_version(quarto)
    folder = analyses or find_analyses()
    root = folder.resolve().parent
    if not (root / "site" / "_quarto.yml").is_file():
        raise DataError("there is no site beside the analyses", allowed="site/_quarto.yml")
    runner.reproduce(folder=folder, out=root / "results", jobs=jobs)
    publish(root / "results")
    address = {"METABLIN_SITE_URL": url} if url else {}
    _run([sys.executable, str(root / "site" / "_scripts" / "build.py")], address)
    built = {"QUARTO_PYTHON": sys.executable, "METABLIN_SITE_BUILT": "1"}
    if serve:
        _run([str(quarto), "preview", str(root / "site")], built)
        return
    _render(quarto, root / "site", built, jobs)
    typer.echo(f"site: {root / 'site' / '_site' / 'index.html'}")


def find_quarto() -> Path | None:
    """Return the Quarto program named by QUARTO_PATH, on PATH or of the package quarto-cli.

    Raises
    ------
    DataError
        When QUARTO_PATH names no program.
    """
    named = os.environ.get("QUARTO_PATH")
    if named:
        program = shutil.which(named) or shutil.which("quarto", path=named)
        if program is None:
            raise DataError("QUARTO_PATH names no program", value=named)
        return Path(program)
    beside = Path(sys.executable).with_name("quarto")
    program = shutil.which("quarto") or shutil.which(str(beside))
    return Path(program) if program else None


def _check_version(quarto: Path) -> None:
    answer = subprocess.run(
        [str(quarto), "--version"], capture_output=True, text=True, check=False
    ).stdout.strip()
    numbers = re.match(r"(\d+)\.(\d+)", answer)
    if numbers is None or (int(numbers[1]), int(numbers[2])) < OLDEST:
        wanted = ".".join(map(str, OLDEST))
        raise DataError("Quarto is too old", value=answer or "none", allowed=f"{wanted} or newer")


def _run(command: list[str], environment: dict[str, str]) -> None:
    done = subprocess.run(command, env={**os.environ, **environment}, check=False)
    if done.returncode != 0:
        raise DataError(f"{Path(command[0]).name} stopped with exit code {done.returncode}")


def _render(quarto: Path, folder: Path, built: dict[str, str], jobs: int) -> None:
    """Render a site, the pages of trials and the rest side by side where there are two jobs."""
    if jobs == 1:
        _watch([([str(quarto), "render", str(folder)], built)])
        return
    halves = [sys.executable, str(folder / "_scripts" / "halves.py")]
    with tempfile.TemporaryDirectory() as room:
        other = Path(room) / "site"
        _run([*halves, "apart", str(other)], {})
        rest = ([str(quarto), "render", str(folder)], {**built, "QUARTO_PROFILE": "rest"})
        _watch([rest, ([str(quarto), "render", str(other / "trials")], built)])
        _run([*halves, "together", str(other)], {})


def _watch(commands: list[tuple[list[str], dict[str, str]]]) -> None:
    """Render, passing on what Quarto says; fail where it says that a page is not as it was meant.

    Raises
    ------
    DataError
        When Quarto stops, or warns of a fence, reference, citation or description.
    """
    with ThreadPoolExecutor(len(commands)) as side_by_side:
        warned = [w for found in side_by_side.map(_warnings, commands) for w in found]
    if warned:
        raise DataError(
            f"the render warned of {len(warned)} faults", value="; ".join(warned[:MOST])
        )


def _warnings(command: tuple[list[str], dict[str, str]]) -> list[str]:
    """Run a command with an environment of its own; return the faults that it warns of."""
    words, environment = command
    warned = []
    with subprocess.Popen(
        words,
        env={**os.environ, **environment},
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    ) as running:
        for line in running.stderr or ():
            sys.stderr.write(line)
            if BAD.search(line):
                warned.append(" ".join(re.sub(r"\x1b\[\d+m", "", line).split()))
    if running.returncode != 0:
        raise DataError(f"{Path(words[0]).name} stopped with exit code {running.returncode}")
    return warned


def trace(
    result: Annotated[
        str, typer.Argument(metavar="RESULT_KEY", help="analysis/table/key[/column].")
    ],
    out: Results = Path("results"),
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print the evidence rows as CSV.")] = False,
) -> None:
    """Show a result, the evidence rows behind it and their sources."""
    from metablin.pipeline.trace import trace_result

    found = trace_result(result, out)
    if json:
        _io.print_json(found.to_dict())
    elif csv:
        typer.echo(found.evidence.to_csv(index=False, lineterminator="\n"), nl=False)
    else:
        _io.tell(found.summary())
