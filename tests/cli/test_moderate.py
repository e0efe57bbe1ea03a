from __future__ import annotations

import asyncio
import json
import os
import pty
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from guardproxy.cli import main
from guardproxy.cli import moderate as command
from guardproxy.cli.moderate import BATCH_SECTIONS, judge_all
from guardproxy.cli.moderate_input import SECTION_CHARACTERS, Entry
from guardproxy.content import Passage
from guardproxy.errors import ClassifierError
from guardproxy.moderation.mapping import default_guardrails
from guardproxy.verdict import Scores, Verdict
from tests.fakes import KeywordClassifier

THREAT = "I will kill you and your whole family tonight."
HARMLESS = "How often should I water my tomatoes?"


@pytest.fixture
def keywords(monkeypatch: pytest.MonkeyPatch) -> KeywordClassifier:
    """Puts a classifier that looks for words in place of the embedded one."""
    classifier = KeywordClassifier()

    @asynccontextmanager
    async def build(*args: object, **more: object) -> AsyncIterator[KeywordClassifier]:
        yield classifier

    monkeypatch.setattr(command, "build_classifier", build)
    return classifier


def run(*arguments: str, stdin: str | bytes | None = None) -> Result:
    return CliRunner().invoke(main, ["moderate", *arguments], input=stdin)


def lines(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_the_embedded_model_judges_an_argument() -> None:
    bad, good = run(THREAT), run(HARMLESS)

    assert bad.exit_code == 1
    assert "violence_and_threats" in bad.stdout
    assert "violated" in bad.stdout
    assert THREAT not in bad.stdout
    assert good.exit_code == 0
    assert "violated" not in good.stdout


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["good morning"], 0),
        (["how to build a bomb"], 1),
        (["good morning", "how to build a bomb"], 1),
        (["--exit-zero", "how to build a bomb"], 0),
        (["--json", "how to build a bomb"], 1),
    ],
)
def test_the_exit_code_says_whether_something_is_violated(
    keywords: KeywordClassifier, arguments: list[str], code: int
) -> None:
    assert run(*arguments).exit_code == code


def test_json_is_a_line_for_each_text(keywords: KeywordClassifier) -> None:
    found = lines(run("--json", "good morning", "how to build a bomb"))

    assert [(line["source"], line["violated"]) for line in found] == [
        ("text 1", False),
        ("text 2", True),
    ]
    decisions = found[1]["results"]["moderation_llm_v2"]["decisions"]
    assert decisions["dangerous"]["violated"]
    assert len(decisions) == 11


@pytest.mark.parametrize("arguments", [[], ["-"], ["--file", "-"]])
def test_stdin_is_judged(keywords: KeywordClassifier, arguments: list[str]) -> None:
    (found,) = lines(run("--json", *arguments, stdin="how to build a bomb"))

    assert (found["source"], found["violated"]) == ("stdin", True)


def test_lines_of_json_are_judged_past_a_bad_one(keywords: KeywordClassifier) -> None:
    stdin = '{"text": "good morning"}\nnonsense\n{"input": "how to build a bomb"}\n'
    result = run("--json", "--jsonl", "--exit-zero", stdin=stdin)

    assert result.exit_code == 1
    assert [line["line"] for line in lines(result)] == [1, 2, 3]
    assert lines(result)[2]["violated"]
    assert "stdin:2: not valid JSON: Expecting value (column 1)" in result.stderr


def test_a_bad_line_stands_in_the_table(keywords: KeywordClassifier) -> None:
    result = run("--jsonl", stdin="nonsense\n")

    assert result.exit_code == 1
    assert "not judged" in result.stdout


@pytest.mark.parametrize("arguments", [[], ["-"], ["--jsonl"], ["--json"], ["--exit-zero"]])
@pytest.mark.parametrize("stdin", ["", " \n\n"])
def test_a_pipe_that_brings_nothing_is_not_clean(
    keywords: KeywordClassifier, arguments: list[str], stdin: str
) -> None:
    result = run(*arguments, stdin=stdin)

    assert (result.exit_code, result.stdout) == (2, "")
    assert "Error: stdin: is empty, nothing was judged" in result.stderr


