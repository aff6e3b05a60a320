"""Run analyses: those whose inputs, code or versions changed, on as many cores as asked for."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from metablin.errors import DataError
from metablin.pipeline import fingerprint, store
from metablin.pipeline.registry import Analysis, discover

__all__ = ["Run", "reproduce"]

MANIFEST = "manifest.json"

Progress = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class Run:
    """What happened to one analysis.

    Attributes
    ----------
    name : str
    cached : bool
        True when the committed results were still those of these inputs.
    seconds : float
        Time of the computation that made the results.
    """

    name: str
    cached: bool
    seconds: float


def reproduce(
    names: Sequence[str] = (),
    *,
    folder: Path,
    out: Path,
    jobs: int = 1,
    force: bool = False,
    progress: Progress | None = None,
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

    Returns
    -------
    list of Run
        In alphabetical order.

    Raises
    ------
    DataError
        When a name is not an analysis.
    """
    chosen = _select(discover(folder), names)
    entries = _read_manifest(out)
    keys = {a.name: _cache_key(a, folder) for a in chosen}
    fresh = [a for a in chosen if force or not _is_current(entries.get(a.name), keys[a.name], out)]
    tell = progress or (lambda name, state: None)
    for a in chosen:
        if a not in fresh:
            tell(a.name, "cached")
    for name, seconds in _execute(fresh, folder, out, jobs, tell):
        entries[name] = _entry(name, keys[name], seconds, out)
        _write_manifest(out, entries)
    _write_manifest(out, entries)
    done = {a.name for a in fresh}
    return [Run(a.name, a.name not in done, entries[a.name]["seconds"]) for a in chosen]


def _select(found: dict[str, Analysis], names: Sequence[str]) -> list[Analysis]:
    for name in names:
        if name not in found:
            raise DataError("no such analysis", value=name, allowed=" | ".join(found))
    return [found[name] for name in sorted(set(names) or found)]


def _execute(
    analyses: list[Analysis], folder: Path, out: Path, jobs: int, tell: Progress
) -> Iterable[tuple[str, float]]:
    if jobs == 1 or len(analyses) < 2:
        for a in analyses:
            tell(a.name, "started")
            result = _run_one(a.name, folder, out)
            tell(a.name, "done")
            yield result
        return
    from joblib import Parallel, delayed

    for a in analyses:
        tell(a.name, "started")
    workers = Parallel(n_jobs=jobs, return_as="generator_unordered")
    for name, seconds in workers(delayed(_run_one)(a.name, folder, out) for a in analyses):
        tell(name, "done")
        yield name, seconds


def _run_one(name: str, folder: Path, out: Path) -> tuple[str, float]:
    """Run one analysis and save it; a module-level function, so that any process can call it."""
    import matplotlib as mpl

    from metablin.plots.style import house_style

    mpl.use("Agg")
    chosen = discover(folder)[name]
    start = time.perf_counter()
    with house_style():
        store.save(chosen, chosen.run(), out)
    return name, time.perf_counter() - start


def _cache_key(chosen: Analysis, folder: Path) -> dict[str, Any]:
    from metablin.datasets import data_directory

    shared = sorted(folder.glob("_*.py"))
    code = {p.name: fingerprint.file_digest(p) for p in (chosen.source, *shared)}
    return {
        "inputs": fingerprint.evidence_files(data_directory(), chosen.reads),
        "code": {**code, "metablin": fingerprint.package_digest()},
        "versions": fingerprint.library_versions(),
    }


def _is_current(entry: dict[str, Any] | None, key: dict[str, Any], out: Path) -> bool:
    if entry is None or any(entry.get(part) != key[part] for part in key):
        return False
    return all(
        (out / name).is_file() and fingerprint.file_digest(out / name) == digest
        for name, digest in entry["outputs"].items()
    )


def _entry(name: str, key: dict[str, Any], seconds: float, out: Path) -> dict[str, Any]:
    files = sorted(p for p in (out / name).iterdir() if p.is_file())
    outputs = {f"{name}/{p.name}": fingerprint.file_digest(p) for p in files}
    return {**key, "outputs": outputs, "seconds": round(seconds, 3)}


def _read_manifest(out: Path) -> dict[str, Any]:
    """Return the entries of an earlier manifest; an unreadable one counts as none."""
    path = out / MANIFEST
    if not path.is_file():
        return {}
    try:
        analyses = json.loads(path.read_text(encoding="utf-8"))["analyses"]
    except (ValueError, KeyError, TypeError):
        return {}
    return {name: entry for name, entry in analyses.items() if (out / name).is_dir()}


def _write_manifest(out: Path, entries: dict[str, Any]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    manifest = {
        "versions": fingerprint.library_versions(),
        "analyses": {name: entries[name] for name in sorted(entries)},
    }
    store.write_text(out / MANIFEST, json.dumps(manifest, indent=2, ensure_ascii=False) + "\n")
