"""Hazard ratios of a network from whatever each study prints, by a recorded route."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from metablin._input import is_missing, numeric
from metablin.effects import hazard_ratios_reported
from metablin.errors import DataError
from metablin.network.contrasts import contrast_blocks
from metablin.network.data import columns_of, natural, table_of
from metablin.network.fit import NetworkFit
from metablin.network.gls import rows_of
from metablin.network.records import Block, Network
from metablin.network.survival.multivariate import VectorBlock
from metablin.network.survival.vectors import hazard_vectors
from metablin.records import Record, json_dict

__all__ = ["ROUTES", "MixedNetwork", "hazard_network"]

FloatArray = NDArray[np.float64]

ROUTES = {
    "yi": ("log hazard ratio as given", False),
    "reported 1": ("log-rank O - E and V", False),
    "reported 2": ("hazard ratio with interval", False),
    "reported 3": ("hazard ratio and p-value", False),
    "reported 4": ("hazard ratio and events", True),
    "reported 5": ("p-value and events of both arms", True),
    "reported 6": ("p-value and total events", True),
    "reported 7": ("medians and events of both arms", True),
    "median": ("medians and events, exponential survival", True),
    "rate": ("events and person-time, exponential survival", True),
    "counts": ("counts at a common follow-up, complementary log-log", True),
    "patients": ("patients, Cox regression", False),
    "draws": ("reconstructed patients, Cox regression of every draw", False),
}
"""What a route is, and whether it rests on an assumption about the course of the hazard."""

REPORTED = {"estimate": "hr", "conf_low": "low", "conf_high": "high"}
HALF = 0.5
"""What a study with an arm without events, or without survivors, gets added to its counts."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class MixedNetwork(Record):
    """A network of log hazard ratios, and how each study got there.

    Attributes
    ----------
    network : Network
        Ready for :func:`metablin.network_pool`.
    routes : DataFrame
        ``study, route, approximate, draws, reconstruction_share`` (the share of the variance of
        the study's first contrast that comes from reconstruction).
    between : dict of study to ndarray
        Covariance between draws, where patients were reconstructed.
    """

    network: Network
    routes: pd.DataFrame
    between: dict[str, FloatArray]

    def to_frame(self) -> pd.DataFrame:
        """Return one row per study: its route."""
        return self.routes.copy()

    def reconstruction_share(self, fit: NetworkFit) -> pd.DataFrame:
        """Return the share of every effect's variance that comes from reconstructed patients.

        Estimates are linear in the studies' effects, so the covariance between draws is carried
        through the weights of the fit.
        """
        rows = rows_of(self.network)
        size = len(self.network.treatments)
        w = 1 / (rows.v + fit.tau2)
        x = rows.x[:, 1:]
        cov = np.linalg.inv((x * w[:, None]).T @ x)
        carried = np.zeros((size - 1, size - 1))
        for i, b in enumerate(self.network.blocks):
            if b.study not in self.between:
                continue
            at = rows.study == i
            # The change of basis of the study, from its own rows: x_rows = turn @ x_contrasts.
            turn = rows.x[at][:, list(b.arms[1:])]
            pull = cov @ (x[at] * w[at][:, None]).T @ turn
            carried += pull @ self.between[b.study] @ pull.T
        full, extra = np.zeros((size, size)), np.zeros((size, size))
        full[1:, 1:], extra[1:, 1:] = cov, carried
        frame = fit.to_frame()[["treat1", "treat2"]]
        shares = []
        for a, b2 in zip(frame["treat1"], frame["treat2"], strict=True):
            c = np.zeros(size)
            c[self.network.position(a)] += 1
            c[self.network.position(b2)] -= 1
            shares.append(float(c @ extra @ c) / float(c @ full @ c))
        return frame.assign(reconstruction_share=shares)

    def to_dict(self) -> dict[str, Any]:
        """Return network and routes as JSON-ready Python types."""
        return json_dict({"network": self.network.to_dict(), "routes": self.routes})

    def summary(self) -> str:
        """Return the network and the routes in words."""
        return f"{self.network.summary()}\n{self.routes.to_string(index=False)}"


@dataclass(slots=True)
class _Route:
    block: Block
    name: str
    draws: int = 1
    between: FloatArray | None = None


