"""What `serve` takes, refuses and listens on; that it serves is tested as a process."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from guardproxy.cli import serve as module
from guardproxy.cli.serve import serve
from guardproxy.settings import Settings


def test_an_address_of_version_6_is_listened_on() -> None:
    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    listener = module._listen(Settings(host="::1", port=0))
    with listener:
        assert listener.family is socket.AF_INET6
        assert listener.get_inheritable()


@pytest.mark.skipif(not hasattr(socket, "TCP_NOTSENT_LOWAT"), reason="not of this system")
def test_the_system_takes_little_for_a_caller_who_does_not_read() -> None:
    listener = module._listen(Settings(port=0))
    with listener, socket.socket() as caller:
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        caller.connect(listener.getsockname())
        accepted, _ = listener.accept()
        with accepted:
            accepted.setblocking(False)
            taken = 0
            with contextlib.suppress(BlockingIOError):
                while True:
                    taken += accepted.send(bytes(65_536))

    # Without it the system took 2.5 MB.
    assert taken < 1_000_000


def test_a_host_that_is_not_ours_is_refused_in_one_line() -> None:
    with pytest.raises(click.ClickException, match=r"cannot listen on 192\.0\.2\.1:0"):
        module._listen(Settings(host="192.0.2.1", port=0))


@pytest.mark.parametrize("workers", ["1", "2"])
def test_it_serves_alone_or_together(monkeypatch: pytest.MonkeyPatch, workers: str) -> None:
    called: list[str] = []

    def note(way: str) -> object:
        def serving(_: Settings, listener: socket.socket, started: Callable[[], object]) -> None:
            called.append(way)
            started()
            listener.close()

        return serving

    monkeypatch.setattr(module, "_serve_alone", note("1"))
    monkeypatch.setattr(module, "_serve_together", note("2"))
    shown = CliRunner().invoke(
        serve, ["--upstream", "https://a.example", "--port", "0", "--workers", workers]
    )

    assert shown.exit_code == 0, shown.output
    assert called == [workers]
    assert "-> https://a.example" in shown.output


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([], "--upstream"),
        (["--upstream", "https://a.example", "--client-keys", "k"], "--upstream-api-key"),
        (["--upstream", "https://a.example", "--policy", "none"], "none"),
        (["--upstream", "https://a.example", "--model", "/nowhere"], "/nowhere"),
    ],
)
def test_what_cannot_be_used_ends_with_2(given: list[str], words: str) -> None:
    shown = CliRunner().invoke(serve, given)

    assert shown.exit_code == 2
    assert words in shown.output.splitlines()[-1]


@pytest.mark.parametrize(
    ("upstream", "listens", "itself"),
    [
        ("http://127.0.0.1:8080/v1", ("127.0.0.1", 8080), True),
        ("http://localhost:8080/v1", ("127.0.0.1", 8080), True),
        ("http://127.0.0.1:8080", ("0.0.0.0", 8080), True),  # noqa: S104 - compared, not bound
        ("http://[::1]:8080", ("::", 8080, 0, 0), True),
        ("http://10.0.0.5:8080", ("10.0.0.5", 8080), True),
        ("http://127.0.0.1", ("127.0.0.1", 80), True),
        ("http://127.0.0.1:8081/v1", ("127.0.0.1", 8080), False),
        ("http://10.0.0.6:8080", ("10.0.0.5", 8080), False),
        ("http://10.0.0.5:8080", ("127.0.0.1", 8080), False),
        ("http://127.0.0.2:8080", ("127.0.0.1", 8080), False),
        ("http://model:8080", ("0.0.0.0", 8080), False),  # noqa: S104 - as above
    ],
)
def test_an_upstream_that_is_this_listener_is_known(
    upstream: str, listens: tuple[str, int], *, itself: bool
) -> None:
    assert module.is_own_address(upstream, listens[0], listens[1]) is itself


def test_a_proxy_of_itself_does_not_start() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    result = CliRunner().invoke(
        serve, ["--port", str(port), "--upstream", f"http://127.0.0.1:{port}/v1"]
    )

    assert result.exit_code == 2
    assert "Error: --upstream: is the address this proxy listens on" in result.stderr


def test_what_is_seldom_meant_is_told_before_the_banner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = tmp_path / "own.yaml"
    policy.write_text(
        "name: own\ninput:\n  - moderation_llm_v2: {}\noutput: []\n"
        "passthrough:\n  - {path: /metrics, methods: [GET]}\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("GUARDPROXY_POLCY", "strict")
    monkeypatch.setattr(module, "_serve_alone", lambda _, listener, __: listener.close())
    given = ["--port", "0", "--policy", str(policy), "--upstream", "http://x.example/v1/messages"]
    result = CliRunner().invoke(serve, given)

    assert result.exit_code == 0
    assert [line.rpartition(": ")[2] for line in result.stderr.splitlines()] == [
        "is not read; did you mean GUARDPROXY_POLICY?",
        "ends like a route; give the base URL, e.g. https://api.openai.com/v1",
        "/metrics is guardproxy's own",
    ]
