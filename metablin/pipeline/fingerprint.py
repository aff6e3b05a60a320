"""What a result depends on, as SHA-256: evidence files, code, library versions."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Sequence
from functools import cache
from importlib import metadata
from pathlib import Path

import metablin

__all__ = ["LIBRARIES", "digest_of", "evidence_files", "file_digest", "library_versions"]

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
    """Return the digest of each table and of the descriptor, by file name."""
    names = sorted(["datapackage.json", *(f"{t}.csv" for t in tables)])
    return {name: file_digest(directory / name) for name in names if (directory / name).is_file()}


@cache
def package_digest() -> str:
    """Return one digest of the package's source code."""
    root = Path(metablin.__file__).parent
    files = sorted(p for p in root.rglob("*.py"))
    return digest_of({str(p.relative_to(root)): file_digest(p) for p in files})


def digest_of(parts: object) -> str:
    """Return the SHA-256 of JSON-ready `parts` in a canonical form.

    Examples
    --------
    >>> digest_of({"a": 1})[:8]
    'f9d86028'
    """
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
