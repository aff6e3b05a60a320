"""The report: one HTML page that needs nothing else, for screens and for paper."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

import pandas as pd

from metablin.records import Column, Table
from metablin.report.render import IN_FILE, Page, to_page

__all__ = ["Section", "render_report"]

STYLE = """
:root{--ink:#1c2430;--soft:#5b6675;--line:#d9dee5;--paper:#fff;--band:#f5f7fa;--accent:#0b5d8a}
@media (prefers-color-scheme:dark){:root{--ink:#e6eaf0;--soft:#a3adba;--line:#343c47;
--paper:#14181d;--band:#1b2027;--accent:#6db9e3}
figure svg{background:#fff;border-radius:6px}}
*{box-sizing:border-box}html{scroll-behavior:smooth}
body{margin:0;background:var(--paper);color:var(--ink);
font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
main,header,footer{max-width:1080px;margin:0 auto;padding:0 20px}
header{padding-top:36px}h1{font-size:1.9rem;line-height:1.2;margin:0 0 8px}
h2{font-size:1.4rem;margin:48px 0 4px;padding-top:12px;border-top:2px solid var(--line)}
h3{font-size:1.05rem;margin:28px 0 6px}p{margin:6px 0 12px;max-width:75ch}
.soft,figcaption,caption{color:var(--soft)}nav{display:flex;flex-wrap:wrap;gap:6px 16px;
margin:16px 0}a{color:var(--accent)}
.scroll{overflow-x:auto;margin:8px 0 18px}
table{border-collapse:collapse;font-size:.87rem;min-width:100%;font-variant-numeric:tabular-nums}
th,td{padding:5px 10px;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}
th{background:var(--band);font-weight:600}
.gt_right{text-align:right;white-space:nowrap}.gt_group_heading{font-weight:600}
caption{caption-side:bottom;text-align:left;padding:6px 0;font-size:.87rem}
figure{margin:18px 0 28px}figure .scroll{margin:0}
figure svg{max-width:100%;min-width:min(640px,100%);height:auto}
.letters{position:absolute;width:0;height:0}
@media (max-width:700px){figure svg{max-width:none;width:640px}}
figcaption{font-size:.92rem;max-width:85ch;margin-top:6px}
details{margin:10px 0}summary{cursor:pointer;color:var(--accent)}
footer{color:var(--soft);font-size:.85rem;padding:32px 20px 48px}
@media print{details>*{display:block}nav{display:none}body{font-size:11px}h2{break-after:avoid}
figure,tr{break-inside:avoid}}
"""


@dataclass(frozen=True, slots=True, eq=False)
class Section:
    """One analysis as the report shows it.

    Attributes
    ----------
    name, title, question : str
    notes : tuple of str
        Caveats.
    tables : mapping of str to Table
    figures : sequence of (name, words, svg)
        ``words`` holds ``title``, ``caption`` and ``alt``; ``svg`` is the picture's text.
    """

    name: str
    title: str
    question: str
    notes: tuple[str, ...]
    tables: Mapping[str, Table]
    figures: Sequence[tuple[str, Mapping[str, str], str]]


def render_report(
    *,
    sections: Sequence[Section],
    headlines: Table,
    claims: pd.DataFrame,
    discrepancies: pd.DataFrame,
    versions: Mapping[str, str],
) -> str:
    """Return the report as one HTML document without any reference to another host.

    Parameters
    ----------
    sections : sequence of Section
    headlines : Table
        See :func:`metablin.report.render.headlines`.
    claims, discrepancies : pandas.DataFrame
        The claim ledger and the record of disagreements.
    versions : mapping
        Library versions, for the footer.
    """
    letters = Letters(svg for s in sections for *_, svg in s.figures)
    body = [
        letters.to_svg(),
        _header(sections),
        "<main>",
        _headlines(headlines),
        *(_section(s, f"s{i}", letters) for i, s in enumerate(sections)),
        _claims(claims),
        _discrepancies(discrepancies),
        "</main>",
        _footer(versions),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        "<title>metablin: results</title>"
        f"<style>{STYLE}</style></head>\n<body>\n" + "\n".join(body) + "\n</body></html>\n"
    )


def _header(sections: Sequence[Section]) -> str:
    links = [("headlines", "Headlines"), *((s.name, s.title) for s in sections)]
    links += [("claims", "Claim ledger"), ("discrepancies", "Disagreements")]
    nav = "".join(f'<a href="#{escape(a)}">{escape(t)}</a>' for a, t in links)
    return (
        "<header><h1>What the trials of blinatumomab show</h1>"
        '<p class="soft">Every number below was computed from the evidence tables by the '
        "analyses named here; nothing was typed by hand.</p>"
        f"<nav>{nav}</nav></header>"
    )


def _headlines(table: Table) -> str:
    return (
        '<h2 id="headlines">Headlines</h2><p>Where several studies were pooled, the prediction '
        "interval says where the result of a new, similar study would be expected.</p>"
        + _table(table, "headlines").body
    )


def _section(section: Section, place: str, letters: Letters) -> str:
    parts = [
        f'<h2 id="{escape(section.name)}">{escape(section.title)}</h2>',
        f"<p>{escape(section.question)}</p>",
    ]
    if section.notes:
        notes = "".join(f"<li>{escape(note)}</li>" for note in section.notes)
        parts.append(f"<h3>Read this with care</h3><ul>{notes}</ul>")
    for i, (name, words, svg) in enumerate(section.figures):
        picture = inline_svg(svg, words["alt"], f"{place}f{i}", letters)
        parts.append(
            f'<figure id="fig-{escape(section.name)}-{escape(name)}">'
            f"<h3>{escape(words['title'])}</h3>"
            f'<div class="scroll">{picture}</div>'
            f"<figcaption>{escape(words['caption'])}</figcaption></figure>"
        )
    for name, table in section.tables.items():
        parts.append(f"<h3>{escape(table.title)}</h3>")
        file = f"Data: {section.name}/{name}.csv, with the evidence rows behind every line."
        parts.append(_captioned(_table(table, f"{place}-{name}"), f"{table.note} {file}"))
    return "\n".join(parts)


def _table(table: Table, name: str, most: int = IN_FILE) -> Page:
    return to_page(table, name, most=most, styled=False)


def _captioned(page: Page, caption: str) -> str:
    text = f'<p class="soft">{escape(caption.strip())}</p>'
    return f"{page.body}{text}" if page.body else f'<p class="soft">{page.rows} rows.</p>{text}'


CLAIMS = (
    Column("statement", "Statement"),
    Column("printed", "Printed"),
    Column("computed", "Computed", "number"),
    Column("status", "Outcome"),
    Column("reason", "Reason", codes="text"),
    Column("result", "Result"),
)
DISCREPANCIES = (
    Column("trial_id", "Trial", codes="names"),
    Column("item", "What", codes="text"),
    Column("value_a", "One source", codes="text"),
    Column("value_b", "Another", codes="text"),
    Column("used", "Used here", codes="text"),
    Column("reason", "Why", codes="text"),
)


def _claims(claims: pd.DataFrame) -> str:
    counts = claims["status"].value_counts()
    summary = ", ".join(f"{n} {escape(str(status))}" for status, n in counts.items())
    table = Table(claims.rename(columns={"claim_id": "key"}), CLAIMS, "Claim ledger")
    return (
        '<h2 id="claims">Claim ledger</h2>'
        "<p>Numbers printed in five review articles, each against the value recomputed from the "
        f"evidence: {len(claims)} claims, {summary}.</p>"
        + _table(table, "ledger", len(claims)).body
    )


def _discrepancies(discrepancies: pd.DataFrame) -> str:
    frame = discrepancies.rename(columns={"discrepancy_id": "key"})
    table = Table(frame, DISCREPANCIES, "Disagreements")
    return (
        '<h2 id="discrepancies">Disagreements between sources</h2>'
        "<p>Where sources contradict each other or themselves, and what is used here instead.</p>"
        + _table(table, "disagreements").body
    )


def _footer(versions: Mapping[str, str]) -> str:
    text = ", ".join(f"{name} {version}" for name, version in versions.items())
    return f"<footer>Computed with {escape(text)}.</footer>"


GLYPH = re.compile(r'<path id="((?:DejaVu|STIX|Cm)[\w-]*)" ([^>]*)/>')
LETTER = re.compile(r'<use (?:xlink:)?href="#([^"]+)"( x="[^"]*")?/>')
LINKED = re.compile(r'url\(#([^)]+)\)|href="#([^"]+)"')


class Letters:
    """The letters of all pictures of a page, each once and under a short name."""

    def __init__(self, pictures: Iterable[str]) -> None:
        found = {m[1]: m[2] for svg in pictures for m in GLYPH.finditer(svg)}
        drawn = sorted(name for name, shape in found.items() if shape.startswith("d="))
        self._names = {name: f"g{i:x}" for i, name in enumerate(drawn)}
        self._blank = set(found) - set(drawn)
        self._shapes = {self._names[name]: found[name] for name in drawn}

    def to_svg(self) -> str:
        """Return their shapes as an SVG that takes no room."""
        shapes = "".join(f'<path id="{name}" {text}/>' for name, text in self._shapes.items())
        return f'<svg aria-hidden="true" class="letters"><defs>{shapes}</defs></svg>'

    def shorten(self, svg: str) -> str:
        """Return a picture that uses these shapes and has none of its own."""
        return LETTER.sub(self._use, GLYPH.sub("", svg))

    def _use(self, match: re.Match[str]) -> str:
        if match[1] in self._blank:
            return ""
        name = self._names.get(match[1])
        return match[0] if name is None else f'<use href="#{name}"{match[2] or ""}/>'


def inline_svg(svg: str, alt: str, prefix: str, letters: Letters) -> str:
    """Return an SVG for use inside a page: no prolog, unique ids, a title for screen readers.

    Names that nothing refers to are left out.

    Parameters
    ----------
    svg : str
        A whole SVG document.
    alt : str
        Description read aloud in place of the picture.
    prefix : str
        Put before every id, so that pictures on one page do not share clip paths.
    letters : Letters
        Of the page.
    """
    body = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.S)
    own = GLYPH.sub("", body)
    marks = set(re.findall(r' id="([^"]*)"', own)) & {a or b for a, b in LINKED.findall(own)}
    body = letters.shorten(body)
    body = re.sub(
        r' id="([^"]*)"', lambda m: f' id="{prefix}-{m[1]}"' if m[1] in marks else "", body
    )
    body = re.sub(r'href="#(?!g[0-9a-f]+")', f'href="#{prefix}-', body)
    body = body.replace("url(#", f"url(#{prefix}-").replace("xlink:href", "href")
    body = re.sub(r"<defs>\s*</defs>", "", body)
    return body.replace("<svg", f'<svg role="img" aria-label="{escape(alt, quote=True)}"', 1)
