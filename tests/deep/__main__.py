"""`python -m tests.deep`: many cases, in some processes; exit status 1 if one found something."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tests.deep.run import Figures, rendered, run_cases

_SHOWN = 40


def run_share(seed: str, first: int, end: int, step: int) -> Figures:
    """Every `step`th case, from the first on."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(run_cases(Path(folder), seed, range(first, end, step)))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.deep", description=__doc__)
    parser.add_argument("--cases", type=int, default=100_000, help="requests and answers, together")
    parser.add_argument("--seed", default="guardproxy")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", type=int, help="the number of one case")
    asked = parser.parse_args()
    started, figures = time.monotonic(), Figures()
    if asked.only is not None:
        figures = run_share(asked.seed, asked.only, asked.only + 1, 1)
    else:
        jobs = asked.jobs
        with ProcessPoolExecutor(jobs) as pool:
            shares = [
                pool.submit(run_share, asked.seed, first, -(-asked.cases // 2), jobs)
                for first in range(jobs)
            ]
        for share in shares:
            figures.add(share.result())
    print(rendered(figures))  # noqa: T201 - the report
    for finding in figures.findings[:_SHOWN]:
        print(finding)  # noqa: T201 - the report
    print(  # noqa: T201 - the report
        f"{figures.cases} cases, {len(figures.findings)} findings, "
        f"{figures.canary_bytes} bytes past the guard, {time.monotonic() - started:.0f} s"
    )
    return 1 if figures.findings else 0


if __name__ == "__main__":
    sys.exit(main())
