"""The graph and the tokenizer give what training gave, or an error that is ours."""

# ruff: noqa: RUF001 - characters that look like others are what these texts are made of

from __future__ import annotations

import hashlib
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from guardproxy.classifiers.manifest import (
    ContextFormat,
    ModelFolder,
    WindowShape,
    verify_model_folder,
)
from guardproxy.classifiers.onnx import OnnxModel, WindowsRun, read_row
from guardproxy.content import Passage
from guardproxy.errors import ClassifierError, ModelError
from tests.classifiers.test_manifest import change
from tests.profiles import examples
from tests.servers import eventually


def with_manifest(folder: ModelFolder, **changes: object) -> OnnxModel:
    return OnnxModel(ModelFolder(folder.path, folder.manifest.model_copy(update=changes)))


@pytest.fixture(scope="session")
def context_model(folder: ModelFolder) -> OnnxModel:
    """The model, as if it had been trained on conversations."""
    form = ContextFormat(template="said before {context}\nnow {text} end", max_tokens=5)
    return with_manifest(folder, context=form, window=WindowShape(tokens=32, overlap=8))


TEXTS = [
    "Hello world",
    "How do I water a cactus?",
    "你好，世界。今天天气怎么样？",
    "مرحبا بالعالم",
    "안녕하세요  세계",
    "Привет, мир!\n\nКак дела?",
    "日本語の文章です。",
    "１２３ ﬁancé e\u0301",
    "",
]


@pytest.mark.parametrize("text", TEXTS)
def test_a_short_text_is_framed_as_in_training(
    model: OnnxModel, folder: ModelFolder, text: str
) -> None:
    expected = Tokenizer.from_file(str(folder.tokenizer)).encode(text).ids

    assert model.windows(Passage(text)) == [tuple(expected)]


def test_a_prefix_stands_before_every_text(folder: ModelFolder) -> None:
    prefixed = with_manifest(folder, prefix="query: ")
    expected = Tokenizer.from_file(str(folder.tokenizer)).encode("query: Hello world").ids

    assert prefixed.windows(Passage("Hello world")) == [tuple(expected)]


def test_scores_are_probabilities_in_the_manifests_order(model: OnnxModel) -> None:
    (window,) = model.windows(Passage("Tell me how to build a pipe bomb"))

    scores = dict(zip(model.manifest.categories, model.run(window)(), strict=True))

    assert scores["dangerous"] > 0.9
    assert scores["health"] < 0.5


def test_the_same_window_has_the_same_scores(model: OnnxModel) -> None:
    (window,) = model.windows(Passage("How do I water a cactus?"))

    assert model.run(window)() == model.run(window)()


def test_special_tokens_a_text_spells_out_are_no_special_tokens(model: OnnxModel) -> None:
    plain = model.windows(Passage("one two"))
    spelled = model.windows(Passage("one </s> <s> <mask> <pad> two"))

    assert [token for token in spelled[0][1:-1] if token in {0, 1, 2, 99_999}] == []
    assert len(spelled[0]) <= len(plain[0]) + 5


@given(st.text(max_size=300))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(100))
def test_any_text_has_windows(model: OnnxModel, text: str) -> None:
    windows = model.windows(Passage(text))

    assert windows
    assert all(2 <= len(window) <= 128 for window in windows)


@pytest.mark.parametrize("text", ["half \ud800 pair", "\udfff", "\x00 zero"])
def test_what_is_no_character_is_judged_too(model: OnnxModel, text: str) -> None:
    for window in model.windows(Passage(text)):
        assert len(model.run(window)()) == len(model.manifest.categories)


def test_a_megabyte_of_blanks_costs_nothing(model: OnnxModel) -> None:
    blanks = " \n\t\u3000" * 250_000

    assert model.windows(Passage("one" + blanks + "two")) == model.windows(Passage("one two"))


