"""The one writer: a file is written whole or not at all, and never over what it was made from.

The bytes go to a new file beside the target whose name nobody can foretell and which must not
exist yet (``O_EXCL``); only when they are on disk is it renamed into place.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from metablin.errors import DataError

__all__ = ["check_outputs", "target_of", "write_bytes", "write_text"]


def target_of(path: Path) -> Path:
    """Return where an output really goes: the file itself, or the regular file a link leads to.

    Raises
    ------
    DataError
        For a pipe, a device, a socket or a link that does not lead to a regular file.
    OSError
        For a folder, and a path whose folder is not there.
    """
    try:
        found = os.stat(path)
    except FileNotFoundError:
        if path.is_symlink():
            raise DataError(f"{path} is a link to nothing", allowed="a file") from None
        if not path.parent.is_dir():
            raise FileNotFoundError(
                errno.ENOENT, os.strerror(errno.ENOENT), str(path.parent)
            ) from None
        return path
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(found.st_mode):
        raise DataError(f"{path} is not a regular file (a {_kind(found.st_mode)})",
                        allowed="a file to write or replace")  # fmt: skip
    return Path(os.path.realpath(path))


def _kind(mode: int) -> str:
    kinds = {stat.S_ISFIFO: "pipe", stat.S_ISSOCK: "socket", stat.S_ISCHR: "device",
             stat.S_ISBLK: "device"}  # fmt: skip
    return next((name for test, name in kinds.items() if test(mode)), "special file")


def check_outputs(outputs: Iterable[Path | None], inputs: Iterable[Path | None] = ()) -> None:
    """Refuse outputs that cannot be written, are an input, or are the same file twice.

    Raises
    ------
    DataError, OSError
        Naming the file.
    """
    read = [p for p in inputs if p is not None and p.exists()]
    seen: list[Path] = []
    for path in outputs:
        if path is None:
            continue
        target = target_of(path)
        for source in read:
            if target.exists() and os.path.samefile(target, source):
                raise DataError(f"{path} is an input; an output never replaces what it was made "
                                "from", allowed="another name")  # fmt: skip
        if any(_same(target, other) for other in seen):
            raise DataError(f"{path} is asked for as two outputs", allowed="two names")
        seen.append(target)


def _same(a: Path, b: Path) -> bool:
    if a.exists() and b.exists():
        return os.path.samefile(a, b)
    return a.parent.resolve() / a.name == b.parent.resolve() / b.name


def write_text(path: Path, text: str, inputs: Iterable[Path | None] = ()) -> None:
    """Write text as UTF-8; see :func:`write_bytes`."""
    write_bytes(path, text.encode("utf-8"), inputs)


def write_bytes(path: Path, data: bytes, inputs: Iterable[Path | None] = ()) -> None:
    """Write a file whole, or leave what was there.

    Parameters
    ----------
    path : Path
        A new file, a regular file (its permissions are kept), or a link to a regular file.
    data : bytes
    inputs : iterable of Path
        Files the data came from; none of them may be `path`.

    Raises
    ------
    DataError
        When the path is an input, a pipe, a device, or a dangling link.
    OSError
        When the system refuses, with `path` as the name.
    """
    path = Path(path)
    check_outputs([path], inputs)
    target = target_of(path)
    with _named(path), _fresh(target) as (handle, temporary):
        if target.exists():
            os.fchmod(handle, stat.S_IMODE(target.stat().st_mode))
        view = memoryview(data)
        while view:
            view = view[os.write(handle, view) :]
        os.fsync(handle)
        os.replace(temporary, target)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Give errors of the system the name the user knows, not that of the temporary file."""
    try:
        yield
    except OSError as error:
        raise type(error)(error.errno, error.strerror, str(path)) from error


@contextmanager
def _fresh(target: Path) -> Iterator[tuple[int, Path]]:
    """Yield a new file beside `target`, open for writing; it is gone afterwards."""
    temporary = target.with_name(f".{target.name[:100]}.{secrets.token_hex(8)}.tmp")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    handle = os.open(temporary, flags, 0o666)
    try:
        yield handle, temporary
    finally:
        os.close(handle)
        with suppress(FileNotFoundError):
            os.unlink(temporary)
