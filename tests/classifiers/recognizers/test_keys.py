"""Keys and tokens by their makers' prefixes; all of these are invented."""

from __future__ import annotations

import pytest

from guardproxy.classifiers.recognizers import Kind, findings
from guardproxy.classifiers.recognizers.keys import is_varied

BODY = "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF3hI6kL9oR2uX5"

KEYS = {
    "aws": "AKIA" + "Q3EGRWTZ5XK7HNVJ",
    "google": "AIza" + BODY[:35],
    "github": "ghp_" + BODY[:36],
    "github, fine-grained": "github_pat_" + BODY[:40],
    "gitlab": "glpat-" + BODY[:20],
    "slack": "xoxb-" + "123456789012-" + BODY[:24],
    "openai": "sk-" + BODY,
    "openai, project": "sk-proj-" + BODY,
    "anthropic": "sk-ant-api03-" + BODY,
    "stripe": "sk_live_" + BODY[:24],
    "hugging face": "hf_" + BODY[:34],
    "npm": "npm_" + BODY[:36],
    "pypi": "pypi-AgE" + BODY + BODY[:10],
    "sendgrid": "SG." + BODY[:22] + "." + BODY[:43],
    "jwt": "eyJ" + BODY[:20] + ".eyJ" + BODY[:30] + "." + BODY[:43],
    "private key": "-----BEGIN OPENSSH PRIVATE KEY-----",
    "private key, plain": "-----BEGIN PRIVATE KEY-----",
    "pgp": "-----BEGIN PGP PRIVATE KEY BLOCK-----",
}


@pytest.mark.parametrize("maker", KEYS)
def test_a_key_is_found(maker: str) -> None:
    (finding,) = findings(f"use '{KEYS[maker]}' please")

    assert finding.kind is Kind.KEY
    assert finding.end - finding.start == len(KEYS[maker])


@pytest.mark.parametrize(
    "text",
    [
        "sk-" + "x" * 40,
        "sk-your-api-key-here",
        "a task-" + "force " + BODY,
        "AKIA" + "Q3EGRWTZ5XK7HNV",
        "-----BEGIN PUBLIC KEY-----",
        "-----BEGIN CERTIFICATE-----",
        "xoxo-hugs",
    ],
)
def test_no_key(text: str) -> None:
    assert list(findings(text)) == []


def test_a_placeholder_is_not_varied() -> None:
    assert is_varied(BODY)
    assert not is_varied("x" * 40)
