"""A run as Markdown. Pure: a run in, text out."""

from __future__ import annotations

from collections.abc import Iterator

from guardproxy.bench.gateways import DIRECT, JUDGED
from guardproxy.bench.plan import (
    AT_ONCE,
    CONNECTIONS,
    LENGTHS,
    PACED_PAUSE_MS,
    QUICK_PAUSE_MS,
    STREAM_WORDS,
    TURNS,
    WORDS,
)
from guardproxy.bench.records import Run, Subject
from guardproxy.bench.rules import outcomes
from guardproxy.bench.summary import Cell, StreamCell, Summary, summary_of
from guardproxy.bench.tables import NOTHING, megabytes, milliseconds, number, table

_TOLERATED = 0.01
"""Share of failed requests up to which a latency still says something."""
_SHOWN_TURNS = (1, 2, 5, 10, 15, TURNS)


def report(run: Run) -> str:
    """All tables of a run."""
    summary = summary_of(run)
    sections = [
        _targets(run, summary),
        _load(run, summary),
        _lengths(run, summary),
        _streams(run, summary),
        _cpu(run, summary),
        _conversation(run, summary),
        _processes(run),
        "\n".join(f"- {line}" for line in (*_floor(run, summary), *_machine(run))),
    ]
    return "\n\n".join(sections) + "\n"


def _targets(run: Run, summary: Summary) -> str:
    words = {True: "met", False: "**not met**", None: NOTHING}
    rows = (
        [each.what, each.wanted, each.found, words[each.met]] for each in outcomes(run, summary)
    )
    return table("Targets", ["", "target", "found", ""], rows)


def _load(run: Run, summary: Summary) -> str:
    head = ["", "p50 ms", "added ms", "p99 ms", "requests/s"]
    for connections in CONNECTIONS[1:]:
        head += [f"p50 ms at {connections}", f"requests/s at {connections}"]
    rows = ([each.title, *_load_columns(summary, each)] for each in run.subjects)
    title = f"Whole answers to prompts of {WORDS} tokens, at 1 connection, then at more"
    note = "A dash: more than 1 % of the requests failed, so a latency would say nothing."
    return f"{table(title, [*head, 'failed'], rows)}\n\n{note}"


def _load_columns(summary: Summary, subject: Subject) -> Iterator[str]:
    one = summary.cell(subject.key, 1)
    yield from (_p50(one), milliseconds(summary.added(subject.key, DIRECT)))
    yield from (milliseconds(one.p99 if one else None), number(one.rate if one else None))
    cells = [one]
    for connections in CONNECTIONS[1:]:
        cell = summary.cell(subject.key, connections)
        yield from (_p50(cell), number(cell.rate if cell else None))
        cells.append(cell)
    yield str(sum(cell.failed for cell in cells if cell))


def _p50(cell: Cell | None) -> str:
    if cell is None or cell.failed > _TOLERATED * cell.requests:
        return NOTHING
    return milliseconds(cell.p50)


def _lengths(run: Run, summary: Summary) -> str:
    lengths = sorted([*LENGTHS, WORDS])
    rows = []
    for subject in run.subjects:
        cells = [summary.cell(subject.key, 1, words) for words in lengths]
        failed = sum(cell.failed for cell in cells if cell)
        rows.append([subject.title, *map(_p50, cells), str(failed)])
    head = ["", *(f"{words:,} tokens" for words in lengths), "failed"]
    return table("Length of the prompt: p50 ms at 1 connection", head, rows)


def _streams(run: Run, summary: Summary) -> str:
    head = ["", "first word ms", "delay ms", "p99", "total s"]
    head += ["first word ms", "delay ms", "p99", "total s", "longest s", "CPU ms", "broken"]
    rows = []
    for subject in run.subjects:
        alone = summary.streams.get((subject.key, 1, STREAM_WORDS))
        many = summary.streams.get((subject.key, AT_ONCE, STREAM_WORDS))
        if alone and many:
            rows.append([subject.title, *_stream_columns(alone, many)])
    title = (
        f"Streams of {STREAM_WORDS} words: one, {QUICK_PAUSE_MS} ms apart; then {AT_ONCE} at once, "
        f"{PACED_PAUSE_MS} ms apart"
    )
    note = "The delay is that of each word, from the upstream's socket to the client's."
    return f"{table(title, head, rows)}\n\n{note}"


