"""`guardproxy policy hash`: hashes for `exempt_sha256`, and no text."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from guardproxy.cli.policy import policy
from guardproxy.policy.load import load_policy_text

TEXT = "You are a careful agent."
HASH = hashlib.sha256(TEXT.encode()).hexdigest()


def hashed(*arguments: str) -> Result:
    return CliRunner().invoke(policy, ["hash", *arguments])


def test_a_text_is_named_by_its_hash_and_not_shown() -> None:
    result = hashed("--text", TEXT)

    assert result.exit_code == 0
    assert result.stdout == f"- {HASH}  # unknown text, {len(TEXT)} characters\n"


def test_every_text_of_a_request_has_a_line_that_a_policy_takes(tmp_path: Path) -> None:
    request = tmp_path / "request.json"
    messages = [{"role": "system", "content": TEXT}, {"role": "user", "content": "Grüezi"}]
    request.write_text(json.dumps({"model": "m", "messages": messages}))

    result = hashed("--request", str(request))

    assert result.exit_code == 0
    assert "system messages[0].content, 24 characters" in result.stdout
    hashes = yaml.safe_load(result.stdout)
    assert hashes == [HASH, hashlib.sha256("Grüezi".encode()).hexdigest()]
    entries = "input: [{moderation_llm_v2: {}}]\noutput: []\n"
    text = f"name: p\n{entries}exempt_sha256:\n{result.stdout}"
    assert load_policy_text(text, "p.yaml").config.exempt_sha256 == hashes


@pytest.mark.parametrize("body", ["{", '{"messages": 3}', "[" * 5_000_000])
def test_an_unreadable_body_is_one_line(tmp_path: Path, body: str) -> None:
    request = tmp_path / "request.json"
    request.write_text(body)

    result = hashed("--request", str(request))

    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("given", [[], ["--text", "a", "--request", __file__]])
def test_one_source_is_needed(given: list[str]) -> None:
    result = hashed(*given)

    assert result.exit_code == 2
    assert "either --text TEXT or --request FILE" in result.stderr
