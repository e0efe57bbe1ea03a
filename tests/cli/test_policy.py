from __future__ import annotations

import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from guardproxy.cli import main
from guardproxy.cli.policy import policy
from guardproxy.policy.load import configs_directory, shipped_policies
from guardproxy.policy.schema import policy_schema_text

V1 = str(configs_directory() / "mistral-v1.yaml")


def guardproxy(*arguments: str, stdin: str | bytes | None = None) -> Result:
    """Runs `guardproxy policy ...`; what it raises on purpose is its exit code."""
    result = CliRunner().invoke(main, ["policy", *arguments], input=stdin)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


def written(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.fixture
def bad(tmp_path: Path) -> str:
    return written(
        tmp_path / "bad.yaml",
        "name: Bad\ninput:\n  - moderation_llm_v2: {acton: block}\noutput: []\n",
    )


# list, schema


def test_list_names_every_shipped_policy_and_marks_the_default() -> None:
    result = guardproxy("list")

    assert result.exit_code == 0
    assert [line.split()[0] for line in result.stdout.splitlines()] == list(shipped_policies())
    assert result.stdout.count("(default)") == 1


def test_schema_prints_the_shipped_schema() -> None:
    assert guardproxy("schema").stdout == policy_schema_text()


# check


def test_check_takes_names_and_files_and_says_what_they_guard() -> None:
    result = guardproxy("check", "strict", str(configs_directory() / "pii-only.yaml"))

    assert result.exit_code == 0
    first, second = result.stdout.splitlines()
    assert ": ok, strict@" in first
    assert second.endswith("1 entry for requests, 1 entry for answers")


def test_check_tells_every_problem_in_one_line_and_goes_on(bad: str) -> None:
    result = guardproxy("check", bad, "strict")

    assert result.exit_code == 2
    form = "lower-case letters, digits, '.', '_' and '-', 64 at most, no sign first"
    assert result.stderr.splitlines() == [
        f"Error: {bad}:1: name: must match pattern '^[a-z0-9][a-z0-9._-]{{0,63}}$': {form}",
        f"Error: {bad}:3: input[0].moderation_llm_v2.acton: unknown key; did you mean action?",
    ]
    assert "strict@" in result.stdout


def test_check_warns_and_still_says_ok(tmp_path: Path) -> None:
    file = written(
        tmp_path / "two.yaml",
        "name: two\noutput: []\ninput:\n  - moderation_llm_v1: {}\n  - moderation_llm_v2: {}\n",
    )

    result = guardproxy("check", file)

    assert result.exit_code == 0
    assert "Warning:" in result.stderr
    assert "2 entries for requests, 0 entries for answers" in result.stdout


# migrate


def test_migrate_prints_the_new_text_and_tells_on_stderr() -> None:
    result = guardproxy("migrate", V1)

    assert result.exit_code == 0
    assert "moderation_llm_v2" in result.stdout
    assert result.stderr.startswith(f"Note: {V1}:13: is now moderation_llm_v2")


def test_migrate_writes_in_place_and_keeps_the_files_mode(tmp_path: Path) -> None:
    file = tmp_path / "old.yaml"
    file.write_bytes(Path(V1).read_bytes().replace(b"\n", b"\r\n"))
    file.chmod(0o640)

    result = guardproxy("migrate", "--write", str(file))

    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.splitlines()[-1] == f"{file}: rewritten"
    assert b"moderation_llm_v2:\r\n" in file.read_bytes()
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert [path.name for path in tmp_path.iterdir()] == ["old.yaml"]


def test_migrate_with_the_new_category() -> None:
    result = guardproxy("migrate", "--with-jailbreaking", V1)

    assert "jailbreaking" not in result.stdout
    assert "jailbreaking is new in v2 and now evaluated" in result.stderr


def test_migrate_has_nothing_to_do_with_v2(tmp_path: Path) -> None:
    text = (configs_directory() / "strict.yaml").read_text(encoding="utf-8")
    file = written(tmp_path / "new.yaml", text)

    result = guardproxy("migrate", "--write", file)

    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "Note: nothing to migrate, every entry is v2\n"


def test_migrate_says_what_it_had_to_leave(tmp_path: Path) -> None:
    file = written(
        tmp_path / "both.yaml",
        "name: x\ninput:\n  - {moderation_llm_v1: {}, moderation_llm_v2: {}}\noutput: []\n",
    )

    result = guardproxy("migrate", file)

    assert result.exit_code == 1
    assert "merge them by hand" in result.stderr


def test_migrate_refuses_a_policy_that_cannot_be_used(bad: str, tmp_path: Path) -> None:
    assert guardproxy("migrate", bad).stderr.startswith(f"Error: {bad}:1: name: must match")
    missing = guardproxy("migrate", str(tmp_path / "none.yaml"))
    assert missing.exit_code == 2
    assert "cannot be read: No such file or directory" in missing.stderr


def test_migrate_leaves_the_file_whole_when_writing_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "old.yaml"
    file.write_bytes(Path(V1).read_bytes())

    def full(source: object, target: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copymode", full)
    result = guardproxy("migrate", "--write", str(file))

    assert result.exit_code == 2
    last = result.stderr.splitlines()[-1]
    assert last == f"Error: {file}: cannot be written: No space left on device"
    assert file.read_bytes() == Path(V1).read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["old.yaml"]


def test_every_command_has_help() -> None:
    assert set(policy.commands) == {"check", "explain", "hash", "list", "migrate", "schema"}
    for name in policy.commands:
        assert guardproxy(name, "--help").exit_code == 0


def test_check_of_a_folder_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path)

    assert "Error: mine: is a directory" in guardproxy("check", "mine").stderr


def test_check_warns_of_routes_that_are_never_passed_through(tmp_path: Path) -> None:
    file = written(
        tmp_path / "routes.yaml",
        "name: routes\noutput: []\ninput:\n  - moderation_llm_v2: {}\npassthrough:\n"
        "  - {path: /v1/chat/completions, methods: [POST]}\n"
        "  - {path: /v1/moderations, methods: [POST]}\n"
        "  - {path: /metrics, methods: [GET]}\n"
        "  - {path: /v1/audio, methods: [POST]}\n",
    )

    result = guardproxy("check", file)

    assert result.exit_code == 0
    assert [line.split(":")[2].strip() for line in result.stderr.splitlines()] == [
        "passthrough[0]", "passthrough[1]", "passthrough[2]",
    ]  # fmt: skip
    assert "is guarded" in result.stderr
    assert result.stderr.count("is guardproxy's own") == 2


@pytest.mark.parametrize("command", [["explain", "strict"], ["hash"]])
@pytest.mark.parametrize("body", ["{", '{"model": "m"}'])
def test_what_is_wrong_with_a_body_names_its_file(
    tmp_path: Path, command: list[str], body: str
) -> None:
    file = written(tmp_path / "request.json", body)

    named = guardproxy(*command, "--request", file)
    piped = guardproxy(*command, "--request", "-", stdin=body)

    assert named.exit_code == piped.exit_code == 2
    assert named.stderr.startswith(f"Error: {file}: ")
    assert piped.stderr.startswith("Error: stdin: ")
