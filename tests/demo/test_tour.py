"""What the tour says when things do not go as they must. The good way: `test_command`."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from guardproxy.demo.screen import Screen
from guardproxy.demo.servers import serving
from guardproxy.demo.tour import tour
from guardproxy.demo.upstream import example_upstream


async def _tour(app: Starlette, asked: list[int]) -> tuple[bool, str]:
    shown = io.StringIO()
    screen = Screen(Console(file=shown, width=90, color_system=None))
    async with serving(app) as address:
        good = await tour(address, screen, lambda: asked.pop(0))
    return good, shown.getvalue()


async def test_an_unguarded_api_is_not_as_expected() -> None:
    good, shown = await _tour(example_upstream(pause=0), [0])

    assert not good
    assert "ok  finish_reason: stop" in shown
    assert "NOT AS EXPECTED  the question was answered" in shown
    assert "NOT AS EXPECTED  finish_reason: stop" in shown


@pytest.mark.parametrize("body", [{"error": {"message": "no"}}, {"error": "no"}, ["no"]])
async def test_an_api_that_refuses_everything_is_not_as_expected(body: object) -> None:
    async def refuse(_: Request) -> Response:
        return JSONResponse(body, 403)

    routes = [Route("/v1/chat/completions", refuse, methods=["POST"])]
    good, shown = await _tour(Starlette(routes=routes), [0, 1])

    assert not good
    assert shown.count("NOT AS EXPECTED  openai.PermissionDeniedError") == 3
    assert "the API was asked all the same" in shown
