"""Reference pages: the command line from its own help, the Python interface from docstrings."""

from __future__ import annotations

import importlib.util
import inspect
import re
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import yaml
from click import Command
from griffe import DocstringSectionWarns
from plum import dispatch
from quartodoc import Builder, MdRenderer
from quartodoc.renderers.md_renderer import ParamRow

import metablin

HOME = "metablin"

# Folders whose public names make up the reference, in reading order.
MODULES = {
    "datasets": ("Evidence", "Load, check and trace the evidence tables."),
    "effects": ("Effect sizes", "From what papers print to effect sizes."),
    "meta": ("Meta-analysis", "Pool effect sizes across trials."),
    "reconstruct": ("Reconstruction", "From published curves to patients."),
    "survival": ("Survival", "Estimators and models for one trial."),
    "mrd": ("MRD", "Comparisons by residual disease."),
    "safety": ("Safety", "Adverse events."),
    "plots": ("Figures", "From results to pictures."),
    "report": ("Reports", "Tables and words for people."),
    "pipeline": ("Pipeline", "Analyses, runner and verification."),
}


class Renderer(MdRenderer):
    """quartodoc's renderer, with the docstring section that it does not know."""

    style = "metablin"

    @dispatch
    def render(self, el: DocstringSectionWarns):
        """Return the warnings a function gives as a table, like its errors."""
        rows = [
            ParamRow(None, w.description, annotation=self.render_annotation(w.annotation))
            for w in el.value
        ]
        return self._render_table(rows, ["Name", "Type", "Description"], "returns")


def commands() -> str:
    """Return the page of the command line, each command with its own help text."""
    from typer.main import get_command
    from typer.testing import CliRunner

    from metablin.cli import app

    parts = [
        '---\ntitle: "Command line"\n'
        'description: "Every command of metablin with its options, as the program prints them."\n'
        "---",
        "A command exits with 0 when it succeeds, 1 on bad data with one line that says where, and "
        "2 on wrong usage. The option `--debug` shows the traceback of an error.",
    ]
    for words in command_names(get_command(app)):
        answer = CliRunner().invoke(
            app, [*words, "--help"], prog_name="metablin", env={"COLUMNS": "96", "TERM": "dumb"}
        )
        title = " ".join(("metablin", *words))
        parts.append(f"## {title}\n\n```text\n{answer.stdout.strip()}\n```")
    return "\n\n".join(parts) + "\n"


def command_names(command: Command, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the words of a command and of every command below it, in the program's order."""
    yield words
    for name, inner in getattr(command, "commands", {}).items():
        yield from command_names(inner, (*words, name))


def python_pages(config: Path) -> dict[str, str]:
    """Return the pages of the Python reference by file name, one a folder of the package.

    A page a folder, not a name: on many disks ``rmst.qmd`` and ``RMST.qmd`` are one file.
    """
    settings = yaml.safe_load(config.read_text("utf-8"))
    with tempfile.TemporaryDirectory() as scratch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about types that the parser reads from the source itself
        settings["quartodoc"]["dir"] = scratch
        settings["quartodoc"]["sections"] = sections()
        settings["quartodoc"]["renderer"] = Renderer()
        builder = Builder.from_quarto_config(settings)
        builder.out_inventory = str(Path(scratch) / "objects.json")
        builder.build()
        written = [p for p in sorted(Path(scratch).rglob("*.qmd")) if p.stem != "index"]
        pages = {p.name: tidy(p.read_text("utf-8"), p.stem) for p in written}
    return {"index.qmd": index(), **pages}


def sections() -> list[dict]:
    """Return quartodoc's sections: the public names of every folder that has any."""
    found = []
    for module, (title, about) in MODULES.items():
        names = public(module)
        if not names:
            continue
        page = {
            "kind": "page",
            "path": module,
            "summary": {"name": title, "desc": about},
            "contents": [{"name": place(module, name)} for name in names],
        }
        found.append({"title": title, "desc": about, "contents": [page]})
    return found


def place(module: str, name: str) -> str:
    """Return where the parser finds a name: inside its file when it has the file's name."""
    file = importlib.util.find_spec(f"{HOME}.{module}.{name}")
    return f"{module}.{name}" if file is None else f"{module}.{name}.{name}"


def public(module: str) -> list[str]:
    """Return the documented public names of a folder of the package: functions, then classes."""
    try:
        home = importlib.import_module(f"{HOME}.{module}")
    except ImportError:
        return []
    own = (n for n in getattr(home, "__all__", ()) if callable(getattr(home, n)))
    names = [n for n in own if inspect.getdoc(getattr(home, n))]
    return sorted(names, key=lambda n: (inspect.isclass(getattr(home, n)), n.lower()))


def tidy(text: str, stem: str) -> str:
    """Return a page as Quarto needs it: a title, headings below it, roles as plain code."""
    title, about = MODULES[stem]
    body = re.sub(r"\A---\n.*?\n---\n|\A# [^\n]*\n", "", text, flags=re.S)
    body = body.strip().removeprefix(about).strip()
    body = re.sub(rf"\b({stem}\.(\w+))\.\2(?!\w)", r"\1", body)
    body = re.sub(r":(?:\w+:)?\w+:`~?([^`]+)`", r"`\1`", body)
    body = re.sub(r"(?<!`)``(?!`)", "`", body)
    body = body.replace("array - like", "array-like").replace(", shape(", ", shape (")
    body = without_dead_links("\n".join(below(body.splitlines())))
    return f"{head(title, about)}\n\n{body}\n"


def without_dead_links(text: str) -> str:
    """Return text without links to fields that are listed but have no section of their own."""
    places = set(re.findall(r"\{ ?#([\w.]+) ?\}", text))
    link = re.compile(r"\[([^\]]+)\]\(#([\w.]+)\)")
    return link.sub(lambda m: m[0] if m[2] in places else f"`{m[1]}`", text)


def below(lines: list[str]) -> list[str]:
    """Return lines with every heading outside code one level down."""
    found, code = [], False
    for line in lines:
        code ^= line.startswith("```")
        found.append(f"#{line}" if line.startswith("#") and not code else line)
    return found


def head(title: str, about: str) -> str:
    """Return the front matter of a page."""
    return f'---\ntitle: "{title}"\ndescription: "{about}"\n---'


def index() -> str:
    """Return the index: every public name with the first line of its docstring."""
    parts = [
        head("Python reference", "The public functions and classes of metablin, by folder."),
        "The names most people need can be had from the top: `import metablin as mb`, then "
        + ", ".join(f"`mb.{n}`" for n in metablin.__all__ if not n.startswith("_"))
        + ".",
    ]
    for module, (title, about) in MODULES.items():
        names = public(module)
        if names:
            parts.append(f"## [{title}]({module}.qmd)\n\n{about}")
            parts.append("\n".join(index_line(module, name) for name in names))
    return "\n\n".join(parts) + "\n"


def index_line(module: str, name: str) -> str:
    """Return one entry of the index."""
    value = getattr(importlib.import_module(f"{HOME}.{module}"), name)
    first = str(inspect.getdoc(value)).split("\n\n")[0].replace("\n", " ").replace("``", "`")
    target = f"{module}.qmd#{HOME}.{module}.{name}"
    return f"- [`{name}`]({target}): {re.sub(r':[a-z]+:(?=`)', '', first)}"
