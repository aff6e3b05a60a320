"""A folder of results under two runs at once, runs that are stopped, and odd content."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from metablin.errors import DataError, MetablinWarning
from metablin.pipeline import runner
from metablin.pipeline.workspace import LOCK, held
from metablin.report.folder import foreign_files, swap_in, write_text
from tests.pipeline.test_runner import digests, folder, write

__all__ = ["folder"]  # a fixture, found by its name

ROOT = Path(__file__).parents[2]

SLOW = """
import time
from pathlib import Path
from metablin.pipeline import analysis


@analysis(reads=("trials",))
def run(evidence, words):
    Path("{started}").touch()
    while not Path("{go}").exists():
        time.sleep(0.01)
    raise SystemExit
"""

# Runs once in a child for every file operation, stopped dead right before it.
STOPPED = """
import os, sys
from pathlib import Path
import metablin.plots.style
from metablin.pipeline import runner

folder, out, first, last = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
WATCHED = {"os.rename", "os.mkdir", "os.remove", "os.rmdir", "shutil.rmtree", "open"}
runner.registry.load_analysis(folder, "alpha")
ended = 0
for stop in range(first, last, 3):
    child = os.fork()
    if child == 0:
        count = 0

        def watch(event, args):
            global count
            if event in WATCHED and (event != "open" or str(args[0]).startswith(str(out))):
                count += 1
                if count > stop:
                    os._exit(9)

        sys.addaudithook(watch)
        runner.reproduce(["alpha"] if stop % 2 else [], folder=folder, out=out, force=True)
        os._exit(0)
    ended += os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
print(ended)
"""


def script(code: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def test_a_run_stopped_anywhere_is_put_right_by_the_next(folder: Path, tmp_path: Path) -> None:
    runner.reproduce(folder=folder, out=tmp_path / "clean")
    out = tmp_path / "results"
    runner.reproduce(folder=folder, out=out)
    with script(STOPPED, folder, out, 0, 60) as process:
        printed, errors = process.communicate()
    assert process.returncode == 0, errors
    assert int(printed) < 10  # of twenty, most were stopped
    # Only one analysis is asked for; the other is put right too.
    runner.reproduce(["beta"], folder=folder, out=out)
    assert sorted(p.name for p in out.iterdir() if p.name.startswith(".")) == []
    assert (out / "alpha" / "outcome.json").is_file()
    runner.reproduce(folder=folder, out=out)
    assert digests(out) == digests(tmp_path / "clean")


def test_an_interrupted_rename_is_undone_by_a_run_of_another_analysis(
    folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "results"
    runner.reproduce(folder=folder, out=out)
    before = digests(out)
    os.replace(out / "alpha", out / ".alpha.old")
    (out / ".alpha.tmp").mkdir()
    (out / ".alpha.tmp" / "half.csv").write_text("key\n")
    (out / ".manifest.json.0a1b2c3d.tmp").write_text("{")
    runner.reproduce(["beta"], folder=folder, out=out)
    assert digests(out) == before
    assert [r.cached for r in runner.reproduce(folder=folder, out=out)] == [True, True]


def test_a_second_run_is_told_who_holds_the_folder(folder: Path, tmp_path: Path) -> None:
    started, go = tmp_path / "started", tmp_path / "go"
    write(folder, "slow", SLOW, started=str(started), go=str(go))
    code = (
        "import sys; from pathlib import Path; from metablin.pipeline import runner\n"
        "runner.reproduce(['slow'], folder=Path(sys.argv[1]), out=Path(sys.argv[2]))"
    )
    out = tmp_path / "results"
    with script(code, folder, out) as first:
        while not started.exists():
            assert first.poll() is None, first.communicate()[1]
            time.sleep(0.01)
        words = f"another run is writing.*process {first.pid} on"
        with pytest.raises(DataError, match=words) as error:
            runner.reproduce(["alpha"], folder=folder, out=out)
        go.touch()
        first.wait()
    assert "\n" not in str(error.value)
    runner.reproduce(["alpha"], folder=folder, out=out)
    assert not (out / LOCK).exists()


def test_a_lock_left_by_a_dead_process_holds_nobody(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "results"
    out.mkdir()
    (out / LOCK).write_text("process 1 on elsewhere")
    assert len(runner.reproduce(folder=folder, out=out)) == 2


SHAPES = [
    "", "[]", "null", "{}", "3", '"x"', "{", '{"analyses": []}', '{"analyses": {"alpha": 3}}',
    '{"analyses": {"alpha": {"reads": "x", "outputs": {}}}}',
    '{"analyses": {"alpha": {"reads": [1], "outputs": {}}}}',
    '{"analyses": {"alpha": {"reads": [], "outputs": []}}}',
    '{"analyses": {"alpha": {"reads": [], "outputs": null}}}',
    "[" * 100_000, "\x00\xff",
]  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES, ids=range(len(SHAPES)))
def test_a_manifest_of_another_shape_counts_as_none(
    shape: str, folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "results"
    (out / "alpha").mkdir(parents=True)
    (out / "manifest.json").write_text(shape, encoding="latin-1")
    assert [r.cached for r in runner.reproduce(["alpha"], folder=folder, out=out)] == [False]
    assert list(json.loads((out / "manifest.json").read_text())["analyses"]) == ["alpha"]


def test_files_of_others_are_named_and_kept(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "results"
    runner.reproduce(folder=folder, out=out)
    (out / "alpha" / "notes.txt").write_text("mine")
    (out / "alpha" / "extra.csv").write_text("mine too")
    (out / "alpha" / "more").mkdir()
    (out / "alpha" / "more" / "deep.txt").write_text("deep")
    for force in (False, True):
        with pytest.warns(MetablinWarning, match=r"extra.csv, more, notes.txt: no result") as said:
            runner.reproduce(folder=folder, out=out, force=force)
        assert len(said) == 1
        assert (out / "alpha" / "notes.txt").read_text() == "mine"
        assert (out / "alpha" / "extra.csv").read_text() == "mine too"
        assert (out / "alpha" / "more" / "deep.txt").read_text() == "deep"
    assert len(foreign_files(out / "alpha")) == 3
    assert foreign_files(out / "beta") == []


def test_a_result_never_overwrites_a_file_of_others(tmp_path: Path) -> None:
    final, building = tmp_path / "alpha", tmp_path / ".alpha.tmp"
    for place in (final, building):
        place.mkdir()
        (place / "notes.txt").write_text(place.name)
    with pytest.raises(DataError, match="a result would overwrite a file that no run wrote"):
        swap_in(building, final)
    assert (final / "notes.txt").read_text() == "alpha"


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/nothing")):
        with pytest.raises(DataError, match="column 'out'") as error, held(out):
            pass
        assert "\n" not in str(error.value)


def test_a_planted_link_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    out = tmp_path / "results"
    out.mkdir()
    (out / LOCK).symlink_to(victim)
    with pytest.raises(DataError, match="column 'out'"), held(out):
        pass
    (out / ".manifest.json.tmp").symlink_to(victim)
    write_text(out / "manifest.json", "{}")
    assert victim.read_text() == "precious"


def test_the_folder_may_be_the_one_we_stand_in(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    assert len(runner.reproduce(folder=folder, out=Path("."))) == 2
    assert (here / "alpha" / "outcome.json").is_file()
