"""Run the installed command as a user would, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def metablin(*arguments: object, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Return exit code, standard output and standard error of ``metablin ARGUMENTS``."""
    command = [sys.executable, "-m", "metablin", *map(str, arguments)]
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip


def assert_one_line_error(result: subprocess.CompletedProcess[str], *parts: str) -> None:
    """Assert exit code 1, nothing on stdout, and one line on stderr that has every part."""
    assert result.returncode == 1, result.stderr
    assert result.stdout == ""
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("metablin: ")
    for part in parts:
        assert part in lines[0]
