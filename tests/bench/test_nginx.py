from __future__ import annotations

import http.client
import json
import shutil
from pathlib import Path

import pytest

from guardproxy.bench import nginx
from guardproxy.bench.processes import free_port, running
from guardproxy.bench.upstream import fixed_answer
from guardproxy.bench.words import all_words
from tests.bench.needs import NEEDS_NGINX


def post(port: int) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("POST", "/v1/chat/completions", b"{}" * 50_000)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    return body


def test_a_word_has_the_same_share_in_every_place(tmp_path: Path) -> None:
    text = nginx.upstream_configuration(tmp_path, ["a", "b", "c"], fixed=1, new=2)

    assert text.count("{ 33.33% a; 33.33% b; * c; }") == text.count("split_clients")


def test_it_is_found_outside_the_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "sbin" / "nginx"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(nginx, "_PLACES", (str(program.parent),))

    assert nginx.find_nginx() == str(program)
    monkeypatch.setattr(nginx, "_PLACES", (str(tmp_path),))
    assert nginx.find_nginx() is None


@NEEDS_NGINX
def test_nginx_answers_as_an_api_and_as_a_proxy_to_it(tmp_path: Path) -> None:
    fixed, new, port = free_port(), free_port(), free_port()
    program = nginx.find_nginx() or ""
    assert shutil.which(program)
    (tmp_path / "api").mkdir()
    (tmp_path / "proxy").mkdir()
    configuration = nginx.upstream_configuration(
        tmp_path / "api", all_words(), fixed=fixed, new=new
    )
    api = nginx.command(program, tmp_path / "api", configuration)
    before = nginx.proxy_configuration(tmp_path / "proxy", f"127.0.0.1:{new}", port)
    proxy = nginx.command(program, tmp_path / "proxy", before)
    with running("api", api, new, ready="/"), running("proxy", proxy, port, ready="/"):
        answers = {
            json.loads(post(where))["choices"][0]["message"]["content"]
            for where in (new, new, port, port)
        }

        assert post(fixed) == post(fixed) == fixed_answer().encode()
        assert len(answers) == 4
        assert set(" ".join(answers).split()) <= set(all_words())
