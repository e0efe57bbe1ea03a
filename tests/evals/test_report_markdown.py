from __future__ import annotations

from dataclasses import replace

from markdown_it import MarkdownIt

from guardproxy.evals.report import Report
from guardproxy.evals.report_markdown import as_markdown
from tests.evals.reports import NONE, ORIGIN, REPORT, SECTION, UNKNOWN

PAGE = as_markdown(ORIGIN, REPORT)


def test_the_headline_is_the_first_section() -> None:
    assert (
        "**Sources never trained on** (1,230 rows of 2 sources): macro AP 0.123 [0.10, 0.20], "
        "lowest pii 0.123 [0.10, 0.20]. The policy blocks 12.3 % [10.0, 20.0] of 30 benign texts."
    ) in PAGE


def test_every_category_and_slice_has_a_line() -> None:
    assert (
        "| pii | 1,200 / 30 | 0.123 [0.10, 0.20] | 0.123 | 0.123 | - | 0.050 "
        "| 0.123 | 0.500 | 0.123 | - | - | - |"
    ) in PAGE
    assert "| sexual | 9 / 9 | 0.900 |" in PAGE
    assert "| law | 0 / 0 | - | - | - | - | - | - | - | - | - | - | - |" in PAGE
    assert "| en | 1,230 | 0.123 [0.10, 0.20] | 0.200 | 0.700 | 1 | 1,200 |" in PAGE


def test_it_says_where_it_comes_from() -> None:
    for said in (
        "- command: `guardproxy eval --data dev`",
        f"sha256 `{'ab' * 32}`",
        "- machine: a processor, 2 cores; 61 s",
        "- versions: python 3.11.1, numpy 2",
        "| `dev/a.jsonl` | 1,230 | `cdcdcdcdcdcd` |",
    ):
        assert said in PAGE


def test_unfinished_answers_and_conversations_are_told_if_there_are_any() -> None:
    assert (
        "| 25% | 0.123 [0.10, 0.20] | 12.3 % [10.0, 20.0] | 12.3 % [10.0, 20.0] | 40.0 % "
        "| 12.3 % [10.0, 20.0] | 50.0 % |" in PAGE
    )
    assert "| minimal pairs, both right | 0 | - |" in PAGE
    assert "the model does not read them" in PAGE
    assert "60 short harmful texts" in PAGE
    assert "Alone the policy blocks 50.0 % of them; of those it blocks 12.3 % [10.0" in PAGE
    plain = as_markdown(ORIGIN, Report([SECTION], [], None))
    assert "Unfinished" not in plain
    assert "Conversations" not in plain
    assert "among harmless" not in plain


def test_pictures_are_linked() -> None:
    assert "![plots/a.png](plots/a.png)" in as_markdown(ORIGIN, REPORT, ["plots/a.png"])
    assert "Plots" not in PAGE


def test_what_has_no_figure_says_so() -> None:
    bare = replace(SECTION, macro=NONE, categories=[UNKNOWN], blocked_benign=NONE)

    assert "macro AP -. The policy blocks - of 30" in as_markdown(ORIGIN, Report([bare], [], None))


def test_it_is_markdown_with_tables_and_nothing_to_run() -> None:
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(PAGE)

    kinds = {token.type for token in tokens}
    assert "table_open" in kinds
    assert not kinds & {"fence", "code_block"}
