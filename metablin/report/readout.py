"""Curves that tell their values: a table beside a picture, which a small script reads aloud."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

import pandas as pd

from metablin.report.format import format_number

__all__ = ["readout"]


def readout(
    frame: pd.DataFrame,
    area: tuple[float, float, float, float],
    *,
    figure: str,
    top: float,
    interval: str,
    counted: str,
    colours: Mapping[str, str],
    narrow: tuple[float, float, float, float] | None = None,
) -> str:
    """Return the values of survival curves as a folded HTML table tied to their picture.

    Without a script the table is there to read. With ``assets/curve.js`` a pointer over the
    picture, or a slider under it, shows the values at one time.

    Parameters
    ----------
    frame : pandas.DataFrame
        ``group, time, survival, low, high`` and ``count``: patients at risk, or arms.
    area : tuple of float
        Left, top, right and bottom of the axes as shares of the picture.
    figure : str
        Identifier of the figure on the page.
    top : float
        Survival at the upper end of the axes.
    interval, counted : str
        Headings: what ``low`` to ``high`` is, and what ``count`` counts.
    colours : mapping of str to str
        Of every group.
    narrow : tuple of float, optional
        As `area`, of the drawing for telephones.

    Examples
    --------
    >>> frame = pd.DataFrame({"group": ["A"], "time": [12.0], "survival": [0.5], "low": [0.4],
    ...                       "high": [0.6], "count": [20.0]})
    >>> text = readout(frame, (0.1, 0.1, 0.9, 0.9), figure="fig-a", top=1.0,
    ...                interval="95% interval", counted="At risk", colours={"A": "#000000"})
    >>> "<td>50.0%</td><td>40.0% to 60.0%</td><td>20</td>" in text
    True
    """
    heads = ("Curve", "Month", "Survival", interval, counted)
    head = "".join(f'<th scope="col">{escape(h)}</th>' for h in heads)
    rows = frame.to_dict(orient="records")
    body = "".join(_line({str(c): v for c, v in row.items()}, colours) for row in rows)
    place, other = (" ".join(f"{100 * s:.2f}" for s in a) for a in (area, narrow or area))
    return (
        f'<div class="readout" data-figure="{escape(figure)}" data-area="{place}" '
        f'data-narrow="{other}" '
        f'data-months="{frame["time"].max():g}" data-top="{top:g}">'
        f'<details><summary>These curves in numbers</summary><div class="scroll"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div></details></div>"
    )


def _line(row: Mapping[str, object], colours: Mapping[str, str]) -> str:
    survival, low, high = (format_number(row[c], "proportion") for c in ("survival", "low", "high"))
    group = str(row["group"])
    return (
        f'<tr data-survival="{row["survival"]:.4f}" data-colour="{colours[group]}">'
        f"<td>{escape(group)}</td><td>{row['time']:g}</td><td>{survival}</td>"
        f"<td>{low} to {high}</td><td>{format_number(row['count'], 'count')}</td></tr>"
    )
