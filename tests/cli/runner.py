"""Run the command as a user would: in this process, or in a process of its own."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import traceback
import warnings
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from typer import testing

from metablin.cli import main

ROOT = Path(__file__).parents[2]

USUAL_FILTERS = (
    ("ignore", ResourceWarning),
    ("ignore", ImportWarning),
    ("ignore", PendingDeprecationWarning),
    ("ignore", DeprecationWarning),
)
"""What a new interpreter does not show; pytest's own filters turn warnings into errors."""

Done = subprocess.CompletedProcess[str]


def metablin(*arguments: object, cwd: Path = ROOT) -> Done:
    """Return exit code, standard output and standard error of ``metablin ARGUMENTS``.

    The command runs in this process: starting one of its own takes longer than most commands.
    ``test_process`` holds the two against each other.
    """
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    command = ["metablin", *map(str, arguments)]
    with (
        pytest.MonkeyPatch.context() as patch,
        warnings.catch_warnings(),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        patch.chdir(cwd)
        patch.setattr(sys, "argv", command)
        warnings.resetwarnings()
        for action, category in USUAL_FILTERS:
            warnings.simplefilter(action, category)  # type: ignore[arg-type]
        code = _exit_code()
    texts = (stream.buffer.getvalue().decode("utf-8") for stream in (out, err))
    return Done(command, code, *texts)


def _exit_code() -> int:
    try:
        main()
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except Exception:  # as the interpreter ends a process
        traceback.print_exc()
        return 1
    return 0


def process(*arguments: object, cwd: Path = ROOT) -> Done:
    """Return the same of the installed command in a process of its own."""
    command = [sys.executable, "-m", "metablin", *map(str, arguments)]
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip


class CliRunner(testing.CliRunner):
    """Typer's, with each command put together once in a process, as `main` has it."""

    put_together = staticmethod(cache(testing._get_command))

    def invoke(self, *arguments: Any, **options: Any) -> Any:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(testing, "_get_command", self.put_together)
            return super().invoke(*arguments, **options)


def assert_one_line_error(result: Done, *parts: str) -> None:
    """Assert exit code 1, nothing on stdout, and one line on stderr that has every part."""
    assert result.returncode == 1, result.stderr
    assert result.stdout == ""
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("metablin: ")
    for part in parts:
        assert part in lines[0]
