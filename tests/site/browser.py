"""The rendered site in a real Chromium: ``python -m tests.site.browser [FOLDER]`` prints a table.

Pages at two widths, light and dark: no console error, no request to another host, nothing wider
than the window, no violation of WCAG A or AA that axe finds, no raw Markdown, no code of a table
where its words belong. Of every page: no
link that leads nowhere. Then: the search finds the right page first, and the page that pools
answers, quickly, and keeps a view in its address. `make site-test` installs what this needs.

Pages written by a person are all looked at. Of those written by a program (`WRITTEN`), which are
alike, the longest and the shortest of a folder stand for the others, unless all are asked for.
"""

from __future__ import annotations

import argparse
import functools
import http.server
import os
import re
import shutil
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin

from playwright.sync_api import Browser, Error, Page, sync_playwright

HERE = Path(__file__).resolve().parent
SITE = HERE.parents[1] / "site" / "_site"
AXE = HERE / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
WIDTHS = (1280, 390)
SCHEMES = ("light", "dark")
KINDS = ("console", "foreign", "overflow", "axe", "markdown", "codes")
WRITTEN = ("trials", "sources", "reference")
RAW = re.compile(r":::|\{\{<|\?@")
CODE = re.compile(r"(?<![\w/.@:&?=-])[a-z][a-z0-9]*(?:_[a-z0-9]+)+(?![\w/(-])")
NAMED = ("sources/", "reference/", "statisticians/", "reproducibility", "methods")
"""Pages that speak of files, functions and formulas by name."""
HEAVIEST = 400_000
"""Bytes of the page that pools, with its data (limit of the project)."""
FIRST_ANSWER, AGAIN = 1.0, 0.05
"""Seconds to the first answer and to each later one; reported, and failed at ten times as much,
which no load of the machine explains."""
SLACK = 10

FIRST = "(w) => document.querySelector('.aa-Item a').getAttribute('href').includes(w)"
QUESTIONS = {
    "hazard ratio": "survival.html",
    "overall survival": "survival.html",
    "MRD": "mrd.html",
    "GRADE": "certainty.html",
    "remission": "response.html",
    "risk of bias": "about.html",
    "neurologic events": "safety.html",
    "cytokine release": "safety.html",
    "how to cite": "about.html",
    "TOWER": "trials/tower.html",
    "last search": "about.html",
    "leave a trial out": "explore.html",
}


