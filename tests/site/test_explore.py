"""The page "Ask your own question" computes what metablin computes, and keeps a view in a link."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import subprocess
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import metablin as mb
from metablin.errors import MetablinWarning

SCRIPT = Path(__file__).with_name("explore.js")
COMPARISONS = int(os.environ.get("METABLIN_EXPLORE_COMPARISONS", "300"))
"""``make site-test`` asks for 10,000."""
AGREE = 1e-8
"""Two programs, two libraries of special functions, iterations that stop at 1e-13."""
MOST = 9
NUMBERS = ("estimate", "conf_low", "conf_high", "pred_low", "pred_high", "tau2", "i2", "q", "q_p")

node = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")


def run(kind: str, cases: list[dict[str, Any]]) -> list[Any]:
    """Return what the scripts of the page answer."""
    return [answer(found) for found in ask(kind, cases)]


def answer(found: Any) -> Any:
    """Return an answer, if it is one."""
    assert "thrown" not in found, found["thrown"]
    return found


def ask(kind: str, cases: list[dict[str, Any]]) -> list[Any]:
    """Return what the scripts of the page answer or throw, case by case."""
    done = subprocess.run(
        [str(shutil.which("node")), str(SCRIPT)],
        input=json.dumps({"kind": kind, "cases": cases}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers: list[Any] = json.loads(done.stdout)
    return answers


def pools_of(measure: str) -> list[dict[str, Any]]:
    """Return the rows of the evidence that the page could pool."""
    if measure == "proportion":
        rows = mb.load("proportions").dropna(subset=["events", "n"])
        rows = rows.loc[(rows["n"] > 0) & (rows["events"] <= rows["n"])]
        return [
            {"events": int(e), "n": int(n)} for e, n in zip(rows["events"], rows["n"], strict=True)
        ]
    rows = mb.load("contrasts").query("measure == 'hr'")
    rows = rows.dropna(subset=["estimate", "ci_low", "ci_high"])
    return [
        {"estimate": a, "low": b, "high": c, "level": 0.95 if level != level else level}
        for a, b, c, level in zip(
            rows["estimate"], rows["ci_low"], rows["ci_high"], rows["ci_level"], strict=True
        )
    ]


def drawn(count: int) -> list[dict[str, Any]]:
    """Return random subsets of the evidence with random options."""
    random = np.random.default_rng(20)
    known = {m: pools_of(m) for m in ("proportion", "hr")}
    cases = []
    for _ in range(count):
        measure = str(random.choice(list(known)))
        rows = [
            known[measure][i] for i in random.choice(len(known[measure]), random.integers(1, MOST))
        ]
        model = str(random.choice(["rule", "random", "common"]))
        if model == "rule" and any(r.get("events") in (0, r.get("n")) for r in rows if "n" in r):
            model = "random"  # the page leaves the rule for empty cells to the package, and says so
        options = {"model": model, "tau2": str(random.choice(["DL", "PM", "REML"])),
                   "ci": str(random.choice(["z", "hksj"]))}  # fmt: skip
        cases.append({"measure": measure, "rows": rows, "options": options})
    return cases


def package(case: dict[str, Any]) -> list[float]:
    """Return what the package answers."""
    rows, options = case["rows"], case["options"]
    column = {name: [r[name] for r in rows] for name in rows[0]}
    if case["measure"] == "proportion":
        effects, rule = mb.proportions(column["events"], column["n"]), mb.pool_cohorts
    else:
        limits = (column["estimate"], column["low"], column["high"])
        effects, rule = mb.hazard_ratios(*limits, level=column["level"]), mb.pool_contrasts
    if options["model"] == "rule":
        fit = rule(effects)
    elif options["model"] == "common":
        fit = mb.pool(effects, model="common", ci=options["ci"])
    else:
        fit = mb.pool(effects, tau2=options["tau2"], ci=options["ci"])
    found = fit.to_dict()
    return [np.nan if found[n] is None else found[n] for n in NUMBERS]


@node
def test_random_subsets_are_pooled_as_by_the_package() -> None:
    cases = drawn(COMPARISONS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MetablinWarning)
        wanted = np.array([package(c) for c in cases], dtype=float)
    got = np.array([[np.nan if x is None else x for x in a] for a in run("pool", cases)])
    rule = np.array([c["options"]["model"] == "rule" and len(c["rows"]) > 1 for c in cases])
    wanted[rule, 7:] = got[rule, 7:]  # Q is no part of the answer of the rule
    unknown = np.isnan(wanted) != np.isnan(got)
    assert not unknown.any(), cases[int(np.argwhere(unknown)[0][0])]
    size = np.maximum(1, np.abs(wanted))
    apart = np.nan_to_num(np.abs(got - wanted) / size)
    worst = int(apart.max(axis=1).argmax())
    assert apart.max() < AGREE, (cases[worst], got[worst], wanted[worst])


QUESTION = {
    "name": "os",
    "measure": "hr",
    "rows": [
        {"key": "a", "study": "A", "estimate": 0.62, "low": 0.39, "high": 0.98, "level": 0.95},
        {"key": "b", "study": "B", "estimate": 0.65, "low": 0.32, "high": 1.30, "level": 0.95},
        {"key": "c", "study": "C", "estimate": 0.35, "low": 0.17, "high": 0.70, "level": 0.975},
    ],
    "pools": [
        {"name": "all", "label": "All", "rows": ["a", "b", "c"]},
        {"name": "two", "label": "Two", "rows": ["a", "b"]},
    ],
}
COHORTS = {
    "name": "response",
    "measure": "proportion",
    "rows": [
        {"key": "x", "study": "X", "events": 16, "n": 45},
        {"key": "y", "study": 'Y "quoted"', "events": 14, "n": 34},
        {"key": "z", "study": "Z", "events": 4, "n": 4},
    ],
    "pools": [],
}
ADDRESSES = [
    ("q=os&from=all", ["a", "b", "c"]),
    ("q=os&from=all&out=c", ["a", "b"]),
    ("q=os&from=two&in=c&model=random&tau2=DL&ci=z&base=60", ["a", "b", "c"]),
    ("q=os&from=two&out=a,b&in=c&model=common", ["c"]),
    ("q=response&out=z", ["x", "y"]),
]


NOWHERE = ["", "#q=nothing", "#q=os&from=none&model=magic&in=nobody"]
SHOWN = [*(a for a, _ in ADDRESSES), "q=response", "q=response&model=common&ci=z"]


@pytest.fixture(scope="module")
def views() -> dict[str, Any]:
    """What the page makes of every address, in one run of its scripts."""
    addresses = [*NOWHERE, *(f"#{address}" for address, _ in ADDRESSES), *SHOWN]
    cases = [{"address": a, "questions": [QUESTION, COHORTS]} for a in addresses]
    return dict(zip(addresses, ask("view", cases), strict=True))


@node
@pytest.mark.parametrize(("address", "rows"), ADDRESSES)
def test_an_address_gives_the_view_and_the_view_the_address(
    views: dict[str, Any], address: str, rows: list[str]
) -> None:
    found = answer(views[f"#{address}"])
    assert found["rows"] == rows
    assert found["address"] == address


@node
@pytest.mark.parametrize("address", NOWHERE)
def test_an_address_that_says_nothing_is_the_start(views: dict[str, Any], address: str) -> None:
    assert answer(views[address])["address"] == "q=os&from=all"


@node
@pytest.mark.parametrize("address", SHOWN)
def test_the_same_in_python_gives_the_same(views: dict[str, Any], address: str) -> None:
    found = answer(views[address])
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(found["python"], {})
    values = [float(x) for x in printed.getvalue().split()]
    wanted = [np.nan if x is None else x for x in found["numbers"][:5]]
    np.testing.assert_allclose(values, wanted, atol=AGREE)


@node
def test_an_empty_cell_is_told() -> None:
    addresses = ("q=response", "q=response&out=z")
    whole, part = run("view", [{"address": a, "questions": [COHORTS]} for a in addresses])
    assert "empty cell" in whole["note"]
    assert part["note"] == ""


@node
def test_rows_of_a_reader_are_read() -> None:
    texts = [
        "study,events,n\nA,3,20\nB,9,30\n",
        "Trial;HR;lower;upper\nA;0,62;0,39;0,98\n",
        'study\testimate\tlow\thigh\n"A"\t0.5\t0.3\t0.9\n',
    ]
    counts, commas, tabs = (a["rows"] for a in run("parse", [{"text": t} for t in texts]))
    assert counts[1] == {"key": "own-2", "study": "B", "events": 9, "n": 30}
    assert (commas[0]["estimate"], commas[0]["high"]) == (0.62, 0.98)
    assert (tabs[0]["study"], tabs[0]["low"]) == ("A", 0.3)


WRONG = [
    ("study,events,n\nA,x,20", ["line 2", "events", '"x"']),
    ("study,events,n\nA,30,20", ["line 2", "events lie from 0 to n"]),
    ("study,hr,low,high\nA,2,0.5,1.5", ["line 2", "between its limits"]),
    ("study,what\nA,1", ["no columns events and n", "what"]),
    ("study,events,n", ["one line a study"]),
]


@pytest.fixture(scope="module")
def refused() -> dict[str, Any]:
    """What the page says of every text that it cannot read."""
    texts = [text for text, _ in WRONG]
    return dict(zip(texts, ask("parse", [{"text": t} for t in texts]), strict=True))


@node
@pytest.mark.parametrize(("text", "parts"), WRONG)
def test_rows_that_cannot_be_read_are_named(
    refused: dict[str, Any], text: str, parts: list[str]
) -> None:
    error = answer(refused[text])["error"]
    for part in parts:
        assert part in error
