"""What a file is, before anything in it is believed: a workbook, text in some encoding, or neither.

Every reader of the package begins here, so that a picture, a PDF or a digitiser's project ends in
one line that says what it is and what to export in its place.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from metablin.errors import DataError

__all__ = ["Text", "is_workbook", "read_bytes", "read_text"]

MOST_BYTES = 500_000_000
"""Larger than any table of studies, clicks or patients: a disk image given by mistake."""

_CSV = "export the points as CSV"
_PICTURE = "digitise the curve first and give its points as CSV"
_TABLE = "save the sheet as .xlsx or CSV"

_MAGIC: tuple[tuple[bytes, str, str], ...] = (
    (b"%PDF", "a PDF", _PICTURE),
    (b"\x89PNG", "a picture (PNG)", _PICTURE),
    (b"\xff\xd8\xff", "a picture (JPEG)", _PICTURE),
    (b"GIF8", "a picture (GIF)", _PICTURE),
    (b"II*\x00", "a picture (TIFF)", _PICTURE),
    (b"MM\x00*", "a picture (TIFF)", _PICTURE),
    (b"BM", "a picture (BMP)", _PICTURE),
    (b"RIFF", "a picture or sound (RIFF)", _PICTURE),
    (b"%!PS", "a PostScript picture", _PICTURE),
    (b"\xd0\xcf\x11\xe0", "an Excel 97 workbook or another old Office file", _TABLE),
    (b"\x1f\x8b", "a gzip archive (or an R data file)", "unpack it, or write CSV from R"),
    (b"BZh", "a bzip2 archive", "unpack it"),
    (b"\xfd7zXZ", "an xz archive (or an R data file)", "unpack it, or write CSV from R"),
    (b"7z\xbc\xaf", "a 7z archive", "unpack it"),
    (b"RDX", "an R data file", "write CSV from R"),
    (b"PAR1", "a Parquet file", "write CSV"),
    (b"$FL2", "an SPSS file", "write CSV"),
    (b"SAS ", "a SAS file", "write CSV"),
    (b"HEADER RECORD", "a SAS transport file", "write CSV"),
    (b"<stata_dta", "a Stata file", "write CSV"),
    (b"{\\rtf", "a rich-text document", _TABLE),
)

_MARKUP: tuple[tuple[str, str, str], ...] = (
    ("<!doctype engauge", "an Engauge Digitizer project", _CSV),
    ("<document version", "an Engauge Digitizer project", _CSV),
    ("<digitizeit", "a DigitizeIt project", _CSV),
    ("<cochrane_review", "a RevMan 5 review", "`metablin revman` (read_revman) reads it"),
    ("<svg", "a picture (SVG)", _PICTURE),
    ("<html", "a web page", _TABLE),
    ("<!doctype html", "a web page", _TABLE),
)


@dataclass(frozen=True, slots=True)
class Text:
    """A file's text and how its bytes were read; ``encoding`` is empty for plain UTF-8."""

    text: str
    encoding: str = ""


def read_bytes(path: Path) -> bytes:
    """Return the bytes of a file that may be a table, after refusing what is none.

    Raises
    ------
    DataError
        For pictures, PDFs, projects of digitisers, archives and empty files, in one line that says
        what the file is and what to give instead.
    """
    if not path.is_file():
        raise DataError(f"{path.name} is not a file", allowed="a table as text or .xlsx")
    if path.stat().st_size > MOST_BYTES:
        raise DataError(f"{path.name} has more than {MOST_BYTES // 10**6} MB", allowed="a table")
    raw = path.read_bytes()
    if not raw.strip():
        raise DataError(f"{path.name} is empty: it has no data rows",
                        allowed="a header and at least one row")  # fmt: skip
    for start, what, instead in _MAGIC:
        if raw.startswith(start) and not (start == b"BM" and _printable(raw)):
            raise DataError(f"{path.name} is {what}", allowed=instead)
    if path.suffix.lower() == ".dig":
        raise DataError(f"{path.name} is the project of a digitiser", allowed=_CSV)
    if raw[257:262] == b"ustar":
        raise DataError(f"{path.name} is an archive (WebPlotDigitizer saves projects so)",
                        allowed=_CSV)  # fmt: skip
    return raw


def _printable(raw: bytes) -> bool:
    return b"\x00" not in raw[:64]