class Quiet(http.server.SimpleHTTPRequestHandler):
    """A server of files that says nothing."""

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder; yield its address."""
    handler = functools.partial(Quiet, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


def look(page: Page, address: str, base: str, axe: str) -> dict[str, list[str]]:
    """Return the problems of one page at one width in one scheme, by kind."""
    found: dict[str, list[str]] = {k: [] for k in KINDS}
    page.on("console", lambda m: found["console"].append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda e: found["console"].append(str(e)))
    page.on(
        "request",
        lambda r: None if r.url.startswith((base, "data:")) else found["foreign"].append(r.url),
    )
    page.goto(address, wait_until="load")
    wide = page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    found["overflow"] += [f"{wide} px"] if wide > 0 else []
    text = page.evaluate(
        "[...document.querySelectorAll('main')].map((m) => { const c = m.cloneNode(true);"
        " c.querySelectorAll('pre, code, script, style').forEach((x) => x.remove());"
        " return c.textContent; }).join(' ')"
    )
    found["markdown"] += RAW.findall(text)
    if not address.removeprefix(base).startswith(NAMED):
        found["codes"] += CODE.findall(text)
    page.evaluate(axe)
    result = page.evaluate("(rules) => axe.run({runOnly: rules})", RULES)
    for rule in result["violations"]:
        places = [str(n["target"]) for n in rule["nodes"]]
        found["axe"].append(f"{rule['id']} ({len(places)}): {places[0]}")
    return found


@contextmanager
def chromium() -> Iterator[Browser]:
    """Yield the browser of this machine."""
    program = (
        os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    )
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


def in_state(base: str, names: list[str], scheme: str, width: int) -> dict[str, list[str]]:
    """Return the problems of pages in one state, by kind."""
    axe = AXE.read_text("utf-8")
    found: dict[str, list[str]] = {k: [] for k in KINDS}
    with chromium() as browser:
        context = browser.new_context(
            viewport={"width": width, "height": 800},
            color_scheme="dark" if scheme == "dark" else "light",
        )
        for name in names:
            page = context.new_page()
            for kind, cases in look(page, base + name, base, axe).items():
                found[kind] += [f"{name}, {scheme}, {width}: {kind}: {c[:200]}" for c in cases]
            page.close()
    return found


def every_state(base: str, names: list[str]) -> list[str]:
    """Look at pages in every state, two states at a time; print a table, return the problems."""
    states = [(scheme, width) for width in WIDTHS for scheme in SCHEMES]
    problems = []
    with ProcessPoolExecutor(max_workers=2) as pool:
        running = {state: pool.submit(in_state, base, names, *state) for state in states}
        for (scheme, width), answer in running.items():
            found = answer.result()
            problems += [case for cases in found.values() for case in cases]
            counts = "  ".join(f"{k} {len(found[k])}" for k in KINDS)
            print(f"{scheme:5} {width:4}  pages {len(names)}  {counts}", flush=True)
    return problems


def sample(folder: Path, names: list[str]) -> list[str]:
    """Return every page by a person, and the longest and the shortest a folder of the others."""
    kept = [name for name in names if name.split("/")[0] not in WRITTEN]
    for part in WRITTEN:
        own = [name for name in names if name.startswith(f"{part}/")]
        by_size = sorted(own, key=lambda name: (folder / name).stat().st_size)
        kept += sorted({*by_size[:1], *by_size[-1:]})
    return kept


def weights(folder: Path, names: list[str]) -> None:
    """Print what pages weigh, with the pictures, styles and scripts that each names."""
    total: Counter[str] = Counter()
    for name in names:
        text = (folder / name).read_text("utf-8")
        parts = re.findall(r'<(?:img|script|link)\b[^>]*\b(?:src|href)="([^":]+)"', text)
        files = {unquote(urldefrag(urljoin(f"/{name}", part))[0].lstrip("/")) for part in parts}
        files = {f for f in files if not f.endswith(".html")} | {name}
        total[name] = sum((folder / f).stat().st_size for f in files if (folder / f).is_file())
    middle = sorted(total.values())[len(total) // 2]
    heaviest = ", ".join(f"{name} {size:,}" for name, size in total.most_common(3))
    print(f"bytes of a page with what it names, median {middle:,}; most: {heaviest}")


def links(folder: Path, names: list[str]) -> list[str]:
    """Return links inside the site, of any page, to a file or place that is not there."""
    texts = {name: (folder / name).read_text("utf-8") for name in names}
    places = {n: set(re.findall(r'\b(?:id|name)="([^"]+)"', t)) for n, t in texts.items()}
    problems, count = [], 0
    for name, text in texts.items():
        body = re.sub(r"<script.*?</script>", "", text, flags=re.S)
        for target in set(re.findall(r'\b(?:href|src)="([^"]+)"', body)):
            if re.match(r"[a-z]+:|//", target):
                continue
            count += 1
            path, place = urldefrag(urljoin(f"/{name}", target.replace("&amp;", "&")))
            file = unquote(path.lstrip("/")) or "index.html"
            if not (folder / file).is_file():
                problems.append(f"{name}: {target} leads nowhere")
            elif place and "=" not in place and unquote(place) not in places.get(file, {place}):
                problems.append(f"{name}: {target}: no such place")
    print(f"links inside the site {count}, broken {len(problems)}")
    return problems


def search(browser: Browser, base: str) -> list[str]:
    """Return the questions for which the search does not show the right page first."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    problems = []
    for words, wanted in QUESTIONS.items():
        page.goto(base)
        page.locator("#quarto-search button").first.click()
        page.keyboard.type(words)
        hit = page.locator(".aa-Item a").first
        hit.wait_for(timeout=20_000)
        with suppress(Error):  # the last letters may be answered late
            page.wait_for_function(FIRST, arg=wanted, timeout=4_000)
        page.wait_for_timeout(400)
        got = str(page.locator(".aa-Item a").first.get_attribute("href"))
        if wanted not in got:
            problems.append(f"search {words!r}: {got} before {wanted}")
    page.close()
    print(f"search: {len(QUESTIONS) - len(problems)} of {len(QUESTIONS)} right at first")
    return problems


