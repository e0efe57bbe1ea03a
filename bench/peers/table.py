"""What other people's suites say, in one table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Result:
    """One run: of which suite, how, what it counted, and whether that is what should be."""

    suite: str
    run: str
    figures: str
    clean: bool


def show(results: Iterable[Result]) -> int:
    """Prints a line a run, each when it is there; 1 if any is not clean."""
    print("| suite | run | figures | |")
    print("|---|---|---|---|", flush=True)
    clean = True
    for each in results:
        print(
            f"| {each.suite} | {each.run} | {each.figures} | {'ok' if each.clean else 'NOT OK'} |"
        )
        print(end="", flush=True)
        clean &= each.clean
    return 0 if clean else 1
