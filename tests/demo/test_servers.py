from __future__ import annotations

import socket

import click
import httpx
import pytest
from starlette.types import Receive, Scope, Send

from guardproxy.demo.servers import serving
from guardproxy.demo.upstream import example_upstream


async def test_an_app_is_served_for_the_length_of_the_block() -> None:
    async with (
        serving(example_upstream()) as address,
        httpx.AsyncClient(trust_env=False) as client,
    ):
        response = await client.get(f"{address}/models")
    port = httpx.URL(address).port or 0

    assert response.status_code == 200
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


async def test_a_port_that_is_taken_is_one_clear_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        with pytest.raises(click.ClickException, match=r"cannot listen on .*--port"):
            async with serving(example_upstream(), port):
                pytest.fail("nobody can listen there")


async def test_an_app_that_refuses_to_start_is_one_clear_line() -> None:
    async def refusing(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no"})

    with pytest.raises(click.ClickException, match="did not start"):
        async with serving(refusing, lifespan=True):
            pytest.fail("it did not start")
