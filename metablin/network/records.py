"""What a network is made of: studies as blocks of contrasts with their covariance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from metablin.effects import Excluded
from metablin.errors import DataError
from metablin.records import Record, freeze, json_dict

__all__ = ["Arms", "Block", "Network", "needs_network"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """One study: its arms, and the effects of all but the first against the first.

    Attributes
    ----------
    study : str
        Label.
    arms : tuple of int
        Positions of the arms in the network's treatments, ascending; the first is the base.
    y : ndarray, shape (r,)
        Effects of ``arms[1:]`` against ``arms[0]`` on the analysis scale.
    cov : ndarray, shape (r, r)
        Their sampling covariance.
    """

    study: str
    arms: tuple[int, ...]
    y: FloatArray
    cov: FloatArray

    def __post_init__(self) -> None:
        freeze(self)

    def pair(self, first: int, second: int) -> tuple[float, float]:
        """Return effect and sampling variance of treatment `first` against `second`."""
        c = np.zeros(len(self.y) + 1)
        c[self.arms.index(first)] += 1
        c[self.arms.index(second)] -= 1
        return float(c[1:] @ self.y), float(c[1:] @ self.cov @ c[1:])


@dataclass(frozen=True, slots=True, eq=False)
class Arms:
    """The numbers of every arm, where the table gave arms.

    Attributes
    ----------
    study, treatment : ndarray of int, shape (a,)
        Positions in :attr:`labels` and in the network's treatments.
    labels : tuple of str
        Studies of the table, those without an effect size included.
    columns : mapping of str to ndarray, shape (a,)
        ``events`` and ``n``, ``events`` and ``person_time``, or ``mean``, ``sd`` and ``n``.
    """

    study: IntArray
    treatment: IntArray
    labels: tuple[str, ...]
    columns: Mapping[str, FloatArray]

    def __post_init__(self) -> None:
        freeze(self)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Network(Record):
    """Studies that compare treatments, ready for :func:`metablin.network_pool`.

    Attributes
    ----------
    treatments : tuple of str
        Sorted labels.
    measure, transform : str
        As asked for, and what was applied to reach the analysis scale (``log`` or ``none``).
    blocks : tuple of Block
        One per study.
    arms : Arms or None
        The numbers behind the effects.
    excluded : tuple of Excluded
        Studies without an effect size, with the reason.
    notes : tuple of str
        What was understood of the table, and what was corrected.
    """

    treatments: tuple[str, ...]
    measure: str
    transform: str
    blocks: tuple[Block, ...]
    arms: Arms | None = None
    excluded: tuple[Excluded, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def studies(self) -> tuple[str, ...]:
        """Labels of the studies."""
        return tuple(b.study for b in self.blocks)

    @property
    def k(self) -> int:
        """Number of studies."""
        return len(self.blocks)

    @property
    def m(self) -> int:
        """Number of pairwise comparisons, all pairs of a multi-arm study counted."""
        return sum(len(b.arms) * (len(b.arms) - 1) // 2 for b in self.blocks)

    @property
    def designs(self) -> tuple[tuple[int, ...], ...]:
        """Sets of treatments compared within one study, sorted."""
        return tuple(sorted({b.arms for b in self.blocks}))

    @property
    def multi_arm(self) -> tuple[str, ...]:
        """Studies with three arms or more."""
        return tuple(b.study for b in self.blocks if len(b.arms) > 2)

    @property
    def components(self) -> tuple[tuple[str, ...], ...]:
        """Parts of the network between which no study compares; one when it is connected."""
        part = list(range(len(self.treatments)))

        def root(i: int) -> int:
            while part[i] != i:
                part[i] = i = part[part[i]]
            return i

        for b in self.blocks:
            base = root(b.arms[0])
            for t in b.arms[1:]:
                part[root(t)] = base
        groups: dict[int, list[str]] = {}
        for i, name in enumerate(self.treatments):
            groups.setdefault(root(i), []).append(name)
        return tuple(sorted(map(tuple, groups.values()), key=lambda p: (-len(p), p)))

    @property
    def connected(self) -> bool:
        """Whether every treatment is tied to every other by a chain of studies."""
        return len(self.components) == 1

    def describe_parts(self) -> str:
        """Return one sentence that names the parts and what would connect them."""
        parts = [f"{{{', '.join(part)}}}" for part in self.components]
        if len(parts) == 1:
            return f"connected: {parts[0]}"
        return (
            f"the network falls into {len(parts)} parts: {' and '.join(parts)}; a study that "
            f"compares {self.components[0][0]}, or another treatment of the first part, with "
            f"{' and with '.join(p[0] for p in self.components[1:])} would connect them"
        )

    def position(self, treatment: object, argument: str = "reference") -> int:
        """Return the position of a treatment.

        Raises
        ------
        DataError
            When no study has it.
        """
        if str(treatment) not in self.treatments:
            raise DataError("no study has this treatment", column=argument, value=treatment,
                            allowed=" | ".join(self.treatments))  # fmt: skip
        return self.treatments.index(str(treatment))

    def geometry(self) -> pd.DataFrame:
        """Return one row per comparison made within a study.

        Returns
        -------
        DataFrame
            ``treat1, treat2, studies`` (number), ``multi_arm`` (how many of them have more than
            two arms) and ``n`` (patients of the two arms, missing where the table had none).
        """
        count: Counter[tuple[int, int]] = Counter()
        multi: Counter[tuple[int, int]] = Counter()
        for b in self.blocks:
            pairs = list(combinations(b.arms, 2))
            count.update(pairs)
            multi.update(pairs if len(b.arms) > 2 else [])
        patients = self._patients()
        rows = [
            {
                "treat1": self.treatments[i],
                "treat2": self.treatments[j],
                "studies": count[i, j],
                "multi_arm": multi[i, j],
                "n": patients.get((i, j), np.nan),
            }
            for i, j in sorted(count)
        ]
        return pd.DataFrame(rows)

    def nodes(self) -> pd.DataFrame:
        """Return one row per treatment: ``treatment, studies, n`` (patients) and its part."""
        part = {t: p for p, names in enumerate(self.components, start=1) for t in names}
        arms = [t for b in self.blocks for t in b.arms]
        out = pd.DataFrame(
            {
                "treatment": list(self.treatments),
                "studies": np.bincount(arms, minlength=len(self.treatments)),
                "n": np.nan,
                "component": [part[t] for t in self.treatments],
            }
        )
        if self.arms is not None and "n" in self.arms.columns:
            weights = self.arms.columns["n"]
            out["n"] = np.bincount(self.arms.treatment, weights, minlength=len(self.treatments))
        return out

    def _patients(self) -> dict[tuple[int, int], float]:
        if self.arms is None or "n" not in self.arms.columns:
            return {}
        found: Counter[tuple[int, int]] = Counter()
        inside = set(self.studies)
        for s in np.unique(self.arms.study):
            if self.arms.labels[s] not in inside:
                continue
            at = np.flatnonzero(self.arms.study == s)
            n = dict(zip(self.arms.treatment[at].tolist(), self.arms.columns["n"][at].tolist(),
                         strict=True))  # fmt: skip
            for i, j in combinations(sorted(n), 2):
                found[i, j] += n[i] + n[j]
        return dict(found)

    def to_frame(self) -> pd.DataFrame:
        """Return one row per study and pair of its arms, on the analysis scale."""
        rows = []
        for b in self.blocks:
            for i, j in combinations(b.arms, 2):
                y, v = b.pair(i, j)
                rows.append((b.study, self.treatments[i], self.treatments[j], y, v, len(b.arms)))
        return pd.DataFrame(rows, columns=["study", "treat1", "treat2", "yi", "vi", "arms"])

    def summary(self) -> str:
        """Return the network in words."""
        lines = [
            f"Network of {len(self.treatments)} treatments, {self.k} "
            f"{'study' if self.k == 1 else 'studies'} ({len(self.multi_arm)} with more than two "
            f"arms), {self.m} comparisons in {len(self.designs)} designs, measure {self.measure}",
            self.describe_parts(),
            self.geometry().dropna(axis=1, how="all").to_string(index=False),
        ]
        lines += [f"Note: {note}" for note in self.notes]
        lines += [f"Excluded: {x.study} ({x.reason})" for x in self.excluded]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return the network as JSON-ready Python types."""
        return json_dict(
            {
                "measure": self.measure,
                "treatments": list(self.treatments),
                "k": self.k,
                "m": self.m,
                "designs": [[self.treatments[i] for i in d] for d in self.designs],
                "components": [list(c) for c in self.components],
                "contrasts": self.to_frame(),
                "geometry": self.geometry(),
                "excluded": [
                    {"study": x.study, "row": x.row, "reason": x.reason} for x in self.excluded
                ],
                "notes": list(self.notes),
            }
        )


def needs_network(value: object, connected: bool = True) -> Network:
    """Return `value` after checking that it is a network, and one piece.

    Raises
    ------
    DataError
        Naming the parts of a disconnected network and what would connect them.
    """
    if not isinstance(value, Network):
        raise DataError("not a network", column="network", value=type(value).__name__,
                        allowed="what metablin.network returns")  # fmt: skip
    if connected and not value.connected:
        raise DataError(value.describe_parts(), column="treatment")
    return value
