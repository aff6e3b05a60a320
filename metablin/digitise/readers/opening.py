"""Which kind of file it is, by content, and whether it is safe to open."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metablin._extra import needs
from metablin.digitise.readers.drawing import Drawing
from metablin.errors import DataError

__all__ = ["KINDS", "kind_of", "load_pixels", "read_picture"]

KINDS = {
    ".pdf": "PDF", ".svg": "SVG", ".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG",
    ".tif": "TIFF", ".tiff": "TIFF", ".webp": "WebP",
}  # fmt: skip
MAX_PIXELS = 60_000_000
WORKING_PIXELS = 9_000_000  # larger pictures are reduced to this
MIN_SIDE = 60
SIGNS = {
    b"\x89PNG\r\n\x1a\n": "PNG", b"\xff\xd8\xff": "JPEG", b"II*\x00": "TIFF", b"MM\x00*": "TIFF",
}  # fmt: skip


def kind_of(path: Path) -> str:
    """Return the kind of a figure's file.

    Raises
    ------
    DataError
        For a kind that is not read, and where name and content disagree.
    """
    allowed = "PDF, SVG, PNG, JPEG, TIFF or WebP"
    said = KINDS.get(path.suffix.lower())
    with path.open("rb") as handle:
        head = handle.read(4096)
    if not head:
        raise DataError(f"{path.name} is empty", allowed=f"a figure: {allowed}")
    found = _by_content(head)
    if found is None:
        raise DataError(f"{path.name} is not a figure that can be read", allowed=allowed)
    if said is not None and said != found:
        raise DataError(
            f"{path.name} says {said} by its name and is {found} by its content",
            allowed=f"a name that ends in {next(k for k, v in KINDS.items() if v == found)}",
        )
    if said is None:
        raise DataError(f"{path.name} has no name of a figure", allowed=f"{allowed}, by its ending")
    return found


def _by_content(head: bytes) -> str | None:
    for sign, kind in SIGNS.items():
        if head.startswith(sign):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    if b"%PDF-" in head[:1024]:
        return "PDF"
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if text[:1] == b"<" and b"<svg" in head:
        return "SVG"
    return None


def read_picture(source: Path | bytes | NDArray[np.uint8], name: str) -> Drawing:
    """Return a raster drawing without labels.

    Parameters
    ----------
    source : Path, bytes or ndarray
        A file, the bytes of one, or pixels.
    name : str
        What to call it in an error.
    """
    pixels = source if isinstance(source, np.ndarray) else load_pixels(source, name)
    pixels = _working(pixels)
    height, width = pixels.shape[:2]
    return Drawing("raster", float(width), float(height), pixels=pixels)


def load_pixels(source: Path | bytes, name: str) -> NDArray[np.uint8]:
    """Return the pixels of a picture on white paper, after a look at its size."""
    import warnings

    Image = needs("PIL.Image", "figures")

    handle: Any = io.BytesIO(source) if isinstance(source, bytes) else source
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with Image.open(handle) as image:
                _check_size(image.size, name)
                image.load()
                return _on_paper(image)
        except (Image.DecompressionBombError, OSError, SyntaxError, ValueError) as error:
            if isinstance(error, DataError):
                raise
            if isinstance(error, Image.DecompressionBombError):
                raise _too_large(name) from error
            raise DataError(f"{name} is damaged", allowed="a whole picture") from error


def _check_size(size: tuple[int, int], name: str) -> None:
    if size[0] * size[1] > MAX_PIXELS:
        raise _too_large(name, size)
    if min(size) < MIN_SIDE:
        raise DataError(f"{name} has {size[0]} x {size[1]} pixels", allowed="a legible figure")


def _too_large(name: str, size: tuple[int, int] | None = None) -> DataError:
    found = "" if size is None else f" of {size[0] * size[1] / 1e6:.0f} megapixels"
    return DataError(
        f"{name} is a picture{found} too large to read",
        allowed=f"at most {MAX_PIXELS // 10**6} megapixels",
    )


def _on_paper(image: Any) -> NDArray[np.uint8]:
    """Return red, green and blue; what is transparent shows white paper."""
    from PIL import Image

    if image.mode in ("I", "I;16", "F"):
        values = np.asarray(image, dtype=float)
        top = 65535.0 if values.max() > 255 else 255.0
        grey = np.clip(values / top * 255, 0, 255).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        paper = Image.new("RGBA", rgba.size, "white")
        return np.asarray(Image.alpha_composite(paper, rgba).convert("RGB"))
    return np.asarray(image.convert("RGB"))


def _working(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Reduce a very large picture."""
    from PIL import Image

    height, width = pixels.shape[:2]
    if height * width <= WORKING_PIXELS:
        return pixels
    scale = (WORKING_PIXELS / (height * width)) ** 0.5
    size = (round(width * scale), round(height * scale))
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BOX))
