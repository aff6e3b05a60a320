"""The command line: parse, call one public function, write.

Exit codes: 0 success, 1 bad data (one line on stderr), 2 bad usage.
"""

from __future__ import annotations

import os
import sys
import warnings
from functools import cache
from typing import Annotated, Any, NoReturn

import typer

from metablin import __version__
from metablin.cli import (
    _io,
    certainty,
    data,
    digitise,
    network,
    pipeline,
    pool,
    reconstruct,
    revman,
    site,
    summary,
    survival,
)
from metablin.errors import ConvergenceError, DataError

__all__ = ["app", "command", "main"]

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
app.command()(revman.revman)
app.command()(reconstruct.reconstruct)
app.command()(summary.reconstruct_summary)
app.command()(digitise.digitise)
app.command()(digitise.read)
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


@cache
def command() -> Any:
    """Return the command with all its parts; putting it together takes longer than most of them."""
    return typer.main.get_command(app)


def main() -> None:
    """Run the command line with the process' arguments."""
    _open_streams()
    debug = "--debug" in sys.argv[1:]
    arguments = [a for a in sys.argv[1:] if a != "--debug"]
    warnings.showwarning = _show_warning
    try:
        command()(args=arguments, prog_name="metablin")
    except (DataError, ConvergenceError) as error:
        if debug:
            raise
        _fail(str(error))
    except OSError as error:
        if debug:
            raise
        _fail(": ".join(str(x) for x in (error.filename, error.strerror or error) if x))


def _open_streams() -> None:
    """Put the null device where a shell closed a stream (``>&-``): a file could take its number."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number, which is this one
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "r" if number == 0 else "w"))  # noqa: SIM115


def _fail(text: str) -> NoReturn:
    typer.echo(f"metablin: {' '.join(_io.shown(text).split())}", err=True)
    sys.exit(1)


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: object = None,
    line: str | None = None,
) -> None:
    typer.echo(f"metablin: warning: {_io.shown(str(message))}", err=True)
