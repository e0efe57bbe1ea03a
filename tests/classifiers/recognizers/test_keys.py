"""Keys and tokens by their makers' prefixes; all of these are invented."""

from __future__ import annotations

import random
import string

import pytest

from guardproxy.classifiers.recognizers import Kind, findings, pii_score
from guardproxy.classifiers.recognizers.keys import is_secret, is_varied
from guardproxy.unfinished import LONGEST_VALUE

BODY = "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF3hI6kL9oR2uX5"
HEX = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

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
    "stripe, webhook": "whsec_" + BODY[:32],
    "groq": "gsk_" + (BODY * 2)[:52],
    "xai": "xai-" + (BODY * 2)[:80],
    "perplexity": "pplx-" + (BODY * 2)[:48],
    "tavily": "tvly-" + BODY[:32],
    "tavily, development": "tvly-dev-" + BODY[:32],
    "replicate": "r8_" + BODY[:37],
    "langsmith": "lsv2_pt_" + HEX[:32] + "_" + HEX[:10],
    "databricks": "dapi" + HEX[:32] + "-2",
    "digitalocean": "dop_v1_" + HEX[:64],
    "supabase": "sbp_" + HEX[:40],
    "planetscale": "pscale_tkn_" + BODY[:43],
    "vault": "hvs." + BODY,
    "doppler": "dp.st.dev." + BODY[:40],
    "shopify": "shpat_" + HEX[:32],
    "atlassian": "ATATT3xFfGF0" + (BODY * 5)[:180],
    "linear": "lin_api_" + BODY[:40],
    "notion": "ntn_" + "31415926535" + BODY[:35],
    "figma": "figd_" + BODY[:40],
    "airtable": "pat" + BODY[:14] + "." + HEX[:64],
    "postman": "PMAK-" + HEX[:24] + "-" + HEX[:34],
    "new relic": "NRAK-" + BODY[:27].upper(),
    "grafana": "glsa_" + BODY[:32] + "_" + HEX[:8],
    "sentry": "sntryu_" + HEX[:64],
    "docker": "dckr_pat_" + BODY[:27],
    "rubygems": "rubygems_" + HEX[:48],
    "slack, app": "xapp-1-A01B2C3D4E5-1234567890123-" + HEX[:64],
    "telegram": "1234567890:AA" + BODY[:33],
    "brevo": "xkeysib-" + HEX[:64] + "-" + BODY[:16],
    "age": "AGE-SECRET-KEY-1" + (BODY * 2)[:58].upper(),
    "private key": "-----BEGIN OPENSSH PRIVATE KEY-----",
    "private key, plain": "-----BEGIN PRIVATE KEY-----",
    "pgp": "-----BEGIN PGP PRIVATE KEY BLOCK-----",
}


@pytest.mark.parametrize("maker", KEYS)
def test_a_key_is_found(maker: str) -> None:
    (finding,) = findings(f"use '{KEYS[maker]}' please")

    assert finding.kind is Kind.KEY
    assert finding.end - finding.start == len(KEYS[maker])


@pytest.mark.parametrize("maker", [maker for maker in KEYS if not KEYS[maker].startswith("-")])
def test_a_key_is_known_before_a_stream_lets_its_beginning_go(maker: str) -> None:
    assert pii_score("use " + KEYS[maker][:LONGEST_VALUE]) == 0.99


@pytest.mark.parametrize("before", ["TOKEN_", "export API-KEY-", "url=https://api.acme.io/?key="])
@pytest.mark.parametrize("maker", [maker for maker in KEYS if not KEYS[maker].startswith("-")])
def test_a_key_is_found_behind_its_name(maker: str, before: str) -> None:
    assert [finding.kind for finding in findings(before + KEYS[maker])] == [Kind.KEY]


@pytest.mark.parametrize(
    "text",
    [
        f"AWS_SECRET_ACCESS_KEY={BODY[:40]}",
        f'aws_secret_access_key = "{BODY[:20]}/+{BODY[20:38]}"',
        f"secretKey: {BODY[:40]}",
        f"{BODY[:40]} is the access key",
    ],
)
def test_a_secret_access_key_is_found_beside_its_name(text: str) -> None:
    (finding,) = findings(text)

    assert finding.kind is Kind.KEY
    assert finding.end - finding.start == 40


