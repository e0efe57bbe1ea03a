"""`guardproxy serve` as a process: it starts or says why not, reloads, drains, ends."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from guardproxy.classifiers.embedded import EMBEDDED_FOLDER
from tests.processes import Running, serving
from tests.servers import (
    DONE,
    RawAnswer,
    RawRequest,
    ScriptedUpstream,
    Wire,
    ask,
    connect,
    delta,
    eventually,
    post,
    read_answer,
    request_bytes,
    said,
)

OPEN = """
name: {name}
input: [{{moderation_llm_v2: {{action: none}}}}]
output: [{{moderation_llm_v2: {{action: none}}}}]
"""


def write(file: Path, text: str) -> None:
    """Replaces a file as editors do: whole, by renaming."""
    fresh = file.with_suffix(".new")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(file)


def health(running: Running) -> dict[str, object]:
    told: dict[str, object] = running.get("/healthz").json()
    return told


def name_in_force(running: Running) -> str:
    policy = health(running)["policy"]
    assert isinstance(policy, dict)
    return str(policy["name"])


# ---- one server for all that does not end it ---------------------------------------------------


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The policy: `current` is a link that is swapped, as a Kubernetes ConfigMap does it."""
    folder = tmp_path_factory.mktemp("policy")
    for version in ("one", "two"):
        (folder / version).mkdir()
        write(folder / version / "policy.yaml", OPEN.format(name=version))
    (folder / "current").symlink_to("one")
    (folder / "policy.yaml").symlink_to("current/policy.yaml")
    return folder / "policy.yaml"


@pytest.fixture(scope="module")
def running(api: ScriptedUpstream, file: Path) -> Iterator[Running]:
    with serving("--upstream", api.url, "--policy", str(file)) as process:
        yield process.ready()


def test_port_0_prints_the_port_and_what_guards_what(running: Running, file: Path) -> None:
    assert running.url.startswith("http://127.0.0.1:")
    assert not running.url.endswith(":0")
    assert str(file) in running.output
    assert "sha256" in running.output
    assert "POST /v1/chat/completions" in running.output


def test_ready_and_alive(running: Running) -> None:
    assert running.get("/readyz").json()["status"] == "ready"
    assert health(running)["status"] == "alive"
    assert health(running)["policy_reload"] == "ok"


def test_the_log_is_json_and_on_standard_error_only(running: Running) -> None:
    post(running.url, b"not json")

    eventually(lambda: running.has_logged("request"))
    assert all({"time", "level", "logger", "message"} <= line.keys() for line in running.lines())


def test_a_swapped_link_reloads(running: Running, file: Path) -> None:
    fresh = file.with_name("fresh")
    fresh.symlink_to("two")
    fresh.replace(file.with_name("current"))

    eventually(lambda: name_in_force(running) == "two", "the reload")
    eventually(lambda: running.has_logged("policy reloaded"))


def test_a_replaced_file_reloads_and_an_invalid_one_keeps_the_last_good_x20(
    running: Running, file: Path
) -> None:
    target = file.resolve()
    write(target, OPEN.format(name="three"))
    eventually(lambda: name_in_force(running) == "three", "the reload")

    write(target, OPEN.format(name="four") + "mode: off\n")
    eventually(lambda: health(running)["policy_reload"] == "failed", "the refusal")
    assert name_in_force(running) == "three"
    eventually(lambda: running.has_logged("policy not reloaded"))
    (told,) = [line for line in running.lines() if "policy not reloaded" in line["message"]]
    assert told["level"] == "error"
    assert "policy.yaml:5: mode" in told["message"]
    assert "three" in told["message"]

    write(target, OPEN.format(name="five"))
    eventually(lambda: name_in_force(running) == "five", "the reload")
    assert health(running)["policy_reload"] == "ok"


