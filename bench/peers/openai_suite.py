"""openai-python's own tests of its API calls: straight to a mock, and through guardproxy.

    python -m bench.peers.openai_suite

The tests come from the source archive of the installed version, fetched by pip into a temporary
folder. They run three times: against `openai_mock`; through a guardproxy in front of it that
refuses what it refuses by default; and through one whose policy lists the routes and the stored
state that text is not in. Nothing in the mock's words is blocked, so every test must end alike.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import tempfile
import threading
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from bench.peers.openai_mock import Mock
from bench.peers.table import Result, show
from tests.processes import serving

SUITES = (
    "chat", "responses", "test_completions.py", "test_responses.py", "test_embeddings.py",
    "test_moderations.py",
)  # fmt: skip

NOTHING_BLOCKED = """
name: nothing-blocked
input: [{block_on_error: true, moderation_llm_v2: {action: none}}]
output: [{block_on_error: true, moderation_llm_v2: {action: none}}]
unscannable: {image: allow, audio: allow, file: allow}
"""
ALL_LISTED = (
    NOTHING_BLOCKED
    + """
allow_stored_state: true
passthrough:
  - {path: /v1/chat/completions, methods: [GET]}
  - {path: "/v1/chat/completions/{id}", methods: [GET, POST, DELETE]}
  - {path: "/v1/chat/completions/{id}/messages", methods: [GET]}
  - {path: "/v1/responses/{id}", methods: [GET, DELETE]}
  - {path: "/v1/responses/{id}/cancel", methods: [POST]}
  - {path: "/v1/responses/{id}/input_items", methods: [GET]}
"""
)

# What guardproxy says when it does not let a request through, whatever it holds.
_BY_DESIGN = re.compile(
    r"Error code: \d+ - (?:(?:GET|POST|DELETE) (?P<route>/\S+?) is refused"
    r"|(?P<method>GET /\S+: only POST is served here)|(?P<field>previous_response_id|background):)"
)
_IDENTIFIER = re.compile(r"/(?:resp_\w+|response_id|completion_id)\b")


@dataclass(frozen=True, slots=True)
class Comparison:
    """How a run went beside the one straight to the mock; `refused` counts tests by reason."""

    passed: int
    refused: Mapping[str, int]
    differing: tuple[str, ...]

    def figures(self, tests: int) -> str:
        """In words, each reason with its number."""
        reasons = ", ".join(f"`{why}` {times}" for why, times in sorted(self.refused.items()))
        words = f"{self.passed} of {tests} passed, {sum(self.refused.values())} refused by design"
        return "; ".join([f"{words} ({reasons})", f"{len(self.differing)} differ", *self.differing])


def fetch(folder: Path) -> Path:
    """The tests' root: the unpacked source archive of the installed `openai`."""
    wanted = f"openai=={version('openai')}"
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    subprocess.run([*pip, "--no-binary", "openai", "--dest", folder, wanted], check=True)
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        opened.extractall(folder, filter="data")
    return folder / archive.name.removesuffix(".tar.gz")


def run(root: Path, base_url: str) -> dict[str, str]:
    """Each test's name, and its failure; empty if it passed."""
    report = root / "report.xml"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OPENAI")}
    subprocess.run(
        [
            sys.executable, "-m", "pytest", "-q", "-o", "addopts=", "-p", "no:cacheprovider",
            f"--junitxml={report}", *(f"tests/api_resources/{suite}" for suite in SUITES),
        ],
        cwd=root, env=kept | {"TEST_API_BASE_URL": base_url}, stdout=subprocess.DEVNULL,
        check=False,
    )  # fmt: skip
    cases = ET.parse(report).iter("testcase")
    return {f"{case.get('classname')}::{case.get('name')}": _failure(case) for case in cases}


def _failure(case: ET.Element) -> str:
    ends = [child for child in case if child.tag in ("failure", "error", "skipped")]
    return " ".join(f"{end.tag}: {end.get('message')}" for end in ends)


def compare(direct: Mapping[str, str], through: Mapping[str, str]) -> Comparison:
    """Sorts the tests of a run through guardproxy."""
    refused: Counter[str] = Counter()
    differing = []
    for name, failure in through.items():
        if failure == direct[name] == "":
            continue
        if found := _BY_DESIGN.search(failure):
            reason = found["route"] or found["method"] or found["field"]
            refused[_IDENTIFIER.sub("/{id}", reason)] += 1
        else:
            differing.append(f"{name}: {failure[:200]}")
    passed = sum(not failure for failure in through.values())
    return Comparison(passed, refused, tuple(differing))


@contextmanager
def guarded(mock: Mock, folder: Path, policy: str) -> Iterator[str]:
    """The base URL of a guardproxy in front of the mock."""
    file = folder / "policy.yaml"
    file.write_text(policy)
    with serving("--upstream", mock.url, "--policy", str(file)) as running:
        yield running.ready().url + "/v1"


def results() -> Iterator[Result]:
    """The run straight to the mock, and the two through guardproxy beside it."""
    suite = f"openai-python {version('openai')} tests/api_resources"
    with tempfile.TemporaryDirectory() as name, Mock() as mock:
        folder = Path(name)
        threading.Thread(target=mock.serve_forever, daemon=True).start()
        root = fetch(folder)
        direct = run(root, mock.url)
        passed = sum(not failure for failure in direct.values())
        figures = f"{passed} of {len(direct)} passed"
        yield Result(suite, "straight to the mock", figures, clean=passed == len(direct) > 0)
        for title, policy in (("routes as shipped", NOTHING_BLOCKED), ("all listed", ALL_LISTED)):
            with guarded(mock, folder, policy) as url:
                compared = compare(direct, run(root, url))
            yield Result(
                suite,
                f"through guardproxy, {title}",
                compared.figures(len(direct)),
                clean=not compared.differing and compared.passed > 0,
            )
        mock.shutdown()


if __name__ == "__main__":
    raise SystemExit(show(results()))
