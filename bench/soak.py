"""Mixed traffic for a long time, to see whether anything grows that should not.

    python -m bench.soak [--minutes 30] [--rate 10] [--write]

Plain and streamed questions, questions that are blocked, callers who leave in the middle of a
stream, broken requests, every upstream fault of `tests/faults/upstream_faults.py` that ends by
itself, and a policy that changes every 15 s: for the better, to what cannot be used, and half
written. `--write` puts the report into docs/faults.md.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import random
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.faults.api import sentence
from bench.faults.load import Callers, Sample, percentile, question, ready, streamed_question
from bench.faults.report import machine, write
from tests.faults.upstream_faults import FAULTS, is_streamed
from tests.processes import Running, serving
from tests.servers import DONE, RawRequest, ScriptedUpstream, Wire, delta, said, upstream

_EVERY = 10.0
_CHANGES = 15.0
_WARM_UP = 1 / 3
_CACHE = 2_000
"""Scores remembered, fewer than by default, so that what remembers is full when warm-up ends."""
POLICY = """# {number}
name: soak
input: [{{block_on_error: true, moderation_llm_v2: {{action: block}}}}]
output: [{{block_on_error: true, moderation_llm_v2: {{action: block}}}}]
"""
_ENDING = [number for number, fault in enumerate(FAULTS) if not fault.hasty]
_WAV = {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}


# ---- the upstream ------------------------------------------------------------------------------


def script(request: RawRequest, wire: Wire) -> None:
    """Does what the request's `model` says."""
    model = request.json().get("model", "")
    if model.startswith("fault"):
        FAULTS[int(model.removeprefix("fault"))].script(request, wire)
    elif is_streamed(request):
        wire.begin_stream()
        for _ in range(20):
            wire.chunk(delta(f"{sentence(2)} "))
            time.sleep(0.02)
        wire.end_stream(delta(None, finish="stop"), DONE)
    else:
        wire.answer(said(sentence(30)))


# ---- the callers -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of request, how often of a hundred, and the statuses that are right."""

    share: int
    make: Callable[[], bytes]
    right: frozenset[int]
    leaves: bool = False


def _blocked() -> bytes:
    return question(messages=[{"role": "user", "content": [_WAV]}])


def _malformed() -> bytes:
    """A member that is given twice."""
    return _with_body(b'{"model": "m", "messages": [{"role": "user", "role": "user"}]}')


def _with_body(body: bytes) -> bytes:
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n"
    return head + b"content-length: %d\r\n\r\n" % len(body) + body


def _faulty() -> bytes:
    number = random.choice(_ENDING)
    return question(f"fault{number}", stream=random.random() < 0.5)


_KNOWN = [question() for _ in range(50)]
KINDS: Mapping[str, Kind] = {
    "plain, new words": Kind(35, question, frozenset({200})),
    "plain, known words": Kind(20, lambda: random.choice(_KNOWN), frozenset({200})),
    "streamed": Kind(15, streamed_question, frozenset({200})),
    "blocked": Kind(10, _blocked, frozenset({403})),
    "malformed": Kind(5, _malformed, frozenset({400})),
    "caller leaves": Kind(8, streamed_question, frozenset({200}), leaves=True),
    "upstream fault": Kind(7, _faulty, frozenset({200, 204, 307, 500, 502, 503, 504})),
}


@dataclass
class Traffic:
    """What was asked since the last look, and all that came back wrong."""

    recent: list[Sample] = field(default_factory=list)
    total: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    late: int = 0

    def came(self, name: str, sample: Sample) -> None:
        self.total[name] += 1
        kind = KINDS[name]
        if sample.status == 503 and name != "upstream fault":
            # A machine that is busy with other things: said in time, and counted.
            self.refused += 1
        elif sample.status == 403 and b"3201" in sample.body:
            # For the same reason a judgement came too late; the policy blocks then.
            self.late += 1
        elif sample.status not in kind.right or not (sample.whole or name == "upstream fault"):
            self.wrong[f"{name}: {sample.status}"] += 1
        if name.startswith("plain"):
            self.recent.append(sample)


async def _leave(callers: Callers, request: bytes) -> Sample:
    sent = time.monotonic()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(random.uniform(0.02, 0.4)):
            return await callers.ask(request)
    return Sample(sent, time.monotonic() - sent, 200)


async def _one(callers: Callers, traffic: Traffic) -> None:
    name = random.choices(list(KINDS), [kind.share for kind in KINDS.values()])[0]
    kind = KINDS[name]
    ask = _leave if kind.leaves else Callers.ask
    traffic.came(name, await ask(callers, kind.make()))


async def _callers(url: str, rate: float, traffic: Traffic) -> None:
    callers = Callers(url)
    async with asyncio.TaskGroup() as tasks:
        while True:
            await asyncio.sleep(random.expovariate(rate))
            tasks.create_task(_one(callers, traffic))


# ---- the process -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Look:
    """The process at one time: seconds since the start, MB, counts, milliseconds."""

    at: float
    rss: float
    files: int
    threads: int
    asked: int
    p50: float
    lag: float
    in_progress: int
    reloads: int


def _of_process(pid: int) -> tuple[float, int, int]:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    values = dict(line.split(":", 1) for line in status.splitlines())
    rss = int(values["VmRSS"].split()[0]) / 1024
    return rss, sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir()), int(values["Threads"])


def metric(running: Running, name: str, label: str = "") -> float:
    lines = running.get("/metrics").body.decode().splitlines()
    series = [line for line in lines if line.startswith(name) and label in line]
    return sum(float(line.rsplit(" ", 1)[1]) for line in series)


