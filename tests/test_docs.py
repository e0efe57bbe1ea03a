"""The documents tell the truth: every fenced block runs. `documents` says how."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from guardproxy.errors import PolicyError
from tests.documents import (
    Block,
    Surroundings,
    blocks_of,
    files_of,
    matches,
    run,
    skipped_without_need,
)

ROOT = Path(__file__).parent.parent
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/**/*.md"))]
BLOCKS = {
    page: blocks_of(page.read_text(encoding="utf-8"), page.relative_to(ROOT).as_posix())
    for page in PAGES
}
RUNNING = [(p, b) for p, blocks in BLOCKS.items() for b in blocks if "skip" not in b.directives]
SKIPPED = [b for blocks in BLOCKS.values() for b in blocks if "skip" in b.directives]

PUBLIC_APIS = (
    "https://api.openai.com/v1",
    "https://api.mistral.ai/v1",
    "https://api.anthropic.com/v1",
)
"""What the documents write as `--upstream`; the example upstream stands in for each."""
START_DEADLINE = 60


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def surroundings(home: Path, proxy_port: int, upstream: str) -> Surroundings:
    """An empty home with the project's folders at hand and no variable of the developer's."""
    for name in ("configs", "examples", "docs"):
        (home / name).symlink_to(ROOT / name)
    address = f"127.0.0.1:{proxy_port}"
    return Surroundings(
        home=home,
        addresses={"127.0.0.1:8080": address, "localhost:8080": address}
        | dict.fromkeys(PUBLIC_APIS, upstream),
        environment={
            "HOME": str(home),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHON": sys.executable,
            "GUARDPROXY_PORT": str(proxy_port),
            "OPENAI_API_KEY": "sk-example",
            "MISTRAL_API_KEY": "example",
            "ANTHROPIC_API_KEY": "example",
        },
    )


@contextmanager
def serving(command: list[str], port: int) -> Iterator[str]:
    """A server process that listens; its base address."""
    environment = os.environ | {"GUARDPROXY_PORT": str(port)}
    with (
        # A file, not a pipe: nobody reads while it runs, and a full pipe would stop it.
        tempfile.TemporaryFile("w+") as said,
        subprocess.Popen(command, cwd=ROOT, env=environment, stdout=said, stderr=said) as process,
    ):
        try:
            if not _opens(process, port):
                said.seek(0)
                pytest.fail(f"{command} does not listen:\n{said.read()}")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(timeout=START_DEADLINE)


def _opens(process: subprocess.Popen[bytes], port: int) -> bool:
    deadline = time.monotonic() + START_DEADLINE
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return True
    return False


class Servers:
    """The example upstream, and a proxy for each policy the documents ask for."""

    def __init__(self, owner: ExitStack) -> None:
        self._owner = owner
        self._proxies: dict[str, int] = {}
        self._upstream = ""

    @property
    def upstream(self) -> str:
        if not self._upstream:
            port = free_port()
            command = [sys.executable, "examples/upstream.py", "--port", str(port)]
            self._upstream = self._owner.enter_context(serving(command, port)) + "/v1"
        return self._upstream

    def proxy(self, policy: str) -> int:
        """The port of a proxy with this policy file; the embedded one if it is empty."""
        if policy not in self._proxies:
            port = free_port()
            command = [sys.executable, "-m", "guardproxy", "serve", "--upstream", self.upstream]
            command += ["--policy", policy] if policy else []
            self._owner.enter_context(serving(command, port))
            self._proxies[policy] = port
        return self._proxies[policy]


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    with ExitStack() as owner:
        yield Servers(owner)


@pytest.mark.parametrize(("page", "block"), RUNNING, ids=[b.place for _, b in RUNNING])
def test_examples_do_what_the_documents_say(
    page: Path, block: Block, servers: Servers, tmp_path: Path
) -> None:
    policy = block.directives.get("needs-proxy")
    port = free_port() if policy is None else servers.proxy(policy)
    serves = policy is not None or "serve" in block.text
    where = surroundings(tmp_path, port, servers.upstream if serves else "http://127.0.0.1:9/v1")
    for name, text in files_of(BLOCKS[page]).items():
        (tmp_path / name).write_text(where.replace(text), encoding="utf-8")

    run(block, where)


def test_only_what_would_fetch_or_run_this_project_is_skipped() -> None:
    assert not {b.place: skipped_without_need(b) for b in SKIPPED if skipped_without_need(b)}
    assert all(block.directives["skip"] for block in SKIPPED), "a skipped block says why"


# The runner itself, on small samples.


@pytest.fixture
def where(tmp_path: Path) -> Surroundings:
    return surroundings(tmp_path, 9, "http://127.0.0.1:9/v1")


def sample(language: str, text: str, **directives: str) -> Block:
    named = {name.replace("_", "-"): value for name, value in directives.items()}
    return Block("sample.md:1", language, text, named)


def test_blocks_are_found_with_the_comments_above_them() -> None:
    text = (
        "# A\n\n<!-- test: exits: 2 -->\n<!-- test: needs-proxy -->\n```sh\nfalse\n```\n\n"
        "- in a list\n\n  ~~~~python title=x\n  print(1)\n  ~~~~\n"
    )
    first, second = blocks_of(text, "a.md")

    assert (first.place, first.language) == ("a.md:5", "sh")
    assert first.directives == {"exits": "2", "needs-proxy": ""}
    assert (second.language, second.text, second.directives) == ("python", "print(1)\n", {})


@pytest.mark.parametrize(
    "text", ["<!-- test: typo -->\n```sh\n```\n", "<!-- test: exits: 1 -->\n\nNo block here.\n"]
)
def test_a_comment_that_means_nothing_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"a\.md"):
        blocks_of(text, "a.md")


@pytest.mark.parametrize(
    "block",
    [
        sample("python", "import pathlib; pathlib.Path('x').touch()"),
        sample("sh", "printf 'a\\\nb'\ncurl --version \\\n  >/dev/null"),
        sample("sh", "true\nexit 3", exits="3"),
        sample("console", "$ echo one two\none ...\n$ echo 'a\n> b'\na\nb\n$ true\n"),
        sample("json", '{"a": 1}'),
        sample("toml", "a = 1"),
        sample("text", "anything at all"),
        sample("yaml", "name: a\ninput: [{moderation_llm_v2: {action: block}}]\noutput: []"),
        sample("yaml", "limits: {messages: 2}", fragment=""),
    ],
    ids=lambda block: block.language,
)
def test_an_example_that_holds_passes(block: Block, where: Surroundings) -> None:
    run(block, where)


@pytest.mark.parametrize(
    "block",
    [
        sample("python", "raise SystemExit(1)"),
        sample("sh", "false\ntrue"),
        sample("sh", "false | true"),
        sample("sh", "true", exits="1"),
        sample("console", "$ echo one\ntwo\n"),
        sample("console", "no prompt\n"),
        sample("json", "{"),
        sample("toml", "a"),
        sample("yaml", "limits: {messages: 2}"),
        sample("yaml", "limitz: {messages: 2}", fragment=""),
        sample("klingon", "nuqneH"),
    ],
    ids=lambda block: block.language,
)
def test_an_example_that_does_not_hold_fails(block: Block, where: Surroundings) -> None:
    with pytest.raises((AssertionError, ValueError, PolicyError)):
        run(block, where)


def test_addresses_and_keys_are_those_of_the_test(where: Surroundings) -> None:
    text = (
        "test $OPENAI_API_KEY = sk-example\ntest http://localhost:8080/v1 = http://127.0.0.1:9/v1"
    )

    run(sample("sh", text), where)


def test_dots_stand_for_anything() -> None:
    assert matches("a ... z\n", "a b\nc z")
    assert not matches("a ... z\n", "a b\nc")


def test_a_skipped_block_may_hold_nothing_that_could_run() -> None:
    assert not skipped_without_need(sample("sh", "git clone x\ncd x  # there\n\nmake check"))
    assert skipped_without_need(sample("sh", "guardproxy policy schema")) == [
        "guardproxy policy schema"
    ]
