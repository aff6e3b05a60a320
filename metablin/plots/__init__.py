"""Pictures: every one is a table first, then drawn on a matplotlib Axes that is returned."""

from __future__ import annotations

from metablin.plots.forest import draw_forest, forest, forest_frame

__all__ = ["draw_forest", "forest", "forest_frame"]
