"""What a result depends on, as SHA-256: evidence files, code, library versions."""

from __future__ import annotations

import ast
import hashlib
import json
import platform
from collections.abc import Sequence
from functools import cache
from importlib import metadata
from pathlib import Path

import metablin

__all__ = [
    "LIBRARIES",
    "analysis_files",
    "digest_of",
    "evidence_files",
    "file_digest",
    "library_versions",
    "package_digest",
]

# The libraries whose release can move a number or a picture.
LIBRARIES = (
    "formulaic",
    "joblib",
    "lifelines",
    "matplotlib",
    "numpy",
    "pandas",
    "scikit-survival",
    "scipy",
    "seaborn",
    "statsmodels",
)


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file as hexadecimal text."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


@cache
def library_versions() -> dict[str, str]:
    """Return the versions of Python, metablin and the libraries that can move a number."""
    return {
        "python": platform.python_version(),
        "metablin": metablin.__version__,
        **{name: metadata.version(name) for name in LIBRARIES},
    }


def evidence_files(directory: Path, tables: Sequence[str]) -> dict[str, str]:
    """Return the digest of each table, of the descriptor and of the vocabulary, by file name.

    The curves read off figures belong to the table ``survival``.
    """
    read = directory.glob("curves/*/*.csv") if "survival" in tables else ()
    more = (p.relative_to(directory).as_posix() for p in read)
    names = sorted({"datapackage.json", "vocabulary.csv", *(f"{t}.csv" for t in tables), *more})
    return {name: file_digest(directory / name) for name in names if (directory / name).is_file()}


@cache
def package_digest() -> str:
    """Return one digest of the package's source code."""
    root = Path(metablin.__file__).parent
    files = sorted(p for p in root.rglob("*.py"))
    return digest_of({str(p.relative_to(root)): file_digest(p) for p in files})


def analysis_files(folder: Path, name: str) -> dict[str, str]:
    """Return the digest of every file of an analysis and of the modules it imports, by name.

    Its own folder counts whole: code, words, and data beside them. Of what several analyses share
    only the modules that it imports count, and those that they import.

    Parameters
    ----------
    folder : Path
        The folder ``analyses``.
    name : str
        Of the analysis.
    """
    own = {p for p in (folder / name).rglob("*") if p.is_file() and "__pycache__" not in p.parts}
    found, waiting = set(own), [p for p in own if p.suffix == ".py"]
    while waiting:
        fresh = _imported(waiting.pop()) - found
        found |= fresh
        waiting += fresh
    return {str(p.relative_to(folder)): file_digest(p) for p in sorted(found)}


def _imported(path: Path) -> set[Path]:
    """Return the files that the relative imports of a module lead to."""
    found = set()
    for level, module, names in _relative(path.read_text(encoding="utf-8")):
        start = path.parents[level - 1].joinpath(*module.split("."))
        places = [start, *(start / name for name in names)]
        found |= {p for x in places for p in (x.with_suffix(".py"), x / "__init__.py")}
    return {p for p in found if p.is_file()}


@cache
def _relative(code: str) -> list[tuple[int, str, list[str]]]:
    """Return level, module and names of relative imports; what many share is parsed once."""
    imports = (n for n in ast.walk(ast.parse(code)) if isinstance(n, ast.ImportFrom) and n.level)
    return [(n.level, n.module or "", [alias.name for alias in n.names]) for n in imports]


def digest_of(parts: object) -> str:
    """Return the SHA-256 of JSON-ready `parts` in a canonical form.

    Examples
    --------
    >>> digest_of({"a": 1})[:8]
    'f9d86028'
    """
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
