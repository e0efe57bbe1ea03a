"""Which headers travel: hop-by-hop ones never, credentials only where they belong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardproxy.proxy.headers import first, for_client, for_upstream

HOP_BY_HOP = (
    b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization",
    b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade",
)  # fmt: skip
FORWARDING = (
    b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-real-ip",
    b"via", b"cookie",
)  # fmt: skip
REROUTING = (
    b"x-http-method-override", b"x-http-method", b"x-method-override", b"x-original-method",
    b"x-original-url", b"x-original-uri", b"x-rewrite-url", b"x-forwarded-uri",
    b"x-forwarded-method", b"x-forwarded-prefix", b"x-forwarded-path",
)  # fmt: skip
IDENTITY = (b"accept-encoding", b"identity")

names = st.from_regex(rb"[a-z][a-z0-9_-]{0,20}", fullmatch=True) | st.sampled_from(
    HOP_BY_HOP + FORWARDING + (b"authorization", b"x-guardproxy-policy", b"content-type")
)
some_headers = st.lists(st.tuples(names, st.from_regex(rb"[!-~ ]{0,20}", fullmatch=True)))


@pytest.mark.parametrize("name", HOP_BY_HOP + FORWARDING + REROUTING)
def test_what_speaks_of_one_connection_or_of_the_way_here_stays_here(name: bytes) -> None:
    assert for_upstream([(name, b"x")], None) == [IDENTITY]


@pytest.mark.parametrize("name", [b"host", b"content-length", b"accept-encoding", b"expect"])
def test_what_is_ours_to_set_is_not_copied(name: bytes) -> None:
    assert for_upstream([(name, b"x")], None) == [IDENTITY]


@pytest.mark.parametrize("name", [b"x_a", b"authorization_x", b"x-guardproxy-policy"])
def test_names_that_could_pass_for_others_stay_here(name: bytes) -> None:
    assert for_upstream([(name, b"x")], None) == [IDENTITY]


def test_headers_named_in_connection_stay_here() -> None:
    headers = [
        (b"connection", b"close, X-Secret"),
        (b"connection", b"x-other ,"),
        (b"x-secret", b"1"),
        (b"x-other", b"2"),
        (b"x-kept", b"3"),
    ]

    assert for_upstream(headers, None) == [(b"x-kept", b"3"), IDENTITY]
    assert for_client([*headers, (b"x-ratelimit-a", b"4"), (b"connection", b"x-ratelimit-a")]) == []


def test_the_rest_travels_as_it_came_in_order() -> None:
    headers = [(b"b", b"2"), (b"a", b" 1 "), (b"b", b"3"), (b"authorization", b"Bearer k")]

    assert for_upstream(headers, None) == [*headers, IDENTITY]


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ([], (b"authorization", b"Bearer ours")),
        ([b"authorization"], (b"authorization", b"Bearer ours")),
        ([b"api-key"], (b"api-key", b"ours")),
        ([b"x-api-key"], (b"x-api-key", b"ours")),
        ([b"x-api-key", b"authorization"], (b"authorization", b"Bearer ours")),
    ],
)
def test_a_configured_key_replaces_the_callers_where_his_api_wants_it(
    theirs: list[bytes], ours: tuple[bytes, bytes]
) -> None:
    sent = for_upstream([(name, b"Bearer theirs") for name in theirs], "ours")

    assert sent == [IDENTITY, ours]


@given(some_headers, st.none() | st.just("ours"))
def test_nothing_forbidden_travels_whatever_else_does(
    headers: list[tuple[bytes, bytes]], key: str | None
) -> None:
    sent = [name for name, _ in for_upstream(headers, key)]

    assert not set(sent) & {*HOP_BY_HOP, *FORWARDING}
    assert sent.count(b"accept-encoding") == 1
    if key is not None:
        keys = [v for n, v in for_upstream(headers, key) if n == b"authorization"]
        assert keys == [b"Bearer ours"]


@given(some_headers)
def test_an_answers_headers_leave_only_if_they_are_known(
    headers: list[tuple[bytes, bytes]],
) -> None:
    for name, _ in for_client(headers):
        assert name == b"content-type" or name.startswith(b"x-ratelimit-")


@pytest.mark.parametrize(
    "name",
    [
        b"Content-Type", b"retry-after", b"x-request-id", b"openai-organization",
        b"x-ratelimit-remaining-tokens", b"ratelimit-limit", b"anthropic-ratelimit-x",
        b"x-mistral-y", b"www-authenticate", b"deprecation",
    ],
)  # fmt: skip
def test_known_answer_headers_leave_as_they_came(name: bytes) -> None:
    assert for_client([(name, b" Some Value ")]) == [(name.lower(), b" Some Value ")]


@pytest.mark.parametrize(
    "name", [b"set-cookie", b"server", b"content-length", b"location", b"x-guardproxy-verdict"]
)
def test_other_answer_headers_stay_here(name: bytes) -> None:
    assert for_client([(name, b"x")]) == []


def test_the_first_of_a_name_is_found_in_any_case() -> None:
    assert first([(b"A", b"1"), (b"a", b"2")], b"a") == b"1"
    assert first([], b"a") is None
