"""Keys and tokens, by the prefixes their makers publish so that scanners can find them.

Not `detect-secrets`: its last release is from 2024, it is built around files and a global
configuration, and what it adds to such prefixes is entropy, which fires on hashes and identifiers.
"""

from __future__ import annotations

import re
from typing import Final

from guardproxy.classifiers.recognizers.finding import Kind, Recognizer, always
from guardproxy.classifiers.recognizers.words import AWS_WORDS

KEY_CONFIDENCE: Final = 0.99


_WORD: Final = r"(?:[A-Za-z][a-z]*(?:[A-Z][a-z]+)*\d{0,4}|[A-Z]+\d{0,4}|\d{1,4}|[a-z0-9]{1,3})"
_FIRST_WORDS: Final = re.compile(rf"(?:{_WORD}[._-]++)*+")
_SIGNS: Final = (re.compile("[a-z]"), re.compile("[A-Z]"), re.compile("[0-9]"))
_SHORTEST_SECRET: Final = 16
"""Characters of a key behind its prefix, or whatever else in front is made of words."""


def is_varied(candidate: str) -> bool:
    """Not a placeholder such as `sk-xxxxxxxxxxxxxxxxxxxx`."""
    return len(set(candidate[-20:])) >= 8


def is_mixed(candidate: str) -> bool:
    """Has small letters, capitals and digits, and no words: no hash in hex, no path."""
    return is_secret(candidate) and all(sign.search(candidate) for sign in _SIGNS)


def is_secret(candidate: str) -> bool:
    """Neither a placeholder nor a name in words, such as `sk-your-key-goes-here`."""
    words = _FIRST_WORDS.match(candidate)
    return is_varied(candidate) and (
        words is None or len(candidate) - words.end() >= _SHORTEST_SECRET
    )


def _key(prefix: str, rest: str, trigger: str = "") -> Recognizer:
    """A key that begins with a prefix; a name may stand before it, as in `TOKEN_ghp_...`.

    The prefix comes first in the pattern: a search for it is ten times as fast as one that begins
    by looking back.
    """
    literal = re.escape(prefix)
    pattern = re.compile(rf"{literal}(?<![A-Za-z0-9]{literal})(?:{rest})(?![A-Za-z0-9_-])")
    return Recognizer(Kind.KEY, KEY_CONFIDENCE, pattern, is_secret, trigger or prefix)


