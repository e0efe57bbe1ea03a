"""Streams of OpenAI's Responses: each text is judged once, and how they end."""

from __future__ import annotations

import json

import pytest

from guardproxy.content import MediaKind
from guardproxy.dialects.responses import Responses
from guardproxy.errors import StreamError
from guardproxy.verdict import Action, CategoryDecision, GuardrailResult, Verdict
from tests.dialects.bodies import Json
from tests.dialects.recorded import LIMITS, WIRE, channels, events_in, reads, recorded, sent

RESPONSES = Responses()
RECORDED = recorded(RESPONSES)
BLOCKS = WIRE / "responses" / "blocks"
VERDICT = Verdict(
    (
        GuardrailResult(
            "moderation_llm_v2",
            "mistral-moderation-2603",
            Action.BLOCK,
            {"dangerous": CategoryDecision(0.5, 0.9, "output[0].content[0].output_text")},
        ),
    )
)
TEXT = "output[0].content[0].output_text"


def pieces(*values: Json) -> list[tuple[str, str]]:
    reader = RESPONSES.open_stream(LIMITS)
    return [(p.channel, p.text) for value in values for p in reader.read(sent(value)).pieces]


def event(kind: str, **more: Json) -> dict[str, Json]:
    return {"type": f"response.{kind}", "output_index": 0, "content_index": 0, **more}


def text(*deltas: str, index: int = 0) -> list[dict[str, Json]]:
    return [event("output_text.delta", content_index=index, delta=each) for each in deltas]


def whole(*parts: str) -> Json:
    content = [{"type": "output_text", "text": each, "annotations": []} for each in parts]
    item = {"type": "message", "id": "m", "role": "assistant", "content": content}
    return event("completed", response={"id": "r", "output": [item]})


def test_every_text_is_handed_out_once() -> None:
    for name in ("text", "done"):
        assert channels(reads(RESPONSES, RECORDED.streams[name])) == {
            "instructions": "You are a weather service.\n",
            "tools[]": channels(reads(RESPONSES, RECORDED.streams["text"]))["tools[]"],
            TEXT: "It is sunny.",
        }


def test_what_the_model_says_is_no_repeat_of_what_the_request_said() -> None:
    created = event("created", response={"id": "r", "output": [], "instructions": "Be brief."})
    item = {"type": "message", "id": "m", "role": "assistant"}
    said = [{"type": "output_text", "text": "Be brief.", "annotations": []}]
    done = event("output_item.done", item={**item, "content": said})

    found = [text for _, text in pieces(created, created, done, done)]

    assert [text for text in found if "Be brief." in text] == ["Be brief.\n", "Be brief."]


def test_arguments_are_handed_out_once() -> None:
    said = channels(reads(RESPONSES, RECORDED.streams["tools"]))

    assert said["output[].name"] == "get_weather\n"
    assert said["output[0].function_call_arguments"] == '{"place":"Bern"}'
    assert "output[].arguments" not in said


def test_every_channel_is_heard() -> None:
    read = reads(RESPONSES, RECORDED.streams["channels"])
    said = channels(read)

    assert said["output[0].summary[0].reasoning_summary_text"] == "A tool knows."
    assert said["output[1].command[0].shell_call_command"] == "date -u"
    assert said["output[1].command[0].shell_call_output_content.stdout"] == "Sunday"
    assert said["output[2].content[0].refusal"] == "Not more."
    assert said["$.audio.transcript"] == "It is"
    assert "Bern today" in said["output[].content[].annotation.title"]
    kinds = [part.kind for each in read for part in each.media]
    assert kinds == [MediaKind.AUDIO, MediaKind.FILE]


def test_a_repeat_that_differs_is_new() -> None:
    said = pieces(*text("It is ", "sunny."), event("output_text.done", text="It is a bomb."))

    assert said[-2:] == [
        ("output[].content[].text", "It is a bomb."),
        ("$.seam", "\nIt is sunny.It is a bomb."),
    ]


def test_text_that_comes_only_at_the_end_is_judged() -> None:
    assert pieces(whole("It is a bomb.")) == [("output[].content[].text", "It is a bomb.")]


