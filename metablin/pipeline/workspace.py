"""A folder of results held by one run at a time, and put right after an interrupted one."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from metablin.errors import DataError
from metablin.report.folder import BUILDING, OLD

try:
    import fcntl
except ImportError:  # Windows has no advisory locks
    fcntl = None  # type: ignore[assignment]

__all__ = ["LOCK", "held", "sweep"]

LOCK = ".lock"


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