def hazard_network(table: Any = None, patients: Any = None) -> MixedNetwork:
    """Return the network of log hazard ratios of studies that print different things.

    Parameters
    ----------
    table : DataFrame or mapping of columns, optional
        Rows of arms (``study, treatment`` with ``median, events``, or ``events, person_time``, or
        ``events, n``) and rows of contrasts (``study, treat1, treat2`` with ``estimate, conf_low,
        conf_high``, ``yi, vi``, or what :func:`metablin.hazard_ratios_reported` takes), in one
        table; cells that do not apply are empty. The first route that its cells allow is taken.
    patients : DataFrame or mapping of columns, optional
        ``study, treatment, time, event`` of further studies, with ``draw`` where patients were
        reconstructed.

    Returns
    -------
    MixedNetwork

    Raises
    ------
    DataError
        Naming the study that stands in both, or whose arms do not allow one route.

    References
    ----------
    Woods BS, Hawkins N, Scott DA (2010). Network meta-analysis on the log-hazard scale, combining
    count and hazard ratio statistics accounting for multi-arm trials: a tutorial.
    doi:10.1186/1471-2288-10-54

    Examples
    --------
    >>> found = hazard_network({
    ...     "study": ["A", "A", "B"], "treatment": ["x", "y", ""], "events": [20, 30, ""],
    ...     "n": [100, 100, ""], "treat1": ["", "", "y"], "treat2": ["", "", "z"],
    ...     "estimate": ["", "", 0.8], "conf_low": ["", "", 0.6], "conf_high": ["", "", 1.07]})
    >>> found.routes["approximate"].tolist()
    [True, False]
    """
    parts = _from_table(table) if table is not None else {}
    treatments = {t for names, _ in parts.values() for t in names}
    vectors = None if patients is None else hazard_vectors(patients, "constant")
    if vectors is not None:
        treatments |= set(vectors.treatments)
        for b in vectors.blocks:
            if b.study in parts:
                raise DataError("the study stands in the table and among the patients",
                                column="study", value=b.study, allowed="one of them")  # fmt: skip
    if not treatments:
        raise DataError("no study", column="table", allowed="a table, patients, or both")
    order = tuple(sorted(treatments, key=natural))
    place = {t: i for i, t in enumerate(order)}
    routes = [make(place) for _, make in parts.values()]
    if vectors is not None:
        moved = {i: place[t] for i, t in enumerate(vectors.treatments)}
        routes += [_of_patients(b, moved, _draws(patients, b.study)) for b in vectors.blocks]
    return _assembled(order, routes)


def _assembled(order: tuple[str, ...], routes: list[_Route]) -> MixedNetwork:
    rows = []
    for r in routes:
        words, approximate = ROUTES[r.name]
        share = 0.0 if r.between is None else float(r.between[0, 0] / r.block.cov[0, 0])
        rows.append({"study": r.block.study, "route": words, "approximate": approximate,
                     "draws": r.draws, "reconstruction_share": share})  # fmt: skip
    frame = pd.DataFrame(rows)
    rough = frame.loc[frame["approximate"], "study"].tolist()
    notes: tuple[str, ...] = ()
    if rough:
        notes = (f"hazard ratios by an assumption about the hazard: {', '.join(rough)}",)
    network = Network(order, "hr", "log", tuple(r.block for r in routes), None, (), notes)
    between = {r.block.study: r.between for r in routes if r.between is not None}
    return MixedNetwork(network, frame, between)


def _draws(patients: Any, study: str) -> int:
    frame = table_of(patients)
    frame.columns = [c.strip().lower() for c in frame.columns]
    if "draw" not in frame:
        return 1
    return int(frame.loc[frame["study"].astype(str) == study, "draw"].nunique())


def _of_patients(b: VectorBlock, moved: dict[int, int], draws: int) -> _Route:
    """Return the block of a study of patients, its arms numbered as in the whole network."""
    arms = [moved[i] for i in b.arms]
    order = np.argsort(arms)
    turn = np.zeros((len(arms) - 1, len(arms)))
    turn[np.arange(len(arms) - 1), order[1:]] = 1.0
    turn[:, order[0]] -= 1.0
    inner = turn[:, 1:]
    between = inner @ b.between @ inner.T if draws > 1 else None
    block = Block(b.study, tuple(arms[i] for i in order), inner @ b.y[:, 0],
                  inner @ b.cov @ inner.T)  # fmt: skip
    return _Route(block, "draws" if draws > 1 else "patients", draws, between)


def _from_table(table: Any) -> dict[str, tuple[set[str], Any]]:
    """Return by study its treatments, and what makes its route once treatments are numbered."""
    frame = table_of(table)
    found = columns_of(frame)
    named = frame.rename(columns={v: k for k, v in found.items()})
    if "study" not in named:
        raise DataError("the table lacks the column", column="study",
                        allowed=f"found: {', '.join(frame.columns)}")  # fmt: skip
    out: dict[str, tuple[set[str], Any]] = {}
    blank = [i for i, s in enumerate(named["study"]) if is_missing(s)]
    if blank:
        raise DataError("must be filled", row=blank[0] + 1, column="study", value="missing")
    for study, part in named.groupby(named["study"].astype(str), sort=False):
        name = str(study)
        arms = _filled(part, "treatment")
        pairs = _filled(part, "treat1") & _filled(part, "treat2")
        if (arms & pairs).any() or not (arms | pairs).all() or (arms.any() and pairs.any()):
            row = int(part.index[0]) + 1
            raise DataError(
                "neither rows of arms nor rows of contrasts",
                row=row,
                study=name,
                column="treatment",
                allowed="treatment filled, or treat1 and treat2, in all its rows",
            )
        out[name] = _arms(name, part) if arms.any() else _pairs(name, part)
    return out


