"""Rules for the documents of the site, each a function from a document to problems.

A problem is one line that names file, line and rule.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.site.documents import INLINE, Document

FRONT = {
    "title": str,
    "description": str,
    "toc": bool,
    "page-layout": str,
    "include-in-header": dict,
    "execute": dict,
    "search": bool,
}
LAYOUTS = {"article", "full", "custom"}
EXECUTE = {"eval", "echo", "output", "warning", "error", "include", "freeze", "cache", "daemon"}
CELL_OPTIONS = {
    "echo",
    "output",
    "label",
    "fig-alt",
    "fig-cap",
    "tbl-cap",
    "warning",
    "include",
    "code-fold",
}
# Keys that Quarto 1.6 documents, by the place in _quarto.yml where the site has some.
KEYS = {
    "project": {"type", "output-dir", "lib-dir", "pre-render", "post-render", "render",
                "resources", "execute-dir", "preview"},
    "website": {"title", "description", "image", "favicon", "site-url", "site-path", "repo-url",
                "open-graph", "twitter-card", "search", "navbar", "sidebar", "page-navigation",
                "back-to-top-navigation", "bread-crumbs", "page-footer", "body-header",
                "margin-header", "comments", "draft-mode", "reader-mode"},
    "website.search": {"location", "type", "limit", "collapse-after", "copy-button",
                       "show-item-context", "keyboard-shortcut", "merge-navbar-crumbs"},
    "website.navbar": {"title", "logo", "logo-alt", "background", "foreground", "search", "pinned",
                       "collapse", "collapse-below", "toggle-position", "tools-collapse", "left",
                       "right"},
    "website.page-footer": {"left", "center", "right", "border", "background", "foreground"},
    "execute": EXECUTE,
    "format": {"html"},
    "format.html": {"theme", "css", "toc", "toc-depth", "toc-title", "toc-location", "toc-expand",
                    "html-math-method", "html-table-processing", "code-copy", "code-overflow",
                    "code-fold", "code-tools", "code-line-numbers", "highlight-style",
                    "anchor-sections", "smooth-scroll", "fig-responsive", "fig-format",
                    "fig-align", "fig-cap-location", "tbl-cap-location", "lightbox", "grid",
                    "page-layout", "link-external-newwindow", "link-external-icon",
                    "include-in-header", "include-after-body", "include-before-body",
                    "citations-hover", "crossrefs-hover", "footnotes-hover", "embed-resources",
                    "number-sections", "title-block-style", "fontsize", "linestretch"},
    "format.html.grid": {"sidebar-width", "body-width", "margin-width", "gutter-width"},
    "format.html.theme": {"light", "dark"},
}  # fmt: skip
# What later versions brought and earlier ones pass over, with what a reader of a site rendered by
# an earlier one misses. A format's options are open in every version: unknown ones are no error.
NEWER = {"format.html.respect-user-color-scheme": "1.7; before it a page begins light"}
ITEM = {"text", "href", "menu", "icon", "aria-label", "rel", "target", "file"}
TOP = {
    "project",
    "website",
    "lang",
    "bibliography",
    "csl",
    "link-citations",
    "execute",
    "format",
}
LABEL = re.compile(r"\{\s?#([A-Za-z][\w:.-]*)")
HTML_ID = re.compile(r'\bid="([^"]+)"')
REFERENCE = re.compile(r"(?<![\w@\\])@((?:fig|tbl|sec|eq)-[\w-]+)")
CITATION = re.compile(r"(?<![\w@\\.])@([a-zA-Z][\w]*(?:-[\w]+)*)")
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)(\{[^}]*\})?")
HREF = re.compile(r'(?:href|src)="([^"]+)"')
RAW = re.compile(r"```\{=html\}\n.*?\n```", re.S)
NAME = re.compile(r"^[a-z_][a-z0-9_]*$")
DIGITS = re.compile(r"\S*\d\S*")
REMOTE = re.compile(
    r"""(?:<script[^>]+src|<link[^>]+href|<img[^>]+src)=["']?(?:https?:)?//|@import"""
)
ALLOWED = Path(__file__).with_name("allowed_numbers.csv")


def problem(document: Document, line: int, rule: str, text: str) -> str:
    """One problem as one line."""
    return f"{document.path.name}:{line}: {rule}: {text}"