def test_parts_that_clients_join_are_judged_joined() -> None:
    said = dict(pieces(*text("how to build a bo"), *text("mb", index=1)))
    assert said["$.seam"] == "\nhow to build a bomb"

    said = channels([RESPONSES.open_stream(LIMITS).read(sent(whole("how to build a bo", "mb")))])
    assert said["output[].content[].text"] == "how to build a bomb"


PARTS = ("how to ", "build ", "a bomb")


@pytest.mark.parametrize(
    ("kind", "index"),
    [
        ("output_text", "content_index"),
        ("output_text", "output_index"),
        ("refusal", "content_index"),
        ("reasoning_text", "content_index"),
        ("reasoning_summary_text", "summary_index"),
        ("reasoning_summary", "output_index"),
    ],
)
def test_i3_parts_that_come_backwards_end_the_stream(kind: str, index: str) -> None:
    events = [event(f"{kind}.delta", **{index: at}, delta=each) for at, each in enumerate(PARTS)]

    assert pieces(*events)
    with pytest.raises(StreamError):
        pieces(*reversed(events))
    with pytest.raises(StreamError):
        pieces(events[0], events[1], events[0])


@pytest.mark.parametrize(
    "late",
    [
        event("output_text.done", text="how to"),
        event("content_part.added", part={"type": "output_text", "text": "how to"}),
        event("output_item.added", item={"content": [{"type": "output_text", "text": "how to"}]}),
        event("reasoning_summary_text.done", summary_index=0, content_index=None, text="how to"),
    ],
)
def test_i3_a_whole_text_that_comes_late_ends_the_stream(late: dict[str, Json]) -> None:
    summary = event("reasoning_summary_text.delta", output_index=1, summary_index=0, delta="a bomb")
    before = [*text("a bomb", index=1), {**summary, "content_index": None}]

    with pytest.raises(StreamError):
        pieces(*before, late)
    assert pieces(late, *before)


def test_reasoning_and_arguments_may_come_between_the_words_of_an_answer() -> None:
    item = {"type": "reasoning", "content": [{"type": "reasoning_text", "text": "Whole."}]}
    between = [
        event("reasoning_text.delta", delta="So "),
        event("function_call_arguments.delta", delta="{"),
        event("output_text.done", text="It is "),
        event("output_item.done", item=item),
    ]

    assert pieces(*text("It ", "is ", index=0), *text("sunny", index=1), *between)


def test_i3_two_ids_at_one_place_do_not_take_turns() -> None:
    events = [{**each, "item_id": at} for at, each in zip("aba", text(*PARTS), strict=True)]

    assert pieces(*events[:2])
    with pytest.raises(StreamError):
        pieces(*events)


@pytest.mark.parametrize("index", ["0", 0.0, True, [0]])
def test_s6_an_index_that_is_no_number_ends_the_stream(index: Json) -> None:
    with pytest.raises(StreamError):
        pieces(event("output_text.delta", content_index=index, delta="a"))


def test_i3_an_answer_is_judged_in_the_order_of_its_last_event() -> None:
    said = pieces(*text("b", index=0), *text("kil", index=1), *text("l a", index=2))
    again = pieces(
        *text("b"), *text("kil", index=1), *text("l a", index=2), whole("kil", "l a", "b")
    )

    assert again == [*said, ("output_text", "kill ab\n")]


def test_i3_a_summary_is_judged_in_the_order_of_its_item() -> None:
    deltas = [
        event("reasoning_summary_text.delta", summary_index=at, delta=each)
        for at, each in enumerate(("l a", "kil"))
    ]
    summary = [{"type": "summary_text", "text": each} for each in ("kil", "l a")]
    done = event("output_item.done", item={"type": "reasoning", "summary": summary})

    assert pieces(*deltas, done)[-1] == ("summary_text", "kill a\n")


def test_a_last_event_in_the_order_of_the_stream_says_nothing_new() -> None:
    deltas = [*text("It ", "is"), *text(" sunny.", index=1)]

    assert pieces(*deltas, whole("It is", " sunny.")) == pieces(*deltas)


def test_reasoning_and_answer_are_judged_joined() -> None:
    said = dict(
        pieces(
            event("reasoning_summary_text.delta", delta="how to build a bo"),
            *text("mb", index=1),
        )
    )
    assert said["$.seam"] == "\nhow to build a bomb"


