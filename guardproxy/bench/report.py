"""A run as Markdown. Pure: a run in, text out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from guardproxy.bench.gateways import DIRECT
from guardproxy.bench.plan import CONNECTIONS, LENGTHS, WORDS
from guardproxy.bench.records import Run
from guardproxy.bench.summary import Cell, Summary, summary_of

_NOTHING = "-"
MB = 1e6


def report(run: Run) -> str:
    """All tables of a run."""
    summary = summary_of(run)
    sections = [
        _throughput(run, summary),
        _lengths(run, summary),
        _cpu(run, summary),
        _servers(run),
        _machine(run),
    ]
    return "\n\n".join(sections) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def number(value: float | None, digits: int = 3) -> str:
    """With as many digits as count, never as a power of ten."""
    if value is None:
        return _NOTHING
    places = max(0, digits - len(f"{abs(value):.0f}".lstrip("0")))
    return f"{value:,.{min(places, 2)}f}"


def _milliseconds(seconds: float | None) -> str:
    return _NOTHING if seconds is None else number(seconds * 1000)


def _throughput(run: Run, summary: Summary) -> str:
    head = ["", "p50 ms", "added ms", "p99 ms", "requests/s"]
    for connections in CONNECTIONS[1:]:
        head += [f"p50 ms at {connections}", f"requests/s at {connections}"]
    rows = (
        [subject.title, *_load_columns(summary, subject.key), str(_failed(summary, subject.key))]
        for subject in run.subjects
    )
    title = f"**Whole answers**, prompts of {WORDS} tokens, at 1 connection and at more"
    return f"{title}\n\n{table([*head, 'errors'], rows)}"


def _load_columns(summary: Summary, key: str) -> Iterator[str]:
    one = summary.cell(key, 1, WORDS)
    yield from (_p50(one), _added(summary, one, WORDS), _p99(one), _rate(one))
    for connections in CONNECTIONS[1:]:
        cell = summary.cell(key, connections, WORDS)
        yield from (_p50(cell), _rate(cell))


def _p50(cell: Cell | None) -> str:
    return _milliseconds(cell.p50 if cell else None)


def _p99(cell: Cell | None) -> str:
    return _milliseconds(cell.p99 if cell else None)


def _rate(cell: Cell | None) -> str:
    return number(cell.rate if cell else None)


def _added(summary: Summary, cell: Cell | None, words: int) -> str:
    direct = summary.cell(DIRECT, 1, words)
    if cell is None or direct is None or cell.p50 is None or direct.p50 is None:
        return _NOTHING
    return _milliseconds(cell.p50 - direct.p50)


def _failed(summary: Summary, key: str) -> int:
    return sum(
        cell.failed
        for (target, _, words), cell in summary.cells.items()
        if target == key and words == WORDS
    )


def _lengths(run: Run, summary: Summary) -> str:
    lengths = sorted([*LENGTHS, WORDS])
    head = ["", *(f"{words:,} tokens" for words in lengths), "errors"]
    rows = []
    for subject in run.subjects:
        cells = [summary.cell(subject.key, 1, words) for words in lengths]
        failed = sum(cell.failed for cell in cells if cell)
        rows.append([subject.title, *map(_p50, cells), str(failed)])
    return f"**Length of the prompt**, p50 ms at 1 connection\n\n{table(head, rows)}"


def _cpu(run: Run, summary: Summary) -> str:
    head = ["", *(f"at {connections}" for connections in CONNECTIONS), "upstream at 32"]
    rows = []
    for subject in run.subjects:
        cells = [summary.cell(subject.key, connections, WORDS) for connections in CONNECTIONS]
        own = [number(cell.cpu * 1000 if cell else None) for cell in cells]
        upstream = number(cells[1].upstream_cpu * 1000 if cells[1] else None)
        rows.append([subject.title, *own, upstream])
    return f"**CPU seconds for 1,000 requests**\n\n{table(head, rows)}"


def _servers(run: Run) -> str:
    titles = {subject.key: subject.title for subject in run.subjects}
    rows = [
        [
            titles[each.target],
            number(each.ready),
            number(each.idle * 100),
            number(each.rss_ready / MB),
            number(each.rss_loaded / MB),
        ]
        for each in run.servers
    ]
    head = ["", "ready after s", "CPU at rest, % of a core", "RSS MB, ready", "RSS MB, after load"]
    return f"**Processes**\n\n{table(head, rows)}"


def _machine(run: Run) -> str:
    titles = [f"{subject.title} {subject.version}" for subject in run.subjects if subject.version]
    machine = "; ".join(f"{name} {value}" for name, value in run.machine.items())
    libraries = ", ".join(f"{name} {value}" for name, value in run.versions.items())
    lines = [f"Machine: {machine}.", f"Versions: {libraries}; {'; '.join(titles)}."]
    lines += [f"Not measured: {each.title}: {each.reason}." for each in run.missing]
    return "\n\n".join(lines)
