"""One run at a time in a folder of results, and a clean folder to start from."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from metablin.errors import DataError

try:
    import fcntl
except ImportError:  # no such locks on this system: runs are then not kept apart
    fcntl = None  # type: ignore[assignment]

__all__ = ["LOCK", "locked", "repair"]

LOCK = ".lock"
_HELD: set[Path] = set()
"""Folders this process holds, so that a run may publish inside its own lock."""


@contextmanager
def locked(out: Path) -> Iterator[None]:
    """Hold a folder of results for one run; what an interrupted run left behind is mended first.

    The system lets the lock go when the process ends, however it ends.

    Raises
    ------
    DataError
        When another run holds the folder, naming its process.
    """
    home = out.resolve()
    if home in _HELD:
        yield
        return
    out.mkdir(parents=True, exist_ok=True)
    handle = _acquire(out / LOCK)
    _HELD.add(home)
    try:
        repair(out)
        yield
    finally:
        _HELD.discard(home)
        with suppress(FileNotFoundError):
            os.unlink(out / LOCK)  # while it is held: nobody can have it under this name
        os.close(handle)


def _acquire(path: Path) -> int:
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o644)
        if fcntl is not None:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                holder = os.read(handle, 200).decode("utf-8", "replace").strip()
                os.close(handle)
                raise DataError(
                    f"another run is writing into {path.parent} ({holder or 'unknown process'})",
                    allowed="one run at a time: wait for it, or give another --out",
                ) from error
        if _is_still(path, handle):
            os.ftruncate(handle, 0)
            started = time.strftime("%Y-%m-%d %H:%M:%S")
            os.write(handle, f"process {os.getpid()}, since {started}\n".encode())
            return handle
        os.close(handle)  # the holder left and took the file with it: try the new one


def _is_still(path: Path, handle: int) -> bool:
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return False
    own = os.fstat(handle)
    return (found.st_dev, found.st_ino) == (own.st_dev, own.st_ino)


def repair(out: Path) -> None:
    """Undo what an interrupted run left: bring back a folder caught between two renames, sweep up.

    A run first renames ``name`` to ``.name.old`` and then ``.name.tmp`` to ``name``; stopped in
    between, it leaves no ``name``.
    """
    for old in out.glob(".*.old"):
        final = old.with_name(old.name[1 : -len(".old")])
        if final.exists():
            _remove(old)
        else:
            os.replace(old, final)
    for left in out.glob(".*.tmp"):
        _remove(left)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
