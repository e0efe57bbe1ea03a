"""Ends of processes and changes of policy while everybody goes on asking."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.faults.api import CARD, sentence
from bench.faults.load import Callers, Sample, api, question, ready, streamed_question
from tests.processes import Running, serving

# Question and answer hold a number that `pii` is sure of. One kind of policy blocks it in the
# question, the other in the answer: a request that meets a bit of both may not be blocked at all.
_BOTH = """
name: {name}
input: [{{block_on_error: true, moderation_llm_v2: {{action: block,
  ignore_other_categories: true, custom_category_thresholds: {{pii: {asked}}}}}}}]
output: [{{block_on_error: true, moderation_llm_v2: {{action: block,
  ignore_other_categories: true, custom_category_thresholds: {{pii: {answered}}}}}}}]
"""
_SURE, _NEVER = 0.5, 1


def policy_text(number: int) -> str:
    """Blocks every question if the number is even, every answer if it is odd."""
    asked, answered = (_SURE, _NEVER) if number % 2 == 0 else (_NEVER, _SURE)
    return _BOTH.format(name=f"number-{number}", asked=asked, answered=answered)


# ---- reloads -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reloads:
    """What came of so many changes of the file, each with a SIGHUP."""

    changes: int
    unusable: int
    loaded: int
    refused: int
    requests: int
    sent_away: int
    failed: int
    mixed: int
    never_valid: int
    policies_seen: int


def change_policy(file: Path, number: int) -> bool:
    """Writes the next policy; whether it can be used."""
    text, fresh = policy_text(number), file.with_suffix(".new")
    match number % 3:
        case 1:
            text = text.replace("block_on_error", "block_on_eror", 1)
        case 2:
            # As an editor that is not careful: in place, and not whole yet.
            file.write_text(text[: len(text) * 2 // 3], encoding="utf-8")
    if number % 3 != 2:
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(file)
    return number % 3 == 0


def reloads(changes: int = 200, every: float = 0.25, rate: float = 10) -> Reloads:
    """Changes the policy while requests come; a third of the changes is invalid, a third half."""
    with tempfile.TemporaryDirectory() as folder, api() as upstream:
        file = Path(folder, "policy.yaml")
        file.write_text(policy_text(0), encoding="utf-8")
        with serving(
            "--upstream", upstream, policy=str(file), log_level="error", classifier_timeout="20",
            cache_entries="0",
        ) as proxy:  # fmt: skip
            url, pid = ready(proxy), proxy.process.pid
            over = threading.Event()
            valid = {"number-0"}
            answers: list[tuple[int, str, str]] = []

            def change() -> None:
                for number in range(1, changes + 1):
                    valid.add(f"number-{number - number % 3}")
                    change_policy(file, number)
                    os.kill(pid, signal.SIGHUP)
                    time.sleep(every)
                over.set()

            threading.Thread(target=change, daemon=True).start()
            asyncio.run(_ask_until(url, over, rate, answers))
            loaded = metric(proxy, "guardproxy_policy_reloads_total", 'result="loaded"')
            refused = metric(proxy, "guardproxy_policy_reloads_total", 'result="refused"')
    judged = [answer for answer in answers if answer[0] in (200, 403)]
    return Reloads(
        changes=changes,
        unusable=sum(number % 3 != 0 for number in range(1, changes + 1)),
        loaded=int(loaded),
        refused=int(refused),
        requests=len(answers),
        sent_away=sum(status == 503 for status, _, _ in answers),
        failed=sum(status not in (200, 403, 503) for status, _, _ in answers),
        mixed=sum(is_mixed(*answer) for answer in judged),
        never_valid=sum(name not in valid for _, name, _ in judged),
        policies_seen=len({name for _, name, _ in judged}),
    )


def is_mixed(status: int, name: str, place: str) -> bool:
    """Not judged as the policy that it names says."""
    number = int(name.rpartition("-")[2] or 0)
    return status == 200 or place != ("messages" if number % 2 == 0 else "choices")


async def _ask_until(
    url: str, over: threading.Event, rate: float, answers: list[tuple[int, str, str]]
) -> None:
    callers = Callers(url)

    async def one() -> None:
        sample = await callers.ask(question("card", text=f"{sentence(5)} {CARD}"))
        name = sample.policy.partition("@")[0]
        answers.append((sample.status, name, place_of(sample.body)))

    async with asyncio.TaskGroup() as tasks:
        while not over.is_set():
            tasks.create_task(one())
            await asyncio.sleep(1 / rate)
    callers.close()


def place_of(body: bytes) -> str:
    """Where what was blocked stood: in the `messages` of the question, or in the `choices`."""
    found = [place for place in ("messages", "choices") if f'"{place}['.encode() in body]
    return found[0] if len(found) == 1 else ""


def metric(running: Running, name: str, label: str = "") -> float:
    """The sum of a metric's series that have this label."""
    lines = running.get("/metrics").body.decode().splitlines()
    series = [line for line in lines if line.startswith(name) and label in line]
    return sum(float(line.rsplit(" ", 1)[1]) for line in series)


