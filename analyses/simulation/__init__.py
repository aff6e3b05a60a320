"""What simulations say of coverage, bias and error rates of the methods used here.

They take long, so ``make simulate`` runs them and writes the CSV files beside this module; here
they become tables and pictures.
"""

from __future__ import annotations

from metablin.pipeline import Evidence, Outcome, Words, analysis

from . import figures, survival_figures
from .rows import DESIGNS, keyed


@analysis(reads=(), order=95)
def simulation(evidence: Evidence, words: Words) -> Outcome:
    """Tabulate and draw the committed simulation results."""
    tables = {name: keyed(name, columns) for name, columns in DESIGNS.items()}
    return words.outcome(
        tables,
        {
            "few_studies": figures.few_studies_figure(tables["few_studies_verdict"]),
            "coverage": figures.coverage_figure(tables["coverage"]),
            "transforms": figures.transforms_figure(tables["transforms"]),
            "survival_tests": survival_figures.tests_figure(tables["survival_tests"]),
            "cure": survival_figures.cure_figure(tables["cure"]),
            "bands": survival_figures.bands_figure(tables["bands"]),
        },
    )