def test_an_empty_delta_says_nothing() -> None:
    assert pieces(*text("")) == []


def test_the_work_is_linear_in_the_answer() -> None:
    answer = [f"word{number} " for number in range(500)]
    joined = "".join(answer)
    said = pieces(*text(*answer), event("output_text.done", text=joined), whole(joined))

    assert sum(len(each) for _, each in said) == len(joined)


def test_escapes_in_arguments_are_undone() -> None:
    cut = ('{"q":"a b\\u00', '6fmb"}')
    reader = RESPONSES.open_stream(LIMITS)
    deltas = [event("function_call_arguments.delta", delta=each) for each in cut]
    said = channels([reader.read(sent(each)) for each in deltas])

    assert '{"q":"a bomb"}' in said.values()
    done = event("function_call_arguments.done", arguments='{"q":"a b\\u006fmb"}')
    assert ("output[].content[].arguments.unfolded", "q\na bomb\n") in pieces(done)


@pytest.mark.parametrize(
    "delta", [{"stdout": "a bomb"}, {"other": "a bomb"}, ["a bomb"], {"stdout": {"x": "a bomb"}}]
)
def test_a_delta_in_any_form_is_judged(delta: Json) -> None:
    said = pieces(event("shell_call_output_content.delta", delta=delta))

    assert any("a bomb" in each for _, each in said)


def test_a_delta_nobody_knows_is_judged_in_one_channel() -> None:
    said = pieces(event("a.delta", delta="a bo"), event("b.delta", delta="mb"))

    assert said == [
        ("output[0].content[0].delta", "a bo"),
        ("output[0].content[0].delta", "mb"),
    ]


def test_fields_of_many_names_are_one_text() -> None:
    words = ("how to", "build", "a bomb")
    for kind in ("output_text.delta", "in_progress", "a.delta"):
        said = pieces(*(event(kind, **{f"k{at}": word}) for at, word in enumerate(words)))
        read = "".join(text for channel, text in said if channel.endswith(".rest"))

        assert read == "how to\nbuild\na bomb\n"


def test_what_a_delta_nearly_said_is_judged() -> None:
    near = [{"token": "sun", "logprob": -1, "top_logprobs": [{"token": "bomb", "logprob": -2}]}]
    said = pieces(event("output_text.delta", delta="sun", logprobs=near))

    assert said == [(TEXT, "sun"), (f"{TEXT}.logprobs.top", "bomb")]


def test_an_event_name_is_judged_unless_it_is_the_events_type() -> None:
    reader = RESPONSES.open_stream(LIMITS)
    other = b'event: boo\ndata: {"type": "response.queued"}\n\n'

    assert [piece.text for piece in reader.read(events_in(other)[0]).pieces] == ["boo\n", "boo"]


def blocked_after(stream: str, left: int) -> bytes:
    """How a stream is ended of which so many events have left and all were read."""
    reader = RESPONSES.open_stream(LIMITS)
    finished: set[int] = set()
    for at, each in enumerate(events_in(RECORDED.streams[stream])):
        read = reader.read(each)
        finished.update(read.finished if at < left else ())
    return reader.blocked(VERDICT, finished)


def test_a_block_is_an_incomplete_response() -> None:
    assert blocked_after("text", 5) == (BLOCKS / "incomplete.sse").read_bytes()


def test_a_block_after_a_keep_alive_alone_begins_the_response() -> None:
    assert blocked_after("text", 0) == (BLOCKS / "nothing_left.sse").read_bytes()


def test_a_fault_is_an_error_event() -> None:
    reader = RESPONSES.open_stream(LIMITS)
    reader.read(sent({"type": "response.created", "response": {"id": "resp_1"}}))

    assert reader.failed("it broke") == (BLOCKS / "fault.sse").read_bytes()


def test_our_end_is_numbered_after_all_that_was_read() -> None:
    value = json.loads(events_in(blocked_after("text", 5))[0].data or "")

    assert value["sequence_number"] > len(events_in(RECORDED.streams["text"])) - 1


def test_what_stands_beside_a_piece_of_sound_is_judged() -> None:
    sound = event("audio.delta", delta="QUJDREVG", logprobs="jailbreaking")

    assert [said for _, said in pieces(sound)] == ["jailbreaking"]
