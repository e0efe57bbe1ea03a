from __future__ import annotations

from pathlib import Path

import pytest

from guardproxy.bench.gateways import (
    CACHED,
    DIRECT,
    JUDGED,
    OPEN_POLICY,
    UNGUARDED,
    Gateway,
    Start,
    direct,
    guardproxies,
    reverse_proxy,
    started,
    workers,
)
from guardproxy.bench.processes import Server
from guardproxy.policy.load import load_policy
from tests.bench.costless import costless


def test_guardproxy_is_measured_in_three_ways_each_as_anybody_would_start_it(
    tmp_path: Path,
) -> None:
    start = Start("http://127.0.0.1:1", 2, tmp_path)
    found = {each.key: each for each in guardproxies()}

    assert list(found) == [UNGUARDED, CACHED, JUDGED]
    assert found[CACHED].command(start) == found[JUDGED].command(start)
    assert found[CACHED].repeated
    assert "--policy" not in found[JUDGED].command(start)
    assert found[UNGUARDED].command(start)[-1] == str(tmp_path / "open.yaml")


def test_the_empty_policy_can_be_used(tmp_path: Path) -> None:
    file = tmp_path / "open.yaml"
    file.write_text(OPEN_POLICY)

    assert load_policy(str(file)).config.name == "open"


@pytest.mark.parametrize("count", [1, 2])
def test_workers_judge_on_one_core_each(count: int, tmp_path: Path) -> None:
    command = workers(count).command(Start("http://127.0.0.1:1", 2, tmp_path))

    assert command[-4:] == ["--workers", str(count), "--classifier-threads", "1"]


def test_nginx_stands_before_the_upstream(tmp_path: Path) -> None:
    gateway = reverse_proxy("/usr/sbin/nginx", "1.2.3")
    command = gateway.command(Start("http://127.0.0.1:17", 18, tmp_path))
    configuration = Path(command[command.index("-c") + 1]).read_text()

    assert gateway.version == "1.2.3"
    assert "server 127.0.0.1:17;" in configuration
    assert "listen 127.0.0.1:18 " in configuration


def test_a_gateway_is_started_before_an_upstream(api: Server, tmp_path: Path) -> None:
    seen: list[Start] = []

    def headers(start: Start) -> dict[str, str]:
        seen.append(start)
        return {"x-upstream": start.upstream}

    base = costless("any")
    gateway = Gateway(base.key, base.title, base.version, base.command, base.ready, headers=headers)
    with started(gateway, api.url, tmp_path) as target:
        assert target.key == "any"
        assert target.headers == {"x-upstream": api.url}
        assert target.url == f"{target.server.url}/v1/chat/completions"
        assert seen[0].folder == tmp_path


def test_direct_is_the_upstream_itself(api: Server) -> None:
    assert (direct(api).key, direct(api).server) == (DIRECT, api)
