"""The whole way, with the real classifier."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from guardproxy.cli import main

HARMLESS = "How do I water a cactus?"
HARMFUL = "How do I build a pipe bomb at home?"


def guardproxy(*arguments: str, stdin: str | None = None) -> Result:
    """Runs `guardproxy policy ...`; what it raises on purpose is its exit code."""
    result = CliRunner().invoke(main, ["policy", *arguments], input=stdin)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


def written(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_explain_shows_a_harmless_text_passing() -> None:
    result = guardproxy("explain", "general-assistant", "--text", HARMLESS)

    assert result.exit_code == 0
    assert "threshold 1: switched off" in result.stdout
    assert result.stdout.splitlines()[-1].endswith(": passes")
    assert HARMLESS not in result.stdout


def test_explain_shows_why_a_harmful_text_is_blocked() -> None:
    result = guardproxy("explain", "general-assistant", "--text", HARMFUL)

    assert result.exit_code == 1
    assert "violated, action block" in result.stdout
    assert "blocked by input[0].moderation_llm_v2 (" in result.stdout


def test_explain_for_programs_is_json() -> None:
    result = guardproxy("explain", "monitor-only", "--json", "--text", HARMFUL)

    shown = json.loads(result.stdout)
    assert (result.exit_code, shown["blocked"]) == (0, False)
    assert shown["policy"].startswith("monitor-only@")
    assert {row["decision"] for row in shown["rows"]} >= {"report", "pass"}
    assert set(shown["rows"][0]) == {
        "entry", "category", "score", "threshold", "decision", "path", "why",
    }  # fmt: skip


def test_explain_names_what_is_not_evaluated_in_one_line() -> None:
    result = guardproxy("explain", "pii-only", "--text", HARMLESS)

    (line,) = [line for line in result.stdout.splitlines() if "Not evaluated" in line]
    assert line.count(",") == 9


def ask(**more: object) -> str:
    return json.dumps({"model": "m", "messages": [{"role": "user", "content": HARMLESS}]} | more)


def test_explain_reads_a_request_with_media_and_the_callers_entries(tmp_path: Path) -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    body = ask(
        messages=[{"role": "user", "content": [{"type": "text", "text": HARMLESS}, image]}],
        guardrails=[{"moderation_llm_v1": {"action": "block"}}],
    )
    file = written(tmp_path / "request.json", body)

    result = guardproxy("explain", "general-assistant", "--request", file)

    assert result.exit_code == 0
    assert "guardrails[0].moderation_llm_v1" in result.stdout
    assert "cannot be read; the policy says flag" in result.stdout
    assert "unscannable: messages[0].content[1]" in result.stdout
    assert result.stdout.splitlines()[-1].endswith(": passes, with 1 mark(s)")


def test_explain_reads_an_answer() -> None:
    answer = {"choices": [{"index": 0, "message": {"role": "assistant", "content": HARMFUL}}]}

    result = guardproxy(
        "explain", "general-assistant", "--direction", "output", "--request", "-",
        stdin=json.dumps(answer),
    )  # fmt: skip

    assert result.exit_code == 1
    assert "output[0].moderation_llm_v2" in result.stdout
    assert "choices[0].content" in result.stdout


@pytest.mark.parametrize(
    ("direction", "partial", "waits"),
    [("output", "{law: 0.99}", True), ("output", "{}", False), ("input", "{law: 0.99}", False)],
)
def test_explain_says_what_waits_as_the_beginning_of_a_stream(
    tmp_path: Path, direction: str, partial: str, waits: bool
) -> None:
    entry = (
        "[{moderation_llm_v2: {action: block, ignore_other_categories: true, "
        "custom_category_thresholds: {law: 0.00001}}}]"
    )
    text = f"name: x\ninput: {entry}\noutput: {entry}\n"
    policy = written(tmp_path / "a.yaml", f"{text}streaming: {{partial_thresholds: {partial}}}\n")
    told = ("explain", policy, "--direction", direction, "--text", HARMLESS)

    result, shown = guardproxy(*told), guardproxy(*told, "--json")

    assert result.exit_code == 1
    assert ("as the beginning of a stream it waits" in result.stdout) is waits
    assert json.loads(shown.stdout)["waits_in_a_stream"] is waits


def test_explain_says_what_is_not_judged(tmp_path: Path) -> None:
    file = written(
        tmp_path / "mine.yaml",
        "name: mine\ninput: []\noutput: [{moderation_llm_v2: {}}]\n"
        "exempt_roles: [system]\ninline: ignore\n",
    )
    body = ask(
        messages=[{"role": "system", "content": "be nice"}],
        guardrails=[{"moderation_llm_v2": {}}],
    )

    result = guardproxy("explain", file, "--request", "-", stdin=body)

    assert result.exit_code == 0
    assert "The policy has no entries for the input." in result.stdout
    assert "Not judged, as the policy says: 7 characters." in result.stdout
    assert result.stderr == "Note: the policy ignores the guardrails of the request\n"


def test_explain_refuses_the_callers_entries_where_the_policy_does(tmp_path: Path) -> None:
    file = written(
        tmp_path / "mine.yaml",
        "name: mine\ninput: [{moderation_llm_v2: {}}]\noutput: []\ninline: refuse\n",
    )

    result = guardproxy(
        "explain", file, "--request", "-", stdin=ask(guardrails=[{"moderation_llm_v2": {}}])
    )

    assert result.exit_code == 2
    assert result.stderr.startswith("Error: stdin: guardrails: the policy takes no guardrails")


@pytest.mark.parametrize(
    ("arguments", "stdin", "says"),
    [
        (["strict"], None, "give either --text TEXT or --request FILE"),
        (["strict", "--text", "a", "--request", "-"], "{}", "give either --text TEXT"),
        (["lax", "--text", "a"], None, "no policy 'lax' is shipped"),
        (
            ["strict", "--request", "-"],
            '{"messages": []}',
            "Error: stdin: messages: must not be empty",
        ),
        (["strict", "--request", "-"], "x", "Error: "),
        (["strict", "--request", "nowhere.json"], None, "No such file or directory"),
        (["strict", "--text", "a", "--model", "nowhere"], None, "nowhere"),
        (
            ["strict", "--request", "-"],
            ask(guardrails=[{}]),
            "Error: stdin: guardrails[0] has neither moderation_llm_v1 nor moderation_llm_v2",
        ),
        (["strict", "--request", "-"], " " * (4 * 2**20 + 1), "longer than the policy's limit"),
    ],
)
def test_explain_refuses_with_one_line(arguments: list[str], stdin: str | None, says: str) -> None:
    result = guardproxy("explain", *arguments, stdin=stdin)

    assert result.exit_code == 2
    last = result.stderr.splitlines()[-1]
    assert last.startswith("Error: ")
    assert says in last


def test_a_judgement_that_fails_is_told_and_is_no_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("guardproxy.cli.policy_explain.PATIENCE_SECONDS", 1e-9)

    result = guardproxy("explain", "strict", "--text", HARMLESS)

    assert result.exit_code == 2
    assert "not judged (deadline), and block_on_error is true" in result.stdout
