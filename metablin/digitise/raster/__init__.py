"""Pictures: text and axes recognised, inks told apart, every curve followed through its pixels."""

from metablin.digitise.raster.again import complete_table
from metablin.digitise.raster.curves import picture_panels, raster_curves

__all__ = ["complete_table", "picture_panels", "raster_curves"]
