"""Reference pages: the command line from its own help, the Python interface from docstrings."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import logging
import re
import sys
import textwrap
import warnings
from collections.abc import Iterator
from functools import cache
from typing import Any

from griffe import Docstring, DocstringSection

import metablin

logging.getLogger("griffe").setLevel("ERROR")  # types stand in the signature, not in the docstring
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
    "network": ("Networks", "Indirect comparisons and network meta-analysis."),
    "certainty": ("Certainty", "Risk of bias, GRADE, absolute effects."),
    "digitise": ("Figures to curves", "Read published Kaplan-Meier figures."),
}

LINE = 88
LISTS = {
    "parameters": "Parameters",
    "attributes": "Attributes",
    "returns": "Returns",
    "yields": "Yields",
    "raises": "Raises",
    "warns": "Warns",
}


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
    program, runner = get_command(app), CliRunner()
    for words in command_names(program):
        with runner.isolation(env={"COLUMNS": "96", "TERM": "dumb"}) as (printed, *_):
            with contextlib.suppress(SystemExit):
                program.main([*words, "--help"], prog_name="metablin")
            sys.stdout.flush()
            text = printed.getvalue().decode("utf-8")
        title = " ".join(("metablin", *words))
        parts.append(f"## {title}\n\n```text\n{text.strip()}\n```")
    return "\n\n".join(parts) + "\n"


def command_names(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the words of a command and of every command below it, in the program's order."""
    yield words
    for name, inner in getattr(command, "commands", {}).items():
        yield from command_names(inner, (*words, name))


def python_pages() -> dict[str, str]:
    """Return the pages of the Python reference by file name, one a folder of the package.

    A page a folder, not a name: on many disks ``rmst.qmd`` and ``RMST.qmd`` are one file.
    """
    pages = {f"{module}.qmd": page(module) for module in MODULES if public(module)}
    return {"index.qmd": index(), **pages}


def page(module: str) -> str:
    """Return the page of a folder: its functions, then its classes with their methods."""
    title, about = MODULES[module]
    parts = [head(title, about)]
    for name, value in public(module).items():
        parts += entry(value, name, f"{HOME}.{module}.{name}", "##")
        if inspect.isclass(value):
            for method, inner in methods(value):
                parts += entry(inner, f"{name}.{method}", f"{HOME}.{module}.{name}.{method}", "###")
    return "\n\n".join(parts) + "\n"


def methods(value: type) -> Iterator[tuple[str, Any]]:
    """Yield the documented public methods that a class defines itself."""
    for name, inner in vars(value).items():
        if not name.startswith("_") and inspect.isfunction(inner) and inspect.getdoc(inner):
            yield name, inner


def entry(value: Any, name: str, anchor: str, mark: str) -> Iterator[str]:
    """Yield heading, signature and the sections of the docstring of one name."""
    yield f"{mark} {name} {{#{anchor}}}"
    with contextlib.suppress(TypeError, ValueError):  # no signature: an alias or a mapping
        yield f"```python\n{readable(name, inspect.signature(value))}\n```"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for section in Docstring(inspect.getdoc(value) or "", parser="numpy").parse("numpy"):
            yield from section_text(section, mark)


def readable(name: str, signature: inspect.Signature) -> str:
    """Return a call with its parameters and defaults; types stand in the list below it."""
    bare = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
    text = name + str(signature.replace(parameters=bare, return_annotation=signature.empty))
    return textwrap.fill(text, LINE, subsequent_indent="    ", break_long_words=False)


def section_text(section: DocstringSection, mark: str) -> Iterator[str]:
    """Yield one section of a docstring as Markdown."""
    kind = section.kind.value
    if kind == "text":
        yield plain(section.value)
    elif kind == "examples":
        code = "\n\n".join(text for what, text in section.value if what.value == "examples")
        yield f"{mark}# Examples\n\n```python\n{code}\n```"
    elif kind == "admonition":
        yield f"{mark}# {section.title}\n\n{plain(section.value.description)}"
    elif kind in LISTS:
        yield f"{mark}# {LISTS[kind]}"
        yield "\n".join(item(x) for x in section.value)


def item(x: Any) -> str:
    """Return one parameter, attribute, result or error as an entry of a list."""
    name, kind = getattr(x, "name", "") or "", str(x.annotation or "")
    words = ", ".join(part for part in (f"`{name}`" if name else "", plain(kind)) if part)
    return f"- {words}: {plain(' '.join(x.description.split()))}".removesuffix(": ")


def plain(text: str) -> str:
    """Return text of a docstring as Markdown: roles and double backticks become plain code."""
    text = re.sub(r":(?:\w+:)?\w+:`~?([^`]+)`", r"`\1`", text)
    return re.sub(r"(?<!`)``(?!`)", "`", text)


@cache
def public(module: str) -> dict[str, Any]:
    """Return the documented public names of a folder and what they are: functions, then classes.

    Names of the folder itself, and names that `metablin` offers from files below it.
    """
    try:
        home = importlib.import_module(f"{HOME}.{module}")
    except ImportError:
        return {}
    found = {name: getattr(home, name) for name in getattr(home, "__all__", ())}
    for name, place in vars(metablin)["_HOME"].items():
        if place.startswith(f"{HOME}.{module}."):
            found[name] = getattr(metablin, name)
    own = {n: v for n, v in found.items() if callable(v) and inspect.getdoc(v)}
    return dict(sorted(own.items(), key=lambda x: (inspect.isclass(x[1]), x[0].lower())))


def head(title: str, about: str) -> str:
    """Return the front matter of a page."""
    return f'---\ntitle: "{title}"\ndescription: "{about}"\n---'


def index() -> str:
    """Return the index: every public name with the first line of its docstring."""
    parts = [
        head("Python reference", "The public functions and classes of metablin, by folder."),
        "The names most people need can be had from the top: `import metablin as mb`, then "
        + ", ".join(f"`mb.{n}`" for n in dir(metablin) if not n.startswith("_"))
        + ".",
    ]
    for module, (title, about) in MODULES.items():
        names = public(module)
        if names:
            parts.append(f"## [{title}]({module}.qmd)\n\n{about}")
            parts.append("\n".join(index_line(module, name, names[name]) for name in names))
    return "\n\n".join(parts) + "\n"


def index_line(module: str, name: str, value: Any) -> str:
    """Return one entry of the index."""
    first = str(inspect.getdoc(value)).split("\n\n")[0].replace("\n", " ").replace("``", "`")
    target = f"{module}.qmd#{HOME}.{module}.{name}"
    return f"- [`{name}`]({target}): {re.sub(r':[a-z]+:(?=`)', '', first)}"
