"""Tables and texts for papers: every number is the fit's, every source one that was used."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path

import pandas as pd
import pytest

import metablin as mb
from metablin.cli import app
from metablin.meta.core.models import MODELS
from metablin.report.paper import ESTIMATORS
from metablin.report.sources import SOURCES
from tests.cli.runner import CliRunner

TABLES = ([4, 6, 3, 62], [123, 306, 231, 1359], [11, 29, 11, 248], [139, 303, 220, 1286])
NAMES = ["A & B", "C_1", "D|x", "$E"]
EFFECTS = mb.two_by_two(*TABLES, studies=NAMES)
COHORTS = mb.proportions([0, 3, 5, 9], [15, 16, 20, 31])
DOI = re.compile(r"doi:10\.\d{4,}/\S+")


def cells(text: str) -> list[list[str]]:
    """Cells of a Markdown table, escapes undone."""
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in text.splitlines()]
    return [[re.sub(r"\\(.)", r"\1", c.strip()) for c in row] for row in rows]


def test_the_three_forms_of_a_pool_hold_the_same_cells() -> None:
    fit = mb.pool(EFFECTS, level=0.9)
    rows = cells(mb.export(fit, "markdown"))
    assert rows[0] == ["Study", "Treatment", "Control", "Odds ratio (90% CI)", "Weight"]
    assert [r[0] for r in rows[2:]] == [*NAMES, "Pooled", "Prediction interval"]
    assert rows[2][1:3] == ["4/123", "11/139"]
    assert rows[6][3] == f"{fit.estimate:.2f} ({fit.conf_low:.2f} to {fit.conf_high:.2f})"
    weights = [float(r[4].rstrip("%")) for r in rows[2:6]]
    assert sum(weights) == pytest.approx(100, abs=0.2)
    page = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", line)
            for line in mb.export(fit, "html").splitlines() if line.startswith("<tr>")]  # fmt: skip
    assert [[unescape(c) for c in row] for row in page] == [rows[0], *rows[2:]]
    latex = mb.export(fit, "latex").splitlines()
    assert latex[0] == r"\begin{tabular}{lrrrr}"
    assert latex[4].startswith(r"A \& B & 4/123 & 11/139 & ")
    assert latex[5].startswith(r"C\_1 & ")
    assert latex[7].startswith(r"\$E & ")
    assert latex[-1] == r"\end{tabular}"


def test_subgroups_head_their_rows() -> None:
    fit = mb.pool(EFFECTS, by=["old", "new", "old", "new"])
    rows = cells(mb.export(fit, "markdown"))
    heads = [r[0] for r in rows if r[0].startswith("**")]
    assert heads == ["**old**", "**new**", "**All studies**"]
    assert [r[0] for r in rows].count("Pooled") == 3


def test_a_proportion_shows_what_was_counted() -> None:
    rows = cells(COHORTS and mb.pool(COHORTS).to_markdown())
    assert rows[2][1:3] == ["0/15", "0.0% (0.0% to 21.8%)"]


def test_other_results_are_their_frames_with_limits_beside_estimates() -> None:
    rows = cells(mb.leave_one_out(mb.pool(EFFECTS)).to_markdown())
    assert rows[0][:3] == ["term", "k", "estimate (95% CI)"]
    assert "conf low" not in rows[0]
    plain = mb.export(pd.DataFrame({"a": [1, None], "b": [True, False]}), "markdown")
    assert cells(plain)[2:] == [["1", "yes"], ["–", "no"]]
    with pytest.raises(mb.DataError, match=r"no such form; allowed: markdown \| latex \| html"):
        mb.export(pd.DataFrame({"a": [1]}), "word")


@pytest.mark.parametrize("model", [*MODELS, "exact"])
def test_every_model_is_written_up_and_cites_only_what_is_listed(model: str) -> None:
    if model in ("beta-binomial",):
        fit = mb.pool(COHORTS, model="beta-binomial")
    elif model == "exact":
        fit = mb.pool(mb.proportions([0, 0], [5, 6]))
    elif model == "multilevel":
        fit = mb.pool(EFFECTS, model="multilevel", levels={"trial": [1, 1, 2, 3]})
    else:
        measure = "peto" if model == "peto" else "or"
        fit = mb.pool(mb.two_by_two(*TABLES, measure=measure), model=model)
    text = fit.report()
    said = [int(x) for x in re.findall(r"\[(\d+)\]", text.methods)]
    assert sorted(set(said)) == list(range(1, len(text.references) + 1))
    assert said == sorted(said, key=lambda x: said.index(x))
    assert set(text.references) <= set(SOURCES.values())
    assert "nan" not in text.summary()
    if model not in ("beta-binomial",):
        digits = f"{fit.estimate:.2f}" if model != "exact" else "0.0%"
        assert f"was {digits} (" in text.results


@pytest.mark.parametrize("method", ESTIMATORS)
def test_every_estimator_of_tau2_has_words_and_a_source(method: str) -> None:
    text = mb.pool(EFFECTS, tau2=method).report()
    words, source = ESTIMATORS[method]
    assert f"was estimated by {words} [" in text.methods
    assert SOURCES[source] in text.references


def test_a_text_says_what_was_done_and_nothing_else() -> None:
    plain = mb.pool(EFFECTS, model="common").report()
    assert "between-study variance was" not in plain.methods
    assert "Hartung" not in plain.summary()
    known = mb.pool(EFFECTS, tau2=0.1, ci="z").report()
    assert "taken as 0.1" in known.methods
    assert "790 events" not in known.results
    assert "4 studies with 3,967 patients and 374 events" in known.results
    zero = mb.pool(COHORTS).report()
    assert "1 study with a zero cell had it corrected (1/2 was added to its cells)" in zero.methods
    assert "p = " not in zero.results.partition("Heterogeneity")[0]
    years = {"year": [1990, 1995, 2001, 2010]}
    trend = mb.pool(EFFECTS, moderators="year", data=years).report()
    assert "with moderators (year)" in trend.methods
    assert "Coefficients on the log scale were Intercept: " in trend.results
    robust = mb.clustered(mb.pool(EFFECTS), [1, 1, 2, 3]).report()
    assert "cluster-robust" in robust.methods
    bayes = mb.pool(EFFECTS, model="bayes").report()
    assert "half-normal with scale 0.5" in bayes.methods
    assert "(95% CrI " in bayes.results
    assert "Q-profile" not in bayes.methods


def test_sources_have_a_doi_or_are_books() -> None:
    without = [key for key, text in SOURCES.items() if not DOI.search(text)]
    assert without == ["he", "hs"]


def test_the_command_writes_table_and_text(tmp_path: Path) -> None:
    data = tmp_path / "d.csv"
    frame = dict(zip(("events_treatment", "n_treatment", "events_control", "n_control"), TABLES,
                     strict=True))  # fmt: skip
    pd.DataFrame({"study": NAMES, **frame}).to_csv(data, index=False)
    table, text = tmp_path / "t.tex", tmp_path / "r.md"
    done = CliRunner().invoke(app, ["pool", str(data), "--measure", "or", "--table", str(table),
                                    "--report", str(text), "--json"])  # fmt: skip
    assert done.exit_code == 0, done.output
    fit = mb.pool(EFFECTS)
    assert json.loads(done.stdout)["estimate"] == pytest.approx(fit.estimate)
    assert table.read_text() == mb.export(fit, "latex") + "\n"
    assert text.read_text() == fit.report().to_markdown()
    odd = CliRunner().invoke(app, ["pool", str(data), "--measure", "or", "--table", "t.docx"])
    assert odd.exit_code == 2
