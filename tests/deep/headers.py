"""The sentence in headers, of a request or of an answer."""

from __future__ import annotations

from tests.deep.bodies import Plan
from tests.deep.canary import DISGUISES, ONE_WORD
from tests.dialects.bodies import CANARY

Headers = tuple[tuple[bytes, bytes], ...]

_ASKED = (
    b"x-system-prompt", b"x-title", b"http-referer", b"from", b"user-agent", b"accept",
    b"accept-language", b"openai-organization", b"anthropic-beta", b"x-stainless-os", b"cookie",
    b"x-forwarded-for", b"x_prompt", b"x-guardproxy-policy", b"authorization", b"x-api-key",
    b"idempotency-key", b"x-request-id", b"te", b"traceparent",
)  # fmt: skip
_ANSWERED = (
    b"openai-organization", b"openai-version", b"x-request-id", b"retry-after", b"anthropic-note",
    b"mistral-note", b"x-ratelimit-note", b"content-language", b"www-authenticate", b"set-cookie",
    b"server", b"x-prompt", b"x-ms-region", b"cache-control",
)  # fmt: skip
_UNKNOWN = frozenset({b"x-system-prompt", b"x-title", b"http-referer", b"idempotency-key"})
"""No server reads them by a rule, so that a word in code is read there, too."""
_DRESSES = ("{}", "a=1; {}", "Mozilla/5.0 ({})", 'x; note="{}"', "one, {}", "Bearer {}")


def _sung(plan: Plan, name: bytes) -> str:
    disguises = {**DISGUISES, **ONE_WORD} if name in _UNKNOWN else DISGUISES
    disguise = "plain" if plan.chance(0.6) else plan.rng.choice(sorted(disguises))
    plan.song = disguises[disguise](CANARY)
    plan.says(name.decode(), disguise)
    return plan.rng.choice(_DRESSES[:1] if disguise in ONE_WORD else _DRESSES).format(plan.song)


def asked(plan: Plan) -> Headers:
    """A request's: in one header, or over two."""
    plan.says("header")
    if plan.chance(0.2):
        words = CANARY.split()
        at = plan.rng.randint(2, len(words) - 2)
        plan.song = CANARY
        plan.says("over headers")
        halves = (" ".join(words[:at]).encode(), " ".join(words[at:]).encode())
        return ((b"x-first", halves[0]), (b"x-id", b"7"), (b"x-second", halves[1]))
    name = plan.rng.choice(_ASKED)
    # What is no ASCII is refused as such.
    return ((name, _sung(plan, name).encode()),)


def answered(plan: Plan, kind: str) -> Headers:
    """An answer's, its content type among them."""
    plan.says("header")
    if plan.chance(0.1):
        note = f'{kind}; charset=utf-8; note="{_sung(plan, b"content-type")}"'
        return ((b"content-type", note.encode()),)
    name = plan.rng.choice(_ANSWERED)
    value = _sung(plan, name)
    return ((b"content-type", kind.encode()), (name, value.encode()))


def sing(song: str, headers: Headers) -> bool:
    """Whether the song is in a value, or in all of them together."""
    values = [value.decode("utf-8", "replace") for _, value in headers]
    return any(song in text for text in (*values, " ".join(values)))