def front_matter(document: Document) -> Iterator[str]:
    """A title, a description for search engines and shared links, and only known keys."""
    for name in ("title", "description"):
        if not document.front.get(name):
            yield problem(document, 1, "front matter", f"no {name}")
    for name, value in document.front.items():
        if name not in FRONT or not isinstance(value, FRONT[name]):
            yield problem(document, 1, "front matter", f"{name}: {value!r}")
    if document.front.get("page-layout", "article") not in LAYOUTS:
        yield problem(document, 1, "front matter", f"page-layout: {document.front['page-layout']}")
    for name in set(document.front.get("execute") or {}) - EXECUTE:
        yield problem(document, 1, "front matter", f"execute.{name}")
    text = (document.front.get("include-in-header") or {}).get("text", "")
    for target in HREF.findall(str(text)):
        if not (document.path.parent / target).is_file():
            yield problem(document, 1, "front matter", f"no file {target}")


def outline(document: Document, text: str) -> Iterator[str]:
    """Headings go down one level at a time: the title is the first level, sections the second."""
    level = 1
    for mark, words in re.findall(r"^(#{1,6}) (.+)$", without_code(RAW.sub("", text)), flags=re.M):
        if len(mark) == 1 or len(mark) > level + 1:
            yield problem(document, 0, "heading", f"{mark} {words} follows level {level}")
        level = len(mark)


def without_code(text: str) -> str:
    """Text without its code blocks."""
    return re.sub(r"^(`{3,}|~{3,}).*?^\1\s*$", "", text, flags=re.S | re.M)


def floats_apart(document: Document, text: str) -> Iterator[str]:
    """A figure or table is a div of its own, with a caption as its last paragraph."""
    for name, body in re.findall(r"^::: \{#((?:fig|tbl)-[\w-]+)\}\n(.*?)^:::$", text, re.S | re.M):
        last = without_code(body).strip().split("\n\n")[-1]
        if not last or last.startswith(("![", "<")):
            yield problem(document, 0, "caption", f"{name} has none")
    for before in re.findall(r"^(?!:::)(.+)\n:::+ ?\{", without_code(text), flags=re.M):
        yield problem(document, 0, "blank line", f"a block follows {before[:40]!r}")


def tables(document: Document, text: str) -> Iterator[str]:
    """HTML tables say what their columns are; no identifier is given twice on a page."""
    raw = "\n".join(RAW.findall(text))
    for block in RAW.findall(text):
        # A frame that a guide prints is Quarto's to set; the tables of results are set by us.
        theirs = 'class="dataframe"' in block
        if "<table" in block and "quarto-html-table-processing: none" not in block and not theirs:
            yield problem(document, 0, "table", f"Quarto would make it anew: {block[:60]!r}")
    for table in re.findall(r"<table.*?</table>", raw, flags=re.S):
        if "<th" not in table:
            yield problem(document, 0, "table", f"no header cells: {table[:60]}")
    found = HTML_ID.findall(raw)
    for name in sorted({n for n in found if found.count(n) > 1}):
        yield problem(document, 0, "label", f"id {name} is given twice")


def data_links(document: Document, text: str) -> Iterator[str]:
    """Every figure and table of results leads to its data."""
    for name, body in re.findall(r"^::: \{#((?:fig|tbl)-[\w-]+)\}\n(.*?)^:::$", text, re.S | re.M):
        if not re.search(r"\[Data\]\([^)]+\)|>Data</a>", body):
            yield problem(document, 0, "data", f"{name} has no link to its data")


def cell_options(document: Document) -> Iterator[str]:
    """Only options that Quarto knows; figures drawn in a cell carry alternative text."""
    for cell in document.cells:
        for name in cell.options:
            if name not in CELL_OPTIONS:
                yield problem(document, cell.line, "cell option", name)
        draws = re.search(r"\.figure$|\bplt\.show|\.plot\(", cell.source, re.M)
        if draws and not cell.options.get("fig-alt"):
            yield problem(document, cell.line, "alt text", "a figure without fig-alt")
        shows = re.search(r"^(figure|table|everything|answers|say)\(", cell.source, re.M)
        if shows and cell.options.get("output") != "asis":
            yield problem(document, cell.line, "cell option", "Markdown output needs output: asis")


def inline_names(document: Document) -> Iterator[str]:
    """Inline code is the name of a value made in a cell, so that a missing key stops the render."""
    for part in document.prose:
        for match in INLINE.finditer(part.text):
            if not NAME.match(match[1].strip()):
                line = part.line + part.text[: match.start()].count("\n")
                yield problem(document, line, "inline code", match[1])


