"""The first lines say what guards what, whatever the policy."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import takewhile

import pytest

from guardproxy.app import verified_model
from guardproxy.cli.banner import banner
from guardproxy.policy.active import activate
from guardproxy.policy.load import load_policy_text, resolve_policy, shipped_policies
from guardproxy.settings import Settings

FOLDER = verified_model(Settings())


def shown(
    text: str | None = None, name: str | None = None, keys: Mapping[str, str] | None = None
) -> list[str]:
    loaded = load_policy_text(text, "here.yaml") if text else resolve_policy(name)
    lines = banner(
        version="1.2.3",
        address="http://127.0.0.1:8080",
        settings=Settings.model_validate(
            {"upstream": "https://api.example.com/v1", **(keys or {})}
        ),
        policy=activate(loaded, FOLDER.manifest.thresholds),
        folder=FOLDER,
    )
    return lines.splitlines()


def line(lines: list[str], word: str) -> str:
    (at,) = [at for at, each in enumerate(lines) if each.startswith(f"{word:<10} ")]
    goes_on = takewhile(lambda each: each.startswith(" " * 11), lines[at + 1 :])
    return " ".join([lines[at], *(each.strip() for each in goes_on)])


@pytest.mark.parametrize("name", shipped_policies())
def test_it_says_everything_for_every_shipped_policy(name: str) -> None:
    lines = shown(name=name)

    assert "http://127.0.0.1:8080/v1 -> https://api.example.com/v1" in line(lines, "guardproxy")
    assert f"{name}@" in line(lines, "policy")
    assert FOLDER.manifest.name in line(lines, "model")
    assert FOLDER.manifest.checksum[:12] in line(lines, "model")
    assert "POST /v1/chat/completions" in line(lines, "guarded")
    assert "GET /v1/models" in line(lines, "passed")
    assert "POST /v1/moderations" in line(lines, "served")
    assert "everything else" in line(lines, "refused")
    assert max(map(len, lines)) <= 110


@pytest.mark.parametrize(
    ("keys", "callers"),
    [
        ({}, "anyone (the caller's own key goes upstream)"),
        ({"upstream_api_key": "sk-1"}, "anyone (the upstream key is added)"),
        ({"upstream_api_key": "sk-1", "client_keys": "sk-2"}, "1 key"),
        ({"upstream_api_key": "sk-1", "client_keys": "sk-2,sk-3"}, "2 keys"),
    ],
)
def test_it_says_who_may_call_and_with_whose_key(keys: Mapping[str, str], callers: str) -> None:
    lines = shown(keys=keys)

    assert line(lines, "callers") == f"callers    {callers}"
    assert "sk-" not in "".join(lines)


TEXT = """
name: told
input:
  - block_on_error: true
    moderation_llm_v2:
      action: block
      custom_category_thresholds: {pii: 0.25, health: 1}
      ignore_other_categories: true
output: []
tool_results: [{moderation_llm_v2: {custom_category_thresholds: {jailbreaking: 0.5}}}]
exempt_roles: [system]
exempt_sha256: [9c0d294c05fc1d88d698034609bb81c0c69196327594e4c69d2915c80fd9850c]
passthrough: [{path: /v1/rerank, methods: [POST]}]
"""


def test_thresholds_what_is_off_what_is_exempt_and_what_passes_are_told() -> None:
    lines = shown(TEXT)

    assert "action block, blocks on error: pii 0.25 (off: health)" in line(lines, "input")
    assert "nothing is judged" in line(lines, "output")
    assert "roles system; texts by sha256: 1" in line(lines, "not judged")
    assert "action none, passes on error" in line(lines, "tools")
    assert "POST /v1/rerank (as raw text)" in line(lines, "guarded")
    assert "image: flag, audio: block, file: block" in line(lines, "unreadable")


def test_what_fails_open_and_judges_nothing_says_so() -> None:
    lines = shown(
        "name: nothing\ninput: [{moderation_llm_v2: "
        "{custom_category_thresholds: {pii: 1}, ignore_other_categories: true}}]\noutput: []\n"
    )

    assert "action none, passes on error: nothing (off: pii)" in line(lines, "input")
