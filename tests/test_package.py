"""The package as users get it: a wheel that works alone, a README that works when pasted."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from this checkout, unpacked where nothing else of metablin is."""
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = out.glob("metablin-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(out / "site")
    return out / "site"


def test_a_wheel_alone_loads_every_table(unpacked: Path, tmp_path: Path) -> None:
    code = (
        "import metablin as mb, metablin.datasets as d; print(mb.__file__)\n"
        "for name in mb.tables()['table']: print(name, len(mb.load(name, all_rows=True)))"
    )
    environment = {**os.environ, "PYTHONPATH": str(unpacked)}
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    first, *rows = result.stdout.splitlines()
    assert first.startswith(str(unpacked))
    counts = {name: int(n) for name, n in (row.split() for row in rows)}
    assert {"trials", "proportions", "survival", "contrasts", "safety", "claims"} <= set(counts)
    # Nobody has overridden a suggested grade so far.
    assert {name for name, n in counts.items() if n == 0} == {"overrides"}


def test_the_wheel_is_typed_and_licensed(unpacked: Path) -> None:
    assert (unpacked / "metablin" / "py.typed").is_file()
    (info,) = unpacked.glob("metablin-*.dist-info")
    assert "GPL-3.0-or-later" in (info / "METADATA").read_text(encoding="utf-8")
    assert (info / "licenses" / "LICENSE").is_file()


def blocks(language: str) -> list[str]:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.S)


def test_the_python_of_the_readme_runs(tmp_path: Path) -> None:
    (code,) = blocks("python")
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert "prediction interval" in result.stdout


def test_the_readme_points_at_files_that_exist() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    targets = [t for t in re.findall(r"\]\(([^)#]+)\)", text) if not t.startswith("http")]
    assert len(targets) >= 3
    for target in targets:
        assert (ROOT / target).exists(), target


def test_every_make_target_is_listed_by_help() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    [targets] = re.findall(r"^\.PHONY: (.*)$", text, flags=re.M)
    result = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    for target in targets.split():
        assert f"make {target} " in result.stdout


def test_requirements_are_pinned_with_hashes_and_name_no_index() -> None:
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert "://" not in text
    assert "index" not in re.sub(r"sha256:[0-9a-f]+", "", text)
    pins = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
    assert all("==" in line for line in pins)
    assert text.count("--hash=sha256:") >= len(pins)
