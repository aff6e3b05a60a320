"""Write what the documents of the site read and link to: results, trial pages, sources, reference.

Run by Quarto before it renders, and by ``metablin site``. Files are touched only when they change,
so Quarto renders again only what is new.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

SITE = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(SITE / "_scripts"))

import agreement  # noqa: E402
import describe  # noqa: E402
import documents  # noqa: E402
import pages  # noqa: E402
import reference  # noqa: E402

import metablin  # noqa: E402
from metablin.datasets import data_directory, load, tables  # noqa: E402
from metablin.digitise import blank_page  # noqa: E402
from metablin.pipeline.fingerprint import (  # noqa: E402
    digest_of,
    evidence_files,
    file_digest,
    package_digest,
)
from metablin.plots import style, traffic  # noqa: E402
from metablin.report.words import short_names  # noqa: E402


def main() -> None:
    """Build the generated part of the site."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--site", type=Path, default=SITE, help="folder to write to")
    parser.add_argument("--results", type=Path, default=SITE.parent / "results")
    parser.add_argument("--benchmarks", type=Path, default=SITE.parent / "benchmarks")
    parser.add_argument("--pins", type=Path, default=SITE.parent / "tests" / "reference")
    chosen = parser.parse_args()
    if os.environ.get("METABLIN_SITE_BUILT") == "1":
        return
    if not (chosen.results / "manifest.json").is_file():
        sys.exit("no results yet: run `metablin reproduce` first")
    build(chosen.site, chosen.results, chosen.pins, chosen.benchmarks)


def build(site: Path, results: Path, pins: Path, benchmarks: Path) -> None:
    """Write every generated file of the site.

    Parameters
    ----------
    site : Path
        Folder with the documents.
    results : Path
        What ``metablin reproduce`` wrote.
    pins : Path
        Folder of the values pinned from R.
    benchmarks : Path
        Folder of the benchmarks and their records.
    """
    copy_results(results, site / "results")
    agreement.write(pins, site / "results" / "agreement.csv")
    agreement.records(pins, benchmarks, site / "results")
    write(site / "references.bib", (data_directory() / "references.bib").read_text("utf-8"))
    copy_evidence(site / "evidence")
    write(site / "_variables.yml", variables())
    write(site / "drawn" / "read_figure.html", blank_page())
    describe_site(site, results)
    draw_bias(site / "drawn")
    sync(site / "trials", pages.trial_pages(site / "results", site / "trials"))
    sync(site / "sources", pages.source_pages(site / "results"))
    write(site / "statisticians" / "commands.qmd", reference.commands())
    sync(site / "reference", reference.python_pages())
    run_documents(site)


def describe_site(site: Path, results: Path) -> None:
    """Write the evidence as one file with its descriptions, and the list of changes."""
    top = SITE.parent
    citation = top / "CITATION.cff"
    cff = describe.read(citation)
    write(site / "CITATION.cff", citation.read_text("utf-8"))
    write(site / "codemeta.json", describe.codemeta(cff))
    write(site / "ro-crate-metadata.json", describe.crate(cff, evidence_date()))
    packed, file = describe.archive(), site / describe.ARCHIVE
    if not file.is_file() or file.read_bytes() != packed:
        file.write_bytes(packed)
    write(site / "results" / "news.md", (top / "NEWS.md").read_text("utf-8"))
    shown = results / "randomised" / "os.png"
    if shown.is_file():  # what a shared link shows
        (site / "drawn").mkdir(exist_ok=True)
        shutil.copyfile(shown, site / "drawn" / "share.png")
    address = os.environ.get("METABLIN_SITE_URL", "")
    local = f"website:\n  site-url: {json.dumps(address)}\n" if address else ""
    write(site / "_quarto.yml.local", local)


def draw_bias(folder: Path) -> None:
    """Draw the risk of bias of the randomised comparisons, an outcome a picture."""
    answers = load("risk_of_bias")
    judged = metablin.risk_of_bias(answers.loc[answers["tool"] == "rob2"]).to_frame()
    judged = judged.assign(study=judged["study"].map(short_names()))
    folder.mkdir(parents=True, exist_ok=True)
    stamp, text = folder / "drawn.csv", judged.to_csv(index=False)
    if stamp.is_file() and stamp.read_text("utf-8") == text:
        return
    for outcome in judged["outcome"].unique():
        picture = traffic(judged, outcome=outcome).figure
        style.save_widths(picture, folder / f"risk_of_bias_{outcome}.svg")
    write(stamp, text)


def write(path: Path, text: str) -> None:
    """Write text to a file unless it is already there."""
    if not path.is_file() or path.read_text("utf-8") != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")


def sync(folder: Path, files: dict[str, str]) -> None:
    """Make a folder hold exactly these files."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        write(folder / name, text)
    for path in folder.iterdir():
        if path.name not in files and path.is_file():
            path.unlink()


def copy_results(source: Path, target: Path) -> None:
    """Copy results that changed; drop those that are gone."""
    kept = {"agreement.csv", "agreement.md", "reconstruction_benchmark.md", "news.md"}
    for path in sorted(p for p in source.rglob("*") if p.is_file()):
        name = path.relative_to(source)
        if any(part.startswith(".") for part in name.parts):
            continue
        kept.add(str(name))
        copy = target / name
        if not copy.is_file() or file_digest(copy) != file_digest(path):
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
    for path in sorted(p for p in target.rglob("*") if p.is_file()):
        if str(path.relative_to(target)) not in kept:
            path.unlink()


def copy_evidence(target: Path) -> None:
    """Copy the evidence tables, so that pages can link to the rows as they are."""
    names = [f"{name}.csv" for name in tables()["table"] if name != "references"]
    found = [data_directory() / name for name in names]
    sync(target, {p.name: p.read_text("utf-8") for p in found if p.is_file()})


def variables() -> str:
    """Return Quarto's variables: version, digest and date of the evidence."""
    found = evidence_files(data_directory(), list(tables()["table"]))
    words = {
        "version": metablin.__version__,
        "evidence": {"digest": digest_of(found)[:12], "date": evidence_date()},
    }
    return json.dumps(words, indent=2) + "\n"  # JSON is YAML


def evidence_date() -> str:
    """Return the day on which the evidence last changed, else the year of its newest source."""
    descriptor = json.loads((data_directory() / "datapackage.json").read_text("utf-8"))
    if "created" in descriptor:
        return str(descriptor["created"])[:10]
    answer = subprocess.run(
        ["git", "log", "-1", "--format=%cs", "--", "."],
        cwd=data_directory(),
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    return answer or f"{load('references')['year'].max():.0f}"


def run_documents(site: Path) -> None:
    """Execute the documents whose text, results, evidence or helpers changed since the last time.

    Quarto looks at the text of a document only; what a document reads is not in its reckoning.
    """
    read = [*site.glob("_*.py"), *site.glob("results/**/*"), *site.glob("evidence/*")]
    found = {str(p.relative_to(site)): file_digest(p) for p in read if p.is_file()}
    found |= {"package": package_digest(), "runner": file_digest(Path(documents.__file__))}
    stamp = site / "_freeze" / "results.sha256"
    if not stamp.is_file() or stamp.read_text("utf-8") != digest_of(found):
        shutil.rmtree(site / "_freeze", ignore_errors=True)
    for path in sorted([*site.glob("*.qmd"), *site.glob("statisticians/*.qmd")]):
        document = documents.parse(path)
        if document.cells and not documents.frozen(path, site):
            documents.freeze(documents.execute(document), site)
    write(stamp, digest_of(found))


if __name__ == "__main__":
    main()