# ---- ends --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ends:
    """What callers noticed of so many workers that were ended and replaced."""

    ends: int
    requests: int
    streams: int
    sent_away: int
    failed: int
    cut: int
    retried: int
    exit_status: int


def workers_of(process: int) -> list[int]:
    """Its children that serve."""
    children = Path(f"/proc/{process}/task/{process}/children").read_text(encoding="ascii")
    return [pid for pid in map(int, children.split()) if _serves(pid)]


def _serves(pid: int) -> bool:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return b"spawn_main" in command


def ends(times: int = 100, rate: float = 10) -> Ends:
    """Ends one of two workers by SIGTERM, waits for the next, and so on."""
    with api() as upstream, serving(
        "--upstream", upstream, "--workers", "2", log_level="error", shutdown_timeout="20",
        classifier_timeout="20",
    ) as proxy:  # fmt: skip
        url = ready(proxy)
        over = threading.Event()
        ended: list[int] = []

        def end() -> None:
            while len(ended) < times and _both_serve(proxy):
                print(f"\r{len(ended)} of {times} ended", end="", file=sys.stderr, flush=True)
                time.sleep(random.uniform(0.1, 0.5))
                victim = random.choice(workers_of(proxy.process.pid))
                os.kill(victim, signal.SIGTERM)
                ended.append(victim)
                until = time.monotonic() + 60
                while Path(f"/proc/{victim}").exists() and time.monotonic() < until:
                    time.sleep(0.02)
            over.set()

        threading.Thread(target=end, daemon=True).start()
        whole, streams = asyncio.run(_ask_both(url, over, rate))
        proxy.process.terminate()
        code = proxy.ended()
    every = whole + streams
    return Ends(
        ends=len(ended),
        requests=len(whole),
        streams=len(streams),
        sent_away=sum(sample.status == 503 for sample in every),
        failed=sum(sample.status not in (200, 503) for sample in every),
        cut=sum(sample.status == 200 and not sample.whole for sample in every),
        retried=sum(sample.retried for sample in every),
        exit_status=code,
    )


def _both_serve(proxy: Running) -> bool:
    until = time.monotonic() + 90
    while time.monotonic() < until:
        if metric(proxy, "guardproxy_build_info") == 2 and len(workers_of(proxy.process.pid)) == 2:
            return True
        time.sleep(0.1)
    return False


async def _ask_both(
    url: str, over: threading.Event, rate: float
) -> tuple[list[Sample], list[Sample]]:
    callers = Callers(url)
    kinds: dict[Callable[[], bytes], list[Sample]] = {question: [], streamed_question: []}

    async def one(make: Callable[[], bytes]) -> None:
        kinds[make].append(await callers.ask(make()))

    async with asyncio.TaskGroup() as tasks:
        while not over.is_set():
            make = streamed_question if random.random() < 0.2 else question
            tasks.create_task(one(make))
            await asyncio.sleep(1 / rate)
    callers.close()
    return kinds[question], kinds[streamed_question]


if __name__ == "__main__":
    print(reloads(60))
    print(ends(5))
