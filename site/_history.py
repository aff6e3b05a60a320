"""Each headline over the years, as drawings whose dots say what moved them."""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import pandas as pd
from _page import described, links, number, raw, say, sentences, shown

from metablin.report.format import format_estimate

__all__ = ["newest", "timeline"]

PATH = "history/moves"
FIGURE = "history/over_time"
WIDE, HIGH = 340, 150
LEFT, RIGHT, TOP, BOTTOM = 38, 8, 8, 34
RATIOS, SHARES = (0.12, 2.0), (0.0, 1.0)
TICKS = {"ratio": (0.2, 0.5, 1.0, 2.0), "proportion": (0.0, 0.5, 1.0)}
YEARS = 5


def year(date: str) -> float:
    """Return a day as a year with its fraction."""
    day = datetime.date.fromisoformat(date)
    return day.year + (day.timetuple().tm_yday - 1) / 365.25


def dated(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the lines that have a day; what has none entered with all evidence."""
    return frame.loc[frame["date"].str.fullmatch(r"\d{4}-\d\d-\d\d")]


def words(row: Mapping[Any, Any]) -> str:
    """Return an estimate with its interval as every table words it."""
    unit = str(row["unit"])
    return format_estimate(row, unit, 0 if unit == "proportion" else None)


def newest(most: int) -> list[str]:
    """Return what was published last and moved a headline, newest first, a sentence each."""
    frame = dated(number.table(PATH).frame)
    rows = frame.sort_values("date", ascending=False).head(most).to_dict(orient="records")
    return [f"{r['date']}: {r['headline']} {words(r)}, after {r['moved_by']}" for r in rows]


def timeline() -> None:
    """Show every headline over the years; a dot says which report moved it and by how much."""
    frame = number.table(PATH).frame
    about = number.words("history")["figures"][FIGURE.split("/")[1]]
    shown(f"figure {FIGURE}")
    known = dated(frame)
    ends = (min(map(year, known["date"])), float(datetime.date.today().year))
    ends = (math.floor(ends[0]), max(ends[1], math.ceil(max(map(year, known["date"])))))
    panels = "".join(
        panel(str(title), part.to_dict(orient="records"), ends)
        for title, part in known.groupby("headline", sort=False)
    )
    key = "".join(f'<span class="grade grade-{c.replace(" ", "-")}">{c}</span> ' for c in
                  ("high", "moderate", "low", "very low"))  # fmt: skip
    legend = f'<p class="history-key">Certainty, suggested by rule: {key}</p>'
    files = f" · [SVG](results/{FIGURE}.svg) · [PNG](results/{FIGURE}.png)"
    caption = sentences(about["title"], about["caption"], "Point at a dot to see what moved it")
    say(
        f"::: {{#fig-history-over-time}}\n\n"
        f"{raw(f'<div class=history>{panels}</div>{legend}')}\n\n"
        f"{caption}{links('history', about['data'])}{files}\n\n:::"
    )


def panel(title: str, rows: Sequence[Mapping[Any, Any]], ends: tuple[float, float]) -> str:
    """Return one headline as a small drawing."""
    unit = str(rows[0]["unit"])
    low, high = RATIOS if unit == "ratio" else SHARES
    scale = math.log if unit == "ratio" else float

    def x(at: float) -> float:
        return LEFT + (WIDE - LEFT - RIGHT) * (at - ends[0]) / (ends[1] - ends[0])

    def y(value: float) -> float:
        inside = scale(min(max(value, low), high))
        share = (inside - scale(low)) / (scale(high) - scale(low))
        return TOP + (HIGH - TOP - BOTTOM) * (1 - share)

    marks = axes(unit, ends, x, y)
    dots = ""
    for row, after in zip(rows, [*rows[1:], None], strict=True):
        a = x(year(row["date"]))
        b = x(year(after["date"])) if after else x(ends[1])
        top, base = y(row["conf_high"]), y(row["conf_low"])
        tone = str(row["certainty"]).replace(" ", "-")
        marks += (
            f'<rect class="band" x="{a:.1f}" y="{top:.1f}" width="{b - a:.1f}" '
            f'height="{base - top:.1f}"/><line class="step" x1="{a:.1f}" x2="{b:.1f}" '
            f'y1="{y(row["estimate"]):.1f}" y2="{y(row["estimate"]):.1f}"/>'
            f'<rect class="tone-{tone}" x="{a:.1f}" y="{HIGH - BOTTOM + 3}" '
            f'width="{max(b - a, 2):.1f}" height="5"/>'
        )
        dots += (
            f'<circle class="dot" cx="{a:.1f}" cy="{y(row["estimate"]):.1f}" r="5">'
            f"<title>{escape(told(row))}</title></circle>"
        )
    last = rows[-1]
    alt = described(f"{title}: {words(last)} since {last['date']}, certainty {last['certainty']}")
    return (
        f"<figure><p>{escape(title)}: {escape(words(last))}</p>"
        f'<svg viewBox="0 0 {WIDE} {HIGH}" role="img" aria-label="{escape(alt)}">'
        f"{marks}{dots}</svg></figure>"
    )


def axes(unit: str, ends: tuple[float, float], x: Any, y: Any) -> str:
    """Return the ticks of a drawing and, of ratios, the line of no difference."""
    parts = []
    for tick in TICKS[unit]:
        label = f"{tick:g}" if unit == "ratio" else f"{100 * tick:.0f}%"
        kind = "none" if unit == "ratio" and tick == 1 else "grid"
        parts.append(
            f'<line class="{kind}" x1="{LEFT}" x2="{WIDE - RIGHT}" y1="{y(tick):.1f}" '
            f'y2="{y(tick):.1f}"/><text x="{LEFT - 4}" y="{y(tick) + 4:.1f}" '
            f'text-anchor="end">{label}</text>'
        )
    first = int(ends[0]) - int(ends[0]) % -YEARS
    parts += [
        f'<text x="{x(at):.1f}" y="{HIGH - 8}" text-anchor="middle">{at}</text>'
        for at in range(first, int(ends[1]) + 1, YEARS)
    ]
    return "".join(parts)


def told(row: Mapping[Any, Any]) -> str:
    """Return what a dot says: when, by which report, from what to what."""
    change = row["change"]
    moved = "" if change != change else f"; the estimate moved by {change:+.2f}"
    return (
        f"{row['date']}, {row['moved_by']}: {words(row)}{moved}; {row['k']:.0f} studies, "
        f"{row['patients']:.0f} patients; certainty {row['certainty']}"
    )
