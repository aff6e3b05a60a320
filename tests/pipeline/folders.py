"""Folders of analyses that tests make."""

from __future__ import annotations

from pathlib import Path


def one_analysis(home: Path, module: str, words: str) -> Path:
    """Write a folder of analyses with one, `counted`; return it."""
    analyses = home / "analyses"
    (analyses / "counted").mkdir(parents=True)
    (analyses / "__init__.py").write_text('"""Analyses."""\n')
    (analyses / "counted" / "__init__.py").write_text(module)
    (analyses / "counted" / "words.toml").write_text(words)
    return analyses