def explore(browser: Browser, base: str, folder: Path) -> list[str]:
    """Return what is wrong with the page that pools: weight, speed, links to a view, no script."""
    problems = []
    files = ("explore.html", "assets/pool.js", "assets/explore.js")
    weight = sum((folder / f).stat().st_size for f in files)
    page = browser.new_page()
    start = time.perf_counter()
    page.goto(f"{base}explore.html", wait_until="domcontentloaded")
    page.locator(".explore-answer").wait_for()
    first = time.perf_counter() - start
    before = page.locator(".explore-answer").inner_text()
    again = page.evaluate(
        "() => { const b = document.querySelector('.explore-choices fieldset input');"
        " const t = performance.now(); b.click(); return performance.now() - t; }"
    )
    after, address = page.locator(".explore-answer").inner_text(), page.url
    page.goto("about:blank")
    page.goto(address)
    page.locator(".explore-answer").wait_for()
    same = page.locator(".explore-answer").inner_text()
    for bad, words in (
        (weight > HEAVIEST, f"the page that pools weighs {weight:,} bytes"),
        (first > SLACK * FIRST_ANSWER, f"first answer after {first:.1f} s"),
        (again > 1000 * SLACK * AGAIN, f"pooled again in {again:.0f} ms"),
        (before == after, "leaving a study out changes nothing"),
        (same != after, f"{address} does not give the same view"),
    ):
        problems += [words] if bad else []
    plain = browser.new_context(java_script_enabled=False).new_page()
    plain.goto(f"{base}explore.html")
    if not plain.locator(".without-script").is_visible() or not plain.locator("table").count():
        problems.append("without JavaScript there is no table with a note")
    print(f"explore: {weight:,} bytes, first {first:.2f} s, again {again:.0f} ms, {address}")
    return problems


def paths(browser: Browser, base: str) -> list[str]:
    """Return what a reader does not reach: the source of a number, an answer without a trial."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(base)
    page.locator("#fig-randomised-os a", has_text="Source").first.click()
    page.wait_for_load_state()
    cited = page.locator("table.evidence a[href*='doi.org']").count()
    page.goto(base)
    page.locator(".card-answer a", has_text="what if?").nth(1).click()
    page.locator(".explore-answer").wait_for()
    before = page.locator(".explore-answer").inner_text()
    page.locator(".explore-choices fieldset input:checked").first.click()
    changed = page.locator(".explore-answer").inner_text() != before
    page.close()
    print("clicks from home: rows behind a figure 1, their papers 2; without a trial 2")
    missed = [(cited, "the rows behind the first figure"), (changed, "a pool without a trial")]
    return [f"two clicks from home do not lead to {words}" for there, words in missed if not there]


def main() -> None:
    """Look at the whole site; exit 1 with a line a problem."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folder", nargs="?", type=Path, default=SITE)
    parser.add_argument("--only", nargs="*", help="pages, instead of the sample")
    parser.add_argument("--all", action="store_true", help="every page, not the sample")
    chosen = parser.parse_args()
    folder = chosen.folder.resolve()
    names = sorted(
        str(p.relative_to(folder))
        for p in folder.rglob("*.html")
        if "site_libs" not in p.parts and p.relative_to(folder).parts[0] != "results"
    )
    looked = chosen.only or (names if chosen.all else sample(folder, names))
    weights(folder, names)
    with served(folder) as base:
        with chromium() as browser:
            problems = links(folder, names)
            problems += search(browser, base)
            problems += explore(browser, base, folder)
            problems += paths(browser, base)
        print(f"looking at {len(looked)} of {len(names)} pages"
              + ("" if len(looked) == len(names) else "; all of them: make site-test PAGES=all"),
              flush=True)  # fmt: skip
        problems += every_state(base, looked)
    print("\n".join(problems) or "nothing wrong")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
