"""Let two processes of Quarto render the site: the trial pages apart, the rest in its place.

A page of a trial is plain Markdown and other pages link to its HTML, so that either half can be
rendered without the other: the rest by the profile of `_quarto-rest.yml`. ``apart FOLDER`` makes
the folder of the other half, ``together FOLDER`` puts what both have become into one site.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
from pathlib import Path

import documents
import finish

SITE = finish.SITE
HALF = "trials"
"""The folder whose pages are rendered apart: about half of what there is to do."""
LEFT = ("_site", "_freeze", "results", "evidence", "__pycache__", ".quarto", "*.zip")
"""What pages of trials are made without."""


def main() -> None:
    """Do what is asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("step", choices=["apart", "together"])
    parser.add_argument("folder", type=Path, help="place of the other half")
    parser.add_argument("--site", type=Path, default=SITE)
    chosen = parser.parse_args()
    {"apart": apart, "together": together}[chosen.step](chosen.site, chosen.folder)


def apart(site: Path, other: Path) -> None:
    """Copy what the pages of trials need.

    Parameters
    ----------
    site : Path
        Folder with the documents, built.
    other : Path
        Folder to make; the render of its ``trials`` is the other half.
    """
    shutil.copytree(site, other, ignore=shutil.ignore_patterns(*LEFT), dirs_exist_ok=True)
    alike = other / f"{HALF}.qmd"  # begins as the folder does, which is all that Quarto asks
    alike.write_text(documents.parse(alike).head, encoding="utf-8")


def together(site: Path, other: Path) -> None:
    """Move the other half into the site, with its entries of the search and of the site map.

    Parameters
    ----------
    site, other : Path
        As in `apart`, both rendered.
    """
    ours, theirs = site / "_site", other / "_site"
    for old in (ours / HALF).glob("*.html"):
        old.unlink()
    for page in sorted((theirs / HALF).glob("*.html")):
        shutil.move(page, ours / HALF / page.name)
    index = ours / "search.json"
    entries = json.loads(index.read_text("utf-8"))
    added = json.loads((theirs / index.name).read_text("utf-8"))
    entries += [e for e in added if e["href"].startswith(f"{HALF}/")]
    index.write_text(json.dumps(finish.ordered(entries)), encoding="utf-8")
    addresses = ours / "sitemap.xml"
    if addresses.is_file():
        found = re.findall(r"\s*<url>.*?</url>", (theirs / addresses.name).read_text("utf-8"), re.S)
        pages = "".join(url for url in found if f"/{HALF}/" in url)
        text = addresses.read_text("utf-8").replace("</urlset>", f"{pages.lstrip()}\n</urlset>")
        addresses.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
