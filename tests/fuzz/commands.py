"""Files as people have them, given to the commands, and what must hold with any of them."""

from __future__ import annotations

import contextlib
import io
import json
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any
from unittest import mock

from hypothesis import strategies as st

import metablin as mb
from metablin import cli

__all__ = ["COMMANDS", "attempt", "tables"]

CELLS = st.one_of(
    st.integers(0, 60).map(str),
    st.floats(0, 40).map(lambda x: f"{x:.2f}"),
    st.sampled_from(["", "NA", "NR", "-", "12 (34%)", "4*", "1,204", "3-May", "~20", "1_0", "inf",
                     "-3", "1e400", "=1+1", "\x1b[2J", "a\"b", "0"]),
)  # fmt: skip
WORDS = st.sampled_from(["A", "B", "9", "28", "NA", "A vs B", "$5", "_x", "Ärzte", ""])
HEADERS = {
    "pool": ["study", "events", "n", "events_treatment", "n_treatment", "events_control",
             "n_control", "estimate", "conf_low", "conf_high", "yi", "vi", "person_time", "dose",
             "Events", "deaths", "level"],
    "survival": ["time", "event", "arm", "dose", "id", "status"],
    "reconstruct": ["id", "time", "survival", "x", "y"],
    "reconstruct-summary": ["id", "n", "events", "median", "followup", "s12", "Median"],
    "network": ["study", "treatment", "events", "n", "treat1", "treat2", "yi", "vi"],
    "certainty": ["study", "events", "n", "estimate", "conf_low", "conf_high", "risk_of_bias",
                  "population", "domain", "question", "answer", "tool", "outcome", "reason"],
}  # fmt: skip
LABELS = {
    **dict.fromkeys(("study", "arm", "id", "treatment", "treat1", "treat2"), WORDS),
    "risk_of_bias": st.sampled_from(["low", "some concerns", "high", "critical", "NA", "x", ""]),
    "population": WORDS,
    "domain": st.sampled_from(["D1", "randomisation", "confounding", "D9", ""]),
    "question": st.sampled_from(["1.1", "2.3", "9.9", ""]),
    "answer": st.sampled_from(["Y", "PN", "NI", "yes", "perhaps", ""]),
    "tool": st.sampled_from(["RoB 2", "ROBINS-I", "x"]),
    "outcome": WORDS,
    "reason": WORDS,
}
MEASURES = ["proportion", "or", "rr", "rd", "hr", "rate", "generic"]


COUNT, SIZE = st.integers(0, 9).map(str), st.integers(10, 60).map(str)
EFFECT = st.floats(0.2, 3.0).map(lambda x: f"{x:.2f},{x / 2:.2f},{x * 2:.2f}")
SOUND: dict[str, list[tuple[str, list[st.SearchStrategy[str]]]]] = {
    "network": [
        ("study,treatment,events,n", [st.sampled_from("123"), st.sampled_from("ABC"), COUNT, SIZE]),
        ("study,treat1,treat2,estimate,conf_low,conf_high",
         [st.sampled_from("123456"), st.sampled_from("AB"), st.sampled_from("CD"), EFFECT]),
    ],
    "certainty": [
        ("study,estimate,conf_low,conf_high,risk_of_bias",
         [st.sampled_from("123456"), EFFECT, st.sampled_from(["low", "some concerns", "high"])]),
        ("study,events,n,population", [st.sampled_from("123456"), COUNT, SIZE, WORDS]),
        ("tool,domain,question,answer",
         [LABELS[n] for n in ("tool", "domain", "question", "answer")]),
    ],
}  # fmt: skip
"""Tables that a command mostly takes; the rest of `tables` it mostly refuses."""


@st.composite
def _sound(draw: st.DrawFn, command: str) -> bytes:
    header, cells = draw(st.sampled_from(SOUND[command]))
    rows = draw(st.lists(st.tuples(*cells), min_size=1, max_size=8))
    return "\n".join([header, *(",".join(row) for row in rows)]).encode()


@st.composite
def tables(draw: st.DrawFn, command: str) -> bytes:
    """Return a table, mostly a sound one, in one of the encodings met in the wild."""
    if command in SOUND and draw(st.booleans()):
        return draw(_sound(command))
    header = draw(st.lists(st.sampled_from(HEADERS[command]), min_size=1, max_size=7, unique=True))
    if draw(st.booleans()):
        header = HEADERS[command]
    k = draw(st.integers(0, 6))
    clean = draw(st.booleans())
    cells = st.integers(1, 9).map(str) if clean else CELLS
    lines = [header] + [[draw(LABELS.get(n, cells)) for n in header] for _ in range(k)]
    separator = draw(st.sampled_from([",", ",", ",", ";", "\t"]))
    text = draw(st.sampled_from(["\n", "\r\n"])).join(separator.join(line) for line in lines)
    encoding = draw(st.sampled_from(["utf-8", "utf-8", "utf-8-sig", "utf-16", "latin-1"]))
    return text.encode(encoding, "replace")


