"""Figures of certainty: lights of risk of bias, and how each grade came about."""

from __future__ import annotations

from collections.abc import Sequence

import seaborn as sns
from matplotlib.figure import Figure as MplFigure

from metablin.certainty import LEVELS, TOOLS, RiskOfBias
from metablin.pipeline import Drawn
from metablin.plots import style, traffic

from .questions import Body

STEPS = {0: style.SOFT, -1: "#a86400", -2: "#D55E00", -3: "#7a1f1f", 1: "#009E73", 2: "#009E73"}
TONES = {4: "#009E73", 3: "#56B4E9", 2: "#a86400", 1: "#7a1f1f"}
DOMAINS = ("risk of bias", "inconsistency", "indirectness", "imprecision", "publication bias")


def lights(found: RiskOfBias, outcome: str, tool: str) -> Drawn:
    """Draw the judgements of the studies judged by one tool, one outcome."""
    mine = RiskOfBias(tuple(j for j in found.judgements if j.tool == tool and j.outcome == outcome))
    figure = traffic(mine).figure
    assert isinstance(figure, MplFigure)
    overall = [j.judgement for j in mine.judgements if j.domain == "overall"]
    counts = ", ".join(f"{overall.count(w)} {w}" for w in dict.fromkeys(overall))
    return Drawn(figure, {"studies": len(overall), "counts": counts, "tool": TOOLS[tool].title})


def steps(bodies: Sequence[Body]) -> Drawn:
    """Draw for every body of evidence where it lost certainty, and the level it ends at."""
    fig, ax = style.figure(4.4, 0.3 * (len(bodies) + len({b.question.key for b in bodies})) + 0.6)
    y, ticks, last = 0, {}, ""
    for body in bodies:
        if body.question.words != last:
            last = body.question.words
            ax.text(-0.5, y, last, va="center", fontweight="bold", fontsize=9)
            y += 1
        ticks[y] = body.rated.outcome
        moved = {d.domain: d.final for d in body.rated.domains}
        for x, name in enumerate(DOMAINS):
            value = moved.get(name, 0)
            ax.text(x, y, f"{value:+d}" if value else "·", ha="center", va="center",
                    color=STEPS[value], fontweight="bold" if value else "normal")  # fmt: skip
        ax.text(len(DOMAINS), y, LEVELS[body.rated.level], va="center", ha="center", fontsize=9,
                color=TONES[body.rated.level], fontweight="bold")  # fmt: skip
        y += 1
    ax.set_xlim(-0.5, len(DOMAINS) + 0.6)
    ax.set_ylim(y - 0.4, -0.6)
    ax.set_yticks(list(ticks), list(ticks.values()), fontsize=8)
    ax.set_xticks(range(len(DOMAINS) + 1), [*DOMAINS, "certainty"], rotation=30, ha="left")
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    sns.despine(ax=ax, left=True, bottom=True)
    ends = [b.rated.word for b in bodies]
    said = ", ".join(f"{ends.count(w)} {w}" for w in LEVELS.values() if w in ends)
    return Drawn(fig, {"bodies": len(bodies), "counts": said})
