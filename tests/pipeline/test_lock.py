"""One run at a time; what an interrupted run left is mended; nobody's files are swapped away."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from metablin.errors import DataError
from metablin.pipeline import runner
from metablin.pipeline.lock import LOCK, locked, repair
from tests.pipeline.test_runner import digests, folder

__all__ = ["folder"]

HOLD = (
    "import sys, time; from pathlib import Path; from metablin.pipeline.lock import locked\n"
    "with locked(Path(sys.argv[1])):\n    print('held', flush=True); time.sleep(60)\n"
)


def holder(out: Path) -> subprocess.Popen[str]:
    path = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(out)],
        stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_run_is_refused_by_name_until_the_first_is_gone(tmp_path: Path) -> None:
    out = tmp_path / "results"
    process = holder(out)
    with process:
        try:
            with pytest.raises(DataError, match=f"process {process.pid}, since 2"), locked(out):
                pass
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
    with locked(out):
        assert (out / LOCK).read_text().startswith(f"process {os.getpid()}")
    assert list(out.iterdir()) == []


def test_a_run_may_publish_inside_its_own_lock(tmp_path: Path) -> None:
    with locked(tmp_path), locked(tmp_path / "."):
        assert (tmp_path / LOCK).exists()
    assert not (tmp_path / LOCK).exists()


def test_an_interrupted_rename_is_undone_and_rests_are_swept(tmp_path: Path) -> None:
    for name in (".alpha.old", ".beta.old", "beta", ".gamma.tmp"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "f").write_text(name)
    (tmp_path / ".manifest.json.0a1b.tmp").write_text("{")
    repair(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["alpha", "beta"]
    assert (tmp_path / "alpha" / "f").read_text() == ".alpha.old"
    assert (tmp_path / "beta" / "f").read_text() == "beta"


def test_a_run_of_one_analysis_repairs_another(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "results"
    runner.reproduce(folder=folder, out=out)
    before = digests(out)
    os.replace(out / "beta", out / ".beta.old")
    runner.reproduce(["alpha"], folder=folder, out=out)
    assert digests(out) == before


def test_files_no_run_wrote_are_named_and_stay(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "results"
    runner.reproduce(folder=folder, out=out)
    (out / "alpha" / "my notes.txt").write_text("mine")
    with pytest.raises(DataError, match=r"alpha holds what no run wrote: my notes\.txt"):
        runner.reproduce(folder=folder, out=out, force=True)
    assert (out / "alpha" / "my notes.txt").read_text() == "mine"


@pytest.mark.parametrize(
    "text",
    ["", "null", "[]", "3", '{"analyses": []}', '{"analyses": {"alpha": 1}}', "{" * 5000,
     '{"analyses": {"alpha": {"reads": 1, "outputs": {}, "seconds": 0}}}',
     '{"analyses": {"alpha": {"reads": [], "outputs": [], "seconds": 0}}}',
     '{"analyses": {"alpha": {"reads": [], "outputs": {}, "seconds": "long"}}}', "[" * 100_000],
)  # fmt: skip
def test_a_manifest_of_another_shape_counts_as_none(
    folder: Path, tmp_path: Path, text: str
) -> None:
    out = tmp_path / "results"
    runner.reproduce(["alpha"], folder=folder, out=out)
    (out / "manifest.json").write_text(text)
    assert [r.cached for r in runner.reproduce(["alpha"], folder=folder, out=out)] == [False]
    assert "alpha" in json.loads((out / "manifest.json").read_text())["analyses"]


def test_kills_in_the_middle_leave_nothing_behind(folder: Path, tmp_path: Path) -> None:
    clean, out = tmp_path / "clean", tmp_path / "results"
    runner.reproduce(folder=folder, out=clean)
    code = (
        "import sys; from pathlib import Path; from metablin.pipeline import runner\n"
        "while True:\n"
        "    print('on', flush=True)\n"
        "    runner.reproduce(folder=Path(sys.argv[1]), out=Path(sys.argv[2]), force=True)\n"
    )
    path = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
    for wait in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", code, str(folder), str(out)],
            stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": path},
        ) as process:  # fmt: skip
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(0.2 + 0.17 * wait)
            process.kill()
    runner.reproduce(folder=folder, out=out)
    assert digests(out) == digests(clean)
