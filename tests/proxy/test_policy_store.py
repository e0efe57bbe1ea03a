"""A new policy is in force whole or not at all, and every attempt is told."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from guardproxy.errors import ConfigurationError, PolicyError
from guardproxy.policy.active import ActivePolicy, activate
from guardproxy.policy.load import MAX_BYTES, load_policy
from guardproxy.proxy import policy_store
from guardproxy.proxy.policy_store import PolicyStore
from tests.fakes import KeywordClassifier
from tests.servers import eventually

TEXT = "name: {}\ninput: [{{moderation_llm_v2: {{}}}}]\noutput: []\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "policy.yaml"
    path.write_text(TEXT.format("first"), encoding="utf-8")
    return path


class Told:
    """Every attempt: the policy's name, or None."""

    def __init__(self) -> None:
        self.attempts: list[str | None] = []

    def __call__(self, fresh: ActivePolicy | None) -> None:
        self.attempts.append(fresh.config.name if fresh else None)


def load(file: Path) -> Callable[[], ActivePolicy]:
    return lambda: activate(load_policy(file), KeywordClassifier.default_thresholds)


def test_the_first_policy_must_load(file: Path) -> None:
    file.write_text("nonsense", encoding="utf-8")

    with pytest.raises(PolicyError):
        PolicyStore(load(file), Told())


def test_a_valid_policy_replaces_the_one_in_force(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    told = Told()
    store = PolicyStore(load(file), told)
    before = store.active()
    file.write_text(TEXT.format("second"), encoding="utf-8")
    with caplog.at_level(logging.INFO):
        assert store.reload()

    assert (store.active().config.name, store.last_error) == ("second", None)
    assert before.config.name == "first"
    assert told.attempts == ["second"]
    assert caplog.messages == [
        f"policy reloaded: {store.active().label} replaces {before.label}",
    ]


@pytest.mark.parametrize("text", ["nonsense", "name: x\n", TEXT.format("x")[:-3] + "\xff", None])
def test_what_cannot_be_used_leaves_the_last_good_in_force(
    file: Path, text: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    told = Told()
    store = PolicyStore(load(file), told)
    before = store.active()
    if text is None:
        file.unlink()
    else:
        file.write_text(text, encoding="latin-1")

    assert not store.reload()
    assert store.active() is before
    assert store.last_error is not None
    assert told.attempts == [None]
    assert [(r.levelname, "not reloaded" in r.message) for r in caplog.records] == [("ERROR", True)]


@pytest.mark.parametrize("error", [OSError("gone"), ConfigurationError("bad"), ValueError("odd")])
def test_a_failure_to_read_is_told_like_any_other(file: Path, error: Exception) -> None:
    errors: list[Exception] = []

    def fail_later() -> ActivePolicy:
        if errors:
            raise errors[0]
        return load(file)()

    store = PolicyStore(fail_later, Told())
    errors.append(error)

    assert not store.reload()
    assert store.last_error == str(error)


def test_recovery_clears_the_error_and_an_unchanged_policy_stays_the_same_object(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = PolicyStore(load(file), Told())
    before, good = store.active(), file.read_text(encoding="utf-8")
    file.write_text("nonsense", encoding="utf-8")
    store.reload()
    file.write_text(good, encoding="utf-8")
    with caplog.at_level(logging.INFO):
        assert store.reload()

    assert store.last_error is None
    assert store.active() is before
    assert "is unchanged" in caplog.messages[-1]


def write(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8")


@asynccontextmanager
async def watching(store: PolicyStore, file: Path) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(store.watch(file))
        await asyncio.sleep(0.05)
        yield
        task.cancel()


async def has_name(store: PolicyStore, name: str) -> bool:
    await asyncio.to_thread(eventually, lambda: store.active().config.name == name)
    return True


async def test_a_written_and_a_replaced_file_are_seen(file: Path) -> None:
    store = PolicyStore(load(file), Told())
    async with watching(store, file):
        write(file, TEXT.format("written"))
        assert await has_name(store, "written")

        fresh = file.with_suffix(".new")
        write(fresh, TEXT.format("replaced"))
        fresh.replace(file)
        assert await has_name(store, "replaced")


@pytest.mark.parametrize("folder", [".venv", "node_modules", "plain"])
async def test_a_folder_is_watched_whatever_its_name(tmp_path: Path, folder: str) -> None:
    file = tmp_path / folder / "policy.yaml~"
    file.parent.mkdir()
    write(file, TEXT.format("first"))
    store = PolicyStore(load(file), Told())
    async with watching(store, file):
        write(file, TEXT.format("second"))

        assert await has_name(store, "second")


async def test_other_files_of_the_folder_reload_nothing(file: Path) -> None:
    told = Told()
    store = PolicyStore(load(file), told)
    async with watching(store, file):
        write(file.with_name("other.yaml"), "a")
        write(file, TEXT.format("second"))
        await has_name(store, "second")

    assert told.attempts == ["second"]


async def test_a_file_that_is_deleted_and_comes_back_is_seen(file: Path) -> None:
    told = Told()
    store = PolicyStore(load(file), told)
    async with watching(store, file):
        await asyncio.to_thread(file.unlink)
        await asyncio.to_thread(eventually, lambda: told.attempts == [None])
        write(file, TEXT.format("second"))

        assert await has_name(store, "second")


async def test_of_a_huge_file_no_more_is_read_than_a_policy_may_have(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy_store, "_LOOK_EVERY", 10)
    told = Told()
    store = PolicyStore(load(file), told)
    async with watching(store, file):
        huge = file.with_name("huge.yaml")
        write(huge, "#" * (MAX_BYTES + 1))
        huge.replace(file)
        await asyncio.to_thread(eventually, lambda: told.attempts == [None])
        with file.open("ab") as opened:
            opened.write(b"what is not read is no change")
        await asyncio.sleep(0.1)  # ten looks: passes without them, too, fails if they read on
        assert told.attempts == [None]
        write(file, TEXT.format("second"))

        assert await has_name(store, "second")


async def test_a_watch_that_ends_is_followed_by_reading(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ends(*_: object, **__: object) -> AsyncIterator[None]:
        yield

    monkeypatch.setattr(policy_store, "awatch", ends)
    monkeypatch.setattr(policy_store, "_LOOK_EVERY", 10)
    store = PolicyStore(load(file), Told())
    async with watching(store, file):
        write(file, TEXT.format("second"))

        assert await has_name(store, "second")


@pytest.mark.parametrize("error", [OSError("no watches left"), RuntimeError("inotify")])
async def test_where_nothing_can_be_watched_the_file_is_read_now_and_then(
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
) -> None:
    def cannot(*_: object, **__: object) -> AsyncIterator[None]:
        raise error

    monkeypatch.setattr(policy_store, "awatch", cannot)
    monkeypatch.setattr(policy_store, "_LOOK_EVERY", 10)
    store = PolicyStore(load(file), Told())
    async with watching(store, file):
        write(file, TEXT.format("second"))
        assert await has_name(store, "second")

    assert "cannot be watched" in caplog.text