def _filled(part: pd.DataFrame, column: str) -> NDArray[np.bool_]:
    if column not in part:
        return np.zeros(len(part), dtype=np.bool_)
    return np.array([not is_missing(x) for x in part[column]])


def _arms(study: str, part: pd.DataFrame) -> tuple[set[str], Any]:
    names = [str(t).strip() for t in part["treatment"]]
    if len(names) < 2 or len(set(names)) < len(names):
        raise DataError("a study compares two arms or more, each once", study=study,
                        column="treatment", value=", ".join(names))  # fmt: skip
    y, v, route = _arm_route(study, part, names)

    def make(place: dict[str, int]) -> _Route:
        order = sorted(range(len(names)), key=lambda i: place[names[i]])
        cov = np.diag(v[order][1:]) + v[order][0]
        block = Block(study, tuple(place[names[i]] for i in order), y[order][1:] - y[order][0],
                      cov)  # fmt: skip
        return _Route(block, route)

    return set(names), make


def _arm_route(
    study: str, part: pd.DataFrame, names: list[str]
) -> tuple[FloatArray, FloatArray, str]:
    """Return log hazards of the arms, variances, and the route."""
    at = [f"{study}, {t}" for t in names]

    def read(column: str, **rules: Any) -> FloatArray:
        return numeric(column, part[column].to_numpy(), studies=at, **rules)

    def have(*columns: str) -> bool:
        return all(_filled(part, c).all() for c in columns)

    if have("median", "events"):
        median, events = read("median", above=0), read("events", above=0)
        # Exponential survival: the sample median of d events has variance 1/(d (ln 2)^2) on the log
        # scale, twice that of the rate, which is not what was printed.
        return np.log(np.log(2) / median), 1 / (events * np.log(2) ** 2), "median"
    if have("events", "person_time"):
        events, exposure = read("events", minimum=0, integer=True), read("person_time", above=0)
        events = events + HALF if (events == 0).any() else events
        return np.log(events / exposure), 1 / events, "rate"
    if have("events", "n"):
        events, n = read("events", minimum=0, integer=True), read("n", minimum=1, integer=True)
        over = np.flatnonzero(events > n)
        if over.size:
            raise DataError(
                "more events than patients",
                study=at[over[0]],
                column="events",
                value=f"{events[over[0]]:g}",
                allowed=f"at most n = {n[over[0]]:g}",
            )
        if ((events == 0) | (events == n)).any():
            events, n = events + HALF, n + 2 * HALF
        p = events / n
        log_s = np.log1p(-p)
        return np.log(-log_s), p / (n * (1 - p) * log_s**2), "counts"
    raise DataError("the arms do not allow one route to a hazard", study=study,
                    column="treatment", value=", ".join(names),
                    allowed="median and events, events and person_time, or events and n, of every "
                    "arm")  # fmt: skip


def _pairs(study: str, part: pd.DataFrame) -> tuple[set[str], Any]:
    first = [str(t).strip() for t in part["treat1"]]
    second = [str(t).strip() for t in part["treat2"]]
    for i, (a, b) in enumerate(zip(first, second, strict=True)):
        if a == b:
            raise DataError("the treatment is compared with itself", row=int(part.index[i]) + 1,
                            study=study, column="treat2", value=b)  # fmt: skip
    if _filled(part, "yi").all() and _filled(part, "vi").all():
        y = numeric("yi", part["yi"].to_numpy(), studies=[study] * len(part))
        v = numeric("vi", part["vi"].to_numpy(), above=0, studies=[study] * len(part))
        route = "yi"
    else:
        renamed = part.rename(columns=REPORTED)
        known = [c for c in renamed if c in _REPORTED_COLUMNS]
        e = hazard_ratios_reported(renamed[known].reset_index(drop=True),
                                   studies=[study] * len(part))  # fmt: skip
        y, v = np.asarray(e.yi), np.asarray(e.vi)
        route = f"reported {int(e.counts['method'].max())}"
    shared = None
    if "shared_variance" in part and _filled(part, "shared_variance").all():
        shared = numeric("shared_variance", part["shared_variance"].to_numpy(), above=0)

    def make(place: dict[str, int]) -> _Route:
        order = tuple(sorted(place, key=lambda t: place[t]))
        blocks = contrast_blocks([study] * len(first), first, second, y, v, shared, order)
        return _Route(blocks[0], route)

    return {*first, *second}, make


_REPORTED_COLUMNS = (
    "hr", "low", "high", "level", "p_value", "sides", "events_treatment", "events_control",
    "allocation", "favours", "observed_minus_expected", "variance", "median_treatment",
    "median_control",
)  # fmt: skip