@st.composite
def _pool(draw: st.DrawFn) -> list[str]:
    options = ["--measure", draw(st.sampled_from([*MEASURES, "x"]))]
    if draw(st.booleans()):
        options += ["--model", draw(st.sampled_from(["random", "common", "peto", "glmm", "x"]))]
    if draw(st.booleans()):
        options += ["--by", draw(st.sampled_from(["study", "dose", "nowhere"]))]
    elif draw(st.booleans()):
        formulas = ["dose", "dose + n", "I(dose^2)", "np.load('x')", "9**9**9", "C(", ""]
        options += ["--moderators", draw(st.sampled_from(formulas))]
    if draw(st.booleans()):
        options += ["--level", draw(st.sampled_from(["0.9", "0", "1", "0.9999999999999999", "x"]))]
    return options


@st.composite
def _survival(draw: st.DrawFn) -> list[str]:
    options = []
    if draw(st.booleans()):
        options += ["--by", draw(st.sampled_from(["arm", "dose", "nowhere"]))]
    if draw(st.booleans()):
        options += ["--tau", draw(st.sampled_from(["3", "0", "-1", "1e9", "x"]))]
    if draw(st.booleans()):
        options += ["--at", draw(st.sampled_from(["2,4", "0", "x", ","]))]
    return options


@st.composite
def _network(draw: st.DrawFn) -> list[str]:
    options = ["--measure", draw(st.sampled_from(["or", "rr", "generic", "hr", "md", "x"]))]
    if draw(st.booleans()):
        options += ["--model", draw(st.sampled_from(["random", "common", "glmm", "x"]))]
    if draw(st.booleans()):
        options += ["--reference", draw(st.sampled_from(["A", "nobody", "$5"]))]
    return options


@st.composite
def _certainty(draw: st.DrawFn) -> list[str]:
    if draw(st.booleans()):
        return []
    options = ["--measure", draw(st.sampled_from(["proportion", "hr", "x"]))]
    options += ["--start", draw(st.sampled_from(["randomised", "rate", "single-arm", "x"]))]
    if draw(st.booleans()):
        options += ["--threshold", draw(st.sampled_from(["0.1", "0.8", "1,2,3", "-1", "x"]))]
    if draw(st.booleans()):
        options += ["--baseline", draw(st.sampled_from(["0.4", "0", "1", "40", "x"]))]
    return options


_reconstruct = st.sampled_from([[], ["--n", "20"], ["--n", "0"], ["--n", "30", "--events", "9"]])
_summary = st.sampled_from([[], ["--seed", "3"], ["--seed", "-1"], ["--draws", "0"]]).map(
    lambda more: ["--draws", "2", *more]
)

COMMANDS = {
    "pool": _pool(),
    "survival": _survival(),
    "reconstruct": _reconstruct,
    "reconstruct-summary": _summary,
    "network": _network(),
    "certainty": _certainty(),
}
WRITES = ("reconstruct", "reconstruct-summary")


def attempt(command: str, table: bytes, options: list[str]) -> int:
    """Run a command on a file and check what it says; return its exit code."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        path.write_bytes(table)
        last = ["--out", str(Path(folder) / "out.csv")] if command in WRITES else ["--json"]
        code, out, err = _run([command, str(path), *options, *last])
        assert path.read_bytes() == table, "the input was changed"
    assert code in (0, 1, 2), f"exit code {code}"
    assert "Traceback" not in err
    assert "\x1b[2J" not in out + err, "an escape reached the terminal"
    if code == 1:
        said = [line for line in err.splitlines() if not line.startswith("metablin: warning: ")]
        # A batch names every curve or arm that it could not take.
        assert len(said) == 1 or (said and command in WRITES), f"not one line: {err!r}"
        assert all(line.startswith("metablin: ") for line in said)
        assert out == ""
    elif code == 0 and command not in WRITES:
        json.loads(out, parse_constant=_no_constant)
    return code


def _no_constant(name: str) -> Any:
    raise AssertionError(f"{name} in JSON")


def _run(arguments: list[str]) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    shown = warnings.showwarning
    with (
        mock.patch.object(sys, "argv", ["metablin", *arguments]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("error")
        warnings.simplefilter("always", mb.MetablinWarning)
        warnings.simplefilter("always", mb.ConvergenceWarning)
        try:
            cli.main()
            code = 0
        except SystemExit as error:
            code = int(error.code or 0)
        finally:
            warnings.showwarning = shown
    return code, out.getvalue(), err.getvalue()
