from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from guardproxy.bench import nginx
from guardproxy.bench.processes import Server, answers
from guardproxy.bench.records import Missing
from guardproxy.bench.stage import Stage, quick_upstreams
from guardproxy.errors import ConfigurationError
from tests.bench.costless import costless
from tests.bench.needs import NEEDS_NGINX


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with ExitStack() as stack:
        yield Stage(stack, tmp_path, lambda _: None, [])


def test_what_does_not_start_is_left_out_with_its_reason(api: Server, stage: Stage) -> None:
    lax = costless("lax", ours=False, refuses="Write to jane.doe@example.com.")
    targets = stage.start_all([costless("good"), lax], lambda _: api)

    assert [target.key for target in targets] == ["good"]
    assert stage.missing == [
        Missing("lax, costless", "lax guards nothing: it lets through what it must not")
    ]


def test_without_guardproxy_there_is_nothing_to_measure(api: Server, stage: Stage) -> None:
    with pytest.raises(ConfigurationError, match="guards nothing"):
        stage.start_all([costless("mine", refuses="anything")], lambda _: api)


@pytest.mark.parametrize("installed", [pytest.param(True, marks=NEEDS_NGINX), False])
def test_whole_answers_come_from_nginx_or_else_from_python(
    installed: bool, monkeypatch: pytest.MonkeyPatch, stage: Stage
) -> None:
    if not installed:
        monkeypatch.setattr(nginx, "find_nginx", lambda: None)
    upstreams = quick_upstreams(stage.stack, stage.folder / "upstream")

    assert (upstreams.fixed.url != upstreams.new.url) == installed
    assert upstreams.of(repeated=True) is upstreams.fixed
    assert upstreams.of(repeated=False) is upstreams.new
    for server in (upstreams.fixed, upstreams.new):
        assert answers(int(server.url.rpartition(":")[2]), "/")
