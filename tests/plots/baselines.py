"""Pictures that must not change unseen, drawn from small frames and kept in ``baseline``.

``python -m tests.plots.baselines`` draws the baselines again; look at each before you commit it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.image import imread

from metablin.plots import (
    draw_bubble,
    draw_forest,
    draw_funnel,
    draw_labbe,
    draw_traffic,
    style,
    traffic_frame,
)
from metablin.plots.km import draw_km, draw_pooled_curve
from metablin.plots.models import draw_model_curves

HERE = Path(__file__).parent
BASELINE = HERE / "baseline"
DPI = 70
OWN_FONTS = str(Path(mpl.get_data_path()) / "fonts")


def frame(name: str) -> pd.DataFrame:
    """A frame as it was committed; empty cells of text stay text."""
    found = pd.read_csv(HERE / "frames" / f"{name}.csv")
    texts = [c for c in ("label", "group", "counts", "text") if c in found]
    return found.fillna({c: "" for c in texts})


def _forest(ax: Axes) -> Axes:
    return draw_forest(frame("forest"), ax, measure="or")


def _proportions(ax: Axes) -> Axes:
    return draw_forest(frame("proportions"), ax, measure="proportion")


def _km(ax: Axes) -> Axes:
    return draw_km(frame("km"), frame("km_risk"), ax, rows=("n_risk", "n_event"))


def _pooled_curve(ax: Axes) -> Axes:
    return draw_pooled_curve(frame("pooled_curve"), ax, steps=frame("km"))


def _funnel(ax: Axes) -> Axes:
    centres = {"Pooled": -0.7}
    return draw_funnel(frame("funnel"), ax, centres=centres, measure="or", transform="log")


def _labbe(ax: Axes) -> Axes:
    return draw_labbe(frame("labbe"), ax, measure="or", effect=-0.7)


def _bubble(ax: Axes) -> Axes:
    words: dict[str, Any] = {"name": "Latitude", "measure": "or", "transform": "log", "level": 0.95}
    return draw_bubble(frame("bubble"), ax, **words)


def _models(ax: Axes) -> Axes:
    return draw_model_curves(frame("models"), ax, steps=frame("km").query("group == 'old'"))


def _traffic(ax: Axes) -> Axes:
    return draw_traffic(traffic_frame(frame("traffic")), ax)


PICTURES: dict[str, tuple[float, float, Callable[[Axes], Axes]]] = {
    "forest": (3.9, 5.4, _forest),
    "proportions": (3.9, 2.4, _proportions),
    "km": (5.2, 3.2, _km),
    "pooled_curve": (5.2, 3.2, _pooled_curve),
    "funnel": (5.2, 4.2, _funnel),
    "labbe": (4.6, 4.6, _labbe),
    "bubble": (5.2, 4.0, _bubble),
    "models": (5.2, 3.2, _models),
    "traffic": (1.7, 1.0, _traffic),
}


@contextmanager
def own_fonts() -> Iterator[None]:
    """Draw with the fonts that come with matplotlib, whatever the machine has."""
    manager: Any = font_manager.fontManager
    everything = manager.ttflist
    manager.ttflist = [f for f in everything if f.fname.startswith(OWN_FONTS)]
    manager._findfont_cached.cache_clear()
    try:
        yield
    finally:
        manager.ttflist = everything
        manager._findfont_cached.cache_clear()


def draw(name: str) -> np.ndarray:
    """Return a picture as an array of pixels, 0 to 255."""
    return pixels(BytesIO(draw_bytes(name)))


def draw_bytes(name: str) -> bytes:
    """Return a picture as a PNG file."""
    width, height, fill = PICTURES[name]
    with own_fonts(), style.house_style():
        figure, ax = style.figure(width, height)
        FigureCanvasAgg(figure)
        fill(ax)
        made = BytesIO()
        figure.savefig(made, format="png", dpi=DPI, bbox_inches="tight", metadata={"Software": ""})
    return made.getvalue()


def pixels(file: Path | BytesIO) -> np.ndarray:
    """Return the pixels of a PNG file, 0 to 255."""
    return 255.0 * imread(file)[..., :3]


def distance(one: np.ndarray, other: np.ndarray) -> float:
    """Return the root mean square difference of two pictures; infinite when their sizes differ."""
    if one.shape != other.shape:
        return float("inf")
    return float(np.sqrt(np.mean((one - other) ** 2)))


def main() -> None:
    """Draw the baselines again."""
    BASELINE.mkdir(exist_ok=True)
    for name in PICTURES:
        (BASELINE / f"{name}.png").write_bytes(draw_bytes(name))
        print(f"{name}.png")


if __name__ == "__main__":
    main()