KEYS: Final[tuple[Recognizer, ...]] = (
    Recognizer(
        Kind.KEY,
        KEY_CONFIDENCE,
        re.compile(r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,2}PRIVATE KEY(?: BLOCK)?-----"),
        always,
        trigger="PRIVATE KEY",
    ),
    _key("AKIA", r"[A-Z2-7]{16}"),  # Amazon Web Services
    _key("ASIA", r"[A-Z2-7]{16}"),
    _key("AIza", r"[A-Za-z0-9_-]{35}"),  # Google
    _key("gh", r"[pousr]_[A-Za-z0-9]{36,251}+"),  # GitHub
    _key("github_pat_", r"[A-Za-z0-9_]{22,251}+"),
    _key("glpat-", r"[A-Za-z0-9_-]{20,128}+"),  # GitLab
    _key("xox", r"[abeoprs]-[A-Za-z0-9-]{10,251}+"),  # Slack
    _key("sk-", r"(?:[a-z0-9]{2,16}-){0,3}[A-Za-z0-9_-]{20,251}+"),  # OpenAI, Anthropic, others
    _key("sk_live_", r"[A-Za-z0-9]{16,251}+"),  # Stripe
    _key("rk_live_", r"[A-Za-z0-9]{16,251}+"),
    _key("whsec_", r"[A-Za-z0-9+/]{32,251}+={0,2}+"),  # Stripe's webhooks, and Svix's
    _key("hf_", r"[A-Za-z0-9]{30,128}+"),  # Hugging Face
    _key("npm_", r"[A-Za-z0-9]{36}"),
    _key("pypi-AgE", r"[A-Za-z0-9_-]{50,251}+"),
    _key("SG.", r"[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}"),  # SendGrid
    _key("gsk_", r"[A-Za-z0-9]{32,128}+"),  # Groq
    _key("xai-", r"[A-Za-z0-9]{40,128}+"),
    _key("pplx-", r"[A-Za-z0-9]{40,128}+"),  # Perplexity
    _key("tvly-", r"(?:[a-z]{2,8}-)?+[A-Za-z0-9]{24,128}+"),  # Tavily
    _key("r8_", r"[A-Za-z0-9]{37}"),  # Replicate
    _key("lsv2_", r"[a-z]{2}_[0-9a-f]{32}_[0-9a-f]{10}"),  # LangSmith
    _key("dapi", r"[0-9a-f]{32}(?:-\d)?+"),  # Databricks
    _key("do", r"[opr]_v1_[0-9a-f]{64}", "_v1_"),  # DigitalOcean
    _key("sbp_", r"[0-9a-f]{40}"),  # Supabase
    _key("pscale_", r"(?:tkn|pw|oauth)_[A-Za-z0-9_.=-]{32,128}+"),  # PlanetScale
    _key("hvs.", r"[A-Za-z0-9_-]{24,251}+"),  # HashiCorp Vault
    _key("dp.", r"[a-z]{2,5}\.(?:[a-z0-9_-]{2,35}\.)?+[A-Za-z0-9]{40,44}"),  # Doppler
    _key("shp", r"(?:at|ca|pa|ss)_[0-9a-fA-F]{32}"),  # Shopify
    _key("ATATT3", r"[A-Za-z0-9_=-]{60,251}+"),  # Atlassian
    _key("lin_api_", r"[A-Za-z0-9]{40}"),  # Linear
    _key("ntn_", r"\d{11}[A-Za-z0-9]{35}"),  # Notion
    _key("figd_", r"[A-Za-z0-9_-]{40,128}+"),  # Figma
    _key("pat", r"[A-Za-z0-9]{14}\.[0-9a-f]{64}"),  # Airtable
    _key("PMAK-", r"[0-9a-f]{24}-[0-9a-f]{34}"),  # Postman
    _key("NRAK-", r"[A-Z0-9]{27}"),  # New Relic
    _key("glsa_", r"[A-Za-z0-9]{32}_[0-9a-fA-F]{8}"),  # Grafana
    _key("sntryu_", r"[0-9a-f]{64}"),  # Sentry
    _key("dckr_", r"[op]at_[A-Za-z0-9_-]{27,128}+"),  # Docker
    _key("rubygems_", r"[0-9a-f]{48}"),
    _key("xapp-", r"\d-[A-Z0-9]{8,16}-\d{10,16}-[0-9a-f]{32,128}+"),  # Slack's apps
    Recognizer(
        Kind.KEY,
        KEY_CONFIDENCE,
        # Of Telegram's bots: the number of the bot, then its key.
        re.compile(r"(?<![A-Za-z0-9])\d{8,10}:AA[A-Za-z0-9_-]{33}(?![A-Za-z0-9_-])"),
        is_secret,
        trigger=":AA",
    ),
    _key("xkeysib-", r"[0-9a-f]{64}-[A-Za-z0-9]{16}"),  # Brevo
    _key("AGE-SECRET", r"-KEY-1[A-Z0-9]{58}"),  # age
    Recognizer(
        Kind.KEY,
        KEY_CONFIDENCE,
        # A secret access key has no prefix: it counts beside its name only.
        re.compile(r"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{40}(?![A-Za-z0-9+/=])"),
        is_mixed,
        digits=True,
        near=AWS_WORDS,
    ),
    Recognizer(
        Kind.KEY,
        KEY_CONFIDENCE,
        # A JWT, by the place where its claims begin: a whole one may be longer than what is seen
        # of a text at once.
        re.compile(r"\.eyJ(?<=[A-Za-z0-9_-]{10}\.eyJ)[A-Za-z0-9_-]{20}"),
        is_varied,
        trigger=".eyJ",
    ),
)
