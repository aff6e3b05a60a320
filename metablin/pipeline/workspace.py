"""A folder of results held by one run at a time, and put right after an interrupted one."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from metablin.errors import DataError, MetablinWarning

try:
    import fcntl
except ImportError:  # pragma: no cover - a system without advisory locks
    fcntl = None  # type: ignore[assignment]

__all__ = ["LOCK", "foreign_files", "held", "name_foreign", "swap_in", "sweep", "write_text"]

LOCK = ".lock"
BUILDING, OLD = ".tmp", ".old"

WRITTEN = (".csv", ".svg")
"""Endings of tables and figures."""


@contextmanager
def held(out: Path, wait: bool = False) -> Iterator[None]:
    """Hold a folder of results, made when missing; errors of the file system become one line.

    Parameters
    ----------
    out : Path
    wait : bool
        Wait for another run to end instead of refusing.

    Raises
    ------
    DataError
        When another run holds it, naming its process, or when it cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        descriptor = _lock(out, wait)
        try:
            yield
        finally:
            with suppress(FileNotFoundError):
                (out / LOCK).unlink()
            os.close(descriptor)
    except OSError as error:
        name = error.filename2 or error.filename or out
        raise DataError(
            f"{error.strerror or error}", column="out", value=os.fspath(name),
            allowed="a folder that can be written",
        ) from error  # fmt: skip


def _lock(out: Path, wait: bool) -> int:
    path = out / LOCK
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
        try:
            if fcntl is not None:
                fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            holder = os.read(descriptor, 200).decode("utf-8", "replace").strip()
            os.close(descriptor)
            raise DataError(
                f"another run is writing these results ({holder or 'just started'})",
                column="out", value=os.fspath(out), allowed="another folder, or wait for it to end",
            ) from None  # fmt: skip
        # The one who held it may have taken the file away between opening and locking.
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), os.stat(path)):
                os.truncate(descriptor, 0)
                os.write(descriptor, f"process {os.getpid()} on {socket.gethostname()}".encode())
                return descriptor
        os.close(descriptor)


def write_text(path: Path, text: str) -> None:
    """Write `text` to a fresh file beside `path`, then rename it into place."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}{BUILDING}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def sweep(out: Path, names: Iterable[str]) -> None:
    """Put right what a run that was stopped left behind, for all analyses.

    A folder that was moved aside and not yet replaced comes back; half-built folders and files
    go.

    Parameters
    ----------
    out : Path
    names : iterable of str
        Analyses and top-level files; nothing else is touched.
    """
    for name in names:
        final, old = out / name, out / f".{name}{OLD}"
        if old.is_dir():
            if final.exists():
                shutil.rmtree(old)
            else:
                os.replace(old, final)
        for left in [out / f".{name}{BUILDING}", *out.glob(f".{name}.*{BUILDING}")]:
            if left.is_dir() and not left.is_symlink():
                shutil.rmtree(left)
            else:
                left.unlink(missing_ok=True)


def swap_in(building: Path, final: Path) -> None:
    """Put a folder that is complete in the place of the earlier one.

    Files that no run wrote stay in the folder, and are named in a warning.

    Raises
    ------
    DataError
        When a result would overwrite one of them.
    """
    for path in foreign_files(final):
        if (building / path.name).exists():
            raise DataError("a result would overwrite a file that no run wrote",
                            column="out", value=os.fspath(path),
                            allowed="another place for that file")  # fmt: skip
    for path in name_foreign(final):
        if path.is_dir() and not path.is_symlink():
            shutil.copytree(path, building / path.name, symlinks=True)
        else:
            shutil.copy2(path, building / path.name, follow_symlinks=False)
    old = final.with_name(f".{final.name}{OLD}")
    if old.is_dir():
        shutil.rmtree(old)
    if final.exists():
        os.replace(final, old)
    os.replace(building, final)
    if old.is_dir():
        shutil.rmtree(old)


def name_foreign(folder: Path) -> list[Path]:
    """Return `foreign_files` after a warning that names them."""
    found = foreign_files(folder)
    if found:
        names = ", ".join(p.name for p in found)
        warnings.warn(f"{folder}: {names}: no result of a run, left as it is", MetablinWarning,
                      stacklevel=5)  # fmt: skip
    return found


def foreign_files(folder: Path) -> list[Path]:
    """Return what a folder of one analysis holds besides its words, tables and figures."""
    if not folder.is_dir():
        return []
    from metablin.pipeline.store import read_words

    try:
        words: Any = read_words(folder)
        own = {"outcome.json", *(f"{n}.csv" for n in words["tables"])}
        own |= {f"{n}.svg" for n in words["figures"]}
    except (OSError, ValueError, KeyError, TypeError):
        own = {p.name for p in folder.iterdir() if p.suffix in WRITTEN} | {"outcome.json"}
    return sorted(p for p in folder.iterdir() if p.name not in own)
