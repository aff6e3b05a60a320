"""The command in a process of its own: what it answers, other tests ask for without one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.runner import metablin, process


@pytest.fixture
def studies(tmp_path: Path) -> Path:
    """A file that is read with a note on stderr: semicolons, a missing cell."""
    path = tmp_path / "studies.csv"
    path.write_text("study;events;n\nA;3;10\nB;;12\nC;9;20\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--measure", "proportion", "--missing", "drop", "--json"], 0),
        (["--measure", "proportion"], 1),
        (["--measure", "hazard"], 2),
        (["--measure", "proportion", "--debug"], 1),
    ],
)
def test_a_process_of_its_own_says_the_same(studies: Path, options: list[str], code: int) -> None:
    here, alone = metablin("pool", studies, *options), process("pool", studies, *options)
    assert here.returncode == alone.returncode == code
    assert here.stdout == alone.stdout
    last = [done.stderr.splitlines()[-1:] for done in (here, alone)]
    assert last[0] == last[1] != []
    if "--debug" not in options:  # a traceback starts where the process did
        assert here.stderr == alone.stderr


def test_a_warning_is_a_line_in_both(tmp_path: Path) -> None:
    path = tmp_path / "equal.csv"
    path.write_text("yi,vi\n0.1,0.2\n0.1,0.3\n0.1,0.1\n", encoding="utf-8")
    options = ("pool", path, "--measure", "generic", "--json")
    here, again, alone = metablin(*options), metablin(*options), process(*options)
    assert "metablin: warning: all effects are equal" in alone.stderr
    assert here.stderr == again.stderr == alone.stderr
    assert (here.returncode, here.stdout) == (alone.returncode, alone.stdout)
