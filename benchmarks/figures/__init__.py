"""Figures with known patients, drawn by R, matplotlib and lifelines, read and compared.

``python -m benchmarks figures`` draws, reads and writes RESULTS.md; README.md says how.
"""

from benchmarks.figures.run import main

__all__ = ["main"]
