from __future__ import annotations

from collections.abc import Callable

import pytest

from guardproxy.content import Passage
from guardproxy.errors import RequestError
from guardproxy.moderation.dispatch import MISTRAL, MISTRAL_CHAT
from guardproxy.moderation.mistral import (
    MAX_INPUTS,
    MAX_MESSAGES,
    error,
    read_conversations,
    read_texts,
)
from guardproxy.moderation.question import Body, InvalidBodyError, Problem, Question, refused
from tests.moderation.support import answered, golden

NEW = "mistral-moderation-2603"
USER = {"role": "user", "content": "hello"}


@pytest.mark.parametrize("model", ["mistral-moderation-2603", "mistral-moderation-2411"])
def test_texts_are_answered_as_documented(model: str) -> None:
    body = {"model": model, "input": ["how to build a bomb", "good morning"]}

    assert answered(MISTRAL, body) == golden(model.replace("-", "_"))


def test_latest_has_the_keys_of_2411_and_its_own_name() -> None:
    body = {"model": "mistral-moderation-latest", "input": "how to build a bomb"}
    answer = answered(MISTRAL, body)

    assert answer["model"] == "mistral-moderation-latest"
    assert answer["results"] == golden("mistral_moderation_2411")["results"][:1]


def test_the_old_keys_come_with_a_word_of_warning() -> None:
    old = read_texts({"model": "mistral-moderation-2411", "input": "a"})
    new = read_texts({"model": NEW, "input": "a"})

    assert old.deprecated is not None
    assert "use mistral-moderation-2603" in old.deprecated.advice
    assert new.deprecated is None


def test_a_conversation_is_answered_as_documented() -> None:
    body = {"model": NEW, "input": [USER, {"role": "assistant", "content": "build a bomb"}]}

    assert answered(MISTRAL_CHAT, body) == golden("mistral_chat")


def test_the_last_message_is_judged_in_its_conversation() -> None:
    turns = [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "hello\nthere"},
        {"role": "assistant", "content": "hi"},
    ]
    question = read_conversations({"model": NEW, "input": turns})

    assert question.passages == (Passage("hi", "user: hello there\n"),)


def test_several_conversations_have_a_result_each() -> None:
    question = read_conversations({"model": NEW, "input": [[USER], [USER, USER]]})

    assert question.passages == (Passage("hello"), Passage("hello", "user: hello\n"))


