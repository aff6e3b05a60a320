"""The documents of the site, read as the build reads them."""

from __future__ import annotations

import sys
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[2] / "site" / "_scripts"
sys.path.insert(0, str(SCRIPTS))

from documents import INLINE, Cell, Document, Prose, frozen, parse  # noqa: E402

sys.path.remove(str(SCRIPTS))

__all__ = ["INLINE", "SCRIPTS", "Cell", "Document", "Prose", "frozen", "parse"]
