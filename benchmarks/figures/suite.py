"""Which figures are drawn: every manner in every format, each with patients of its own."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from benchmarks.figures.drawn import DRAWN, draw
from benchmarks.figures.trials import NAMES, Spec, simulate, ticks_of

SEED = 20261201
R_SCRIPT = Path(__file__).with_name("plots.R")
R_STYLES = {  # style: whether a table of numbers at risk is printed
    "base R": True,
    "base R, black": False,
    "base R, intervals": False,
    "ggplot2": True,
    "ggplot2, grey page": False,
    "ggplot2, facets": False,
    "survminer": True,
    "survminer, bars": True,
    "survminer, percent": True,
    "survminer, three tables": True,
}
NO_TABLE = {"prism", "lifelines, one arm"}
TWO_PANELS = {"two panels", "ggplot2, facets"}
BLACK = {"black", "base R, black"}
# ending, dots per inch, whether the colours are taken out
VECTOR = (("pdf", 72, False), ("svg", 72, False))
RASTER = (("png", 150, False), ("jpg", 150, False), ("png", 100, False), ("png", 150, True),
          ("png", 300, False))  # fmt: skip


def suite(styles: list[str], rasters: int = 2, seed: int = SEED) -> list[Spec]:
    """Return the figures to draw: each manner in both vector formats and in some as a picture."""
    out: list[Spec] = []
    for i, style in enumerate(styles):
        turned = [RASTER[(rasters * i + k) % len(RASTER)] for k in range(rasters)]
        for j, (ending, dpi, grey) in enumerate([*VECTOR, *turned]):
            rng = np.random.default_rng([seed, i, j])
            unit = str(rng.choice(["months", "months", "years", "weeks"]))
            names = _names(style, rng, grey or style in BLACK)
            panels = tuple(
                simulate(rng, names, unit) for _ in range(2 if style in TWO_PANELS else 1)
            )
            ticks = ticks_of(panels, rng, unit)
            has_table = R_STYLES.get(style, style not in NO_TABLE)
            out.append(Spec(len(out) + 1, style, ending, dpi, grey, panels, unit, ticks,
                            has_table, style in BLACK))  # fmt: skip
    return out


def _names(style: str, rng: np.random.Generator, grey: bool) -> tuple[str, ...]:
    if style == "lifelines, one arm":
        return NAMES[6]
    weights = np.array([1, 1, 1, 1, 1, 1.2, 0.0, 0.0 if grey else 0.8])
    return NAMES[int(rng.choice(len(NAMES), p=weights / weights.sum()))]


def has_r() -> bool:
    """Whether R with the packages that draw is installed."""
    names = 'c("survival", "ggplot2", "survminer")'
    code = f"quit(status = as.integer(!all(sapply({names}, requireNamespace, quietly = TRUE))))"
    try:
        return subprocess.run(["Rscript", "-e", code], capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


def make(specs: list[Spec], folder: Path) -> None:
    """Draw the figures into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    by_r = [s for s in specs if s.style in R_STYLES]
    for spec in specs:
        spec.write(folder)
        if spec.style in DRAWN:
            draw(spec, folder)
    if by_r:
        pd.DataFrame(
            [
                {"number": s.number, "style": s.style, "ending": s.ending, "dpi": s.dpi,
                 "unit": s.unit, "ticks": ";".join(f"{t:g}" for t in s.ticks)}
                for s in by_r
            ]
        ).to_csv(folder / "specs.csv", index=False)  # fmt: skip
        subprocess.run(["Rscript", str(R_SCRIPT), str(folder)], check=True, capture_output=True)
    for spec in specs:
        if spec.grey:
            with Image.open(folder / spec.file) as image:
                grey = image.convert("RGB").convert("L")
            grey.save(folder / spec.file, dpi=(spec.dpi, spec.dpi))
