"""Labels are drawn as given, and nobody's own settings reach a figure."""

import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

import metablin as mb
from metablin import plots
from metablin.plots.style import HAIR_SPACE, save_figure
from metablin.survival import kaplan_meier_by, rmst_curve

NAMES = ["_treated", "cost $5 vs $10", "C $x_{$", r"$\foo$"]
TIME, EVENT = np.arange(1, 41) % 17 + 1.0, np.arange(40) % 3 > 0
GROUP = np.repeat(NAMES, 10)
EFFECTS = mb.generic([0.1, 0.3, 0.5, 0.9], [0.01, 0.04, 0.06, 0.12], studies=NAMES)
FIT = mb.pool(EFFECTS)
SHARES = mb.pool(mb.proportions([3, 5, 2, 9], [20, 22, 18, 30], studies=NAMES))
TABLES = mb.pool(mb.two_by_two([3, 5, 2, 9], [20, 22, 18, 30], [4, 8, 5, 9], [20, 25, 19, 33],
                               studies=NAMES))  # fmt: skip

PICTURES = {
    "curves": lambda: plots.km(list(kaplan_meier_by(TIME, EVENT, GROUP).values())),
    "log-log": lambda: plots.log_log(list(kaplan_meier_by(TIME, EVENT, GROUP).values())),
    "restricted means": lambda: rmst_curve(TIME, EVENT, GROUP, tau=[4, 8, 11]).plot(),
    "forest": FIT.plot,
    "shares": SHARES.plot,
    "leaving out": lambda: mb.leave_one_out(FIT).plot(),
    "adding": lambda: mb.cumulative(FIT).plot(),
    "influence": lambda: mb.influence(FIT).plot(),
    "baujat": lambda: mb.baujat(FIT).plot(),
    "radial": lambda: plots.radial(FIT),
    "l'abbe": lambda: plots.labbe(TABLES),
    "doi": lambda: mb.lfk_index(FIT).plot(),
}


def texts(ax):
    return [t.get_text() for t in ax.get_figure(root=True).findobj(Text)]


def as_drawn(text):
    return text.replace(r"\$", "$").replace(HAIR_SPACE, "")


@pytest.mark.parametrize("name", PICTURES)
def test_labels_are_drawn_as_given(name, tmp_path):
    ax = PICTURES[name]()
    save_figure(ax.get_figure(root=True), tmp_path / "picture.svg")
    drawn = " ".join(as_drawn(t) for t in texts(ax))
    named = [n for n in NAMES if n in drawn]
    # Where labels would cover each other some are left out.
    assert len(named) == len(NAMES) or name in ("baujat", "radial", "l'abbe", "doi")
    for text in texts(ax):
        assert text.count("$") == text.count(r"\$") or "mathdefault" in text


def test_a_legend_has_every_arm():
    ax = PICTURES["curves"]()
    assert [as_drawn(t.get_text()) for t in ax.get_legend().get_texts()] == sorted(NAMES)


def test_an_exact_pool_has_its_pictures(tmp_path):
    fit = mb.pool(mb.proportions([0, 0, 0], [10, 20, 15]))
    for record in (fit, mb.leave_one_out(fit), mb.cumulative(fit)):
        save_figure(record.plot().get_figure(root=True), tmp_path / "picture.svg")
        assert (tmp_path / "picture.svg").stat().st_size > 0


HOSTILE = """text.usetex: True
lines.linewidth: 9
lines.linestyle: --
font.size: 31
font.family: serif
axes.grid: True
axes.xmargin: .4
savefig.transparent: True
savefig.dpi: 33
legend.fontsize: 40
axes.formatter.use_mathtext: True
svg.fonttype: none
path.simplify: False
xtick.direction: in
figure.autolayout: True
image.cmap: jet
"""


def draw_three(folder):
    for name in ("curves", "forest", "influence"):
        save_figure(PICTURES[name]().get_figure(root=True), Path(folder) / f"{name}.svg")


def test_a_users_settings_change_no_byte(tmp_path):
    plain, hostile = tmp_path / "plain", tmp_path / "hostile"
    plain.mkdir()
    hostile.mkdir()
    with mpl.rc_context():
        mpl.rcdefaults()
        draw_three(plain)
    (hostile / "matplotlibrc").write_text(HOSTILE)
    script = "import sys; from tests.plots import test_hostile as t; t.draw_three(sys.argv[1])"
    subprocess.run(
        [sys.executable, "-c", script, str(hostile)], check=True, cwd=Path(__file__).parents[2],
        env={"MATPLOTLIBRC": str(hostile / "matplotlibrc"), "PATH": "", "PYTHONPATH": "."},
    )  # fmt: skip
    answers = [{p.name: p.read_bytes() for p in home.glob("*.svg")} for home in (plain, hostile)]
    assert len(answers[0]) == 3
    assert answers[0] == answers[1]


def test_drawing_leaves_the_settings_of_its_caller_alone():
    with mpl.rc_context({"font.size": 31.0, "lines.linewidth": 9.0}):
        ax = FIT.plot()
        assert mpl.rcParams["font.size"] == 31.0
    assert all(line.get_linewidth() < 9.0 for line in ax.lines)


def test_moderators_name_their_axis_as_given():
    data = pd.DataFrame({"_dose $": [1.0, 2.0, 3.0, 5.0]})
    fit = mb.pool(EFFECTS, moderators="`_dose $`", data=data)
    assert "_dose $" in as_drawn(plots.bubble(fit).get_xlabel())
