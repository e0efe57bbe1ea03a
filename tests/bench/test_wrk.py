from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardproxy.bench.processes import free_port, running
from guardproxy.bench.upstream import command
from guardproxy.bench.wrk import Load, LoadResult, find_wrk, parse, run_wrk
from guardproxy.errors import ConfigurationError
from tests.bench.needs import NEEDS_WRK

FIELDS = (
    *("requests", "microseconds", "connect", "read", "write", "status", "timeout"),
    *("p50", "p90", "p99", "longest"),
)
COUNTS = st.fixed_dictionaries({name: st.integers(0, 10**9) for name in FIELDS})
LINES = st.text(st.characters(exclude_characters="\r\n"), max_size=40)


def said(counts: dict[str, int]) -> str:
    return f"guardproxy-bench {json.dumps(counts)}"


@given(COUNTS, st.lists(LINES.filter(lambda line: not line.startswith("guardproxy-bench"))))
def test_the_figures_are_found_among_whatever_else_is_said(
    counts: dict[str, int], others: list[str]
) -> None:
    result = parse("\n".join([*others, said(counts), "Requests/sec: 12"]))

    assert result is not None
    assert result.requests == counts["requests"]
    assert result.errors == counts["status"]
    assert result.broken == sum(counts[name] for name in ("connect", "read", "write", "timeout"))
    assert result.p50 == counts["p50"] / 1e6
    assert result.rate * result.seconds == pytest.approx(
        (result.requests - result.errors) if result.seconds else 0
    )


@given(st.text())
def test_whatever_is_said_is_read_without_an_error(text: str) -> None:
    assert parse(text) is None
    assert parse(f"guardproxy-bench {text}") is None


@pytest.mark.parametrize("missing", FIELDS)
def test_a_figure_that_is_missing_makes_all_unusable(missing: str) -> None:
    counts = dict.fromkeys(FIELDS, 1)

    assert parse(said(counts)) is not None
    del counts[missing]
    assert parse(said(counts)) is None
    assert parse(f"guardproxy-bench {json.dumps(counts | {missing: 'a'})}") is None


def test_without_wrk_one_line_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(ConfigurationError, match="apt install wrk"):
        find_wrk()


def test_a_target_that_is_gone_has_broken_every_connection(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    silent = tmp_path / "wrk"
    silent.write_text("#!/bin/sh\necho unable to connect >&2\nexit 1\n")
    silent.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    result = run_wrk(Load(7, 1, 1, 1), "http://127.0.0.1:9/", "new", {})

    assert result == LoadResult(0, 1, 0, 7, p50=0, p90=0, p99=0, longest=0)
    assert result.rate == 0


@NEEDS_WRK
@pytest.mark.parametrize("seed", [0, 7])
def test_wrk_asks_and_says_how_it_went(seed: int) -> None:
    port = free_port()
    with running("upstream", command(port), port, ready="/") as upstream:
        load = Load(connections=2, seconds=1, words=12, seed=seed)
        result = run_wrk(load, f"{upstream.url}/v1/chat/completions", "fixed", {"x-a": "b"})

    assert result.requests > 0
    assert (result.errors, result.broken) == (0, 0)
    assert 0 < result.p50 <= result.p99 <= result.longest
