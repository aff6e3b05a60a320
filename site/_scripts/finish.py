"""Mend what Quarto wrote and refuse pages that show raw Markdown. Run by Quarto after a render."""

from __future__ import annotations

import csv
import json
import os
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

SITE = Path(__file__).resolve().parents[1]
SEARCH = Path(__file__).with_name("search.csv")

RAW = re.compile(r":::|\{\{<|\?@")
"""A fence, a shortcode, a reference that leads nowhere: signs that no reader should see."""
FOREIGN = re.compile(
    r"<script[^>]*\bsrc=\"https?://[^>]*>\s*</script>\s*"
    r"|<link[^>]*\bhref=\"https?://[^>]*\brel=\"stylesheet\"[^>]*>\s*"
    r"|<script type=\"application/javascript\">\s*define\('jquery'.*?</script>\s*",
    re.S,
)
FOCUS = re.compile(
    r"<(?:pre|div|table)\b(?=[^>]*(?:<pre|class=\"[^\"]*(?:\bscroll\b|sourceCode|dataframe)"
    r"|overflow-x:auto))[^>]*>|<pre\b[^>]*>|<math display=\"block\"[^>]*>"
    r"|<table class=\"caption-top[^>]*>"
)
PICTURE = re.compile(r'(?<!\.narrow\.svg">)<img\b[^>]*\bsrc="([^"]+)\.svg"[^>]*>')
SHARED = re.compile(r'(<meta (?:property|name)="(?:og|twitter):image" content=")([^"]*)\.svg(")')
NARROW = "(max-width: 640px)"


class Visible(HTMLParser):
    """What a reader sees: text that is neither script, style nor code."""

    hidden = frozenset({"script", "style", "code", "pre", "template"})

    def __init__(self) -> None:
        super().__init__()
        self.depth = 0
        self.parts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin to skip inside code and the like."""
        self.depth += tag in self.hidden

    def handle_endtag(self, tag: str) -> None:
        """Stop skipping."""
        self.depth -= tag in self.hidden and self.depth > 0

    def handle_data(self, data: str) -> None:
        """Keep text that is seen."""
        if not self.depth:
            self.parts.append(data)


def main() -> None:
    """Finish the pages of a render; stop with their names when one shows raw Markdown."""
    output = (SITE / (os.environ.get("QUARTO_PROJECT_OUTPUT_DIR") or "_site")).resolve()
    names = os.environ.get("QUARTO_PROJECT_OUTPUT_FILES", "").split("\n")
    found = [(SITE / name).resolve() for name in names if name.endswith(".html")]
    pages = [p for p in found if p.is_file()] or sorted(output.rglob("*.html"))
    problems = []
    for page in pages:
        if "site_libs" in page.parts or "results" in page.relative_to(output).parts[:1]:
            continue
        before = page.read_text("utf-8")
        after = finished(before, page.parent)
        if after != before:
            page.write_text(after, encoding="utf-8", newline="\n")
        problems += [f"{page.name}: {text}" for text in shown_markdown(after)]
    index = output / "search.json"
    if index.is_file():
        index.write_text(json.dumps(ordered(json.loads(index.read_text("utf-8")))), "utf-8")
    if problems:
        sys.exit("raw Markdown is shown:\n" + "\n".join(problems))


def finished(html: str, folder: Path) -> str:
    """Return a page that asks no other host, with pictures for telephones and boxes in reach.

    Parameters
    ----------
    html : str
    folder : Path
        Of the page, against which its pictures are named.
    """
    html = FOREIGN.sub("", html)
    html = FOCUS.sub(lambda m: reachable(m[0]), html)
    html = PICTURE.sub(lambda m: with_narrow(m[0], m[1], folder), html)
    return SHARED.sub(lambda m: m[1] + shared(m[2], folder) + m[3], html)


def reachable(tag: str) -> str:
    """Return a tag that the keyboard can reach, so that what is cut off can be scrolled to."""
    return tag if "tabindex" in tag else f'{tag[:-1]} tabindex="0">'


def with_narrow(tag: str, name: str, folder: Path) -> str:
    """Return a picture with the variant that is drawn for telephones, where there is one."""
    if not (folder / f"{name}.narrow.svg").is_file():
        return tag
    source = f'<source media="{NARROW}" srcset="{name}.narrow.svg">'
    return f'<picture class="drawn">{source}{tag}</picture>'


def shared(name: str, folder: Path) -> str:
    """Return the picture of a shared link, less its ending: PNG, which every host can show."""
    plain = re.sub(r"^https?://[^/]+/", "", name)
    return f"{name}.png" if (folder / f"{plain}.png").is_file() else f"{name}.svg"


def shown_markdown(html: str) -> list[str]:
    """Return what is left of Markdown in the text that a reader sees."""
    seen = Visible()
    seen.feed(html)
    text = " ".join(seen.parts)
    return [
        " ".join(text[max(m.start() - 20, 0) : m.end() + 30].split()) for m in RAW.finditer(text)
    ]


def ordered(entries: list[dict[str, object]]) -> list[dict[str, object]]:
    """Return the search index with answers first and the reference last.

    The search ranks a match in a short title above one in a long one, and earlier entries above
    later ones. The questions that readers ask get entries of their own; titles of the reference
    say what they are.
    """
    with SEARCH.open(encoding="utf-8", newline="") as lines:
        asked = [
            {"objectID": f"{row['href']}?{i}", "href": row["href"], "title": row["words"],
             "section": "", "text": row["text"], "crumbs": [row["page"]]}
            for i, row in enumerate(csv.DictReader(lines))
        ]  # fmt: skip
    kept = [e for e in entries if "?" not in str(e.get("objectID", ""))]
    back = [e for e in kept if str(e["href"]).startswith(("reference/", "statisticians/commands"))]
    for entry in back:
        if "reference, " not in str(entry["title"]):
            entry["title"] = f"Python and command line reference, {entry['title']}"
    front = sorted((e for e in kept if e not in back), key=rank)
    return [*asked, *front, *sorted(back, key=rank)]


def rank(entry: dict[str, object]) -> tuple[int, str]:
    """Return the place of an entry: pages of answers before those of single trials and sources."""
    page = str(entry["href"]).partition("#")[0]
    return page.count("/"), page


if __name__ == "__main__":
    main()
