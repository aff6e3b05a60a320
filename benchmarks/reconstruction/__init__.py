"""Reconstruction against known patients: ``python -m benchmarks.reconstruction.run``."""
