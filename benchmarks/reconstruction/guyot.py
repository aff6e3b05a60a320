"""A plain Guyot 2012 reconstruction, written for this benchmark from the paper's description.

Guyot P, Ades AE, Ouwens MJNM, Welton NJ (2012). Enhanced secondary analysis of survival data.
BMC Med Res Methodol 12:9. doi:10.1186/1471-2288-12-9 (algorithm, pages 4-6 and figure 2).
Within each interval of the risk table a number of censorings is guessed, spread evenly; events per
click follow from the fall of the curve; the guess is changed until the next number at risk is met.
With a total number of events the last interval's censoring is changed until the total is met.
"""

from __future__ import annotations

import numpy as np

Array = np.ndarray

ROUNDS = 500


def guyot(
    time: Array,
    survival: Array,
    n: int,
    at_risk: tuple[Array, Array] | None = None,
    events: int | None = None,
) -> tuple[Array, Array]:
    """Return times and event flags of n patients."""
    order = np.argsort(time, kind="stable")
    t, s = np.asarray(time, float)[order], np.asarray(survival, float)[order]
    s = np.minimum.accumulate(np.clip(s, 0, 1))
    if t[0] > 0:
        t, s = np.concatenate([[0.0], t]), np.concatenate([[1.0], s])
    s[0] = 1.0
    r, k = ([0.0], [n]) if at_risk is None else (list(at_risk[0]), [int(x) for x in at_risk[1]])
    keep = [i for i in range(len(r)) if r[i] <= t[-1] and k[i] > 0]
    r, k = [r[i] for i in keep], [k[i] for i in keep]
    lower = [int(np.searchsorted(t, x)) for x in r]
    upper = [*[x - 1 for x in lower[1:]], t.size - 1]
    fit = _Fit(t, s, n)
    lost = [fit.match_table(lower[i], upper[i], k[i], k[i + 1]) for i in range(len(r) - 1)]
    fit.match_total(lower, upper, k[-1], lost, events)
    return _expand(t, fit.d, fit.c, n)


class _Fit:
    """Events d and censorings c at every click, patients at risk, and the curve they give."""

    def __init__(self, t: Array, s: Array, n: int) -> None:
        self.t, self.s = t, s
        self.d, self.c = np.zeros(t.size, int), np.zeros(t.size, int)
        self.at = np.zeros(t.size + 1, int)
        self.at[0] = n
        self.km = np.ones(t.size)
        self.last = 0  # drop of the intervals that are done

    def match_table(self, lo: int, hi: int, start: int, wanted: int) -> int:
        """Change the censorings of one interval until the next number at risk is met."""
        if hi < lo:
            return 0
        base = self.s[lo - 1] if lo else 1.0
        lost = round(start * self.s[min(hi, self.s.size - 1)] / max(base, 1e-9) - wanted)
        last = self.last
        for _ in range(ROUNDS):
            lost = max(lost, 0)
            last = self.interval(lo, hi, lost, start)
            off = self.at[hi + 1] - wanted
            if off == 0 or (off < 0 and lost == 0):
                break
            lost += off
        self.at[hi + 1] = wanted
        self.last = last
        return int(max(lost, 0))

    def match_total(
        self, lower: list[int], upper: list[int], start: int, earlier: list[int], events: int | None
    ) -> None:
        """Change the censorings of the last interval until the total of events is met."""
        t, lo, hi = self.t, lower[-1], upper[-1]
        lost = 0
        if earlier and t[upper[-2]] > t[lower[0]]:
            rate = sum(earlier) / (t[upper[-2]] - t[lower[0]])
            lost = min(round(rate * (t[hi] - t[lo])), start)
        elif events is not None:
            lost = max(start - events, 0) // 2
        for _ in range(ROUNDS):
            self.interval(lo, hi, max(lost, 0), start)
            off = 0 if events is None else int(self.d.sum()) - events
            if off == 0 or (off < 0 and lost <= 0) or lost > start:
                break
            lost += off

    def interval(self, lo: int, hi: int, lost: int, start: int) -> int:
        """Set the events per click, given evenly spread censorings; return the last drop."""
        t, d, c, at, km = self.t, self.d, self.c, self.at, self.km
        where = t[lo] + (np.arange(1, lost + 1) / (lost + 1)) * (t[min(hi + 1, t.size - 1)] - t[lo])
        edges = np.append(t[lo : hi + 1], t[min(hi + 1, t.size - 1)])
        c[lo : hi + 1] = np.histogram(where, bins=edges)[0] if lost and edges[-1] > edges[0] else 0
        at[lo] = start
        last = self.last
        for i in range(lo, hi + 1):
            if i == 0:
                d[i], km[i] = 0, 1.0
            else:
                before = km[last]
                d[i] = round(at[i] * (1 - self.s[i] / before)) if before > 0 and at[i] > 0 else 0
                d[i] = min(max(d[i], 0), at[i])
                km[i] = before * (1 - d[i] / at[i]) if at[i] > 0 else before
            c[i] = min(c[i], at[i] - d[i])
            at[i + 1] = at[i] - d[i] - c[i]
            if d[i] > 0:
                last = i
        return last


def _expand(t: Array, d: Array, c: Array, n: int) -> tuple[Array, Array]:
    nxt = np.append(t[1:], t[-1])
    time = np.concatenate([np.repeat(t, d), np.repeat((t + nxt) / 2, c)])
    flag = np.repeat([1, 0], [d.sum(), c.sum()])
    rest = n - time.size
    if rest > 0:
        time, flag = np.append(time, np.full(rest, t[-1])), np.append(flag, np.zeros(rest, int))
    order = np.lexsort((1 - flag, time))
    return time[order][:n], flag[order][:n]
