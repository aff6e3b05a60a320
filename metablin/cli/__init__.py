"""The command line: parse, call one public function, write.

Exit codes: 0 success, 1 bad data (one line on stderr), 2 bad usage.
"""

from __future__ import annotations

import sys
import warnings
from typing import Annotated

import typer

from metablin import __version__
from metablin.cli import certainty, data, network, pipeline, pool, reconstruct, site, survival
from metablin.errors import ConvergenceError, DataError

__all__ = ["app", "main"]

app = typer.Typer(
    name="metablin",
    help="Evidence, meta-analysis and survival for the trials of blinatumomab.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help starts in half the time
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(data.app, name="data")
app.command()(pool.pool)
app.command()(certainty.certainty)
app.command()(network.network)
app.command()(reconstruct.reconstruct)
app.command()(reconstruct.reconstruct_summary)
app.command()(survival.survival)
app.command()(pipeline.reproduce)
app.command()(pipeline.verify)
app.command()(site.site)
app.command()(site.trace)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"metablin {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_version, is_eager=True),
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error; goes anywhere.")
    ] = False,
) -> None:
    """Evidence, meta-analysis and survival for the trials of blinatumomab."""


def main() -> None:
    """Run the command line with the process' arguments."""
    debug = "--debug" in sys.argv[1:]
    arguments = [a for a in sys.argv[1:] if a != "--debug"]
    warnings.showwarning = _show_warning
    try:
        app(args=arguments, prog_name="metablin")
    except (DataError, ConvergenceError) as error:
        if debug:
            raise
        typer.echo(f"metablin: {error}", err=True)
        sys.exit(1)
    except OSError as error:
        if debug:
            raise
        typer.echo(f"metablin: {error.filename or ''}: {error.strerror or error}", err=True)
        sys.exit(1)


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: object = None,
    line: str | None = None,
) -> None:
    typer.echo(f"metablin: warning: {message}", err=True)
