"""Networks: speed (``python -m benchmarks network``), coverage and a mixed survival network.

``python -m benchmarks.network.coverage`` and ``python -m benchmarks.network.mixed`` run the others;
RESULTS.md holds what they printed.
"""

from benchmarks.network.speed import main

__all__ = ["main"]
