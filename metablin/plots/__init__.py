"""Pictures: every one is a table first, then drawn on a matplotlib Axes that is returned."""

from __future__ import annotations

from metablin.plots.baujat import baujat_frame, baujat_plot, draw_baujat
from metablin.plots.bubble import bubble, bubble_frame, draw_bubble
from metablin.plots.forest import draw_forest, forest, forest_frame
from metablin.plots.funnel import draw_funnel, funnel, funnel_frame
from metablin.plots.gosh import draw_gosh, gosh_frame, gosh_plot
from metablin.plots.influence import draw_influence, influence_frame, influence_plot
from metablin.plots.labbe import draw_labbe, labbe, labbe_frame
from metablin.plots.radial import draw_radial, radial, radial_frame
from metablin.plots.sequence import draw_sequence, sequence, sequence_frame

__all__ = [
    "baujat_frame",
    "baujat_plot",
    "bubble",
    "bubble_frame",
    "draw_baujat",
    "draw_bubble",
    "draw_forest",
    "draw_funnel",
    "draw_gosh",
    "draw_influence",
    "draw_labbe",
    "draw_radial",
    "draw_sequence",
    "forest",
    "forest_frame",
    "funnel",
    "funnel_frame",
    "gosh_frame",
    "gosh_plot",
    "influence_frame",
    "influence_plot",
    "labbe",
    "labbe_frame",
    "radial",
    "radial_frame",
    "sequence",
    "sequence_frame",
]
