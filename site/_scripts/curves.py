"""Reconstructed curves of every trial: pictures with their values, for the pages of trials."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from metablin.datasets import data_directory
from metablin.pipeline.fingerprint import digest_of, file_digest
from metablin.plots import draw_km, style
from metablin.plots._survival import TOP, group_colours, time_ticks
from metablin.plots._svg import curve_area
from metablin.report.readout import readout
from metablin.report.words import outcome_words, patients_words

ENDPOINTS = ("os", "efs", "dfs", "rfs", "pfs", "dor", "post_hsct_survival")
"""In the order in which a page shows them."""

MOST = 6
"""Curves in one picture; more go into another one."""
LONGEST = 26
"""Letters of a name beside the numbers at risk; longer ones would leave no room for the curve."""
BANDS = 2
"""Bands of more curves would hide each other."""
FOLDER = "curves"
AS_IT_IS = "<!--| quarto-html-table-processing: none -->"
"""Quarto leaves HTML with this remark as it is."""
STAMP = "drawn.sha256"


@dataclass(frozen=True)
class Curve:
    """A picture of one endpoint of one trial, with what the page says about it."""

    name: str
    title: str
    frame: pd.DataFrame
    grades: str

    def draw(self, path: Path) -> None:
        """Write the picture."""
        names = list(dict.fromkeys(self.frame["group"]))
        _, ax = style.figure(5.6, 3.0)
        months = self.frame["time"].max()
        frame = self.frame
        if len(names) == 1 and len(names[0]) > LONGEST:
            frame = frame.assign(group="these patients")  # the title says which
        steps = frame.rename(columns={"low": "conf_low", "high": "conf_high"})
        ticks = time_ticks(months)
        risk = frame.loc[frame["time"].isin(ticks)].rename(columns={"count": "n_risk"})
        risk = risk.assign(n_risk=risk["n_risk"].round())
        with style.house_style():
            draw_km(steps.assign(n_censored=0), risk, ax, band=len(names) <= BANDS)
            ax.set_xlim(0.0, months)
            legend = ax.get_legend()
            if legend is not None and names != ["all"] and len(names) == 1:
                legend.remove()
        style.save_figure(ax.figure, path)
        style.save_figure(style.narrow(ax.figure.figure), path.with_suffix(".narrow.svg"))

    def markdown(self, folder: Path) -> str:
        """Return the figure, its caption and its values."""
        wide, narrow = (
            curve_area((folder / f"{self.name}{kind}.svg").read_text("utf-8"))
            for kind in ("", ".narrow")
        )
        names = list(dict.fromkeys(self.frame["group"]))
        label = "fig-" + self.name.replace("_", "-").replace(".", "-")
        table = readout(
            self.frame,
            wide,
            narrow=narrow,
            figure=label,
            top=TOP,
            interval="Range over draws",
            counted="At risk",
            colours=group_colours(names),
        )
        ends = self.frame.groupby("group", sort=False).tail(1)
        last = "; ".join(
            f"{group}: {100 * survival:.0f}% at {time:g} months"
            for group, survival, time in zip(
                ends["group"], ends["survival"], ends["time"], strict=True
            )
        )
        band = " Band: range over draws, which is no confidence interval." * (len(names) <= BANDS)
        title = re.sub(r"([\\`*_{}\[\]<>#@$^~|])", r"\\\1", self.title)
        alt = f"{self.title}, reconstructed. {last}.".replace('"', "'").replace("%", " per cent")
        return (
            f"::: {{#{label}}}\n"
            f'![]({FOLDER}/{self.name}.svg){{fig-alt="{alt}"}}\n\n'
            f"{title}, reconstructed from what is printed, with the patients at risk in the "
            f"reconstruction.{band} Grade: {self.grades}. [Data](../results/reconstruction/"
            "curves.csv) · [Source](../sources/reconstruction.qmd#curves)\n:::\n\n"
            f"```{{=html}}\n{AS_IT_IS}\n{table}\n```"
        )


class Gallery:
    """The pictures of all trials in one folder; drawn again only when what they show changed."""

    def __init__(self, results: Path, folder: Path) -> None:
        home = results / "reconstruction"
        there = (home / "curves.csv").is_file()
        self._values = pd.read_csv(home / "curves.csv") if there else pd.DataFrame()
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        drawing = sorted(Path(style.__file__).parent.glob("*.py"))
        read = [Path(__file__), data_directory() / "vocabulary.csv", *drawing] + [
            home / "curves.csv"
        ] * there
        self._digest = digest_of({path.name: file_digest(path) for path in read})
        stamp = folder / STAMP
        self._fresh = stamp.is_file() and stamp.read_text("utf-8") == self._digest
        self._names: set[str] = set()

    def show(self, trial: str, label: str, arms: pd.DataFrame) -> str:
        """Return the pictures of a trial as Markdown, drawn where they are not there yet."""
        found = trial_curves(trial, label, arms, self._values)
        for curve in found:
            path = self._folder / f"{curve.name}.svg"
            if not (self._fresh and path.is_file()):
                curve.draw(path)
            self._names |= {path.with_suffix(e).name for e in (".svg", ".narrow.svg")}
        return "\n\n".join(curve.markdown(self._folder) for curve in found)

    def close(self) -> None:
        """Drop pictures of trials that are gone and remember what was drawn."""
        for path in self._folder.glob("*.*g"):
            if path.name not in self._names:
                path.unlink()
        (self._folder / STAMP).write_text(self._digest, encoding="utf-8")


def trial_curves(name: str, label: str, arms: pd.DataFrame, values: pd.DataFrame) -> list[Curve]:
    """Return the pictures of a trial: whole arms first, then parts of them, by endpoint."""
    if arms.empty or values.empty:
        return []
    known = arms.loc[arms["key"].isin(values["arm_key"])]
    found = []
    for whole in (True, False):
        kind = known["patients"].eq("all") == whole
        for endpoint in ENDPOINTS:
            own = known.loc[kind & (known["endpoint"] == endpoint)]
            for start in range(0, len(own), MOST):
                part = own.iloc[start : start + MOST]
                number = "" if whole else f".parts{start // MOST + 1}"
                title = f"{label}: {outcome_words(endpoint)}"
                if not whole:
                    single = f", {patients_words(part['patients'].iloc[0])}"
                    title += single if len(part) == 1 else " by part of the patients"
                found.append(_curve(f"{name}.{endpoint}{number}", title, part, values))
    return found


def _curve(name: str, title: str, arms: pd.DataFrame, values: pd.DataFrame) -> Curve:
    groups = {arm["key"]: _group(arm, arms) for _, arm in arms.iterrows()}
    frame = values.loc[values["arm_key"].isin(groups)].rename(columns={"n_risk": "count"})
    frame = frame.assign(group=frame["arm_key"].map(groups))
    grades = ", ".join(sorted(set(arms["grade"])))
    return Curve(name, title, frame.reset_index(drop=True), grades)


def _group(arm: pd.Series, arms: pd.DataFrame) -> str:
    """Return the shortest words that tell an arm from the others of the picture."""
    parts = "" if arm["patients"] == "all" else patients_words(arm["patients"])
    name = arm["arm"] if arms["arm"].nunique() > 1 or not parts else ""
    words = ", ".join(w for w in (name, parts) if w)
    twins = arms.loc[(arms["arm"] == arm["arm"]) & (arms["patients"] == arm["patients"])]
    return f"{words} ({arm['trial']})" if len(twins) > 1 else words
