"""Try 100,000 random inputs; say how many each function and command took, and what went wrong.

Usage: ``python -m tests.fuzz [--inputs N] [--seed N] [NAME ...]``. Exits with 1 when there is a
fault; its smallest example is printed.
"""

from __future__ import annotations

import argparse
import functools
import sys
import time
from collections.abc import Callable

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.fuzz.commands import COMMANDS, attempt, tables
from tests.fuzz.engine import Draw, tried
from tests.fuzz.targets import TARGETS


def run(once: Callable[[Draw], object], inputs: int, number: int) -> tuple[int, str]:
    """Return how many inputs were tried and the first fault, or an empty text."""
    count = 0

    @seed(number)
    @settings(
        max_examples=inputs, deadline=None, database=None,
        phases=(Phase.generate, Phase.shrink), suppress_health_check=list(HealthCheck),
        print_blob=False,
    )  # fmt: skip
    @given(data=st.data())
    def attempt(data: st.DataObject) -> None:
        nonlocal count
        count += 1
        once(data.draw)

    try:
        attempt()
    except Exception as error:
        each = error.exceptions if isinstance(error, ExceptionGroup) else (error,)
        lines = [
            f"{type(e).__name__}: {e}\n" + "\n".join(getattr(e, "__notes__", ())) for e in each
        ]
        return count, "\n".join(lines)
    return count, ""


def _command(name: str, draw: Draw) -> int:
    return attempt(name, draw(tables(name)), draw(COMMANDS[name]))


def main() -> None:
    """Run the functions named on the command line, or all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="functions (default: all)")
    parser.add_argument("--inputs", type=int, default=100_000, help="inputs in all")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    known = {**{n: functools.partial(tried, t) for n, t in TARGETS.items()},
             **{f"metablin {n}": functools.partial(_command, n) for n in COMMANDS}}  # fmt: skip
    names = asked.names or list(known)
    unknown = [n for n in names if n not in known]
    if unknown:
        sys.exit(f"unknown function {unknown[0]!r}; there are: {', '.join(known)}")
    total, faults = 0, {}
    for name in names:
        start = time.process_time()
        count, fault = run(known[name], max(1, asked.inputs // len(names)), asked.seed)
        total += count
        print(f"{name}: {count} inputs, {time.process_time() - start:.0f} s of CPU, "
              f"{'a fault' if fault else 'no fault'}", flush=True)  # fmt: skip
        if fault:
            faults[name] = fault
            print(fault, flush=True)
    print(f"{total} inputs, faults: {len(faults)}")
    if faults:
        sys.exit(1)


if __name__ == "__main__":
    main()
