"""Pictures: every one is a table first, then drawn on a matplotlib Axes that is returned."""

from __future__ import annotations

from metablin.plots._draw import drawing
from metablin.plots.baujat import baujat_frame, baujat_plot, draw_baujat
from metablin.plots.bubble import bubble, bubble_frame, draw_bubble
from metablin.plots.caterpillar import caterpillar, caterpillar_frame, draw_caterpillar
from metablin.plots.consistency import consistency
from metablin.plots.cumulative import (
    cumulative_forest,
    cumulative_forest_frame,
    draw_cumulative_forest,
)
from metablin.plots.diagnostics import draw_schoenfeld, schoenfeld, schoenfeld_frame
from metablin.plots.doi import doi_frame, doi_plot, draw_doi
from metablin.plots.dots import dots, dots_frame
from metablin.plots.drapery import draperies_frame, drapery, draw_drapery
from metablin.plots.forest import draw_forest, forest, forest_frame
from metablin.plots.forest_layouts import draw_forest_layout, forest_layout, forest_layout_frame
from metablin.plots.funnel import draw_funnel, funnel, funnel_frame
from metablin.plots.gosh import draw_gosh, gosh_frame, gosh_plot
from metablin.plots.hazard import draw_hazard, hazard, hazard_frame
from metablin.plots.influence import draw_influence, influence_frame, influence_plot
from metablin.plots.km import (
    draw_km,
    draw_log_log,
    draw_pooled_curve,
    km,
    km_frame,
    log_log,
    log_log_frame,
    pooled_curve,
    risk_frame,
)
from metablin.plots.labbe import draw_labbe, labbe, labbe_frame
from metablin.plots.models import draw_model_curves, model_curves, model_frame
from metablin.plots.radial import draw_radial, radial, radial_frame
from metablin.plots.rmst_curve import draw_rmst_curve, rmst_curve, rmst_frame
from metablin.plots.sequence import draw_sequence, sequence, sequence_frame
from metablin.plots.surrogacy import surrogacy, surrogacy_frame
from metablin.plots.traffic import bias_marks, draw_traffic, traffic, traffic_frame
from metablin.plots.volcano import volcano, volcano_frame

__all__ = [
    "baujat_frame",
    "baujat_plot",
    "bias_marks",
    "bubble",
    "bubble_frame",
    "caterpillar",
    "caterpillar_frame",
    "consistency",
    "cumulative_forest",
    "cumulative_forest_frame",
    "doi_frame",
    "doi_plot",
    "dots",
    "dots_frame",
    "draperies_frame",
    "drapery",
    "draw_baujat",
    "draw_bubble",
    "draw_caterpillar",
    "draw_cumulative_forest",
    "draw_doi",
    "draw_drapery",
    "draw_forest",
    "draw_forest_layout",
    "draw_funnel",
    "draw_gosh",
    "draw_hazard",
    "draw_influence",
    "draw_km",
    "draw_labbe",
    "draw_log_log",
    "draw_model_curves",
    "draw_pooled_curve",
    "draw_radial",
    "draw_rmst_curve",
    "draw_schoenfeld",
    "draw_sequence",
    "draw_traffic",
    "drawing",
    "forest",
    "forest_frame",
    "forest_layout",
    "forest_layout_frame",
    "funnel",
    "funnel_frame",
    "gosh_frame",
    "gosh_plot",
    "hazard",
    "hazard_frame",
    "influence_frame",
    "influence_plot",
    "km",
    "km_frame",
    "labbe",
    "labbe_frame",
    "log_log",
    "log_log_frame",
    "model_curves",
    "model_frame",
    "pooled_curve",
    "radial",
    "radial_frame",
    "risk_frame",
    "rmst_curve",
    "rmst_frame",
    "schoenfeld",
    "schoenfeld_frame",
    "sequence",
    "sequence_frame",
    "surrogacy",
    "surrogacy_frame",
    "traffic",
    "traffic_frame",
    "volcano",
    "volcano_frame",
]
