"""Quarto documents without Quarto: front matter, prose and cells, and their execution."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
import yaml
from nbclient import NotebookClient

INLINE = re.compile(r"`\{python\} ([^`]+)`")
FENCE = re.compile(r"^(`{3,}|~{3,})\s*(.*)$")
STRICT = "import warnings\nwarnings.simplefilter('error')"
RELAXED = "warnings.simplefilter('ignore')"  # the kernel warns about itself when it stops
TIMEOUT = 120


@dataclass
class Cell:
    """Code that Quarto executes."""

    line: int
    source: str
    options: dict[str, Any]
    output: str = ""
    pictures: int = 0


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
    parts: list[Cell | Prose] = field(default_factory=list)
    values: dict[str, str] = field(default_factory=dict)

    @property
    def cells(self) -> list[Cell]:
        return [p for p in self.parts if isinstance(p, Cell)]

    @property
    def prose(self) -> list[Prose]:
        return [p for p in self.parts if isinstance(p, Prose)]

    def assembled(self) -> str:
        """The Markdown that Quarto hands to pandoc: inline values and outputs in their places."""
        return "\n".join(
            part.output
            if isinstance(part, Cell)
            else INLINE.sub(lambda m: self.values[m[1].strip()], part.text)
            for part in self.parts
        )


def parse(path: Path) -> Document:
    """Read a document; a fence that does not close is an error."""
    lines = path.read_text(encoding="utf-8").splitlines()
    front, start = _front(lines)
    document = Document(path, front)
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
        if fence is None:
            if not text:
                begin = i + 1
            text.append(lines[i])
            words.append(lines[i])
            i += 1
            continue
        end = _closing(lines, i, fence[1], path)
        if fence[2].strip() == "{python}":
            flush()
            document.parts.append(_cell(lines[i + 1 : end], i + 1))
        else:
            if not text:
                begin = i + 1
            text += lines[i : end + 1]
            words += [""] * (end + 1 - i)
        i = end + 1
    flush()
    return document


def _front(lines: list[str]) -> tuple[dict[str, Any], int]:
    if not lines or lines[0] != "---":
        return {}, 0
    end = lines.index("---", 1)
    return yaml.safe_load("\n".join(lines[1:end])) or {}, end + 1


def _closing(lines: list[str], start: int, mark: str, path: Path) -> int:
    for i in range(start + 1, len(lines)):
        if lines[i].strip() == mark:
            return i
    raise ValueError(f"{path.name}, line {start + 1}: the code block does not end")


def _cell(lines: list[str], line: int) -> Cell:
    options = [text[2:].strip() for text in lines if text.startswith("#|")]
    return Cell(line, "\n".join(lines), yaml.safe_load("\n".join(options)) or {})


def execute(document: Document) -> Document:
    """Run the cells and inline expressions in a new kernel, in the document's own folder.

    Warnings are errors, and so is anything on standard error.
    """
    notebook = nbformat.v4.new_notebook()
    notebook.cells.append(nbformat.v4.new_code_cell(STRICT))
    owners: list[Cell | str] = [""]
    for part in document.parts:
        if isinstance(part, Cell):
            notebook.cells.append(nbformat.v4.new_code_cell(part.source))
            owners.append(part)
        else:
            for expression in INLINE.findall(part.text):
                code = nbformat.v4.new_code_cell(f"print({expression.strip()}, end='')")
                notebook.cells.append(code)
                owners.append(expression.strip())
    notebook.cells.append(nbformat.v4.new_code_cell(RELAXED))
    owners.append("")
    folder = {"metadata": {"path": str(document.path.parent)}}
    NotebookClient(notebook, timeout=TIMEOUT, kernel_name="python3", resources=folder).execute()
    for owner, cell in zip(owners, notebook.cells, strict=True):
        text = "".join(map(_ended, map(_output, cell.outputs)))
        if isinstance(owner, Cell):
            owner.output = text
            owner.pictures = sum("image/png" in o.get("data", {}) for o in cell.outputs)
        elif owner:
            document.values[owner] = text.removesuffix("\n")
    return document


def _ended(text: str) -> str:
    """End an output as Quarto does: with one newline, whatever comes next."""
    return text if text.endswith("\n") or not text else f"{text}\n"


def _output(output: Any) -> str:
    if output.output_type == "stream":
        if output.name == "stderr":
            raise AssertionError(f"on standard error: {output.text}")
        return str(output.text)
    data = output.data
    kind = next(k for k in ("text/markdown", "text/html", "image/png", "text/plain") if k in data)
    return "" if kind == "image/png" else str(data[kind])