def _stream_columns(alone: StreamCell, many: StreamCell) -> Iterator[str]:
    for cell in (alone, many):
        yield from map(milliseconds, (cell.first, cell.delay, cell.delay_p99))
        yield number(cell.total)
    yield from (number(many.longest), milliseconds(many.cpu), str(alone.broken + many.broken))


def _cpu(run: Run, summary: Summary) -> str:
    rows = []
    for subject in run.subjects:
        cells = [summary.cell(subject.key, connections) for connections in CONNECTIONS]
        own = [_thousandfold(cell.cpu if cell else None) for cell in cells]
        rows.append(
            [subject.title, *own, _thousandfold(cells[1].upstream_cpu if cells[1] else None)]
        )
    head = ["", *(f"at {connections}" for connections in CONNECTIONS), "of the upstream, at 32"]
    return table("CPU seconds for 1,000 requests", head, rows)


def _thousandfold(value: float | None) -> str:
    # The same figure as milliseconds, in another unit: seconds for a thousand of them.
    return milliseconds(value)


def _conversation(run: Run, summary: Summary) -> str:
    rows = [
        [subject.title, *(milliseconds(turns[number - 1]) for number in _SHOWN_TURNS)]
        for subject in run.subjects
        if len(turns := summary.turns.get(subject.key, [])) == TURNS
    ]
    head = ["", *(f"turn {number}" for number in _SHOWN_TURNS)]
    return table(f"A conversation of {TURNS} turns: CPU ms of a turn", head, rows)


def _processes(run: Run) -> str:
    titles = {subject.key: subject.title for subject in run.subjects}
    rows = [
        [
            titles[each.target],
            number(each.ready),
            number(each.idle * 100),
            megabytes(each.rss_ready),
            megabytes(each.rss_loaded),
        ]
        for each in run.servers
    ]
    head = ["", "ready after s", "at rest, % of a core", "RSS MB, ready", "RSS MB, after load"]
    return table("Processes", head, rows)


def _floor(run: Run, summary: Summary) -> Iterator[str]:
    if floor := summary.floor:
        cell = summary.cell(JUDGED, CONNECTIONS[1])
        yield (
            f"onnxruntime alone, one thread: {milliseconds(floor.prompt)} ms for a prompt and "
            f"{milliseconds(floor.answer)} ms for an answer; {number(floor.rate_one)} pairs/s, on "
            f"two threads {number(floor.rate_two)}, where guardproxy serves "
            f"{number(cell.rate if cell else None)}. One judgement of a prompt as guardproxy makes "
            f"it: {milliseconds(floor.judgement)} ms."
        )
        yield f"Memory: {', '.join(_sizes(run))}."
    if workers := ", ".join(
        f"{count}: {number(rate)} requests/s" for count, rate in sorted(summary.workers.items())
    ):
        failed = sum(each.failed for each in run.workers)
        yield f"Workers, each judging on one core: {workers}; {failed} failed."
    if run.steady:
        sizes = ", ".join(f"{each.streams:,}: {megabytes(each.rss)} MB" for each in run.steady)
        broken = run.steady[-1].broken
        yield f"RSS after so many streams: {sizes}; {broken} of them broken."


def _sizes(run: Run) -> Iterator[str]:
    """What each part adds."""
    before = 0
    for name, size in run.floors[-1].sizes.items():
        yield f"{name} {megabytes(size - before)} MB"
        before = size
    for server in run.servers:
        if server.target == JUDGED:
            yield f"the rest of guardproxy {megabytes(server.rss_ready - before)} MB"


def _machine(run: Run) -> Iterator[str]:
    programs = {each.title.partition(",")[0]: each.version for each in run.subjects if each.version}
    named = ", ".join(f"{name} {version}" for name, version in programs.items())
    yield f"Machine: {'; '.join(f'{name} {value}' for name, value in run.machine.items())}."
    libraries = ", ".join(f"{name} {version}" for name, version in run.versions.items())
    yield f"Versions: {libraries}, {named}."
    yield from (f"Not measured: {each.title}: {each.reason}." for each in run.missing)
