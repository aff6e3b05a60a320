"""The tree keeps its shape: imports point one way, files stay short, importing stays quick."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import metablin
from tests import structure

ROOT = structure.PACKAGE.parent

MAX_LINES = 550
MAX_FILES = 17
HEAVY = {"numpy", "pandas", "scipy", "matplotlib", "lifelines", "sksurv", "statsmodels"}


@pytest.fixture(scope="module")
def graph() -> structure.Arrows:
    return structure.arrows(structure.modules())


def test_every_folder_has_a_place_in_the_tree() -> None:
    rooms = {structure.room(name) for name in structure.modules()} - {"", "__main__"}
    assert rooms - set(structure.RANK) - structure.LEAVES == set()


def test_imports_point_one_way(graph: structure.Arrows) -> None:
    assert structure.upward(graph) == []


def test_no_circles_counting_imports_for_types_and_inside_functions(
    graph: structure.Arrows,
) -> None:
    assert structure.circles(graph) == []


def test_private_modules_stay_at_home(graph: structure.Arrows) -> None:
    assert structure.private(graph) == []


@pytest.mark.parametrize(
    ("home", "target"),
    [
        ("effects.sizes", "meta.pooling"),
        ("effects.sizes", "survival.km"),
        ("meta.core.fit", "plots.forest"),
        ("datasets.package", "effects.sizes"),
        ("plots.forest", "report.format"),
        ("report.html", "pipeline.runner"),
    ],
)
def test_a_turned_arrow_is_noticed(home: str, target: str) -> None:
    assert len(structure.upward({f"metablin.{home}": {f"metablin.{target}"}})) == 1


def test_a_circle_is_noticed_through_types_and_functions(tmp_path: Path) -> None:
    package = tmp_path / "metablin"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "a.py").write_text("def f():\n    from metablin import b\n")
    (package / "b.py").write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from metablin.a import f\n"
    )
    graph = structure.arrows(structure.modules(package))
    assert structure.circles(graph) == [["metablin.a", "metablin.b"]]


def test_folders_stay_small(graph: structure.Arrows) -> None:
    table = structure.table(graph)
    crowded = table[(table["files"] > MAX_FILES) & (table["folder"] != "metablin.plots")]
    assert crowded["folder"].tolist() == []


def test_files_stay_short() -> None:
    tracked = [
        p for folder in ("metablin", "analyses", "tests") for p in (ROOT / folder).rglob("*.py")
    ]
    lengths = {str(p.relative_to(ROOT)): len(p.read_text().splitlines()) for p in tracked}
    assert {name: n for name, n in lengths.items() if n > MAX_LINES} == {}


def test_importing_metablin_loads_no_heavy_library() -> None:
    code = "import sys, metablin; print(' '.join(sorted(sys.modules)))"
    output = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert HEAVY & set(output) == set()


def test_the_command_line_starts_without_heavy_libraries() -> None:
    code = (
        "import sys\nfrom metablin.cli import app\n"
        "try:\n    app(['--help'])\nexcept SystemExit:\n    pass\n"
        "print('LOADED', ' '.join(sorted(sys.modules)))"
    )
    output = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    loaded = set(output.stdout.split("LOADED")[1].split())
    assert HEAVY & loaded == set()


def test_every_exported_name_exists_and_is_documented() -> None:
    for name in metablin.__all__:
        value = getattr(metablin, name)
        assert value.__doc__, name


def test_the_stub_is_the_list_of_public_names() -> None:
    stub = Path(metablin.__file__).with_suffix(".pyi").read_text(encoding="utf-8")
    named = {line.rsplit(" as ")[1] for line in stub.splitlines() if line.startswith("from ")}
    assert named == set(metablin.__all__) - {"__version__"}
