"""Measures what guardproxy does under faults, and writes it into docs/faults.md.

    python -m bench.faults [--only overload] [--short]

About half an hour, most of it for the SIGTERMs; `--short` does each a few times only.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bench.faults import hung, lifecycle, overload, slow
from bench.faults.report import machine, write


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is done of each."""

    overload_seconds: float = 20.0
    deaf: int = 200
    slow: int = 300
    reloads: int = 200
    ends: int = 100
    hung: int = 20


SHORT = Extent(overload_seconds=8.0, deaf=50, slow=50, reloads=30, ends=3)


def table(head: str, *rows: str) -> str:
    return "\n".join([head, "|---" * (head.count("|") - 1) + "|", *rows])


def of_overload(extent: Extent) -> str:
    """New 40-token questions at three times what is answered."""
    found = overload.measure(extent.overload_seconds)
    by_status = ", ".join(f"{status}: {count}" for status, count in found.by_status.items())
    return table(
        "| 3 times the capacity | goal | measured |",
        f"| capacity, answers a second | | {found.capacity:.0f} |",
        f"| asked, a second | 3 x | {found.asked:.0f} |",
        f"| served, of the capacity | >= 90 % | {found.share:.0%} |",
        f"| cores that callers took | | {found.callers_meanwhile:.2f} (for the capacity: "
        f"{found.callers_before:.2f}) |",
        f"| by status | 200 and 503 only | {by_status} |",
        f"| 503 within 50 ms | all | {found.refused_in_50_ms:.0%} (p50 {found.refused_p50:.0f} ms, "
        f"p99 {found.refused_p99:.0f} ms) |",
        f"| p50 of what was served | | {found.served_p50:.0f} ms (calm: {found.calm_p50:.0f} ms) |",
        f"| as before after | < 2 s | {found.back_after:.1f} s |",
    )


def of_memory(extent: Extent) -> str:
    """Clients who read nothing of a stream that does not end."""
    found = slow.memory(extent.deaf)
    return table(
        f"| {found.clients} clients who do not read | goal | measured |",
        f"| memory each, at most | <= 512 kB | {found.kb_each:.0f} kB |",
        f"| memory kept afterwards, all together | | {found.left_mb:.0f} MB |",
        f"| open files kept afterwards | 0 | {max(0, found.files_left)} |",
        f"| all sent away after | idle timeout | {found.closed_after:.0f} s |",
    )


def of_slowloris(extent: Extent) -> str:
    """Slow heads, bodies, readers, and what others feel."""
    rows = [
        f"| {each.form} | {each.clients} | {each.p50:.0f} | {each.p99:.0f} | {each.not_200} | "
        f"{each.sent_away} | {f'{each.after:.0f} s' if each.sent_away else '-'} |"
        for each in slow.slowloris(extent.slow)
    ]
    return table(
        "| slow | clients | others' p50, ms | p99, ms (goal < 250) | not 200 | sent away | after |",
        *rows,
    )


def of_reloads(extent: Extent) -> str:
    """Changes of the policy under load."""
    found = lifecycle.reloads(extent.reloads)
    return table(
        f"| {found.changes} changes, of which {found.unusable} unusable | goal | measured |",
        f"| requests meanwhile | | {found.requests} |",
        f"| sent away with 503, as the machine was busy | | {found.sent_away} |",
        f"| failed | 0 | {found.failed} |",
        f"| judged by two policies | 0 | {found.mixed} |",
        f"| by a policy that was never whole and valid | 0 | {found.never_valid} |",
        f"| policies that judged something | | {found.policies_seen} |",
    )


def of_ends(extent: Extent) -> str:
    """Workers ended and replaced under load."""
    found = lifecycle.ends(extent.ends)
    return table(
        f"| {found.ends} SIGTERMs to one of 2 workers | goal | measured |",
        f"| requests and streams meanwhile | | {found.requests} and {found.streams} |",
        f"| sent away with 503, as the machine was busy | | {found.sent_away} |",
        f"| failed | 0 | {found.failed} |",
        f"| streams cut | 0 | {found.cut} |",
        f"| sent again, as a connection kept open was closed meanwhile | | {found.retried} |",
        f"| exit status of the whole | 0 | {found.exit_status} |",
    )


def of_hung(extent: Extent) -> str:
    """Judgements behind runs that never end."""
    found = hung.measure(extent.hung)

    def waited(milliseconds: float | None) -> str:
        return "not judged in time" if milliseconds is None else f"{milliseconds:.1f} ms"

    return table(
        f"| {found.runs} runs that hang on {hung.THREADS} threads | goal | measured |",
        f"| the next judgement, asked for with them | < 200 ms | {waited(found.at_once)} |",
        f"| asked for {found.seconds / 4:g} s later | < 200 ms | {waited(found.meanwhile)} |",
        f"| asked for when they have been given up, after {found.seconds:g} s "
        f"| < 200 ms | {waited(found.after)} |",
    )


SECTIONS: Mapping[str, Callable[[Extent], str]] = {
    "hung": of_hung,
    "overload": of_overload,
    "memory": of_memory,
    "slowloris": of_slowloris,
    "reloads": of_reloads,
    "ends": of_ends,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", choices=SECTIONS, action="append")
    parser.add_argument("--short", action="store_true")
    options = parser.parse_args()
    for name in options.only or SECTIONS:
        text = SECTIONS[name](SHORT if options.short else Extent())
        text += f"\n\n{machine()}"
        print(f"{text}\n", flush=True)
        write(name, text)


if __name__ == "__main__":
    main()
