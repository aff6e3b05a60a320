"""Libraries of the extras: imported where they are used, and named in one line where missing."""

from __future__ import annotations

import importlib
from typing import Any

from metablin.errors import DataError

__all__ = ["needs"]


def needs(module: str, extra: str, otherwise: str = "") -> Any:
    """Return a module of an optional library.

    Parameters
    ----------
    module : str
        Such as ``sksurv.metrics``.
    extra : str
        The extra of metablin that installs it.
    otherwise : str, optional
        What also helps.

    Raises
    ------
    DataError
        When the library is not installed, with the line that installs it.

    Examples
    --------
    >>> needs("nothing_of_the_kind", "survival")
    Traceback (most recent call last):
    ...
    metablin.errors.DataError: nothing_of_the_kind is not installed; allowed: pip install
    "metablin[survival]"
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        library = module.partition(".")[0]
        if (error.name or "").partition(".")[0] != library:
            raise
        raise DataError(
            f"{library} is not installed", allowed=f'pip install "metablin[{extra}]"{otherwise}'
        ) from error
