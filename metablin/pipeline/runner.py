"""Run analyses: those whose inputs, code or versions changed, on as many cores as asked for."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from metablin.datasets import read_date
from metablin.errors import DataError
from metablin.pipeline import fingerprint, registry
from metablin.pipeline.workspace import held, sweep
from metablin.report.folder import foreign_files, name_foreign
from metablin.report.store import Saved, save, write_text

__all__ = ["Place", "Run", "dated", "read_manifest", "reproduce", "write_manifest"]

MANIFEST = "manifest.json"
PUBLISHED = ("published", "published_from")
"""Keys of the manifest for what is written after the analyses: digests, and of what it was made."""
TOP_LEVEL = (MANIFEST, "claims.csv", "report.html")

Progress = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class Run:
    """What happened to one analysis.

    Attributes
    ----------
    name : str
    cached : bool
        True when the committed results were still those of these inputs.
    """

    name: str
    cached: bool


def reproduce(
    names: Sequence[str] = (),
    *,
    folder: Path,
    out: Path,
    jobs: int = 1,
    force: bool = False,
    progress: Progress | None = None,
    as_of: str | None = None,
) -> list[Run]:
    """Run the named analyses of `folder` (default: all) and write their results to `out`.

    Parameters
    ----------
    names : sequence of str
        Analyses to run.
    folder : Path
        The folder ``analyses``.
    out : Path
        Where results go; created when missing.
    jobs : int
        Processes; the bytes written do not depend on it.
    force : bool
        Run even what is up to date.
    progress : callable, optional
        Called with a name and ``started``, ``done`` or ``cached``.
    as_of : str, optional
        Compute from what was public on this date (see :func:`metablin.datasets.load`); the manifest
        says so. An analysis for which too little was public gives the reason as its outcome.

    Returns
    -------
    list of Run
        In alphabetical order.

    Raises
    ------
    DataError
        When a name is not an analysis, `as_of` no date, `out` holds the results of another date,
        another run writes to `out`, or `out` cannot be written.
    """
    every = registry.names(folder)
    chosen = _select(every, names)
    if as_of is not None:
        as_of = read_date(as_of).isoformat()
    with held(out):
        sweep(out, (*every, *TOP_LEVEL))
        _one_date(out, as_of)
        return _reproduce(chosen, Place(folder, out, as_of), jobs, force, progress)


@dataclass(frozen=True, slots=True)
class Place:
    """Where analyses are, where results go, and the date of the evidence when not today's."""

    folder: Path
    out: Path
    as_of: str | None


def _one_date(out: Path, as_of: str | None) -> None:
    """Check that a folder of results is, and stays, of one date of the evidence."""
    if not _read_entries(out):
        return
    there = dated(out)
    if there != as_of:
        raise DataError(
            f"this folder holds results of {there or 'all evidence'}",
            column="out", value=str(out), allowed="a folder of its own for every date",
        )  # fmt: skip


def dated(out: Path) -> str | None:
    """Return the date of the evidence that results rest on; None for all of it."""
    found = read_manifest(out).get("as_of")
    return None if found is None else str(found)


def _reproduce(
    chosen: list[str], place: Place, jobs: int, force: bool, progress: Progress | None
) -> list[Run]:
    folder, out = place.folder, place.out
    entries = _read_entries(out)
    fresh = [n for n in chosen if force or not _is_current(n, entries.get(n), folder, out)]
    tell = progress or (lambda name, state: None)
    for name in chosen:
        if name not in fresh:
            tell(name, "cached")
    for name in _execute(fresh, place, jobs, tell):
        entries[name] = _entry(name, folder, out)
        _write_manifest(place, entries)
    if not fresh:
        _write_manifest(place, entries)
    return [Run(name, name not in fresh) for name in chosen]


def _select(found: list[str], names: Sequence[str]) -> list[str]:
    for name in names:
        if name not in found:
            raise DataError("no such analysis", value=name, allowed=" | ".join(found))
    return sorted(set(names) or found)


