"""Work ends when the caller leaves, and what went wrong is told as it was."""

from __future__ import annotations

import asyncio

import pytest

from guardproxy.proxy.presence import ClientGone, while_present
from tests.asgi import GONE, WHOLE, Caller, http_scope


async def test_work_runs_to_its_end() -> None:
    done = []

    async def work() -> None:
        await asyncio.sleep(0)
        done.append(1)

    await while_present(http_scope(), Caller(WHOLE).receive, work())

    assert done == [1]


async def test_work_is_cancelled_when_the_caller_leaves() -> None:
    cancelled = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.append(1)

    with pytest.raises(ClientGone):
        await while_present(http_scope(), Caller(WHOLE, GONE).receive, work())

    assert cancelled == [1]


async def test_an_error_of_the_work_is_not_wrapped() -> None:
    async def work() -> None:
        raise LookupError

    with pytest.raises(LookupError):
        await while_present(http_scope(), Caller().receive, work())


async def test_an_error_in_a_group_of_the_work_is_unwrapped() -> None:
    async def fail() -> None:
        raise LookupError

    async def work() -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(fail())

    with pytest.raises(LookupError):
        await while_present(http_scope(), Caller().receive, work())


async def test_an_error_that_the_leaving_brings_about_tells_more_than_the_leaving() -> None:
    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise LookupError

    with pytest.raises(LookupError):
        await while_present(http_scope(), Caller(GONE).receive, work())


async def test_cancelling_from_outside_stays_a_cancellation() -> None:
    began = asyncio.Event()

    async def work() -> None:
        began.set()
        await asyncio.Event().wait()

    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(while_present(http_scope(), Caller().receive, work()))
        await began.wait()
        task.cancel()

    assert task.cancelled()