def _lag(running: Running) -> float:
    """The longest of some answers that need no work, in ms: how long the loop was not free."""
    longest = 0.0
    for _ in range(10):
        began = time.monotonic()
        running.get("/healthz")
        longest = max(longest, time.monotonic() - began)
        time.sleep(0.05)
    return longest * 1000


def _look(running: Running, traffic: Traffic, began: float) -> Look:
    recent, traffic.recent = traffic.recent, []
    rss, files, threads = _of_process(running.process.pid)
    return Look(
        at=time.monotonic() - began,
        rss=rss,
        files=files,
        threads=threads,
        asked=sum(traffic.total.values()),
        p50=percentile(recent, 0.5),
        lag=_lag(running),
        in_progress=int(metric(running, "guardproxy_requests_in_progress")),
        reloads=int(metric(running, "guardproxy_policy_reloads_total")),
    )


def _change_policy(file: Path, stop: threading.Event) -> None:
    for number in itertools.count(1):
        if stop.wait(_CHANGES):
            return
        text = POLICY.format(number=number)
        if number % 3 == 1:
            text = text.replace("block_on_error", "block_on_eror")
        elif number % 3 == 2:
            text = text[: len(text) // 2]
        fresh = file.with_suffix(".new")
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(file)


# ---- the report --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Flatness:
    """A quantity in the middle and in the last third: flat is no more than a little growth."""

    name: str
    middle: float
    last: float
    allowed: float

    @property
    def flat(self) -> bool:
        return self.last - self.middle <= self.allowed


def flatness(looks: list[Look]) -> list[Flatness]:
    """Medians, after a third of the time for warming up."""
    end = looks[-1].at
    middle = [look for look in looks if _WARM_UP <= look.at / end < 2 * _WARM_UP]
    last = [look for look in looks if look.at / end >= 2 * _WARM_UP]

    def both(value: Callable[[Look], float]) -> tuple[float, float]:
        return statistics.median(map(value, middle)), statistics.median(map(value, last))

    rss = both(lambda look: look.rss)
    return [
        Flatness("RSS, MB", *rss, allowed=0.02 * rss[0]),
        Flatness("open files", *both(lambda look: look.files), allowed=3),
        Flatness("threads", *both(lambda look: look.threads), allowed=2),
        Flatness("in progress", *both(lambda look: look.in_progress), allowed=3),
    ]


def report(looks: list[Look], traffic: Traffic, rate: float) -> str:
    shown = looks[:: max(1, len(looks) // 12)]
    rows = [
        f"| {look.at / 60:.1f} | {look.rss:.0f} | {look.files} | {look.threads} | "
        f"{look.in_progress} | {look.p50:.0f} | {look.lag:.0f} | {look.reloads} |"
        for look in shown
    ]
    flat = [
        f"| {each.name} | {each.middle:.0f} | {each.last:.0f} | {each.allowed:.0f} | "
        f"{'flat' if each.flat else '**grows**'} |"
        for each in flatness(looks)
    ]
    kinds = ", ".join(f"{name} {count:,}" for name, count in traffic.total.most_common())
    wrong = ", ".join(f"{name} {count}" for name, count in traffic.wrong.most_common()) or "none"
    return "\n".join(
        [
            f"{looks[-1].at / 60:.0f} minutes at about {rate:g} requests a second. {machine()}",
            "",
            (
                "| minute | RSS, MB | open files | threads | in progress | p50, ms | longest of 10 "
                "`/healthz`, ms | reloads |"
            ),
            "|---|---|---|---|---|---|---|---|",
            *rows,
            "",
            "| median | middle third | last third | may grow by | |",
            "|---|---|---|---|---|",
            *flat,
            "",
            (
                f"Asked: {kinds}. Sent away with 503 as the machine was busy: {traffic.refused}; "
                f"not judged in time, so blocked (3201): {traffic.late}. Wrong: {wrong}."
            ),
        ]
    )


async def _run(running: Running, rate: float, seconds: float) -> tuple[list[Look], Traffic]:
    traffic, looks = Traffic(), []
    began = time.monotonic()
    async with asyncio.TaskGroup() as tasks:
        calling = tasks.create_task(_callers(running.url, rate, traffic))
        while time.monotonic() - began < seconds:
            await asyncio.sleep(_EVERY)
            looks.append(await asyncio.to_thread(_look, running, traffic, began))
            print(looks[-1], dict(traffic.wrong), file=sys.stderr, flush=True)
        calling.cancel()
    return looks, traffic


def _forget(api: ScriptedUpstream, stop: threading.Event) -> None:
    while not stop.wait(5):
        api.requests.clear()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--rate", type=float, default=10)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    stop = threading.Event()
    with tempfile.TemporaryDirectory() as folder, upstream() as api:
        policy = Path(folder, "policy.yaml")
        policy.write_text(POLICY.format(number=0), encoding="utf-8")
        api.says(script)
        with serving(
            "--upstream", api.url, policy=str(policy), cache_entries=str(_CACHE), log_level="error"
        ) as proxy:
            ready(proxy)
            for work in ((_change_policy, policy, stop), (_forget, api, stop)):
                threading.Thread(target=work[0], args=work[1:], daemon=True).start()
            looks, traffic = asyncio.run(_run(proxy, options.rate, options.minutes * 60))
            stop.set()
            proxy.process.terminate()
            code = proxy.ended()
            errors = [
                line for line in proxy.lines() if "policy not reloaded" not in line["message"]
            ]
    text = report(looks, traffic, options.rate)
    text += f" Exit status at the end: {code}. Errors logged: {len(errors)}."
    print(text)
    if options.write:
        write("soak", text)
    if traffic.wrong or code or errors or not all(each.flat for each in flatness(looks)):
        sys.exit("not steady")


if __name__ == "__main__":
    main()