def allowed_numbers() -> dict[str, set[str]]:
    """Read the allow-list: tokens with a digit, by file, each with a reason."""
    found: dict[str, set[str]] = {}
    with ALLOWED.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            if not row["reason"].strip():
                raise ValueError(f"{row['text']!r} is allowed without a reason")
            found.setdefault(row["file"], set()).add(row["text"])
    return found


def bare(text: str) -> str:
    """Prose alone: no code, formulas, targets of links, attributes, citations or markup."""
    for pattern in (
        r"\$\$.*?\$\$",
        r"(?<!\\)\$[^$\n]+\$",
        r"`[^`]*`",
        r"\]\([^)]*\)",
        r"\{[^}]*\}",
        r"@[\w-]+",
        r"<!--.*?-->",
        r"(?m)^\s*\d+\.\s",
    ):
        text = re.sub(pattern, lambda m: "\n" * m[0].count("\n"), text, flags=re.S)
    return text


def typed_numbers(document: Document, allowed: dict[str, set[str]] | None = None) -> Iterator[str]:
    """No number typed into prose, unless the allow-list gives a reason."""
    known = allowed_numbers() if allowed is None else allowed
    fine = known.get("*", set()) | known.get(document.path.name, set())
    for part in document.prose:
        for i, line in enumerate(bare(part.words).splitlines()):
            for token in DIGITS.findall(line):
                if token.strip(".,;:()*_\"'") not in fine:
                    yield problem(document, part.line + i, "typed number", token)


def labels(text: str) -> set[str]:
    """Identifiers that a text defines: attributes, HTML ids and headings."""
    heads = re.findall(r"^#{1,6} (.+?)(?: \{[^}]*\})?$", RAW.sub("", text), flags=re.M)
    return set(LABEL.findall(text)) | set(HTML_ID.findall(text)) | {heading_id(h) for h in heads}


@cache
def labels_of(file: Path) -> set[str]:
    """Identifiers that a file defines, or its code when it was run; each file is read once."""
    found = labels(file.read_text(encoding="utf-8"))
    run = file.parent / "_freeze" / file.stem / "execute-results" / "html.json"
    if run.is_file():
        found |= labels(json.loads(run.read_text(encoding="utf-8"))["result"]["markdown"])
    return found