@pytest.mark.parametrize("header", [17, 100, 6_000])
@pytest.mark.parametrize("claims", [20, 30, 1_500, 20_000])
def test_a_jwt_is_found_by_the_beginning_of_its_claims(header: int, claims: int) -> None:
    token = "eyJ" + (BODY * 200)[:header] + ".eyJ" + (BODY * 500)[:claims]

    for text in (token, f"{token}.{BODY}", f"Bearer {token}.{BODY} ok", f"TOKEN_{token}"):
        (finding,) = findings(text)
        assert finding.kind is Kind.KEY
        assert text[finding.start :].startswith(".eyJ" + BODY[:20])


@pytest.mark.parametrize("position", [15_500, 15_900, 16_300, 16_380, 20_000])
def test_a_long_jwt_is_found_wherever_it_stands_in_a_long_text(position: int) -> None:
    token = "eyJ" + BODY[:40] + ".eyJ" + (BODY * 40)[:1_000] + "." + BODY
    text = ("word " * 4_000)[:position] + " " + token + " word" * 100

    assert pii_score(text) == 0.99


def test_random_keys_are_no_words() -> None:
    source = random.Random(1)  # noqa: S311 - a sample, not a secret
    alphabets = {
        "sk-": string.ascii_letters + string.digits + "-_",
        "sk-or-v1-": "0123456789abcdef",
    }
    for prefix, alphabet in alphabets.items():
        keys = [prefix + "".join(source.choices(alphabet, k=32)) for _ in range(2_000)]
        assert sum(map(is_secret, keys)) >= 1_998


@pytest.mark.parametrize(
    "text",
    [
        "sk-" + "x" * 40,
        "export OPENAI_API_KEY=sk-your-openai-api-key-here",
        "OPENAI_API_KEY=sk-YOUR_API_KEY_GOES_HERE_PLEASE",
        "sk-proj-YourProjectApiKeyGoesHere-please",
        "api_key='sk-replace-with-your-own-key'",
        'class="sk-toggleable__label sk-toggleable__label-arrow"',
        "sk-fading-circle-delay-animation",
        "https://blog.io/sk-learn-tutorial-for-beginners",
        "https://blog.io/sk-learn-tutorial-2024-for-gpt-4o-v2-5f2b9d1c3a4e",
        "glpat-your-gitlab-token-goes-here",
        "xoxb-your-slack-bot-token",
        "github_pat_your_token_goes_right_here",
        "eyJhbGciOiJIUzI1NiJ9.eyJ...",
        "eyJhbGciOiJIUzI1NiJ9.eyJ" + "x" * 40,
        "conf.eyJ" + BODY,
        "sk-your-api-key-here",
        "a task-" + "force " + BODY,
        "AKIA" + "Q3EGRWTZ5XK7HNV",
        "-----BEGIN PUBLIC KEY-----",
        "-----BEGIN CERTIFICATE-----",
        "xoxo-hugs",
        "gsk_your_groq_api_key_goes_right_here_please",
        "xai-research-group-and-its-many-friends-in-the-town",
        "figd_your-personal-access-token-of-the-design-tool",
        "hvs.your-vault-token-goes-here",
        "patients.0123",
        "at 12345678:AA",
        f"AWS commit {HEX[:40]}",
        f"the access key of {BODY[:39]}",
        f"digest {BODY[:40]}",
        "s3://aws/Access/Key/Reports2024/Quarter3/Summary9",
    ],
)
def test_no_key(text: str) -> None:
    assert list(findings(text)) == []


def test_a_placeholder_is_not_varied() -> None:
    assert is_varied(BODY)
    assert not is_varied("x" * 40)


def test_a_name_in_words_is_no_secret() -> None:
    assert is_secret("sk-proj-" + BODY)
    assert not is_secret("sk-proj-your-own-key-goes-here")
