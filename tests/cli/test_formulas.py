"""Hostile formulas: one line each, nothing executed; and what a formula may say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from metablin.cli import app
from metablin.errors import DataError
from metablin.io import read_formula
from tests.cli.runner import CliRunner

ROWS = "study,events,n,x,g\nA,3,10,1,a\nB,5,12,2,b\nC,9,20,3,a\nD,4,14,5,b\nE,6,15,4,a\n"
HOSTILE = [
    "np.f2py.os.system('touch hacked')",
    "{x.to_csv('hacked') or x}",
    "np.load('hacked.npy', allow_pickle=True)",
    "{9**9**9}",
    "I(9^9^9^9)",
    "__import__('os').system('touch hacked')",
    "x.__class__.__base__.__subclasses__()",
    "C(x, contr.treatment(base=open('hacked', 'w')))",
    "I((lambda: open('hacked', 'w'))())",
    "`x`.__reduce__()",
    "eval(compile('1', 'x', 'eval'))",
    "(x + g + n + events + study)^10000000000",
    "(x + g + n + events + study + x1 + x2 + x3)^10",
    "poly(x, 100000000)",
    "bs(x, df=999999999)",
    "(" * 190 + "x",
    "x" + " + x" * 60,
    "I(" * 60 + "x" + ")" * 60,
    "x\nimport os",
    "x # comment",
    "x[0]", "x if x else x", "x == 1", "[x for x in x]", "f'{x}'", "x; y", "-", "~", "()", "x y",
]  # fmt: skip


@pytest.mark.parametrize("formula", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_formula_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, formula: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.csv").write_text(ROWS)
    words = ["pool", "s.csv", "--measure", "proportion", f"--moderators={formula}"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 1
    assert isinstance(result.exception, DataError)
    assert len(str(result.exception).splitlines()) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["s.csv"]


@pytest.mark.parametrize(
    ("formula", "terms"),
    [
        ("x", ["Intercept", "x"]),
        ("x + I(x^2)", ["Intercept", "x", "I(x^2)"]),
        ("x + I(x**2)", ["Intercept", "x", "I(x**2)"]),
        ("x - 1", ["x"]),
        ("0 + x", ["x"]),
        ("C(g)", ["Intercept", "C(g)[T.b]"]),
        ("log(x)", ["Intercept", "log(x)"]),
        ("sqrt(x)", ["Intercept", "sqrt(x)"]),
        ("center(x)", ["Intercept", "center(x)"]),
        ("poly(x, 2)", ["Intercept", "poly(x,2)[1]", "poly(x,2)[2]"]),
        ("x:g", ["Intercept", "x:g[a]", "x:g[b]"]),
        ("x * g", ["Intercept", "x", "g[T.b]", "x:g[T.b]"]),
        ("(x + g)^2", ["Intercept", "x", "g[T.b]", "x:g[T.b]"]),
        ("x + g + x:g - g", ["Intercept", "x", "x:g[T.b]"]),
    ],
)
def test_what_a_formula_may_say(tmp_path: Path, formula: str, terms: list[str]) -> None:
    (tmp_path / "s.csv").write_text(ROWS)
    words = ["pool", str(tmp_path / "s.csv"), "--measure", "proportion", f"--moderators={formula}"]
    result = CliRunner().invoke(app, [*words, "--json"])
    assert result.exit_code == 0, result.exception
    assert [c["term"] for c in json.loads(result.stdout)["coefficients"]] == terms


def test_a_formula_is_short_and_has_few_terms() -> None:
    assert len(read_formula("+".join(f"x{i}" for i in range(45))).terms) == 45
    with pytest.raises(DataError, match="at most 200 characters"):
        read_formula("x + " * 51)
    with pytest.raises(DataError, match="at most 50 terms"):
        read_formula("(a + b + c + d) * (e + f + g + h + i) * (j + k)")


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (["9", "~20", "28"], ["row 2", "'~20'", "about 20"]),
        (["9", "28 mcg", "15"], ["row 2", "with a unit"]),
        (["9", '"9,5"', "15"], ["row 2", "9.5"]),
        (["1", "2", "3+"], ["row 3", "C(dose)"]),
    ],
)
def test_numbers_with_something_beside_them_are_no_categories(
    tmp_path: Path, cells: list[str], words: list[str]
) -> None:
    rows = [f"S{i},{i + 2},20,{cell}" for i, cell in enumerate([*cells, "7", "8"])]
    (tmp_path / "s.csv").write_text("\n".join(["study,events,n,dose", *rows]) + "\n")
    result = CliRunner().invoke(
        app, ["pool", str(tmp_path / "s.csv"), "--measure", "proportion", "--moderators", "dose"]
    )
    for word in words:
        assert word in str(result.exception)
