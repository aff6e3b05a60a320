"""Curves and summaries of known patients, reconstructed and compared with them.

``python -m benchmarks reconstruction`` writes RESULTS.md and SCENARIOS.md; README.md says how.
"""

from __future__ import annotations

__all__ = ["main"]


def main() -> None:
    """Run with the usual options; ``python -m benchmarks.reconstruction.run`` takes others."""
    from benchmarks.reconstruction import run  # it names a number of threads before numpy loads

    run.main()