def test_a_half_written_or_deleted_file_keeps_the_last_good_x20(
    running: Running, file: Path
) -> None:
    before, target = name_in_force(running), file.resolve()
    text = OPEN.format(name="six")
    target.write_text(text[:30], encoding="utf-8")
    eventually(lambda: health(running)["policy_reload"] == "failed", "the refusal")
    assert name_in_force(running) == before

    target.unlink()
    running.signal(signal.SIGHUP)
    eventually(lambda: "cannot be read" in running.log, "the second refusal")
    assert name_in_force(running) == before

    target.write_text(text, encoding="utf-8")
    eventually(lambda: name_in_force(running) == "six", "the reload")


def test_sighup_reads_again_what_has_not_changed(running: Running) -> None:
    before = name_in_force(running)
    running.signal(signal.SIGHUP)

    eventually(lambda: running.has_logged("is unchanged"))
    assert name_in_force(running) == before


def test_a_request_in_flight_keeps_its_policy_x20(
    running: Running, api: ScriptedUpstream, file: Path
) -> None:
    begun, reloaded = threading.Event(), threading.Event()
    write(file.resolve(), OPEN.format(name="before"))
    eventually(lambda: name_in_force(running) == "before", "the reload")

    def script(_: RawRequest, wire: Wire) -> None:
        begun.set()
        assert reloaded.wait(20)
        wire.answer(said("ok"))

    api.says(script)
    answers: list[RawAnswer] = []
    caller = threading.Thread(target=lambda: answers.append(post(running.url, ask())))
    caller.start()
    assert begun.wait(20)
    write(file.resolve(), OPEN.format(name="after"))
    eventually(lambda: name_in_force(running) == "after", "the reload")
    reloaded.set()
    caller.join(20)

    assert (answers[0].header(b"x-guardproxy-policy") or b"").startswith(b"before@")
    assert (post(running.url, ask()).header(b"x-guardproxy-policy") or b"").startswith(b"after@")


# ---- the end ----------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_a_stream_and_ends_with_0_x19(
    api: ScriptedUpstream, number: signal.Signals
) -> None:
    stopping = threading.Event()

    def script(_: RawRequest, wire: Wire) -> None:
        wire.begin_stream()
        wire.chunk(delta("A cactus drinks like a camel: much at once, then nothing for weeks. "))
        assert stopping.wait(20)
        wire.chunk(delta("That is all."))
        wire.chunk(delta(None, finish="stop"))
        wire.chunk(DONE)
        wire.chunk(b"")

    api.says(script)
    with serving("--upstream", api.url) as running, connect(running.ready().url) as connection:
        connection.sendall(request_bytes(ask("How do I water a cactus?", stream=True)))
        eventually(lambda: api.requests, "the question")
        running.signal(number)
        eventually(lambda: "Shutting down" in running.log, "the beginning of the end")
        stopping.set()
        answer = read_answer(connection)

        assert answer.body.endswith(DONE)
        assert b"That is all." in answer.body
        assert running.ended() == 0
        assert "Traceback" not in running.log


def test_a_stream_that_does_not_end_in_time_is_cut_and_not_called_passed(
    api: ScriptedUpstream,
) -> None:
    def script(_: RawRequest, wire: Wire) -> None:
        wire.begin_stream()
        wire.chunk(delta("Water it once a month, and not in winter. "))
        wire.gone()

    api.says(script)
    with (
        serving("--upstream", api.url, "--shutdown-timeout", "1") as running,
        connect(running.ready().url) as connection,
    ):
        connection.sendall(request_bytes(ask("How do I water a cactus?", stream=True)))
        assert b"200 OK" in connection.recv(4_096)
        running.signal(signal.SIGTERM)

        assert running.ended() == 0
        outcomes = [line["outcome"] for line in running.lines() if "outcome" in line]
        assert outcomes[-1] == "failed"


# ---- several processes ------------------------------------------------------------------------