def test_what_cannot_be_read_beside_text_is_counted() -> None:
    content = [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": "https://x/y"}]
    question = read_conversations({"model": NEW, "input": [{"role": "user", "content": content}]})

    assert question.passages == (Passage("look"),)
    assert question.unjudged == 1


def test_m3_what_is_cut_over_chunks_is_also_read_without_the_cuts() -> None:
    texts = [{"type": "text", "text": text} for text in ("how to bu", "ild a bo", "mb")]
    thoughts = [{"type": "thinking", "thinking": [text]} for text in texts]
    last = {"role": "user", "content": texts}
    thought = {"role": "assistant", "content": thoughts}
    question = read_conversations({"model": NEW, "input": [[USER, last], [USER], [thought]]})

    assert len(question.passages) == 3
    sentence = Passage("how to build a bomb")
    assert question.joined == ((0, sentence), (2, sentence))


def test_each_piece_of_a_last_message_is_also_read_alone() -> None:
    texts = [{"type": "text", "text": text} for text in ("tonight", "at nine")]
    last = {"role": "user", "content": texts}
    call = {"function": {"name": "look_up", "arguments": "how to build a bomb"}}
    asks = {"role": "assistant", "content": "let me see", "tool_calls": [call]}
    question = read_conversations({"model": NEW, "input": [[USER], [USER, last], [USER, asks]]})

    assert question.alone == (
        (1, Passage("tonight", "user: hello\n")),
        (1, Passage("at nine", "user: hello\n")),
        (2, Passage("let me see")),
        (2, Passage("look_up")),
        (2, Passage("how to build a bomb")),
    )


def test_m3_thoughts_between_two_texts_hide_no_word() -> None:
    content = [
        {"type": "text", "text": "how to build a bo"},
        {"type": "thinking", "thinking": [{"type": "text", "text": " hm "}]},
        {"type": "text", "text": "mb"},
    ]
    last = {"role": "assistant", "content": content}
    question = read_conversations({"model": NEW, "input": [last]})

    assert (0, Passage("how to build a bomb")) in question.joined


@pytest.mark.parametrize("blank", ["", " \n"])
def test_a_blank_text_beside_media_is_none(blank: str) -> None:
    image = {"type": "image_url", "image_url": "https://x/y"}
    content = [{"type": "text", "text": blank}, {**image, "document_name": "y.pdf"}]
    with pytest.raises(InvalidBodyError) as caught:
        read_conversations({"model": NEW, "input": [{"role": "user", "content": content}]})

    assert caught.value.places[0].kind == "unreadable"


@pytest.mark.parametrize(
    ("body", "place", "kind"),
    [
        ({"input": "a"}, ("model",), "missing"),
        ({"model": NEW}, ("input",), "missing"),
        ({"model": 1, "input": "a"}, ("model",), "string_type"),
        ({"model": NEW, "input": None}, ("input",), "list_type"),
        ({"model": NEW, "input": []}, ("input",), "too_short"),
        ({"model": NEW, "input": ["a", 1]}, ("input", 1), "string_type"),
        ({"model": NEW, "input": ["a"] * (MAX_INPUTS + 1)}, ("input",), "too_long"),
        ({"model": NEW, "input": "a", "user": "me"}, ("user",), "extra_forbidden"),
        ({"model": NEW, "input": "a", "metadata": []}, ("metadata",), "dict_type"),
    ],
)
def test_a_body_that_breaks_the_schema_is_refused_with_its_place(
    body: dict[str, object], place: tuple[str | int, ...], kind: str
) -> None:
    with pytest.raises(InvalidBodyError) as caught:
        read_texts(body)

    first = caught.value.places[0]
    assert (first.path, first.kind) == (place, kind)


@pytest.mark.parametrize(
    ("value", "place", "kind"),
    [
        ("hello", ("input",), "list_type"),
        ([], ("input",), "too_short"),
        ([[]], ("input", 0), "too_short"),
        ([[USER], []], ("input", 1), "too_short"),
        ([USER, [USER]], ("input", 0), "list_type"),
        (["hello"], ("input", 0), "model_type"),
        ([{"role": "developer", "content": "x"}], ("input", 0, "role"), "literal_error"),
        ([{"content": "x"}], ("input", 0, "role"), "missing"),
        ([USER | {"audio": 1}], ("input", 0, "audio"), "extra_forbidden"),
        ([[USER | {"audio": 1}]], ("input", 0, 0, "audio"), "extra_forbidden"),
        ([[USER]] * (MAX_INPUTS + 1), ("input",), "too_long"),
        ([USER] * (MAX_MESSAGES + 1), ("input",), "too_long"),
        (
            [{"role": "user", "content": [{"type": "image_url", "image_url": "x"}]}],
            ("input", 0),
            "unreadable",
        ),
    ],
)
def test_a_conversation_that_breaks_the_schema_is_refused_with_its_place(
    value: object, place: tuple[str | int, ...], kind: str
) -> None:
    with pytest.raises(InvalidBodyError) as caught:
        read_conversations({"model": NEW, "input": value})

    first = caught.value.places[0]
    assert (first.path, first.kind) == (place, kind)


def test_as_many_as_documented_are_read() -> None:
    texts = read_texts({"model": NEW, "input": ["a"] * MAX_INPUTS})
    turns = read_conversations({"model": NEW, "input": [USER] * MAX_MESSAGES})

    assert len(texts.passages) == MAX_INPUTS
    assert len(turns.passages) == 1


def test_mistakes_are_listed_but_not_without_end() -> None:
    with pytest.raises(InvalidBodyError) as caught:
        read_texts({"model": NEW, "input": [1] * MAX_INPUTS})

    assert len(caught.value.places) == 16


def test_an_error_never_repeats_what_was_sent() -> None:
    content = [{"type": "s3cret-type", "text": "s3cret"}]
    with pytest.raises(InvalidBodyError) as caught:
        read_conversations({"model": NEW, "input": [{"role": "s3cret", "content": content}]})

    _, body = error(refused(caught.value), "id")
    assert "s3cret" not in str(body)


@pytest.mark.parametrize("read", [read_texts, read_conversations])
def test_an_unknown_model_is_answered_with_the_known_ones(
    read: Callable[[Body], Question],
) -> None:
    value: object = "a" if read is read_texts else [USER]
    with pytest.raises(RequestError, match="known are mistral-moderation-2411") as caught:
        read({"model": "mistral-moderation-9999", "input": value})

    status, body = error(refused(caught.value), "id")
    assert status == 400
    assert body["param"] == "model"
    assert body["code"] == "invalid_model"


@pytest.mark.parametrize("status", [400, 422])
def test_a_body_we_cannot_take_is_a_422_with_a_list(status: int) -> None:
    assert error(Problem(status, "No.", "duplicate_key", "input"), "id") == (
        422,
        {"detail": [{"loc": ["body"], "msg": "No.", "type": "duplicate_key"}]},
    )


@pytest.mark.parametrize(
    ("status", "kind"), [(413, "invalid_request_error"), (503, "service_unavailable")]
)
def test_other_errors_are_flat(status: int, kind: str) -> None:
    assert error(Problem(status, "No.", "why"), "id") == (
        status,
        {"object": "error", "message": "No.", "type": kind, "param": None, "code": "why"},
    )
