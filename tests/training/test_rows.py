"""Rows of training data, how they are split, drawn, changed."""

from __future__ import annotations

import gzip
import json
import random
import re
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("torch", reason="torch is missing: pip install --group training")

from training.augment import (
    CHANGES,
    Pools,
    augmented,
    both,
    join,
    needle,
    prefix,
    repeat,
    switch,
    wrap,
)
from training.config import CATEGORIES, FORBIDDEN_FOLDERS, HELD_APART, RunConfig
from training.prepare import FACTS_FILE, RELABELLED, TRAIN_FILE, digest, relabel, split, write
from training.rows import LABELS, UNKNOWN, Row, normal_form, read_file, read_rows, row, write_rows
from training.sampling import source_weight, weights

HARMLESS = (0,) * len(LABELS)
HATE = tuple(int(name == "hate_and_discrimination") for name in LABELS)
CONFIG = RunConfig(train=())


def a_row(
    text: str = "A walk by the river.",
    labels: tuple[int, ...] = HARMLESS,
    *,
    source: str = "tatoeba",
    lang: str = "en",
    context: str = "",
) -> Row:
    benign = int(1 not in labels)
    return Row(text, lang, source, labels, context=context, benign=benign)


def line(source: str, text: str, **labels: int) -> str:
    return json.dumps({"text": text, "lang": "en", "labels": labels, "source": source})


def test_a_label_that_is_absent_is_unknown() -> None:
    read = row({"text": "t", "lang": "en", "labels": {"health": 1}}, "file")

    assert read.labels[CATEGORIES.index("health")] == 1
    assert Counter(read.labels) == {1: 1, UNKNOWN: len(LABELS) - 1}
    assert read.source == "file"


@pytest.mark.parametrize(
    ("labels", "dangerous", "criminal", "union"),
    [
        ({"dangerous_or_criminal": 1}, UNKNOWN, UNKNOWN, 1),
        ({"dangerous_or_criminal": 0}, 0, 0, 0),
        ({"dangerous": 1}, 1, UNKNOWN, 1),
        ({"dangerous": 0, "criminal": 0}, 0, 0, 0),
        ({"criminal": 0}, UNKNOWN, 0, UNKNOWN),
    ],
)
def test_the_union_and_its_parts_settle_each_other(
    labels: dict[str, int], dangerous: int, criminal: int, union: int
) -> None:
    read = row({"text": "t", "lang": "en", "labels": labels}, "file")

    assert read.labels[CATEGORIES.index("dangerous")] == dangerous
    assert read.labels[CATEGORIES.index("criminal")] == criminal
    assert read.labels[-1] == union


def test_a_conversation_reads_as_the_proxy_gives_it() -> None:
    said = {"system": "no turn", "user": "a", "assistant": "b"}
    turns = [{"role": role, "text": text} for role, text in said.items()]

    assert row({"text": "t", "lang": "en", "labels": {}, "context": turns}, "f").context == (
        "user: a\nassistant: b\n"
    )


def test_rows_come_back_as_they_were_written(tmp_path: Path) -> None:
    rows = [a_row(), a_row("b", HATE, context="user: a\n")]
    write_rows(tmp_path / "rows.jsonl.gz", rows)

    assert read_file(tmp_path / "rows.jsonl.gz") == rows


