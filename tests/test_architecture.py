"""The tree keeps its shape: imports point one way, files stay short, importing stays quick."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import metablin

PACKAGE = Path(metablin.__file__).parent
ROOT = PACKAGE.parent

# A folder may import the folders of lower rank, its own, and the leaves. Folders of one rank do
# not know each other.
RANK = {
    "effects": 0,
    "reconstruct": 0,
    "survival": 0,
    "meta": 1,
    "mrd": 2,
    "safety": 2,
    "plots": 3,
    "report": 3,
    "pipeline": 4,
    "cli": 5,
}
LEAVES = {"datasets", "errors", "_input", "io", "records"}
MAX_LINES = 550
HEAVY = {"numpy", "pandas", "scipy", "matplotlib", "lifelines", "sksurv", "statsmodels"}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def imports(tree: ast.Module) -> list[tuple[str, int]]:
    """Every ``metablin.x...`` a module imports, except under TYPE_CHECKING and in ``plot``.

    A result's ``plot`` method hands itself to ``metablin.plots``; that one upward call is the
    convention, and it happens only when somebody asks for a picture.
    """
    found: list[tuple[str, int]] = []

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            return
        if isinstance(node, ast.FunctionDef) and node.name == "plot":
            return
        if isinstance(node, ast.Import):
            found.extend((a.name, node.lineno) for a in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.module == "metablin":
                found.extend((f"metablin.{a.name}", node.lineno) for a in node.names)
            else:
                found.append((str(node.module), node.lineno))
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(tree)
    return [(name, line) for name, line in found if name.split(".")[0] == "metablin"]


def wrong_arrows(home: str, tree: ast.Module) -> list[str]:
    wrong = []
    for name, line in imports(tree):
        parts = name.split(".")
        target = parts[1] if len(parts) > 1 else ""
        if target not in RANK or target == home:
            continue
        if home in LEAVES or RANK[target] >= RANK[home]:
            wrong.append(f"line {line}: {home} imports {target}")
    return wrong


def test_imports_point_one_way() -> None:
    wrong = {}
    for path in modules():
        home = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if home in ("__init__", "__main__"):
            continue
        assert home in RANK or home in LEAVES, f"{home} has no place in the tree"
        found = wrong_arrows(home, ast.parse(path.read_text(encoding="utf-8")))
        if found:
            wrong[str(path.relative_to(ROOT))] = found
    assert wrong == {}


@pytest.mark.parametrize(
    ("home", "code"),
    [
        ("effects", "from metablin.meta import pool"),
        ("effects", "import metablin.survival"),
        ("meta", "def f():\n    from metablin.plots import forest"),
        ("datasets", "from metablin.effects import generic"),
        ("plots", "from metablin.report import slug"),
        ("report", "from metablin import pipeline"),
    ],
)
def test_a_turned_arrow_is_noticed(home: str, code: str) -> None:
    assert len(wrong_arrows(home, ast.parse(code))) == 1


def test_leaves_import_only_leaves() -> None:
    for path in modules():
        home = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if home in LEAVES:
            targets = {
                name.split(".")[1]
                for name, _ in imports(ast.parse(path.read_text(encoding="utf-8")))
                if "." in name
            }
            assert targets <= LEAVES, path


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


def test_lazy_names_and_exports_are_the_same_list() -> None:
    own = {"ConvergenceError", "ConvergenceWarning", "DataError", "MetablinWarning", "__version__"}
    assert set(metablin._HOME) | own == set(metablin.__all__)