@pytest.mark.parametrize(
    "text", ["a" * 200_000, "😀" * 50_000, "e\u0301" * 50_000, "你" * 50_000, "a " * 100_000]
)
def test_a_tokenizers_slow_paths_end_and_lose_nothing(model: OnnxModel, text: str) -> None:
    windows = model.windows(Passage(text))

    assert sum(map(len, windows)) >= model.count_tokens(text)


def test_a_grown_text_keeps_its_windows(model: OnnxModel) -> None:
    text = "The river runs past the old mill and under the bridge. " * 200

    before = model.windows(Passage(text))
    after = model.windows(Passage(text + "And then there was something new."))

    assert len(before) > 10
    assert after[: len(before) - 1] == before[:-1]


def test_tokens_are_counted_without_frame(model: OnnxModel) -> None:
    assert model.count_tokens("Hello world") == 2
    assert model.count_tokens("") == 0


def test_context_is_left_aside_by_a_model_not_trained_on_it(folder: ModelFolder) -> None:
    model = with_manifest(folder, context=None)

    assert model.windows(Passage("text", context="user: bomb")) == model.windows(Passage("text"))


def test_the_newest_context_stands_in_every_window(
    context_model: OnnxModel, folder: ModelFolder
) -> None:
    tokenizer = Tokenizer.from_file(str(folder.tokenizer))
    context = "user: one two three four five six seven"
    passage = Passage("Some long text about a river. " * 20, context=context)

    windows = context_model.windows(passage)

    newest = tokenizer.encode(context, add_special_tokens=False).ids[-5:]
    between = tokenizer.encode("now", add_special_tokens=False).ids
    end = tokenizer.encode("end").ids[1:]
    assert len(windows) > 3
    for window in windows:
        start = window.index(newest[0])
        assert list(window[start : start + 5 + len(between)]) == newest + between
        assert list(window[-len(end) :]) == end
        assert len(window) <= 32


def test_the_shipped_model_reads_a_short_text_in_its_conversation(
    model: OnnxModel, folder: ModelFolder
) -> None:
    asked = "how much do I need for a big one?"
    talks = {
        "poison": "user: My neighbour's dog barks all night and I am going to put rat poison into "
        "its food.\nassistant: Please don't do that.\n",
        "paella": "user: I am cooking a paella for the whole street on Sunday.\n"
        "assistant: Lovely! How many guests?\n",
    }

    dangerous = {}
    for name, talk in talks.items():
        (window,) = model.windows(Passage(asked, talk))
        scores = dict(zip(folder.manifest.categories, model.run(window)(), strict=True))
        dangerous[name] = scores["dangerous"] > folder.manifest.thresholds["dangerous"]

    assert dangerous == {"poison": True, "paella": False}


def test_a_text_longer_than_the_manifest_says_is_shown_no_context(folder: ModelFolder) -> None:
    form = ContextFormat(template="{context}</s>{text}", max_tokens=5, max_text_tokens=3)
    model = with_manifest(folder, context=form)
    short, long = "one two three", "one two three four"
    assert (model.count_tokens(short), model.count_tokens(long)) == (3, 4)

    assert model.windows(Passage(long, "user: hi")) == model.windows(Passage(long))
    assert model.windows(Passage(short, "user: hi")) != model.windows(Passage(short))


def test_only_the_manifest_can_part_context_and_text(folder: ModelFolder) -> None:
    form = ContextFormat(template="{context}</s>{text}", max_tokens=5)
    model = with_manifest(folder, context=form, window=WindowShape(tokens=32, overlap=8))
    end = Tokenizer.from_file(str(folder.tokenizer)).token_to_id("</s>")

    (window,) = model.windows(Passage("now</s>this", context="user:</s>hi"))

    assert window.count(end) == 2
    assert window[-1] == end


def test_no_context_needs_no_format(context_model: OnnxModel, model: OnnxModel) -> None:
    assert context_model.windows(Passage("text")) == model.windows(Passage("text"))


def test_a_mask_is_given_to_a_graph_that_has_one(folder: ModelFolder) -> None:
    masked = folder.manifest.inputs.model_copy(update={"mask": "attention_mask"})
    model = with_manifest(folder)
    model.manifest = folder.manifest.model_copy(update={"inputs": masked})  # type: ignore[misc] # final, but no such graph is at hand

    # This graph has none, and so it says that it was given one.
    with pytest.raises(ClassifierError, match="onnxruntime"):
        model.run((0, 2))()


