"""Unfinished answers and conversations are judged and counted as they are described."""

from __future__ import annotations

import numpy as np
import pytest

from guardproxy.content import Passage
from guardproxy.evals.resamples import Resamples
from guardproxy.evals.table import Guards
from guardproxy.evals.variants import beginning, context, conversations, partial, passage
from guardproxy.policy.decide import raise_thresholds
from tests.evals.samples import BLOCKING, CLEAN, guards, row, scores_of, table_of, turns

EARLY = Guards(BLOCKING.input, raise_thresholds(BLOCKING.output, {"pii": 0.8}))


@pytest.mark.parametrize(
    ("part", "text"), [(0.25, "ab"), (0.5, "abc"), (0.75, "abcd"), (1.0, "abcde")]
)
def test_a_beginning_is_never_empty_and_keeps_its_labels(part: float, text: str) -> None:
    cut = beginning(row("abcde"), part)

    assert cut.text == text
    assert cut.labels == row().labels
    assert beginning(row("a"), 0.25).text == "a"


def test_a_passage_has_the_conversation_as_guard_writes_it() -> None:
    labelled = row("and then?", context=turns("hello", "good day"))
    answer = row("and then?", context=turns("hello"), role="assistant")

    assert passage(labelled, 0) == Passage("and then?")
    assert passage(labelled, 999) == Passage("and then?", "user: hello\nassistant: good day\n")
    assert passage(labelled, 5).context == " day\n"
    assert passage(answer, 999).context == "user: hello\n"


def test_unfinished_text_is_blocked_at_its_own_thresholds() -> None:
    rows = [row(role="user"), *(row(labels=CLEAN, role="assistant") for _ in range(4))]
    whole = table_of(rows, scores_of(*({} for _ in rows)), BLOCKING)
    cut = {0.5: scores_of({"pii": 0.7}, {"pii": 0.7}, {"law": 0.7}, {}), 1.0: scores_of(*[{}] * 4)}

    half, end, ever = partial(
        whole,
        cut,
        rows=np.arange(1, 5),
        default=guards(),
        policy=BLOCKING,
        early=EARLY,
        resamples=Resamples(5, resamples=5, seed=0),
    )

    assert (half.share, half.rows, half.benign) == (0.5, 4, 4)
    assert half.blocked_benign.value == 0.25, "pii is above 0.5 and not above 0.8"
    assert half.blocked_benign_at_final.value == 0.75
    assert (end.blocked_benign.value, end.blocked_benign_at_final.value) == (0, 0)
    assert (ever.share, ever.blocked_benign.value) == (None, 0.25)
    assert ever.blocked_benign_at_final.value == 0.75


def test_what_is_blocked_at_any_part_counts_once() -> None:
    rows = [row(labels={"pii": 1}, role="assistant") for _ in range(4)]
    early = scores_of({"pii": 0.9}, {"pii": 0.7}, {}, {})
    late = scores_of({"pii": 0.9}, {}, {"pii": 0.7}, {})

    half, end, ever = partial(
        table_of(rows, late, BLOCKING),
        {0.5: early, 1.0: late},
        rows=np.arange(4),
        default=guards(),
        policy=BLOCKING,
        early=EARLY,
        resamples=Resamples(4, resamples=0, seed=0),
    )

    assert [each.blocked_harmful.value for each in (half, end, ever)] == [0.25, 0.5, 0.5]
    assert [each.blocked_harmful_at_final.value for each in (half, end, ever)] == [0.5, 0.5, 0.75]


def test_found_of_unfinished_text_is_about_the_cut_rows() -> None:
    rows = [row(labels={"pii": 1}, role="assistant"), row(labels={"pii": 1}, role="assistant")]
    whole = table_of(rows, scores_of({"pii": 0.9}, {"pii": 0.9}))

    half, ever = partial(
        whole,
        {0.5: scores_of({"pii": 0.9}, {"pii": 0.1})},
        rows=np.arange(2),
        default=guards(),
        policy=guards(),
        early=guards(),
        resamples=Resamples(2, resamples=0, seed=0),
    )

    assert half.found.value == 0.5
    assert half.macro.value is None
    assert ever.found.value == 0.5


def test_without_conversations_there_is_nothing_to_say() -> None:
    rows = [row()]
    talk = conversations(rows, 100)
    nothing = scores_of({})[:0]

    assert context(
        table_of(rows, scores_of({})), talk,
        alone=nothing, before=nothing, default=guards(), reads_context=True,
    ) is None  # fmt: skip


def test_conversations_are_counted() -> None:
    """A pair of one text, a clean one after a violating turn, one that is always wrong."""
    rows = [
        row("continue", labels={"sexual": 1, "benign": 0}, context=turns("bad scene", "well")),
        row("plain", context=()),
        row("continue", context=turns("recipe")),
        row("thanks", context=turns("threat")),
        row("hidden", labels={"pii": 1, "benign": 0}, context=turns("a", "b"), pair="p"),
    ]
    talk = conversations(rows, 100)
    judged = scores_of({"sexual": 0.9}, {}, {}, {"law": 0.9}, {})

    figures = context(
        table_of(rows, judged, BLOCKING),
        talk,
        alone=scores_of({}, {}, {}, {}),
        before=scores_of({}, {}, {}, {"violence_and_threats": 0.9}, {}, {}),
        default=guards(),
        reads_context=True,
    )

    assert talk.rows.tolist() == [0, 2, 3, 4]
    assert talk.alone[0] == Passage("continue")
    assert talk.before[1] == Passage("well")
    assert figures is not None
    assert figures.rows == 4
    assert figures.right.value == 0.5
    assert figures.right_without.value == 0.5
    assert (figures.misleading, figures.misleading_right.value) == (2, 0.5)
    assert (figures.pairs, figures.pairs_right.value) == (1, 1.0)
    assert figures.pairs_right_without.value == 0.0
    assert (figures.after_violation, figures.after_violation_blocked.value) == (1, 1.0)
