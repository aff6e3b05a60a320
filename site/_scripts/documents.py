"""Documents of the site: their parts, their execution in one process, what Quarto makes of them.

Quarto starts a kernel a document, and every kernel imports the same libraries again. Here all
documents run in one process, each with names and helpers of its own, and what comes out is put
where Quarto keeps what it has executed before (its `freeze`). A document that is not found there,
or that has changed since, is executed by Quarto as ever.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import sys
import warnings
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

INLINE = re.compile(r"`\{python\} ([^`]+)`")
FENCE = re.compile(r"^(`{3,}|~{3,})\s*(.*)$")
SIGN = re.compile(r"([\\`*_{}\[\]<>#@$^~|])")
KINDS = ("text/markdown", "text/html", "image/png", "text/plain")
"""Kinds of output, the one that says most first."""
NOTHING = ("", "None", "nan", "–")
"""What an inline value must not be."""


@dataclass
class Cell:
    """Code that is executed; `output` is what a cell of plain Markdown puts on the page."""

    line: int
    source: str
    options: dict[str, Any]
    output: str = ""
    shown: list[tuple[str, str]] = field(default_factory=list)

    @property
    def pictures(self) -> int:
        """Number of pictures drawn."""
        return sum(kind == "image/png" for kind, _ in self.shown)


@dataclass
class Prose:
    """Markdown between cells; code that is only shown is blanked out in `words`."""

    line: int
    text: str
    words: str


@dataclass
class Document:
    """A parsed document."""

    path: Path
    front: dict[str, Any]
    head: str = ""
    parts: list[Cell | Prose] = field(default_factory=list)
    values: dict[str, str] = field(default_factory=dict)

    @property
    def cells(self) -> list[Cell]:
        """Parts that are code."""
        return [p for p in self.parts if isinstance(p, Cell)]

    @property
    def prose(self) -> list[Prose]:
        """Parts that are text."""
        return [p for p in self.parts if isinstance(p, Prose)]

    def assembled(self) -> str:
        """Return the Markdown that pandoc gets: inline values and outputs in their places."""
        echo = bool((self.front.get("execute") or {}).get("echo", False))
        return "\n".join(
            block(part, echo)
            if isinstance(part, Cell)
            else INLINE.sub(lambda m: SIGN.sub(r"\\\1", self.values[m[1].strip()]), part.text)
            for part in self.parts
        )


def parse(path: Path) -> Document:
    """Return a document by its parts.

    Raises
    ------
    ValueError
        When a block of code does not end.
    """
    lines = path.read_text(encoding="utf-8").splitlines()
    front, start = front_matter(lines)
    document = Document(path, front, "\n".join(lines[:start]))
    text: list[str] = []
    words: list[str] = []
    begin = start + 1

    def flush() -> None:
        if text:
            document.parts.append(Prose(begin, "\n".join(text), "\n".join(words)))
            text.clear()
            words.clear()

    i = start
    while i < len(lines):
        fence = FENCE.match(lines[i])
        begin = begin if text else i + 1
        if fence is None:
            text.append(lines[i])
            words.append(lines[i])
            i += 1
            continue
        end = closing(lines, i, fence[1], path)
        if fence[2].strip() == "{python}":
            flush()
            document.parts.append(cell(lines[i + 1 : end], i + 1))
        else:
            text += lines[i : end + 1]
            words += [""] * (end + 1 - i)
        i = end + 1
    flush()
    return document


def front_matter(lines: list[str]) -> tuple[dict[str, Any], int]:
    """Return the head of a document and the line behind it."""
    if not lines or lines[0] != "---":
        return {}, 0
    end = lines.index("---", 1)
    return yaml.safe_load("\n".join(lines[1:end])) or {}, end + 1


def closing(lines: list[str], start: int, mark: str, path: Path) -> int:
    """Return the line on which a block of code ends."""
    for i in range(start + 1, len(lines)):
        if lines[i].strip() == mark:
            return i
    raise ValueError(f"{path.name}, line {start + 1}: the code block does not end")


def cell(lines: list[str], line: int) -> Cell:
    """Return a cell with its options."""
    options = [text[2:].strip() for text in lines if text.startswith("#|")]
    return Cell(line, "\n".join(lines), yaml.safe_load("\n".join(options)) or {})


def execute(document: Document) -> Document:
    """Run the cells and inline expressions of a document, in its own folder, with its own names.

    Raises
    ------
    RuntimeError
        When a cell stops, warns, writes to standard error or shows nothing where it should; it
        names document and line.
    """
    shell = session()
    shell.reset(new_session=False)
    folder, before, paths = document.path.parent, Path.cwd(), list(sys.path)
    for name, module in list(sys.modules.items()):  # helpers keep in mind what a page has shown
        if name.startswith("_") and Path(getattr(module, "__file__", None) or "/").parent == folder:
            del sys.modules[name]
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            run(document, shell)
    finally:
        os.chdir(before)
        sys.path[:] = paths
    return document


@cache
def session() -> Any:
    """Return the one interpreter; it keeps no history and prints no results."""
    from IPython.core.displayhook import DisplayHook
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    class Silent(DisplayHook):
        """Keeps the value of a cell, and shows nothing."""

        def __call__(self, result: Any = None) -> None:
            if result is not None:
                self.fill_exec_result(result)  # type: ignore[no-untyped-call]

    class Shell(InteractiveShell):
        """Has no windows."""

        def enable_gui(self, gui: Any = None) -> None:
            pass

    # No cache of outputs: emptying it for the next document would look at every object there is.
    quiet = Config({"HistoryManager": {"enabled": False}, "InteractiveShell": {"cache_size": 0}})
    return Shell.instance(config=quiet, displayhook_class=Silent)


def run(document: Document, shell: Any) -> None:
    """Run the parts of a document one after the other."""
    for part in document.parts:
        if isinstance(part, Cell):
            part.shown = outputs(part.source, shell, f"{document.path.name}, line {part.line}")
            part.output = "".join(ended(t) for kind, t in part.shown if kind != "image/png")
            if part.options.get("output") == "asis" and not part.output.strip():
                raise RuntimeError(f"{document.path.name}, line {part.line}: shows nothing")
            if part.options.get("fig-alt") and part.pictures != 1:
                raise RuntimeError(f"{document.path.name}, line {part.line}: not one picture")
        else:
            for expression in (e.strip() for e in INLINE.findall(part.text)):
                where = f"{document.path.name}, {expression}"
                found = outputs(f"print({expression}, end='')", shell, where)
                value = "".join(text for _, text in found)
                if value in NOTHING:
                    raise RuntimeError(f"{where}: no value")
                document.values[expression] = value


def outputs(source: str, shell: Any, where: str) -> list[tuple[str, str]]:
    """Return what code prints and shows, by kind."""
    from IPython.utils.capture import capture_output

    with capture_output() as caught:
        done = shell.run_cell(source, store_history=False)
    error = done.error_before_exec or done.error_in_exec
    if error is not None or caught.stderr:
        raise RuntimeError(f"{where}: {error or caught.stderr}") from error
    found = [("stream", caught.stdout)] if caught.stdout else []
    results = [o.data for o in caught.outputs]
    if done.result is not None:
        results.append(shell.display_formatter.format(done.result)[0])
    for data in results:
        kind = next(k for k in KINDS if k in data)
        value = data[kind]
        text = base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)
        found.append((kind, text))
    return found


def ended(text: str) -> str:
    """End an output as Quarto does: with one newline, whatever comes next."""
    return text if text.endswith("\n") or not text else f"{text}\n"


def block(part: Cell, echo: bool) -> str:
    """Return a cell as Quarto puts it on the page."""
    if part.options.get("include") is False:
        return ""
    if part.options.get("output") == "asis":
        return part.output
    pieces = []
    if part.options.get("echo", echo):
        code = "\n".join(line for line in part.source.split("\n") if not line.startswith("#|"))
        pieces.append(f"``` {{.python .cell-code}}\n{code}\n```")
    pieces += [output_block(kind, text, part) for kind, text in part.shown]
    return "\n::: {.cell}\n" + "\n\n".join(pieces) + "\n:::\n" if pieces else ""


def output_block(kind: str, text: str, part: Cell) -> str:
    """Return an output as Quarto puts it below its code."""
    name = "stdout" if kind == "stream" else "display"
    if kind == "image/png":
        alt = str(part.options.get("fig-alt", "")).replace('"', "'")
        text = f'![](data:image/png;base64,{text}){{fig-alt="{alt}"}}'
    elif kind == "text/html":
        text = f"```{{=html}}\n{text.strip()}\n```"
    elif kind != "text/markdown":
        text = f"```\n{ended(text)}```"
    return f"::: {{.cell-output .cell-output-{name}}}\n{text}\n:::"


def freeze(document: Document, site: Path) -> None:
    """Write an executed document where Quarto looks for what it has executed before."""
    result = {
        "engine": "jupyter",
        "markdown": f"{document.head}\n{document.assembled()}\n",
        "supporting": [],
        "filters": [],
        "includes": {},
    }
    file = freezer(document.path, site)
    file.parent.mkdir(parents=True, exist_ok=True)
    kept = {"hash": digest(document.path), "result": result}
    file.write_text(json.dumps(kept, indent=2), encoding="utf-8", newline="\n")


def frozen(path: Path, site: Path) -> str:
    """Return the Markdown of a document executed before, or nothing when its text has changed."""
    file = freezer(path, site)
    kept = json.loads(file.read_text("utf-8")) if file.is_file() else {}
    return str(kept["result"]["markdown"]) if kept.get("hash") == digest(path) else ""


def freezer(path: Path, site: Path) -> Path:
    """Return the file in which Quarto keeps an executed document."""
    name = path.relative_to(site).with_suffix("")
    return site / "_freeze" / name / "execute-results" / "html.json"


def digest(path: Path) -> str:
    """Return the digest by which Quarto tells whether a document has changed."""
    return hashlib.md5(path.read_text("utf-8").encode(), usedforsecurity=False).hexdigest()