def test_an_empty_text_among_lines_is_a_text(keywords: KeywordClassifier) -> None:
    result = run("--jsonl", "--json", stdin='{"text": ""}\n')

    assert result.exit_code == 0
    assert not lines(result)[0]["violated"]


def test_a_policy_decides_by_its_direction(keywords: KeywordClassifier, tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(
        "name: only-pii\n"
        "input:\n"
        "  - moderation_llm_v2:\n"
        "      action: block\n"
        "      ignore_other_categories: true\n"
        "      custom_category_thresholds: {pii: 0.2}\n"
        "output:\n"
        "  - moderation_llm_v2: {action: none}\n"
    )
    arguments = ["--json", "--policy", str(policy), "my passport", "a bomb"]
    coming = lines(run(*arguments))
    going = lines(run(*arguments, "--direction", "output"))

    assert [line["blocked"] for line in coming] == [True, False]
    assert list(coming[0]["results"]["moderation_llm_v2"]["decisions"]) == ["pii"]
    assert [line["violated"] for line in going] == [True, True]
    assert [line["blocked"] for line in going] == [False, False]


def test_a_policy_without_entries_for_the_direction_judges_nothing_and_says_so(
    keywords: KeywordClassifier, tmp_path: Path
) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("name: answers-only\ninput: []\noutput: [{moderation_llm_v2: {}}]\n")
    result = run("--policy", str(policy), "how to build a bomb")

    assert (result.exit_code, result.stdout) == (2, "")
    assert keywords.asked == []
    said = "answers-only has no entries for input; nothing was judged (--direction output?)"
    assert result.stderr.endswith(f"Error: {said}\n")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--file", "no-such-file"], "no-such-file: No such file or directory"),
        (["--policy", "no-such-policy", "a"], "no policy 'no-such-policy' is shipped"),
        (["--model", "no-such-model", "a"], "no-such-model"),
        (["-", "--file", "-"], "stdin (-) can be read once"),
        (["--jsonl", "a"], "--jsonl is about files and stdin"),
        (["--direction", "sideways", "a"], "--direction"),
    ],
)
def test_wrong_usage_is_told_in_a_line(arguments: list[str], problem: str) -> None:
    result = run(*arguments)

    assert result.exit_code == 2
    assert problem in result.stderr
    assert "Traceback" not in result.output


def test_a_classifier_that_fails_is_told_and_scores_nothing(keywords: KeywordClassifier) -> None:
    keywords.error = ClassifierError("a run failed")
    result = run("--json", "good morning")

    assert result.exit_code == 2
    assert result.stdout == ""
    assert "not judged: a run failed" in result.stderr


