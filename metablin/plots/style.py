"""One look for every figure: colours that mean the same thing everywhere, no global state."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, wraps
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any, Literal, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

import matplotlib as mpl
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.backends.backend_svg import RendererSVG
from matplotlib.figure import Figure, SubFigure
from matplotlib.gridspec import GridSpec
from matplotlib.transforms import Bbox

from metablin.datasets.vocabulary import entries
from metablin.io import write_bytes
from metablin.plots._svg import slim_svg

__all__ = [
    "INK",
    "POPULATION_COLOURS",
    "ROLE_COLOURS",
    "SEQUENCE",
    "SOFT",
    "colour",
    "figure",
    "house_style",
    "narrow",
    "narrow_as",
    "own_colour",
    "plain",
    "save_figure",
    "save_widths",
    "styled",
]

P = ParamSpec("P")
R = TypeVar("R")

# Okabe and Ito's palette: told apart with any common colour vision.
_OKABE_ITO = {
    "blue": "#0072B2",
    "vermilion": "#D55E00",
    "green": "#009E73",
    "purple": "#CC79A7",
    "orange": "#E69F00",
    "sky": "#56B4E9",
    "yellow": "#F0E442",
    "grey": "#7A7A7A",
}

PNG_DPI = 200

NARROW_INCHES = 3.5
"""Width of a figure on a telephone: 390 points across, less its margins, at the size of print."""

INK = "#1c2430"
SOFT = "#6b7480"

ROLE_COLOURS = {
    "study": _OKABE_ITO["blue"],
    "pooled": _OKABE_ITO["vermilion"],
    "treatment": _OKABE_ITO["blue"],
    "treatment_plus": _OKABE_ITO["sky"],
    "control": _OKABE_ITO["vermilion"],
    "external": _OKABE_ITO["grey"],
    "other_treatment": _OKABE_ITO["purple"],
}
"""What a mark stands for; which arm plays which part is in the vocabulary."""

POPULATION_COLOURS = {
    "adult_rr_ph_negative": _OKABE_ITO["blue"],
    "adult_rr_ph_positive": _OKABE_ITO["purple"],
    "paediatric_rr": _OKABE_ITO["green"],
    "mrd_positive": _OKABE_ITO["orange"],
    "mrd_positive_young": _OKABE_ITO["grey"],
    "first_line": _OKABE_ITO["vermilion"],
    "first_relapse": _OKABE_ITO["sky"],
}

SEQUENCE = tuple(
    _OKABE_ITO[name] for name in ("blue", "vermilion", "green", "purple", "orange", "sky", "grey")
)
"""Colours of groups that have none of their own, in the order in which they are given out."""

_RC = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.edgecolor": SOFT,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "legend.frameon": False,
    "axes.titley": 1.0,
}


_INSIDE: ContextVar[bool] = ContextVar("inside house_style", default=False)

HAIR_SPACE = "\u200a"


@contextmanager
def house_style() -> Iterator[None]:
    """Apply the house style to what is drawn inside the block and to nothing else.

    It starts from matplotlib's defaults, not from the settings of whoever runs it (a
    ``matplotlibrc``), so that a figure is the same everywhere.
    """
    if _INSIDE.get():
        yield
        return
    token = _INSIDE.set(True)
    try:
        with mpl.rc_context():
            mpl.rcdefaults()
            settings: dict[Any, Any] = {**sns.axes_style("ticks"), **_RC}
            mpl.rcParams.update(settings)
            yield
    finally:
        _INSIDE.reset(token)


def styled(draw: Callable[P, R]) -> Callable[P, R]:
    """Return a function that draws in the house style."""

    @wraps(draw)
    def inside(*args: P.args, **kwargs: P.kwargs) -> R:
        with house_style():
            return draw(*args, **kwargs)

    return inside


def plain(text: str) -> str:
    r"""Return what makes matplotlib draw a label as it is.

    Dollar signs would start mathematics, and a legend leaves out what starts with an underscore.

    Examples
    --------
    >>> plain("$5 vs $10")
    '\\$5 vs \\$10'
    """
    escaped = text.replace("$", r"\$")
    return HAIR_SPACE + escaped if escaped.startswith("_") else escaped


def figure(width: float, height: float, **axes: Any) -> tuple[Figure, Axes]:
    """Return a new figure of `width` by `height` inches with one axes, in the house style.

    The figure does not belong to pyplot, so it leaves no state behind.
    """
    with house_style():
        fig = Figure(figsize=(width, height))
        return fig, fig.add_subplot(**axes)


def colour(name: str) -> str:
    """Return the colour that stands for a role, an arm or a population everywhere.

    Examples
    --------
    >>> colour("treatment"), colour("blinatumomab"), colour("x")
    ('#0072B2', '#0072B2', '#1c2430')
    """
    return own_colour(name) or INK


def own_colour(name: str) -> str | None:
    """Return the colour of a role, a population, or an arm by its role; None for other names."""
    known = {**POPULATION_COLOURS, **ROLE_COLOURS}
    return known.get(name) or known.get(_roles().get(name, ""))


@cache
def _roles() -> dict[str, str]:
    return {e.code: e.colour_role for e in entries("arm") if e.colour_role}


MEASURED = {"svg": 72, "png": PNG_DPI}
"""Dots per inch at which letters of a format are measured."""


@cache
def _measuring(kind: str) -> RendererBase:
    """Return what measures the letters of a format: one for all pictures, for it keeps sizes."""
    if kind == "svg":
        return RendererSVG(1, 1, StringIO())  # type: ignore[no-untyped-call]
    return RendererAgg(1, 1, MEASURED[kind])  # type: ignore[no-untyped-call]


def save_figure(picture: Figure | SubFigure, path: Path) -> None:
    """Write a figure as SVG, PNG or PDF: the same bytes for the same picture, whole or not at all.

    Parameters
    ----------
    picture : matplotlib.figure.Figure
    path : Path
        Its ending fixes the format.
    """
    kind = path.suffix.lower().removeprefix(".")
    metadata = None if kind == "png" else {"CreationDate" if kind == "pdf" else "Date": None}
    out = BytesIO()
    with house_style(), mpl.rc_context({"svg.hashsalt": "metablin", "svg.fonttype": "path"}):
        box, dpi = _box(picture.figure, kind)
        picture.figure.savefig(out, format=kind, bbox_inches=box, dpi=dpi, metadata=metadata)
    data = out.getvalue()
    if kind == "svg":
        data = slim_svg(data.decode("utf-8")).encode("utf-8")
    write_bytes(path, data)


def _box(picture: Figure, kind: str) -> tuple[Bbox | Literal["tight"], int]:
    """Return the box in inches that holds all that is drawn, padded, and the dots per inch.

    To find it, matplotlib draws everything twice. Where no layout moves parts while they are drawn,
    their extents are known without that, and are the same. Images need the dots of a PNG in an SVG.
    """
    images = any(ax.images for ax in picture.axes)
    if kind not in MEASURED or picture.get_layout_engine() is not None or images:
        return "tight", PNG_DPI
    before, picture.dpi = picture.dpi, MEASURED[kind]
    try:
        box = picture.get_tightbbox(_measuring(kind))
        return box.padded(mpl.rcParams["savefig.pad_inches"]), MEASURED[kind]
    finally:
        picture.dpi = before


_NARROW: WeakKeyDictionary[Figure, Callable[[], Figure]] = WeakKeyDictionary()


def narrow_as(picture: Figure, draw: Callable[[], Figure]) -> None:
    """Remember how a figure is drawn for a telephone, where it needs another layout."""
    _NARROW[picture] = draw


def narrow(picture: Figure) -> Figure:
    """Return a figure for a telephone: panels below each other, letters of the same size.

    A picture whose layout was not given by :func:`narrow_as` is itself made narrow, so it is to be
    saved before.
    """
    if picture in _NARROW:
        return _NARROW[picture]()
    width, height = picture.get_size_inches()
    if width <= NARROW_INCHES:
        return picture
    across = _stack(picture)
    picture.set_size_inches(NARROW_INCHES, height * across)
    return picture


def _stack(picture: Figure) -> int:
    """Put panels that stand beside each other below each other; return how many stood so."""
    places = [ax.get_subplotspec() for ax in picture.axes]
    if not places or any(p is None for p in places):
        return 1
    grids = {id(p.get_gridspec()): p.get_gridspec() for p in places if p is not None}
    across = max(grid.ncols for grid in grids.values())
    if len(grids) > 1 or across == 1:
        return 1
    rows = next(iter(grids.values())).nrows
    grid = GridSpec(rows * across, 1, figure=picture, hspace=0.45)
    for ax, place in zip(picture.axes, places, strict=True):
        if place is None or place.rowspan.stop - place.rowspan.start > 1:
            continue
        ax.set_subplotspec(grid[place.rowspan.start * across + place.colspan.start, 0])
        ax.tick_params(labelleft=True, labelbottom=True)
    return across


def save_widths(picture: Figure | SubFigure, path: Path) -> None:
    """Write a figure as ``name.svg`` and ``name.png``, and ``name.narrow.svg`` for a telephone.

    Parameters
    ----------
    picture : matplotlib.figure.Figure
    path : Path
        Of the SVG.
    """
    save_figure(picture, path)
    save_figure(picture, path.with_suffix(".png"))
    with house_style():
        save_figure(narrow(picture.figure), path.with_suffix(".narrow.svg"))