def heading_id(heading: str) -> str:
    """Pandoc's identifier of a heading."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    text = re.sub(r"[^\w\s.-]", "", text.lower()).strip()
    return re.sub(r"^[^a-z]+", "", re.sub(r"\s+", "-", text))


def cross_references(document: Document, text: str) -> Iterator[str]:
    """Every reference to a figure or table leads to one label, and labels are unique."""
    floats = [name for name in LABEL.findall(text) if name.startswith(("fig-", "tbl-"))]
    for name in sorted({f for f in floats if floats.count(f) > 1}):
        yield problem(document, 0, "label", f"{name} is defined twice")
    for name in REFERENCE.findall(text):
        if name not in floats:
            yield problem(document, 0, "cross-reference", f"@{name} leads nowhere")


def citations(document: Document, keys: set[str]) -> Iterator[str]:
    """Every citation is in a bibliography."""
    for part in document.prose:
        text = re.sub(r"`[^`]*`", "", part.words)
        for name in CITATION.findall(text):
            if not name.startswith(("fig-", "tbl-", "sec-", "eq-")) and name not in keys:
                yield problem(document, part.line, "citation", f"@{name} is in no bibliography")


def links(document: Document, text: str, site: Path) -> Iterator[str]:
    """Links inside the site lead to files and places that exist."""
    own = labels(text)
    targets = [m[3] for m in LINK.finditer(RAW.sub("", text))]
    targets += [t for block in RAW.findall(text) for t in HREF.findall(block)]
    for target in dict.fromkeys(targets):
        if re.match(r"(https?|mailto):|data:image/", target):
            continue
        name, _, place = target.partition("#")
        file = (document.path.parent / name).resolve() if name else document.path
        if file.suffix == ".html" and not file.exists():
            file = file.with_suffix(".qmd")
        if not file.is_file() or site not in file.parents:
            yield problem(document, 0, "link", target)
        elif place and file.suffix == ".qmd" and "=" not in place:  # else a view, not a place
            there = own if file == document.path else labels_of(file)
            if place not in there:
                yield problem(document, 0, "link", f"{target}: no such place")


def alt_text(document: Document, text: str) -> Iterator[str]:
    """Every picture has a description for those who cannot see it."""
    for match in LINK.finditer(RAW.sub("", text)):
        if match[1] == "!" and not re.search(r'fig-alt="[^"]+"', match[4] or ""):
            yield problem(document, 0, "alt text", match[3])


def remote(document: Document, text: str) -> Iterator[str]:
    """Nothing is fetched from another host when a page is opened."""
    for match in REMOTE.finditer(text):
        yield problem(document, 0, "remote", match[0])


def unknown_keys(config: dict[str, Any]) -> Iterator[str]:
    """Keys of ``_quarto.yml`` that Quarto does not know where they stand."""
    yield from (k for k in config if k not in TOP)
    for path, known in KEYS.items():
        place: Any = config
        for name in path.split("."):
            place = place.get(name, {}) if isinstance(place, dict) else {}
        names = (k for k in place if isinstance(place, dict) and k not in known)
        yield from (f"{path}.{k}" for k in names if f"{path}.{k}" not in NEWER)
    entries = config["website"]["navbar"]["left"]
    for entry in [*entries, *(e for m in entries for e in m.get("menu", []))]:
        yield from (f"website.navbar.left.{k}" for k in entry if k not in ITEM)


def configuration(site: Path) -> list[str]:
    """Problems of ``_quarto.yml``: unknown keys, files that are not there, remote parts."""
    config = yaml.safe_load((site / "_quarto.yml").read_text(encoding="utf-8"))
    found = [f"_quarto.yml: unknown key {k}" for k in unknown_keys(config)]
    for pattern in config["project"]["resources"] + config["project"]["render"]:
        if not any(site.glob(pattern)):
            found.append(f"_quarto.yml: nothing matches {pattern}")
    html = config["format"]["html"]
    if html.get("html-math-method") != "mathml":
        found.append("_quarto.yml: mathematics would be fetched from another host")
    for name in named_files(config):
        if not (site / name).is_file():
            found.append(f"_quarto.yml: no file {name}")
    for style in sorted(site.glob("*.scss")):
        if re.search(r"@import|url\(\s*['\"]?(https?:)?//", style.read_text(encoding="utf-8")):
            found.append(f"{style.name}: fetches from elsewhere")
    return found


def named_files(config: dict[str, Any]) -> list[str]:
    """Files that a configuration names: navigation, theme, references, icon, scripts."""
    html = config["format"]["html"]
    named = [config["csl"], *config["bibliography"], config["website"]["favicon"]]
    named.append(config["project"]["pre-render"])
    for theme in html["theme"].values():
        named += [theme] if isinstance(theme, str) else theme
    for entry in config["website"]["navbar"]["left"]:
        named += [e["href"] for e in entry.get("menu", [entry])]
    return named


def colours(*sheets: Path) -> dict[str, str]:
    """Colours that style sheets name; the first that names one decides, as in the theme."""
    found: dict[str, str] = {}
    for sheet in sheets:
        for name, value in re.findall(r"^\$([\w-]+): (#\w{6})", sheet.read_text("utf-8"), re.M):
            found.setdefault(name, value)
    return found


def contrast(one: str, other: str) -> float:
    """Contrast of two colours (WCAG 2.2, relative luminance of sRGB): 1 to 21."""

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        red, green, blue = (
            p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def bibliography(site: Path) -> set[str]:
    """Keys of the bibliographies of the site."""
    files = [site / "references.bib", site / "methods.bib"]
    text = "\n".join(f.read_text(encoding="utf-8") for f in files)
    return set(re.findall(r"^@\w+\{\s*([^,\s]+),", text, flags=re.M))


def check_source(document: Document, keys: set[str]) -> list[str]:
    """Rules for what a person wrote."""
    rules = (front_matter, cell_options, inline_names, typed_numbers)
    return [p for rule in rules for p in rule(document)] + list(citations(document, keys))


def check_assembled(document: Document, text: str, site: Path) -> list[str]:
    """Rules for what pandoc gets to see."""
    return [
        *cross_references(document, text),
        *links(document, text, site),
        *alt_text(document, text),
        *remote(document, text),
        *outline(document, text),
        *floats_apart(document, text),
        *tables(document, text),
        *data_links(document, text),
    ]
