"""Prompts to be completed: OpenAI's legacy shape and Mistral's fill in the middle."""

from __future__ import annotations

import json

import pytest

from guardproxy.content import Role, TextPart
from guardproxy.dialects.base import Dialect
from guardproxy.dialects.completions import Completions, FimCompletions
from guardproxy.errors import RequestError
from guardproxy.policy.config import Limits
from tests.dialects.bodies import Json
from tests.dialects.recorded import channels, events_in, reads, recorded
from tests.dialects.samples import VERDICT

LIMITS = Limits(choices=4)
LEGACY, FIM = Completions(), FimCompletions()
BOTH = pytest.mark.parametrize("dialect", [LEGACY, FIM], ids=lambda each: each.name)


def texts(dialect: Dialect, **body: Json) -> list[TextPart]:
    asked = dialect.read_request(json.dumps({"model": "m", **body}).encode(), LIMITS)
    return list(asked.texts)


def refusal(dialect: Dialect, **body: Json) -> tuple[int, str, str | None]:
    with pytest.raises(RequestError) as error:
        texts(dialect, **body)
    return error.value.status, error.value.code, error.value.param


@BOTH
def test_m19_a_prompt_is_a_string_or_a_list_of_strings(dialect: Dialect) -> None:
    assert texts(dialect, prompt="one") == [TextPart(Role.USER, "one", "prompt")]
    assert texts(dialect, prompt=["one", "two"]) == [
        TextPart(Role.USER, "one", "prompt[0]"),
        TextPart(Role.USER, "two", "prompt[1]"),
    ]


@BOTH
@pytest.mark.parametrize(
    "prompt", [[1, 2], [[1, 2], [3]], ["one", 2], [["one"]], [], 1, {}, None, True, [None]]
)
def test_m18_numbers_of_tokens_and_other_shapes_are_refused(dialect: Dialect, prompt: Json) -> None:
    assert refusal(dialect, prompt=prompt) == (400, "invalid_prompt", "prompt")


@BOTH
def test_m18_no_prompt_is_refused(dialect: Dialect) -> None:
    assert refusal(dialect) == (400, "invalid_prompt", "prompt")


@BOTH
def test_what_stands_around_the_gap_is_judged_as_one(dialect: Dialect) -> None:
    found = texts(dialect, prompt="how to build a bo", suffix="mb at home")

    assert TextPart(Role.USER, "how to build a bomb at home", "prompt..suffix") in found
    assert TextPart(Role.USER, "mb at home", "suffix") in found


def test_every_prompt_of_a_list_has_the_gap() -> None:
    found = texts(LEGACY, prompt=["a" * 1_000, "bo"], suffix="mb" + "c" * 1_000)

    joined = {part.path: part.text for part in found if ".." in part.path}
    assert joined.keys() == {"prompt[0]..suffix", "prompt[1]..suffix"}
    assert joined["prompt[1]..suffix"].startswith("bomb")
    assert all(len(text) <= 480 for text in joined.values())


@BOTH
def test_what_else_is_text_is_judged_and_ids_are_not(dialect: Dialect) -> None:
    found = texts(
        dialect,
        prompt="p",
        stop=["stop here", "and here"],
        user="user-1",
        logit_bias={"12": 1, "a word": 2},
        x_unknown={"deep": ["some words"]},
    )

    assert [(part.path, part.text) for part in found[1:]] == [
        ("logit_bias", "a word"),
        ("$", "stop hereand here\nsome words"),
        ("$..", "stop here\nand here"),
    ]


@BOTH
def test_a_suffix_that_is_no_string_is_text_all_the_same(dialect: Dialect) -> None:
    said = [part.text for part in texts(dialect, prompt="p", suffix=["a", "b"])]

    assert said == ["p", "ab", "a\nb"]


@BOTH
@pytest.mark.parametrize(
    ("field", "value"), [("n", 5), ("n", 0), ("best_of", 5), ("best_of", -1), ("n", 3)]
)
def test_choices_are_bounded_over_all_prompts(dialect: Dialect, field: str, value: int) -> None:
    prompt = ["one", "two"] if value == 3 else "one"

    code = "too_many_choices" if value >= 0 else "invalid_type"
    assert refusal(dialect, prompt=prompt, **{field: value}) == (400, code, field)
    assert texts(dialect, prompt=["one", "two"], n=2, best_of=4)
    assert refusal(dialect, prompt=["p"] * 5) == (400, "too_many_prompts", "prompt")


@BOTH
def test_the_best_of_none_is_the_vendors_own_least(dialect: Dialect) -> None:
    assert texts(dialect, prompt="p", best_of=0)


@BOTH
@pytest.mark.parametrize("field", ["max_tokens", "logprobs", "min_tokens"])
def test_counts_are_whole_numbers(dialect: Dialect, field: str) -> None:
    assert refusal(dialect, prompt="p", **{field: "many"}) == (400, "invalid_type", field)


@BOTH
@pytest.mark.parametrize("field", ["prompt_embeds", "prompt_token_ids", "chat_template", "lora"])
def test_m17_what_nobody_can_judge_is_refused(dialect: Dialect, field: str) -> None:
    assert refusal(dialect, prompt="p", **{field: "x"}) == (400, "unsupported_field", field)


def test_mistral_takes_no_guardrails_for_fim_and_so_do_we() -> None:
    assert refusal(FIM, prompt="p", guardrails=[{}]) == (422, "extra_forbidden", "guardrails")
    body = b'{"prompt": "p", "guardrails": null}'
    assert FIM.read_request(body, LIMITS).guardrails_present
    assert LEGACY.read_request(b'{"prompt": "p", "guardrails": [{}]}', LIMITS).guardrails == [{}]


def test_legacy_answers_say_their_text_and_its_alternatives() -> None:
    answer = json.dumps(recorded(LEGACY).answers["openai"]).encode()

    found = {part.path: part.text for part in LEGACY.read_answer(answer, LIMITS).texts}
    assert found["choices[0].text"] == "\n\nThis is indeed a test"
    assert found["choices[1].text"] == " and another"
    assert "trial" in found["choices[0].logprobs.top"]


def test_legacy_streams_continue_each_choice() -> None:
    said = channels(reads(LEGACY, recorded(LEGACY).streams["openai"]))

    assert said["choices[0].text"] == "Once upon a time"
    assert said["choices[1].text"] == "Dear friend"


def test_a_block_ends_the_choices_that_are_open() -> None:
    reader = LEGACY.open_stream(LIMITS)
    finished: set[int] = set()
    for event in events_in(recorded(LEGACY).streams["openai"])[:5]:
        finished.update(reader.read(event).finished)

    chunk, done = reader.blocked(VERDICT, finished).split(b"\n\n")[:2]
    value = json.loads(chunk.removeprefix(b"data: "))

    assert done == b"data: [DONE]"
    assert value["object"] == "text_completion"
    assert value["id"] == "cmpl-2"
    assert value["choices"] == [
        {"index": 0, "text": "", "logprobs": None, "finish_reason": "content_filter"}
    ]
    assert value["guardrails"]["results"]["moderation_llm_v2"]["violated"]


def test_fim_answers_and_streams_as_chat_completions_do() -> None:
    answer = json.dumps(recorded(FIM).answers["mistral"]).encode()
    said = channels(reads(FIM, recorded(FIM).streams["mistral"]))
    end = FIM.open_stream(LIMITS).blocked(VERDICT, ())

    assert [part.path for part in FIM.read_answer(answer, LIMITS).texts] == ["choices[0].content"]
    assert said["choices[0].content"] == "    return a + b\n"
    assert b'"object":"chat.completion.chunk"' in end