def _execute(names: list[str], place: Place, jobs: int, tell: Progress) -> Iterable[str]:
    if jobs == 1 or len(names) < 2:
        for name in names:
            tell(name, "started")
            _run_one(name, place)
            tell(name, "done")
            yield name
        return
    from joblib import Parallel, delayed

    for name in names:
        tell(name, "started")
    workers = Parallel(n_jobs=jobs, return_as="generator_unordered")
    for name in workers(delayed(_run_one)(name, place) for name in names):
        tell(name, "done")
        yield name


def _run_one(name: str, place: Place) -> str:
    """Run one analysis and save it; a module-level function, so that any process can call it."""
    import matplotlib as mpl

    from metablin.plots.style import house_style, save_widths

    mpl.use("Agg")
    chosen = registry.load_analysis(place.folder, name)
    with house_style():
        save(chosen.about(), chosen.run(place.as_of), place.out, save_widths)
    return name


def _cache_key(name: str, reads: Sequence[str], folder: Path) -> dict[str, Any]:
    from metablin.datasets import data_directory

    return {
        "reads": list(reads),
        "inputs": fingerprint.evidence_files(data_directory(), reads),
        "code": {
            **fingerprint.analysis_files(folder, name),
            "metablin": fingerprint.package_digest(),
        },
        "versions": fingerprint.library_versions(),
    }


def _is_current(name: str, entry: dict[str, Any] | None, folder: Path, out: Path) -> bool:
    """Tell whether saved results are those of today's inputs, code and versions.

    The analysis itself is not loaded: while its code is unchanged, so is what it reads.
    """
    if entry is None:
        return False
    key = _cache_key(name, entry.get("reads", ()), folder)
    if any(entry.get(part) != key[part] for part in key):
        return False
    name_foreign(out / name)
    return all(
        (out / path).is_file() and fingerprint.file_digest(out / path) == digest
        for path, digest in entry["outputs"].items()
    )


def _entry(name: str, folder: Path, out: Path) -> dict[str, Any]:
    reads = Saved(out).words(name)["reads"]
    alien = foreign_files(out / name)
    files = sorted(p for p in (out / name).iterdir() if p.is_file() and p not in alien)
    outputs = {f"{name}/{p.name}": fingerprint.file_digest(p) for p in files}
    key = _cache_key(name, reads, folder)
    return {**key, "outputs": outputs}


def read_manifest(out: Path) -> dict[str, Any]:
    """Return the manifest of a folder of results; an unreadable one is empty."""
    try:
        found = json.loads((out / MANIFEST).read_text(encoding="utf-8"))
    except (ValueError, OSError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _read_entries(out: Path) -> dict[str, Any]:
    """Return the entries of an earlier manifest; those of another shape are none."""
    analyses = read_manifest(out).get("analyses")
    found = analyses.items() if isinstance(analyses, dict) else ()
    return {name: entry for name, entry in found if _is_entry(entry) and (out / name).is_dir()}


def _is_entry(entry: object) -> bool:
    """Tell whether an entry of a manifest has the shape that this module gives it."""
    return (
        isinstance(entry, dict)
        and isinstance(entry.get("reads"), list)
        and all(isinstance(name, str) for name in entry["reads"])
        and isinstance(entry.get("outputs"), dict)
    )


def _write_manifest(place: Place, entries: dict[str, Any]) -> None:
    place.out.mkdir(parents=True, exist_ok=True)
    manifest = {
        **({} if place.as_of is None else {"as_of": place.as_of}),
        "versions": fingerprint.library_versions(),
        "analyses": {name: entries[name] for name in sorted(entries)},
    }
    before = read_manifest(place.out)
    write_manifest(place.out, manifest | {key: before[key] for key in PUBLISHED if key in before})


def write_manifest(out: Path, manifest: Mapping[str, Any]) -> None:
    """Write the manifest of a folder of results."""
    write_text(out / MANIFEST, json.dumps(manifest, indent=2, ensure_ascii=False) + "\n")
