"""All of them, in one table: `make peers`, or `python -m bench.peers`.

Needs a package registry: openai-python's tests come from its source archive.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from bench.peers import leak_benchmark, openai_suite
from bench.peers.table import Result, show

TESTS = "tests/peers/test_chunk_invariance.py"


def chunk_invariance() -> Iterator[Result]:
    """The hold-back, in-process."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.xml")
        pytest = [sys.executable, "-m", "pytest", "-q", f"--junitxml={report}", TESTS]
        subprocess.run(pytest, stdout=subprocess.DEVNULL, check=False)
        cases = list(ET.parse(report).iter("testcase"))
    passed = sum(len(case) == 0 for case in cases)
    figures = f"{passed} of {len(cases)} tests passed"
    suite = f"chunk-invariance {version('chunk-invariance')}"
    yield Result(suite, TESTS, figures, clean=passed == len(cases) > 0)


def main() -> int:
    """Runs all; the exit code is 0 if every line is as it should be."""
    parser = argparse.ArgumentParser(description="other people's suites against guardproxy")
    parser.add_argument("--seed", default=leak_benchmark.SEED, help="of the planted values")
    parser.add_argument("--oracle", default=leak_benchmark.ORACLE, help="how they are cut")
    given = parser.parse_args()

    def results() -> Iterator[Result]:
        yield from chunk_invariance()
        yield from openai_suite.results()
        yield from leak_benchmark.results(given.seed, given.oracle)

    return show(results())


if __name__ == "__main__":
    raise SystemExit(main())
