"""Keys and tokens, by the prefixes their makers publish so that scanners can find them.

Not `detect-secrets`: its last release is from 2024, it is built around files and a global
configuration, and what it adds to such prefixes is entropy, which fires on hashes and identifiers.
"""

from __future__ import annotations

import re
from typing import Final

from guardproxy.classifiers.recognizers.finding import Kind, Recognizer, always

KEY_CONFIDENCE: Final = 0.99


_WORD: Final = r"(?:[A-Za-z][a-z]*(?:[A-Z][a-z]+)*\d{0,4}|[A-Z]+\d{0,4}|\d{1,4}|[a-z0-9]{1,3})"
_FIRST_WORDS: Final = re.compile(rf"(?:{_WORD}[_-]++)*+")
_SHORTEST_SECRET: Final = 16
"""Characters of a key behind its prefix, or whatever else in front is made of words."""


def is_varied(candidate: str) -> bool:
    """Not a placeholder such as `sk-xxxxxxxxxxxxxxxxxxxx`."""
    return len(set(candidate[-20:])) >= 8


def is_secret(candidate: str) -> bool:
    """Neither a placeholder nor a name in words, such as `sk-your-key-goes-here`."""
    words = _FIRST_WORDS.match(candidate)
    return is_varied(candidate) and (
        words is None or len(candidate) - words.end() >= _SHORTEST_SECRET
    )


def _key(form: str, trigger: str) -> Recognizer:
    # A name may stand before it, as in `TOKEN_ghp_...`.
    pattern = re.compile(rf"(?<![A-Za-z0-9])(?:{form})(?![A-Za-z0-9_-])")
    return Recognizer(Kind.KEY, KEY_CONFIDENCE, pattern, is_secret, trigger)


KEYS: Final[tuple[Recognizer, ...]] = (
    Recognizer(
        Kind.KEY,
        KEY_CONFIDENCE,
        re.compile(r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,2}PRIVATE KEY(?: BLOCK)?-----"),
        always,
        trigger="PRIVATE KEY",
    ),
    _key(r"(?:AKIA|ASIA)[A-Z2-7]{16}", "IA"),  # Amazon Web Services
    _key(r"AIza[A-Za-z0-9_-]{35}", "AIza"),  # Google
    _key(r"gh[pousr]_[A-Za-z0-9]{36,251}+", "gh"),  # GitHub
    _key(r"github_pat_[A-Za-z0-9_]{22,251}+", "github_pat_"),
    _key(r"glpat-[A-Za-z0-9_-]{20,128}+", "glpat-"),  # GitLab
    _key(r"xox[abeoprs]-[A-Za-z0-9-]{10,251}+", "xox"),  # Slack
    _key(r"sk-(?:[a-z0-9]{2,16}-){0,3}[A-Za-z0-9_-]{20,251}+", "sk-"),  # OpenAI, Anthropic, others
    _key(r"[rs]k_live_[A-Za-z0-9]{16,251}+", "k_live_"),  # Stripe
    _key(r"hf_[A-Za-z0-9]{30,128}+", "hf_"),  # Hugging Face
    _key(r"npm_[A-Za-z0-9]{36}", "npm_"),
    _key(r"pypi-AgE[A-Za-z0-9_-]{50,251}+", "pypi-AgE"),
    _key(r"SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}", "SG."),  # SendGrid
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
