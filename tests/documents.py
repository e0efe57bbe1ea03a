"""Runs the examples of the documents: each fenced block, as a reader would.

What happens to a block depends on its language: `python` runs, `sh` and `bash` run as one script,
`console` runs its `$` lines and compares what they print (`...` stands for anything), `yaml` must
load as a policy, `json` and `toml` must parse, `text` and `diff` are left alone. A comment straight
above the block may say more, one word a comment:

    <!-- test: needs-proxy -->              a proxy runs in front of the example upstream
    <!-- test: needs-proxy: FILE -->        the same, with this policy
    <!-- test: file: NAME -->               all blocks of this document find it as a file
    <!-- test: fragment -->                 yaml: a part of a policy
    <!-- test: exits: N -->                 the last command ends with this status
    <!-- test: skip: REASON -->             only for what would fetch or run this very project

Addresses a reader would have (`http://127.0.0.1:8080`, an API on the internet) are replaced by
those of the servers of the test. `guardproxy serve` goes to the background, and to its end with
the block.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from markdown_it import MarkdownIt

from guardproxy.policy.load import load_policy

ROOT = Path(__file__).parent.parent
DEADLINE = 90
"""Seconds one block may take, start of a proxy included."""

INERT = frozenset({"", "text", "diff", "mermaid"})
SHELLS = frozenset({"sh", "bash", "console"})
DIRECTIVES = frozenset({"needs-proxy", "file", "fragment", "exits", "skip"})
MAY_BE_SKIPPED = re.compile(r"^(make|git clone|cd|pip install|docker|pipx|uv)\b")

_DIRECTIVE = re.compile(r"<!--\s*test:\s*(?P<name>[a-z-]+)(?::\s*(?P<value>.*?))?\s*-->")

_PRELUDE = """
guardproxy() {
    if [ "$1" != serve ]; then "$PYTHON" -m guardproxy "$@"; return; fi
    "$PYTHON" -m guardproxy "$@" & server=$!
    until (exec 3<>"/dev/tcp/127.0.0.1/$GUARDPROXY_PORT") 2>/dev/null; do
        kill -0 "$server" 2>/dev/null || { echo "guardproxy serve ended" >&2; exit 70; }
        sleep 0.05
    done
}
python() { "$PYTHON" "$@"; }
server=
trap 'status=$?; [ -z "$server" ] || { kill "$server"; wait "$server" || true; }; exit $status' EXIT
set -eo pipefail
"""


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its place, its language, and what the comments above it ask for."""

    place: str
    language: str
    text: str
    directives: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where a block runs: an empty home, replaced addresses, further variables."""

    home: Path
    addresses: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)

    def replace(self, text: str) -> str:
        for written, real in self.addresses.items():
            text = text.replace(written, real)
        return text


def blocks_of(text: str, name: str) -> list[Block]:
    """The fenced blocks of a Markdown text, with the comments straight above each."""
    found: list[Block] = []
    directives: dict[str, str] = {}
    for token in MarkdownIt("commonmark").parse(text):
        if token.type == "html_block":
            directives |= _directives(token.content, name)
        elif token.type == "fence":
            line = token.map[0] + 1 if token.map else 0
            language = token.info.split(maxsplit=1)[0] if token.info.strip() else ""
            found.append(Block(f"{name}:{line}", language, token.content, directives))
            directives = {}
        elif directives:
            raise ValueError(f"{name}: a test comment stands above no block: {directives}")
    return found


def _directives(comment: str, name: str) -> dict[str, str]:
    found = {match["name"]: match["value"] or "" for match in _DIRECTIVE.finditer(comment)}
    if unknown := found.keys() - DIRECTIVES:
        raise ValueError(f"{name}: unknown test comment {sorted(unknown)}")
    return found


def files_of(blocks: list[Block]) -> dict[str, str]:
    """The files that blocks of a document stand for."""
    return {b.directives["file"]: b.text for b in blocks if "file" in b.directives}


def skipped_without_need(block: Block) -> list[str]:
    """Commands of a skipped block that could have run."""
    lines = (line.removeprefix("$ ").split("#")[0].strip() for line in block.text.splitlines())
    return [line for line in lines if line and not MAY_BE_SKIPPED.match(line)]


def run(block: Block, where: Surroundings) -> None:
    """Run one block.

    Raises:
        AssertionError: it did not do what the document says.
        PolicyError, ValueError: it cannot be read.
    """
    text = where.replace(block.text)
    if block.language == "python":
        _finish(block, [sys.executable, "-c", text], where)
    elif block.language == "console":
        _converse(block, text, where)
    elif block.language in SHELLS:
        _finish(block, ["bash", "-c", _PRELUDE + text], where)
    else:
        _read(block, text, where)


def _read(block: Block, text: str, where: Surroundings) -> None:
    match block.language:
        case "yaml":
            policy = where.home / "of-the-document.yaml"
            policy.write_text(_whole(text) if "fragment" in block.directives else text, "utf-8")
            load_policy(policy)
        case "json":
            json.loads(text)
        case "toml":
            tomllib.loads(text)
        case language:
            assert language in INERT, f"{block.place}: no way to test a block of {language!r}"


def _whole(fragment: str) -> str:
    """A policy of the fragment and of what every policy needs."""
    given = yaml.safe_load(fragment)
    needed = {
        "name": "name: fragment",
        "input": "input: [{moderation_llm_v2: {action: block}}]",
        "output": "output: []",
    }
    return "\n".join([*(text for key, text in needed.items() if key not in given), fragment])


def _finish(block: Block, command: list[str], where: Surroundings) -> str:
    """Run to the end and return standard output; the status must be what the block says."""
    ended = subprocess.run(
        command,
        cwd=where.home,
        env=where.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    expected = int(block.directives.get("exits", "0"))
    assert ended.returncode == expected, (
        f"{block.place}: status {ended.returncode}, not {expected}\n{ended.stdout}{ended.stderr}"
    )
    return ended.stdout


def _converse(block: Block, text: str, where: Surroundings) -> None:
    exchanges = _exchanges(text)
    mark = "----- next -----"
    commands = f"\nprintf '%s\\n' '{mark}'\n".join(command for command, _ in exchanges)
    said = _finish(block, ["bash", "-c", f"{_PRELUDE}exec 2>&1\n{commands}"], where)
    for (command, promised), real in zip(exchanges, said.split(f"{mark}\n"), strict=True):
        if promised:
            assert matches(promised, real), f"{block.place}: `{command}` printed\n{real}"


def _exchanges(text: str) -> list[tuple[str, str]]:
    """Commands (`$ `, continued by `> `) and the output written under each."""
    exchanges: list[tuple[str, str]] = []
    for line in text.splitlines(keepends=True):
        if line.startswith("$ "):
            exchanges.append((line[2:], ""))
        elif exchanges:
            command, output = exchanges[-1]
            if line.startswith("> ") and not output:
                exchanges[-1] = (command + line[2:], output)
            else:
                exchanges[-1] = (command, output + line)
        else:
            raise ValueError("a console block begins with `$ `")
    return exchanges


def matches(promised: str, real: str) -> bool:
    """Whether the output is the promised one; `...` is anything, spaces at ends do not count."""
    parts = (re.escape(part) for part in _trimmed(promised).split("..."))
    return re.fullmatch(".*".join(parts), _trimmed(real), re.DOTALL) is not None


def _trimmed(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip().splitlines())
