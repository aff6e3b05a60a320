"""The main job: analyses, the runner, the manifest, verification."""

from __future__ import annotations

from metablin.pipeline.registry import (
    Analysis,
    Evidence,
    analysis,
    find_analyses,
    load_analysis,
    names,
)
from metablin.pipeline.words import Drawn, Words
from metablin.report import Figure, Headline, Outcome, Table, slug

__all__ = [
    "Analysis",
    "Drawn",
    "Evidence",
    "Figure",
    "Headline",
    "Outcome",
    "Table",
    "Words",
    "analysis",
    "find_analyses",
    "load_analysis",
    "names",
    "slug",
]
