"""Pictures: text and axes recognised, inks told apart, every curve followed through its pixels."""

from metablin.digitise.raster.curves import complete_table, picture_panels, raster_curves

__all__ = ["complete_table", "picture_panels", "raster_curves"]
