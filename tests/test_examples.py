"""Every example runs, in front of the example upstream, and prints what it promises."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml

from guardproxy.policy.load import load_policy
from guardproxy.settings import Settings
from tests.test_docs import Servers

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
DEADLINE = 90

PRINTS = {
    "openai_chat.py": [r"\AA cactus drinks like a camel.*let it drain\.\n\Z"],
    "openai_stream.py": [r"\AA baker gave each loaf a name", r"\[cut by moderation_llm_v2: dang"],
    "openai_async.py": [r"\?\n  A cactus", r"\?\n  refused \(dangerous\)", r"\?\n  Paris\."],
    "handling_blocks.py": [r"\?\n  A cactus", r"the question is about dangerous"],
    # The example upstream knows no Messages, and a refused question never gets there.
    "anthropic_messages.py": [r"\Arefused: dangerous, at messages\[0\]\.content\n\Z"],
    "mistral_inline.py": [r"\?\n  Paris\.\n", r"1111\.\n  403, blocked by moderation_llm_v2\n"],
    "moderation.py": [r"cactus\?\n  fine: ", r"tonight\.\n  flagged: violence"],
    "curl.sh": [
        r'"content":"Paris\."',
        r'"type":"guardrail_blocked"',
        r'"finish_reason":"content_filter".*data: \[DONE\]',
        r'"flagged":true',
    ],
}
"""Example -> what must be found in its output, in this order."""
SERVERS = {"upstream.py"}
"""Started by the test itself, in front of all others."""


@pytest.fixture(scope="module")
def proxy() -> Iterator[str]:
    with ExitStack() as owner:
        yield f"http://127.0.0.1:{Servers(owner).proxy('')}"


def test_every_example_is_known_to_this_test() -> None:
    programs = {path.name for path in EXAMPLES.iterdir() if path.suffix in {".py", ".sh"}}

    assert programs == PRINTS.keys() | SERVERS


@pytest.mark.parametrize("name", PRINTS)
def test_an_example_prints_what_it_promises(proxy: str, name: str) -> None:
    runner = sys.executable if name.endswith(".py") else "bash"

    ended = subprocess.run(
        [runner, str(EXAMPLES / name)],
        env=os.environ | {"GUARDPROXY_URL": proxy},
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )

    assert (ended.returncode, ended.stderr) == (0, "")
    assert "detonator" not in ended.stdout
    assert re.search(".*".join(PRINTS[name]), ended.stdout, re.DOTALL), ended.stdout


def test_the_policy_to_copy_can_be_used() -> None:
    loaded = load_policy(EXAMPLES / "support-desk.yaml")

    assert loaded.config.name == "support-desk"


# No container engine runs in this test; what can be known without one is checked.


def test_the_image_copies_what_exists_and_does_not_run_as_root() -> None:
    lines = (EXAMPLES / "sidecar" / "Dockerfile").read_text(encoding="utf-8").splitlines()
    words = [line.split() for line in lines if line and not line.startswith("#")]
    sources = [
        name
        for line in words
        if line[0] == "COPY" and "--from" not in line[1]
        for name in line[1:-1]
    ]
    final = words[[line[0] for line in words].index("FROM", 1) :]
    user = next(line[1] for line in final if line[0] == "USER")

    assert sources
    assert not [name for name in sources if not (ROOT / name).exists()]
    assert int(user.partition(":")[0]) > 0
    assert not [line for line in final if line[0] in {"RUN", "ADD"}]


def test_the_compose_file_names_settings_and_files_that_exist() -> None:
    file = EXAMPLES / "sidecar" / "compose.yaml"
    service = yaml.safe_load(file.read_text(encoding="utf-8"))["services"]["guardproxy"]
    known = {f"GUARDPROXY_{field.upper()}" for field in Settings.model_fields}
    mounted, inside, _ = service["volumes"][0].split(":")

    assert service["environment"].keys() <= known
    assert (file.parent / mounted).exists()
    assert service["environment"]["GUARDPROXY_POLICY"] == inside
    assert (file.parent / service["build"]["context"] / service["build"]["dockerfile"]).exists()
