"""Which headers hold text: what a client library says of itself does not, a sentence does."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardproxy.content import Role
from guardproxy.proxy.header_texts import PATH, texts_in, without_texts

SENTENCE = "the canary sings of something forbidden"
UUID = b"7b9e3b1c-5c6f-4e0a-9d5f-0a1b2c3d4e5f"
CHROME = b"AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36"
CLAIMS = {"sub": "accounts.example.com:1122334455", "email": "jane@acme.io", "iat": 1754000000}


def token(claims: object, head: object = None, sign: bytes = b"\xf0\x9f" * 32) -> bytes:
    """A JWT, as gateways put it into headers of many names."""
    parts = (json.dumps(head or {"alg": "ES256", "kid": "0oeLcQ"}), json.dumps(claims))
    signed = [*(part.encode() for part in parts), sign]
    return b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in signed)


STRUCTURE = [
    (b"accept", b"application/json, text/event-stream"),
    (b"accept", b"*/*"),
    (b"accept-encoding", b"identity"),
    (b"accept-language", b"de-DE,de;q=0.9,en-US;q=0.8,en;q=0.7"),
    (b"anthropic-beta", b"tools-2024-04-04, prompt-caching-2024-07-31, a-b-2025-01-01"),
    (b"anthropic-version", b"2023-06-01"),
    (b"api-key", b"0123456789abcdef0123456789abcdef"),
    (b"authorization", b"Bearer " + base64.b64encode(SENTENCE.encode() * 9)),
    (b"authorization", b"AWS4-HMAC-SHA256 Credential=AKIA/2026/us/s3, SignedHeaders=host"),
    (b"cache-control", b"no-cache, no-store, must-revalidate"),
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"http-referer", b"https://example.com/app?a=1"),
    (b"idempotency-key", b"stainless-python-retry-" + UUID),
    (b"if-none-match", b'W/"abc"'),
    (b"ratelimit-policy", b'"burst";q=100;w=60, "daily";q=1000;w=86400'),
    (b"sunset", b"Tue, 30 Jun 2026 00:00:00 GMT"),
    (b"traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    (b"user-agent", b"AsyncOpenAI/Python 3.54.0"),
    (b"user-agent", b"ollama-python/0.4.7 (x86_64 linux) Python/3.11.2"),
    (b"user-agent", b"speakeasy-sdk/python 1.9.3 2.548.6 1.0.0 mistralai"),
    (
        b"user-agent",
        b"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Safari/537.36",
    ),
    (b"www-authenticate", b'Bearer realm="api"'),
    (b"user-agent", b"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) " + CHROME),
    (b"user-agent", b"Mozilla/5.0 (Linux; Android 10; K) " + CHROME),
    (b"x-goog-iap-jwt-assertion", token(CLAIMS)),
    (b"x-amzn-oidc-data", token(CLAIMS) + b"=="),
    (b"x-id-token", b"Bearer " + token({**CLAIMS, "groups": ["a" * 100] * 9})),
    (b"x-serverless-authorization", b"Bearer abcDEF123456"),
    (b"x-ms-region", b"East US 2"),
    (b"x-request-id", UUID),
    (b"x-stainless-async", b"async:asyncio"),
    (b"x-empty", b""),
]
CODED = SENTENCE.encode().hex()
TEXTS = [
    (b"x-prompt", SENTENCE),
    (b"x-prompt", "two words"),
    (b"x-prompt", quote(SENTENCE)),
    (b"x-prompt", base64.b64encode(SENTENCE.encode()).decode()),
    (b"x-prompt", "k=" + base64.b64encode(SENTENCE.encode()).decode()),
    (b"x-prompt", CODED),
    (b"x-prompt", "a" * 129),
    (b"user-agent", SENTENCE),
    (b"user-agent", f"Mozilla/5.0 ({SENTENCE})"),
    (b"user-agent", f"curl/8 {quote(SENTENCE)}"),
    (b"user-agent", f"curl/8 {CODED * 2}"),
    (b"accept", f"application/json;q={SENTENCE}"),
    (b"authorization", SENTENCE),
    (b"authorization", f"Bearer {SENTENCE}"),
    (b"x-api-key", SENTENCE),
    (b"x-api-key", quote(SENTENCE)),
    (b"openai-organization", "".join(f"&#{ord(letter)};" for letter in SENTENCE)),
    (b"mistral-note", "grüße"),
]


@pytest.mark.parametrize("header", STRUCTURE, ids=lambda header: header[0].decode())
def test_what_servers_read_is_no_text(header: tuple[bytes, bytes]) -> None:
    assert texts_in([header]) == ()
    assert without_texts([header]) == [header]


@pytest.mark.parametrize(("name", "text"), TEXTS)
def test_what_a_reader_could_read_is_text(name: bytes, text: str) -> None:
    (part,) = texts_in([(name, text.encode())])

    assert (part.role, part.text, part.path) == (Role.UNKNOWN, text, PATH)
    assert without_texts([(name, text.encode()), (b"pragma", b"x")]) == [(b"pragma", b"x")]


@pytest.mark.parametrize(
    "claims", [{"name": SENTENCE}, {SENTENCE: 1}, {"x": CODED}, {"x": ["a", {"y": SENTENCE}]}]
)
def test_a_sentence_in_a_token_is_text(claims: dict[str, object]) -> None:
    (part,) = texts_in([(b"x-id-token", token({**CLAIMS, **claims}))])

    assert part.text in (SENTENCE, CODED)


def test_a_sentence_in_a_list_of_words_is_text() -> None:
    words = f"once more {SENTENCE} and again".split()

    (part,) = texts_in([(b"x-id-token", token({**CLAIMS, "groups": words}))])

    assert part.text == " ".join(words)
    assert not [*texts_in([(b"x-id-token", token({**CLAIMS, "groups": words[:8]}))])]


def test_a_sentence_in_place_of_a_signature_is_text() -> None:
    value = token(CLAIMS, sign=SENTENCE.encode())

    assert [part.text for part in texts_in([(b"x-id-token", value)])] == [
        value.rpartition(b".")[2].decode()
    ]


@pytest.mark.parametrize(
    "value",
    [
        token(CLAIMS, head={"no": "alg"}),
        token([SENTENCE]),
        token(CLAIMS) + b".x",
        b"Persona " + token(CLAIMS),
        b"eyJhbGciOiJ9." + b"e30." + b"x" * 128,
    ],
)
def test_what_only_looks_like_a_token_is_text(value: bytes) -> None:
    assert [part.text for part in texts_in([(b"x-id-token", value)])]


def test_lines_of_one_name_are_one_list_and_all_texts_are_read_together() -> None:
    headers = [(b"x-a", b"first"), (b"x-b", b"the second"), (b"x-a", b"word")]

    assert [part.text for part in texts_in(headers)] == [
        "first, word", "the second", "first, word\nthe second",
    ]  # fmt: skip
    assert without_texts(headers) == []


def test_a_name_that_is_a_sentence_is_text_too() -> None:
    name = SENTENCE.replace(" ", "-").encode() * 2

    assert [part.text for part in texts_in([(name, b"1")])] == [name.decode()]


def test_bytes_that_are_no_utf8_are_read_as_latin_1() -> None:
    assert texts_in([(b"x-a", b"gr\xfc\xdfe")])[0].text == "grüße"


@given(
    st.lists(
        st.tuples(
            st.sampled_from([b"x-a", b"x-b", b"user-agent", b"authorization", b"openai-x"]),
            st.text(st.characters(codec="latin-1"), max_size=60).map(lambda s: s.encode("latin-1")),
        )
    )
)
def test_a_sentence_among_any_headers_is_found(headers: list[tuple[bytes, bytes]]) -> None:
    found = texts_in([*headers, (b"x-prompt", SENTENCE.encode())])

    assert any(SENTENCE in part.text for part in found)
    assert texts_in(without_texts(headers)) == ()
