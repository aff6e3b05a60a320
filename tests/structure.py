"""The package as rooms and arrows: who imports whom, read from the code (``make structure``).

Imports for types and inside functions count like any other.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import pandas as pd

import metablin

PACKAGE = Path(metablin.__file__).parent

# A folder may import the leaves, the folders of lower rank, and itself. Folders of one rank do not
# know each other.
RANK = {
    "effects": 1,
    "survival": 1,
    "reconstruct": 2,
    "digitise": 3,
    "meta": 4,
    "mrd": 5,
    "network": 5,
    "safety": 5,
    "certainty": 6,
    "plots": 7,
    "report": 8,
    "pipeline": 9,
    "cli": 10,
}
LEAVES = {
    "_extra",
    "_frame",
    "_input",
    "_moved",
    "datasets",
    "errors",
    "io",
    "numerics",
    "options",
    "records",
}

Arrows = Mapping[str, set[str]]


def modules(package: Path = PACKAGE) -> dict[str, Path]:
    """Every module of the package by its dotted name."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        found[".".join(parts).removesuffix(".__init__")] = path
    return found


def imported(tree: ast.AST) -> Iterator[str]:
    """Every ``metablin...`` name that a module imports, wherever the import stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name.split(".")[0] == "metablin")
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "metablin":
            yield from (f"{node.module}.{a.name}" for a in node.names)


def arrows(found: Mapping[str, Path]) -> dict[str, set[str]]:
    """Module -> modules it imports; a name that is no module stands for the one that holds it."""
    out: dict[str, set[str]] = defaultdict(set)
    for name, path in found.items():
        if name in ("metablin", "metablin.__main__"):
            continue  # the face imports everything, by design
        for target in imported(ast.parse(path.read_text(encoding="utf-8"))):
            while target and target not in found:
                target = target.rpartition(".")[0]
            if target not in ("", "metablin", name):
                out[name].add(target)
    return out


def circles(graph: Arrows) -> list[list[str]]:
    """Groups of modules that can each reach the others: there should be none."""
    reach = {name: _reachable(graph, name) for name in graph}
    groups = {
        tuple(sorted(m for m in reach[name] if name in reach.get(m, set())))
        for name in graph
        if name in reach[name]
    }
    return [list(group) for group in sorted(groups)]


def _reachable(graph: Arrows, start: str) -> set[str]:
    seen: set[str] = set()
    todo = list(graph.get(start, ()))
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            todo.extend(graph.get(name, ()))
    return seen


def room(module: str) -> str:
    """The folder (or file) of the package in which a module lives."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


def upward(graph: Arrows) -> list[str]:
    """Arrows that point up, or sideways between folders of one rank."""
    wrong = []
    for source, targets in graph.items():
        home = room(source)
        for target in sorted(targets):
            other = room(target)
            if other == home or other in LEAVES:
                continue
            if home in LEAVES or RANK[other] >= RANK[home]:
                wrong.append(f"{source} -> {target}")
    return wrong


def private(graph: Arrows) -> list[str]:
    """Imports of another folder's private module."""
    return [
        f"{source} -> {target}"
        for source, targets in graph.items()
        for target in sorted(targets)
        if len(parts := target.split(".")) > 2
        and parts[-1].startswith("_")
        and parts[:-1] != source.split(".")[: len(parts) - 1]
    ]


def table(graph: Arrows) -> pd.DataFrame:
    """One row a folder: files, lines, and where its arrows go."""
    rows = []
    for folder in sorted({path.parent for path in modules().values()}):
        files = sorted(folder.glob("*.py"))
        home = ".".join(folder.relative_to(PACKAGE.parent).parts)
        out = {room(t) for f in files for t in graph.get(f"{home}.{f.stem}", ())} - {room(home)}
        rows.append(
            {
                "folder": home,
                "files": len(files),
                "lines": sum(len(f.read_text(encoding="utf-8").splitlines()) for f in files),
                "imports": " ".join(sorted(out - LEAVES)),
            }
        )
    return pd.DataFrame(rows)


def main() -> None:
    """Print the table and what is wrong with it."""
    graph = arrows(modules())
    print(table(graph).to_string(index=False))
    for name, wrong in (
        ("circles", circles(graph)),
        ("arrows up", upward(graph)),
        ("private modules imported across folders", private(graph)),
    ):
        print(f"{name}: {len(wrong)}")
        for item in wrong:
            print(f"  {item}")


if __name__ == "__main__":
    main()