def is_workbook(path: Path, raw: bytes) -> bool:
    """Tell whether bytes are an Excel workbook; refuse other things in a zip archive."""
    if not raw.startswith(b"PK"):
        return False
    try:
        with zipfile.ZipFile(BytesIO(raw)) as archive:
            names = set(archive.namelist())
            unpacked = sum(item.file_size for item in archive.infolist())
    except zipfile.BadZipFile as error:
        raise DataError(f"{path.name} is a damaged workbook or archive", allowed=_TABLE) from error
    if unpacked > MOST_BYTES:
        raise DataError(f"{path.name} unpacks to more than {MOST_BYTES // 10**6} MB",
                        allowed="a table")  # fmt: skip
    if "xl/workbook.xml" in names:
        return True
    if "content.xml" in names:
        raise DataError(f"{path.name} is an OpenDocument file", allowed=_TABLE)
    if "word/document.xml" in names:
        raise DataError(f"{path.name} is a Word document", allowed=_TABLE)
    if any(name.startswith("xl/") for name in names):
        raise DataError(f"{path.name} is a binary Excel workbook", allowed=_TABLE)
    raise DataError(f"{path.name} is a zip archive", allowed="unpack it")


def read_text(path: Path, raw: bytes) -> Text:
    """Return the text of a file in UTF-8, UTF-16, UTF-32 or Latin-1.

    Raises
    ------
    DataError
        For bytes that are no text, and for text that is a project, a page or a picture.
    """
    found = _decoded(path, raw)
    start = found.text.lstrip()[:2000].lower()
    for mark, what, instead in _MARKUP:
        if start.startswith(mark) or (start.startswith("<?xml") and mark in start):
            raise DataError(f"{path.name} is {what}", allowed=instead)
    if start.startswith("<?xml"):
        raise DataError(f"{path.name} is an XML file", allowed=_TABLE)
    if start.startswith(("{", "[")) and '"' in start:
        project = "axescoll" in start or "datasetcoll" in start or "wpd" in start
        what = "a WebPlotDigitizer project" if project else "a JSON file"
        raise DataError(f"{path.name} is {what}", allowed=_CSV if project else "a table")
    return found


_BOMS: tuple[tuple[bytes, str, str], ...] = (
    (b"\xef\xbb\xbf", "utf-8-sig", "UTF-8 with a byte-order mark"),
    (b"\xff\xfe\x00\x00", "utf-32", "UTF-32"),
    (b"\x00\x00\xfe\xff", "utf-32", "UTF-32"),
    (b"\xff\xfe", "utf-16", "UTF-16"),
    (b"\xfe\xff", "utf-16", "UTF-16"),
)


def _decoded(path: Path, raw: bytes) -> Text:
    for mark, codec, name in _BOMS:
        if raw.startswith(mark):
            return Text(_strict(path, raw, codec, name), name)
    if b"\x00" in raw:
        wide = _without_mark(raw)
        if wide is None:
            raise DataError(f"{path.name} is a binary file", allowed="a table as text or .xlsx")
        return Text(_strict(path, raw, wide, "UTF-16"), "UTF-16")
    try:
        return Text(raw.decode("utf-8"))
    except UnicodeDecodeError:
        return Text(_latin(path, raw), "Latin-1")


def _strict(path: Path, raw: bytes, codec: str, name: str) -> str:
    try:
        return raw.decode(codec)
    except UnicodeDecodeError as error:
        raise DataError(f"{path.name} begins as {name} but is not: byte {error.start + 1}",
                        allowed="save it again as UTF-8") from error  # fmt: skip


def _without_mark(raw: bytes) -> str | None:
    """Return the UTF-16 whose every other byte is zero, as in a table of mostly Latin letters."""
    if len(raw) % 2:
        return None
    half = len(raw) // 2
    even, odd = raw[0::2].count(0), raw[1::2].count(0)
    if odd > 0.5 * half and even == 0:
        return "utf-16-le"
    return "utf-16-be" if even > 0.5 * half and odd == 0 else None


def _latin(path: Path, raw: bytes) -> str:
    """Decode as Windows-1252, the superset of Latin-1 that programs mean; refuse control bytes."""
    try:
        text = raw.decode("cp1252")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    odd = [c for c in text if c < " " and c not in "\t\n\r\f\v"]
    if odd:
        raise DataError(f"{path.name} is a binary file", allowed="a table as text or .xlsx")
    return text