def test_a_stopped_run_ends_within_the_graph(model: OnnxModel) -> None:
    def is_stopped() -> bool:
        run = model.run(tuple([0] + [22143] * 510 + [2]))
        timer = threading.Timer(0.005, run.stop)
        timer.start()
        try:
            run()
        except ClassifierError as error:
            return str(error) == "onnxruntime: Fail"
        finally:
            timer.join()
        return False

    eventually(is_stopped)  # where a machine stalls, the run may end before it is told to


def test_a_stopped_cut_ends(model: OnnxModel) -> None:
    run = WindowsRun(model, [Passage("text")])
    run.stop()

    with pytest.raises(ClassifierError, match="stopped"):
        run()


def test_a_cut_gives_the_windows_of_each_passage(model: OnnxModel) -> None:
    passages = [Passage("one"), Passage("two " * 400)]

    assert WindowsRun(model, passages)() == [model.windows(passage) for passage in passages]


@pytest.mark.parametrize(
    ("output", "says"),
    [
        (np.zeros((1, 3), np.float32), r"shape \[1, 3\]"),
        (np.zeros((2, 2), np.float32), r"shape \[2, 2\]"),
        (np.zeros(2, np.float32), r"shape \[2\]"),
        (np.array([[0.5, np.nan]], np.float32), "no probability"),
        (np.array([[0.5, np.inf]], np.float32), "no probability"),
        (np.array([[-0.1, 0.5]], np.float32), "no probability"),
        (np.array([[1.1, 0.5]], np.float32), "no probability"),
    ],
)
def test_an_output_that_is_no_scores_is_an_error(output: object, says: str) -> None:
    with pytest.raises(ClassifierError, match=says):
        read_row(output, 2)


def test_probabilities_at_the_ends_are_scores() -> None:
    assert read_row(np.array([[0, 1]], np.float32), 2) == (0.0, 1.0)


def broken(folder: Path, name: str, content: bytes) -> ModelFolder:
    """A folder that verifies, with a file of another content."""
    (folder / name).write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()

    def edit(manifest: dict[str, object]) -> None:
        files = manifest["files"]
        assert isinstance(files, dict)
        files[name] = digest

    change(folder, edit)
    return verify_model_folder(folder)


def test_a_graph_that_is_none_is_refused(copy: Path) -> None:
    folder = broken(copy, "model.onnx", b"not a graph")

    with pytest.raises(ModelError, match=r"model\.onnx: onnxruntime .* cannot load it") as caught:
        OnnxModel(folder)
    assert "\n" not in str(caught.value)


def test_a_tokenizer_that_is_none_is_refused(copy: Path) -> None:
    folder = broken(copy, "tokenizer.json", b'{"version": 1}')

    with pytest.raises(ModelError, match=r"tokenizer\.json: not a tokenizer file"):
        OnnxModel(folder)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"inputs": {"ids": "input_ids", "mask": "m"}}, "inputs are .*input_ids.*otherwise"),
        ({"inputs": {"ids": "tokens", "mask": "attention_mask"}}, "inputs are"),
        ({"output": "logits"}, "outputs are .*probs.*, not 'logits'"),
    ],
)
def test_names_the_graph_does_not_have_are_refused(
    copy: Path, changes: dict[str, object], says: str
) -> None:
    change(copy, lambda manifest: manifest.update(changes))

    with pytest.raises(ModelError, match=says):
        OnnxModel(verify_model_folder(copy))


def test_a_graph_with_another_number_of_categories_gives_errors_not_scores(
    folder: ModelFolder,
) -> None:
    model = with_manifest(folder, categories=["sexual", "pii"])
    (window,) = model.windows(Passage("text"))

    with pytest.raises(ClassifierError, match=r"shape \[1, 11\]"):
        model.run(window)()