def test_sources_can_be_left_out_or_asked_for(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(line("a", "1") + "\n\n" + line("b", "2") + "\n")

    assert [each.source for each in read_rows([tmp_path], without=["a"])] == ["b"]
    assert [each.source for each in read_rows([tmp_path], only=["a"])] == ["a"]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    files = {
        "train/known.jsonl.gz": [line("known", "one", health=1), line("known", "Two!", health=0)],
        "train/ethos.jsonl.gz": [line("ethos", "three", health=0)],
        "dev/known.jsonl.gz": [line("known", "two", health=0)],
        "dev/other.jsonl.gz": [line("other", "four", health=1)],
        "dev/hatecheck_en.jsonl.gz": [line("hatecheck_en", "five", health=0)],
        "train-nc/x.jsonl.gz": [line("x", "six", health=0)],
    }
    for name, lines in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        with gzip.open(tmp_path / name, "wt") as file:
            file.write("\n".join(lines))
    return tmp_path


def test_rows_are_split_by_whole_sources(data: Path) -> None:
    found = split([data / "train"], [data / "dev"])

    # "Two!" is measured on, so it is not trained on; HateCheck is for neither.
    assert [each.text for each in found.train] == ["one"]
    assert [each.text for each in found.known] == ["two"]
    assert [each.text for each in found.apart] == ["three", "four"]


def test_what_was_prepared_says_which_files_and_sources(data: Path) -> None:
    facts = write(split([data / "train"], [data / "dev"]), data / "work")

    assert facts == json.loads((data / "work" / FACTS_FILE).read_text())
    assert facts["train"] == {"known": 1}
    assert [Path(file).name for file in facts["files"]] == ["known.jsonl.gz"]
    assert len(read_file(data / "work" / TRAIN_FILE)) == 1


def test_labels_given_by_reading_fill_what_their_source_left_open(tmp_path: Path) -> None:
    labels = {"violence_and_threats": 1, "hate_and_discrimination": 0, "benign": 0}
    anew = {"sha256": digest("I will HURT you"), "labels": labels}
    (tmp_path / "davidson.jsonl").write_text(json.dumps(anew) + "\n", encoding="utf-8")
    only_hate = tuple(1 if label else UNKNOWN for label in HATE)
    hate = a_row("I will hurt you!", only_hate, source="davidson")
    elsewhere = a_row("I will hurt you!", HATE, source="edos")
    other = a_row("They are all the same.", HATE, source="davidson")

    changed, *same = relabel([hate, elsewhere, other], tmp_path)

    assert same == [elsewhere, other]
    assert (changed.text, changed.source) == (hate.text, "relabelled_davidson")
    assert changed.labels[CATEGORIES.index("violence_and_threats")] == 1
    assert changed.labels[CATEGORIES.index("hate_and_discrimination")] == 1
    assert changed.labels[CATEGORIES.index("sexual")] == UNKNOWN
    assert changed.benign == 0


def test_what_was_read_and_found_unfit_is_not_trained_on(tmp_path: Path) -> None:
    unfit = {"sha256": digest("leave this out"), "labels": None}
    (tmp_path / "chineseharm.jsonl").write_text(json.dumps(unfit) + "\n", encoding="utf-8")
    out = a_row("Leave this out.", HATE, source="chineseharm")
    elsewhere = a_row("Leave this out.", HATE, source="edos")

    assert relabel([out, elsewhere], tmp_path) == [elsewhere]


def test_labels_given_by_reading_hold_no_text_and_agree_with_one_another() -> None:
    lines = [
        json.loads(line)
        for file in sorted(RELABELLED.glob("*.jsonl"))
        for line in file.read_text(encoding="utf-8").splitlines()
    ]

    assert len(lines) > 5_000
    for each in lines:
        assert each.keys() == {"sha256", "labels"}
        assert re.fullmatch("[0-9a-f]{64}", each["sha256"])
        if each["labels"] is None:
            continue
        assert each["labels"].keys() <= {*LABELS, "benign"}
        assert set(each["labels"].values()) <= {0, 1}
        if any(each["labels"].get(name) for name in CATEGORIES):
            assert each["labels"]["benign"] == 0


def test_a_file_counts_as_trained_on_by_any_of_its_rows(data: Path) -> None:
    mixed = [line("ethos", "seven", health=0), line("new", "eight", health=1)]
    (data / "train" / "mixed.jsonl").write_text("\n".join(mixed))
    (data / "train" / "nothing.jsonl").write_text("")

    found = split([data / "train"], [data / "dev"])

    assert [file.name for file in found.files] == ["known.jsonl.gz", "mixed.jsonl"]


@pytest.mark.parametrize("folder", FORBIDDEN_FOLDERS)
def test_no_run_can_be_given_a_folder_that_is_not_for_training(folder: str, data: Path) -> None:
    with pytest.raises(ValueError, match=folder):
        RunConfig(train=(f"/data/{folder}",))
    with pytest.raises(ValueError, match=folder):
        split([data / folder], [])


@given(st.text())
def test_a_normal_form_has_a_normal_form_of_its_own(text: str) -> None:
    assert normal_form(normal_form(text)) == normal_form(text)


def test_a_longer_name_of_a_source_counts_more() -> None:
    assert source_weight("authored_contrast", CONFIG) == 10
    assert source_weight("authored_pii", CONFIG) == 2.5
    assert source_weight("cold", CONFIG) == 1


def test_large_sources_and_languages_do_not_drown_small_ones() -> None:
    rows = [a_row(source="big") for _ in range(90)] + [a_row(source="small", lang="ja")] * 10

    shares = weights(rows, CONFIG)

    assert shares.sum() == pytest.approx(1)
    assert 0.1 < shares[90:].sum() < 0.5


def test_rare_categories_are_drawn_more_often() -> None:
    rows = (
        [a_row() for _ in range(50)]
        + [a_row("x", HATE) for _ in range(49)]
        + [a_row("y", tuple(int(name == "law") for name in LABELS))]
    )

    shares = weights(rows, CONFIG)

    assert shares[-1] >= shares[50]


POOLS = Pools.of([a_row(f"Harmless words number {i}.") for i in range(9)] + [a_row("bad", HATE)])


@pytest.mark.parametrize("name", CHANGES)
def test_no_change_makes_a_label_wrong(name: str) -> None:
    hateful = a_row("They should all be thrown out of this country.", HATE)
    for seed in range(30):
        changed = CHANGES[name](hateful, POOLS, random.Random(seed))
        if name not in {"filler", "join"}:
            assert changed.labels[1] in {1, UNKNOWN}
        assert all(value in {0, UNKNOWN} for value in changed.labels[2:])


def test_a_short_prefix_does_not_show_what_the_whole_is() -> None:
    hateful = a_row("word " * 40, HATE)
    shown = {
        len(cut.text): cut.labels[1]
        for cut in (prefix(hateful, POOLS, random.Random(seed)) for seed in range(30))
    }

    assert shown == {50: UNKNOWN, 100: UNKNOWN, 150: 1}


def test_a_text_is_hidden_whole() -> None:
    hidden = needle(a_row("bad words", HATE), POOLS, random.Random(1))

    assert "bad words" in hidden.text
    assert len(hidden.text) > 60


def test_a_text_is_repeated_whole_and_means_the_same() -> None:
    for seed in range(20):
        repeated = repeat(a_row("bad words", HATE), POOLS, random.Random(seed))

        assert repeated.text.count("bad words") >= 2
        assert len(repeated.text) >= 100
        assert repeated.labels == HATE


def test_a_text_stands_whole_beside_another_language() -> None:
    pools = Pools.of([a_row("Un paseo junto al río.", lang="es"), a_row("A walk by the river.")])
    for seed in range(9):
        switched = switch(a_row("bad words", HATE), pools, random.Random(seed))

        assert "bad words" in switched.text
        assert "Un paseo" in switched.text
        assert "A walk" not in switched.text
        assert switched.labels == HATE


def test_a_text_is_wrapped_whole() -> None:
    lines = a_row("bad words\nand worse", HATE)

    seen = {wrap(lines, POOLS, random.Random(seed)).text for seed in range(200)}

    assert len(seen) == 11
    assert all("bad words" in text and "and worse" in text for text in seen)
    assert '[\n {\n  "id": 1,\n  "message": "bad words\\nand worse"\n }\n]' in seen
    assert "# bad words\n# and worse" in seen


def test_short_messages_run_together_keep_what_is_harmful() -> None:
    seen = {join(a_row("very bad words", HATE), POOLS, random.Random(seed)) for seed in range(60)}
    whole = {row.text.replace(" ", "") for row in seen if row.labels == HATE}

    assert len(whole) > 20
    assert all("verybadwords" in text and "Harmlesswords" in text for text in whole)
    assert {1 in row.labels for row in seen} == {True, False}
    assert any("." in row.text and ". " not in row.text for row in seen)


def test_a_long_text_is_not_run_together_with_others() -> None:
    long = a_row("x" * 80, HATE)

    assert join(long, POOLS, random.Random(0)) is long


def test_labels_of_two_texts_join() -> None:
    assert both((1, 0, 0, UNKNOWN), (0, 0, UNKNOWN, UNKNOWN)) == (1, 0, UNKNOWN, UNKNOWN)


def test_how_often_a_text_is_changed_follows_the_config() -> None:
    never = RunConfig(train=(), augment={})
    always = RunConfig(train=(), augment={"case": 1.0})

    assert augmented(a_row("ABC"), POOLS, never, random.Random(0)).text == "ABC"
    assert augmented(a_row("aBC"), POOLS, always, random.Random(0)).text != "aBC"


def test_sources_held_apart_are_many_and_named_once() -> None:
    assert len(set(HELD_APART)) == len(HELD_APART) >= 5
