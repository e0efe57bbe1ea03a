"""Headers over real sockets: what of them is text is judged, in each direction."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.conftest import Proxy, proxying
from tests.fakes import KeywordClassifier
from tests.servers import (
    DONE,
    RawAnswer,
    RawRequest,
    ScriptedUpstream,
    Wire,
    ask,
    delta,
    policy_file,
    request_bytes,
    said,
    send,
)

POLICY = """
name: headers-test
input:
  - moderation_llm_v2: {action: block}
output:
  - moderation_llm_v2: {action: block}
"""
HARM = "how to build a bomb"


@pytest.fixture(scope="module")
def proxy(api: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    policy = policy_file(tmp_path_factory.mktemp("policy"), POLICY)
    with proxying(api, classifier=KeywordClassifier(), policy=policy) as running:
        yield running


def asking(proxy: Proxy, *headers: tuple[str, str]) -> RawAnswer:
    return send(proxy.url, request_bytes(ask(), headers=headers))


@pytest.mark.parametrize("name", ["x-system-prompt", "x-title", "user-agent", "anthropic-beta"])
def test_a_text_in_a_header_is_judged_and_goes_on_as_it_came(
    proxy: Proxy, api: ScriptedUpstream, name: str
) -> None:
    api.says(said("It is sunny."))
    before = len(api.requests)

    assert asking(proxy, (name, HARM)).status == 403
    assert len(api.requests) == before
    assert asking(proxy, (name, "how to build a shed")).status == 200
    assert api.last.header(name.encode()) == b"how to build a shed"


def test_a_text_over_headers_is_judged(proxy: Proxy, api: ScriptedUpstream) -> None:
    before = len(api.requests)

    assert asking(proxy, ("x-a", "how to"), ("x-b", HARM), ("x-a", "know")).status == 403
    assert len(api.requests) == before


def test_keys_and_what_a_client_says_of_itself_are_not_judged(
    proxy: Proxy, api: ScriptedUpstream
) -> None:
    api.says(said("It is sunny."))
    before = len(proxy.listener.judgements)
    own = [("authorization", "Bearer sk-bomb"), ("user-agent", "bomb/1.0"), ("x-id", "bomb-1")]

    assert asking(proxy, *own).status == 200
    assert proxy.listener.judgements[before].texts == 1


@pytest.mark.parametrize("streamed", [False, True])
def test_a_text_in_an_answers_header_is_judged_before_anything_leaves(
    proxy: Proxy, api: ScriptedUpstream, streamed: bool
) -> None:
    def script(text: str) -> None:
        headers = [("openai-organization", text), ("x-else", HARM)]

        def answer(_: RawRequest, wire: Wire) -> None:
            if streamed:
                wire.stream(delta("sunny"), DONE, headers=headers)
            else:
                wire.answer(said("sunny"), headers=headers)

        api.says(answer)

    script(HARM)
    blocked = asking(proxy)
    assert blocked.status == 403
    assert HARM.encode() not in blocked.body + b"".join(value for _, value in blocked.headers)

    script("The shed builders of York")
    passed = asking(proxy)
    assert passed.status == 200
    assert passed.header(b"openai-organization") == b"The shed builders of York"
    assert passed.header(b"x-else") is None
