"""Fits from disk: a pooled result that ``fit.to_json()`` wrote, back again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from metablin.effects import EffectSizes
from metablin.effects.sizes import Counts, Excluded
from metablin.errors import DataError
from metablin.meta.core.fit import SAVED, MetaFit
from metablin.meta.core.moderators import Design, Regression, rebuild_spec
from metablin.meta.core.parts import Analysis, Heterogeneity, SubgroupTest
from metablin.records import decode

__all__ = ["load_fit"]

_RECORDS: dict[str, type] = {
    t.__name__: t
    for t in (
        MetaFit,
        EffectSizes,
        Excluded,
        Analysis,
        Heterogeneity,
        SubgroupTest,
        Regression,
        Design,
    )
}


def load_fit(source: str | Path) -> MetaFit:
    """Return a fit that ``fit.to_json()`` wrote.

    Parameters
    ----------
    source : str or Path
        A file, or the text itself (which begins with a brace).

    Returns
    -------
    MetaFit
        Equal to the one saved, to the last bit; a meta-regression predicts again. It does not know
        what :func:`metablin.pool` was asked for, so that ``update`` is refused.

    Raises
    ------
    DataError
        When the source is no saved fit.

    Examples
    --------
    >>> import metablin as mb
    >>> fit = mb.pool(mb.generic([0.1, 0.3], [0.02, 0.05]))
    >>> mb.load_fit(fit.to_json()).estimate == fit.estimate
    True
    """
    text = source if isinstance(source, str) and source.lstrip().startswith("{") else None
    name = "the text" if text is not None else str(source)
    try:
        if text is None:
            text = Path(source).read_text(encoding="utf-8")
        raw = json.loads(text)
        fit = decode(raw["record"], _build) if raw[SAVED] == 1 else None
    except OSError as error:
        raise DataError("no file that can be read", column="source", value=name,
                        allowed="a path, or the text of fit.to_json()") from error  # fmt: skip
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _wrong(name) from error
    if not isinstance(fit, MetaFit):
        raise _wrong(name)
    return fit


def _wrong(name: str) -> DataError:
    return DataError(f"{name} is no saved fit", allowed="what fit.to_json() gives")


def _build(name: str, fields: dict[str, Any]) -> Any:
    if name == "Design":
        fields["spec"] = rebuild_spec(fields["formula"], fields["columns"])
    if name == "Regression":  # fits saved before the names stood beside the coefficients
        fields.setdefault("terms", fields["design"].terms)
    if name == "EffectSizes":
        fields["counts"] = Counts(fields["counts"])
    return _RECORDS[name](**fields)