def test_two_workers_serve_reload_and_add_up_their_metrics_x28(
    api: ScriptedUpstream, tmp_path: Path
) -> None:
    file = tmp_path / "policy.yaml"
    write(file, OPEN.format(name="first"))
    api.says(said("ok"))
    with serving("--upstream", api.url, "--policy", str(file), "--workers", "2") as running:
        running.ready()
        workers = started(running)
        for _ in range(20):
            assert post(running.url, ask()).status == 200

        def counted() -> float:
            lines = running.get("/metrics").body.decode().splitlines()
            name = 'guardproxy_requests_total{method="POST"'
            return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))

        eventually(lambda: counted() == 20, "the sum of both")
        eventually(lambda: len(ids(running)) == 20, "a line for each")

        write(file, OPEN.format(name="second"))
        running.signal(signal.SIGHUP)
        eventually(lambda: running.log.count("policy reloaded") == 2, "the reload of both")
        assert {name_in_force(running) for _ in range(10)} == {"second"}
        assert started(running) == workers

        running.signal(signal.SIGTERM)
        assert running.ended() == 0
        assert running.log.count("Finished server process") == 2


def started(running: Running) -> list[str]:
    # A worker that is still starting would read a new policy as its first, and reload nothing.
    eventually(lambda: running.log.count("Application startup complete") >= 2, "both workers")
    return [m for line in running.lines() if "Started server" in (m := line["message"])]


def ids(running: Running) -> set[str]:
    return {line["request_id"] for line in running.lines() if line.get("method") == "POST"}


# ---- no start ---------------------------------------------------------------------------------


def refused(*arguments: str, **environment: str) -> tuple[int, str]:
    """Exit code and the last line of what is said."""
    with serving(*arguments, **environment) as running:
        code = running.ended()
        assert "Traceback" not in running.log
        assert not running.output
        return code, running.log.strip().splitlines()[-1]


def test_no_upstream_says_what_to_give() -> None:
    code, line = refused()

    assert (code, "--upstream" in line) == (2, True)


def test_client_keys_without_an_upstream_key_are_refused() -> None:
    code, line = refused(upstream="https://api.example.com", client_keys="k")

    assert (code, "--upstream-api-key" in line) == (2, True)


@pytest.mark.parametrize("blank", ["", ",", " , "])
def test_blank_client_keys_do_not_open_the_operators_key_to_everybody(blank: str) -> None:
    code, line = refused(
        upstream="https://api.example.com", upstream_api_key="sk-op", client_keys=blank
    )

    wanted = "Error: GUARDPROXY_CLIENT_KEYS: holds no key; unset it to let everybody in"
    assert (code, line) == (2, wanted)


def test_a_bad_policy_says_file_line_and_key(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(OPEN.format(name="bad") + "mode: off\n", encoding="utf-8")
    code, line = refused("--upstream", "https://api.example.com", "--policy", str(file))

    assert code == 2
    assert f"{file}:5" in line
    assert "mode" in line


def test_a_value_that_cannot_be_names_its_option_or_variable() -> None:
    assert refused("--workers", "0")[0] == 2
    code, line = refused(upstream="https://user:sk-secret@api.example.com")

    assert code == 2
    assert "GUARDPROXY_UPSTREAM" in line
    assert "secret" not in line


def test_a_changed_model_file_is_refused_x5(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(EMBEDDED_FOLDER, folder)
    tokenizer = folder / "tokenizer.json"
    tokenizer.write_bytes(tokenizer.read_bytes() + b" ")
    code, line = refused("--upstream", "https://api.example.com", "--model", str(folder))

    assert code == 2
    assert "tokenizer.json" in line


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_graph_that_does_not_load_ends_with_2_and_says_so_x5(
    tmp_path: Path, workers: str
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(EMBEDDED_FOLDER, folder)
    (folder / "model.onnx").write_bytes(b"junk")
    manifest = yaml.safe_load((folder / "manifest.yaml").read_text())
    manifest["files"]["model.onnx"] = hashlib.sha256(b"junk").hexdigest()
    (folder / "manifest.yaml").write_text(yaml.safe_dump(manifest))
    upstream = "https://api.example.com"
    code, line = refused("--upstream", upstream, "--model", str(folder), "--workers", workers)

    assert code == 2
    assert line.startswith(f"Error: {folder / 'model.onnx'}: ")


def test_a_port_that_is_taken_ends_with_1() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        code, line = refused("--upstream", "https://api.example.com", "--port", port)

    assert code == 1
    assert f"127.0.0.1:{port}" in line
    assert os.strerror(98) in line
