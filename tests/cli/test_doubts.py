from __future__ import annotations

import pytest

from guardproxy.cli.doubts import route_as_base, unknown_variables, unused_routes
from guardproxy.policy.config import PolicyConfig


def test_variables_that_nobody_reads_are_named_with_the_one_that_was_meant() -> None:
    given = ["GUARDPROXY_POLCY", "GUARDPROXY_PORT", "GUARDPROXY_QQQQQQQQ", "PATH"]

    assert list(unknown_variables(given)) == [
        "GUARDPROXY_POLCY: is not read; did you mean GUARDPROXY_POLICY?",
        "GUARDPROXY_QQQQQQQQ: is not read",
    ]


def test_the_links_of_a_kubernetes_service_are_nobodys_mistake() -> None:
    links = ["SERVICE_HOST", "SERVICE_PORT", "SERVICE_PORT_HTTP", "PORT_8080_TCP_ADDR"]

    assert not list(unknown_variables(f"GUARDPROXY_{link}" for link in links))


@pytest.mark.parametrize(
    ("upstream", "doubts"),
    [
        ("https://api.openai.com/v1", 0),
        ("http://127.0.0.1:11434", 0),
        ("https://gateway.example.com/chat", 0),
        ("https://api.openai.com/v1/chat/completions", 1),
        ("https://api.anthropic.com/v1/messages", 1),
    ],
)
def test_an_upstream_that_ends_like_a_route_is_doubted(upstream: str, doubts: int) -> None:
    assert len(list(route_as_base(upstream))) == doubts


def test_a_route_is_doubted_only_for_the_methods_that_are_answered_before() -> None:
    config = PolicyConfig.model_validate(
        {
            "name": "x",
            "input": [{"moderation_llm_v2": {}}],
            "output": [],
            "passthrough": [
                {"path": "/v1/chat/completions", "methods": ["GET"]},
                {"path": "/v1/conversations", "methods": ["GET", "POST"]},
                {"path": "/healthz", "methods": ["POST"]},
            ],
        }
    )

    (doubt,) = unused_routes(config, "x.yaml")

    assert doubt.startswith("x.yaml: passthrough[1]: has no effect: POST /v1/conversations is")