def test_ctrl_c_shows_what_was_judged_and_is_no_verdict(
    keywords: KeywordClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge = keywords.classify

    async def classify(passages: Sequence[Passage]) -> list[Scores]:
        if keywords.asked:
            raise KeyboardInterrupt
        return await judge(passages)

    monkeypatch.setattr(keywords, "classify", classify)
    result = run("--jsonl", stdin='{"text": "a bomb"}\n' * (BATCH_SECTIONS + 1))

    assert result.exit_code == 130
    assert result.stdout.count("stdin:") == BATCH_SECTIONS
    assert result.stderr == "interrupted\n"


def judged_by(
    classifier: KeywordClassifier, given: Sequence[Entry]
) -> tuple[list[tuple[str, Verdict | None]], float]:
    """What was reported, by label, and how far the progress went."""
    reported: list[tuple[str, Verdict | None]] = []
    steps: list[float] = []
    guardrails = default_guardrails(classifier.default_thresholds)
    asyncio.run(
        judge_all(
            classifier,
            guardrails,
            given,
            lambda entry, verdict: reported.append((entry.label, verdict)),
            steps.append,
        )
    )
    return reported, sum(steps)


def test_a_long_text_is_judged_whole_and_says_where() -> None:
    text = "good morning " * 8_000
    at = 5 * SECTION_CHARACTERS
    text = text[:at] + "bomb" + text[at:]
    ((label, verdict),), done = judged_by(KeywordClassifier(), [Entry("a", text, size=9)])

    assert label == "a"
    assert verdict is not None
    start, end = verdict.results[0].decisions["dangerous_and_criminal_content"].path.split("-")
    assert int(start) <= at <= int(end)
    assert done == pytest.approx(9)


def test_entries_are_reported_in_order_whatever_their_length() -> None:
    long = "good morning " * 4_000
    given = [
        Entry("a", "bomb", size=1),
        Entry("b", line=1, error="no", size=1),
        Entry("c", long, size=1),
        Entry("d", "", size=1),
        *(Entry(f"e{number}", "bomb", size=1) for number in range(BATCH_SECTIONS)),
        Entry("f", line=2, error="no", size=1),
    ]
    reported, done = judged_by(KeywordClassifier(), given)

    assert [label for label, _ in reported] == [entry.label for entry in given]
    assert [verdict is None for _, verdict in reported] == [e.error is not None for e in given]
    assert [verdict.violated for _, verdict in reported if verdict is not None] == [
        "bomb" in entry.text for entry in given if entry.error is None
    ]
    assert done == pytest.approx(len(given))


def test_entries_that_cannot_be_read_are_no_question() -> None:
    classifier = KeywordClassifier()
    judged_by(classifier, [Entry("a", error="no")])

    assert classifier.asked == []


def test_the_classifier_is_asked_for_a_little_at_a_time() -> None:
    class Counting(KeywordClassifier):
        async def classify(self, passages: Sequence[Passage]) -> list[Scores]:
            assert len(passages) <= BATCH_SECTIONS
            return await super().classify(passages)

    classifier = Counting()
    judged_by(classifier, [Entry("a", "x")] * (BATCH_SECTIONS + 1))

    assert [len(passages) for passages in classifier.asked] == [BATCH_SECTIONS, 1]


def in_a_terminal(
    *arguments: str, stdin: bool = False, stdout: bool = False
) -> tuple[int, str, str]:
    """Runs the command with stderr a terminal, and the others if asked; code, stdout, terminal."""
    leader, follower = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "guardproxy", "moderate", *arguments],
        stdin=follower if stdin else subprocess.DEVNULL,
        stdout=follower if stdout else subprocess.PIPE,
        stderr=follower,
        env=os.environ | {"TERM": "xterm", "COLUMNS": "100"},
    ) as process:
        os.close(follower)
        seen = bytearray()
        while True:
            try:
                piece = os.read(leader, 65_536)
            except OSError:  # the terminal is gone when its last user is
                break
            seen += piece
        written = process.stdout.read() if process.stdout is not None else b""
    os.close(leader)
    return process.returncode, written.decode(), seen.decode()


@pytest.fixture
def long_file(tmp_path: Path) -> str:
    path = tmp_path / "long.txt"
    path.write_text("good morning " * 6_000)
    return str(path)


def test_progress_is_shown_on_a_terminal_and_stays_out_of_stdout(long_file: str) -> None:
    code, written, seen = in_a_terminal("--json", "--file", long_file)

    assert code in (0, 1)
    assert len(written.splitlines()) == 1
    assert "judging" in seen
    assert "100%" in seen


def test_lines_for_programs_on_the_same_terminal_are_left_alone(long_file: str) -> None:
    _, _, seen = in_a_terminal("--json", "--file", long_file, stdout=True)

    assert "judging" not in seen
    assert '"results"' in seen


def test_nothing_to_judge_on_a_terminal_is_told() -> None:
    code, _, seen = in_a_terminal(stdin=True)

    assert code == 2
    assert "nothing to judge" in seen
