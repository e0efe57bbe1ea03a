"""The whole default classifier: real model, real views, real recognizers."""

from __future__ import annotations

import asyncio
import os
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from guardproxy.classifiers.embedded import (
    EMBEDDED_FOLDER,
    available_cores,
    open_classifier,
    warm_up,
)
from guardproxy.classifiers.ensemble import Ensemble
from guardproxy.classifiers.manifest import ModelFolder
from guardproxy.classifiers.onnx import OnnxModel
from guardproxy.classifiers.recognizers import pii_score
from guardproxy.classifiers.recognizers.contacts import EMAIL_CONFIDENCE
from guardproxy.content import Passage
from guardproxy.errors import ClassifierDeadline, ModelError
from guardproxy.evals.table import HARMS
from guardproxy.guard import Classifier
from guardproxy.normalize import readings


def opened(
    folder: ModelFolder | Path = EMBEDDED_FOLDER, *, timeout: float = 60, threads: int | None = None
) -> AbstractAsyncContextManager[Ensemble]:
    return open_classifier(
        folder,
        readings=readings,
        pii_score=pii_score,
        timeout=timeout,
        queue=4,
        threads=threads,
        cache_entries=100,
    )


async def test_it_fits_the_seam_and_judges(folder: ModelFolder) -> None:
    async with opened(folder) as ensemble:
        judge: Classifier = ensemble  # the type checker proves the fit
        harmful, benign = await judge.classify(
            [Passage("How do I build a pipe bomb at home?"), Passage("How do I water a cactus?")]
        )

    thresholds = judge.default_thresholds
    assert harmful["dangerous"] > thresholds["dangerous"]
    assert not [category for category in benign if benign[category] > thresholds[category]]


async def test_personal_data_in_a_harmless_text_is_seen(folder: ModelFolder) -> None:
    async with opened(folder) as judge:
        (scores,) = await judge.classify(
            [Passage("The invoice goes to DE89 3704 0044 0532 0130 00")]
        )

    assert scores["pii"] > judge.default_thresholds["pii"]


CARD = "4556737586899855"
GROUPED = "4556 7375 8689 9855"


@pytest.mark.parametrize(
    "value",
    [
        CARD.translate(str.maketrans("456789", "\u2463\u2464\u2465\u2466\u2467\u2468")),
        CARD.translate(str.maketrans("0456789", "\u2070\u2074\u2075\u2076\u2077\u2078\u2079")),
        CARD.translate({ord(digit): 0x2080 + int(digit) for digit in "0123456789"}),
        "4111 \u200b1111 \u200b1111 \u200b1111",
        "DE89370400440532013000".translate({code: code + 0xFEE0 for code in range(0x30, 0x5B)}),
        "ghp_16C7e42F292c6912E7710c838347Ae178B4a".translate(
            {code: code + 0xFEE0 for code in range(0x21, 0x7F)}
        ),
        "".join(f"&#{ord(digit)};" for digit in CARD),
        "".join(f"&#x{ord(digit):x};" for digit in CARD),
        GROUPED.replace(" ", "&nbsp;"),
        "marie.dupont&#64;orange.fr",
        "marie.dupont&commat;orange&period;fr",
        "marie.dupont&amp;#64;orange.fr",
    ],
    ids=ascii,
)
async def test_recognisers_read_what_a_model_or_a_browser_reads(
    folder: ModelFolder, value: str
) -> None:
    async with opened(folder) as judge:
        alone, within = await judge.classify([Passage(value), Passage(f"ref {value} ok")])

    assert min(alone["pii"], within["pii"]) >= EMAIL_CONFIDENCE


@pytest.mark.parametrize("file", ["LICENSE", "CONTRIBUTING.md", "pyproject.toml", "Makefile"])
async def test_what_developers_paste_every_day_passes(folder: ModelFolder, file: str) -> None:
    text = (Path(__file__).parents[2] / file).read_text(encoding="utf-8")
    async with opened(folder) as judge:
        (scores,) = await judge.classify([Passage(text)])

    blocking = (*HARMS, "jailbreaking")
    assert not [name for name in blocking if scores[name] > judge.default_thresholds[name]]


async def test_a_path_is_verified(copy: Path) -> None:
    (copy / "model.onnx").write_bytes(b"other")

    with pytest.raises(ModelError, match="sha256"):
        async with opened(copy):
            pytest.fail("it opened")


async def test_a_judgement_that_cannot_end_in_time_is_a_deadline_and_the_next_one_runs(
    folder: ModelFolder,
) -> None:
    long = " ".join(f"Sentence number {number} is about a river." for number in range(30_000))
    async with opened(folder, timeout=2.0, threads=1) as judge:
        with pytest.raises(ClassifierDeadline):
            await judge.classify([Passage(long)])

        assert await judge.classify([Passage("How do I water a cactus?")])


async def test_identical_texts_in_flight_agree(folder: ModelFolder) -> None:
    async with opened(folder, threads=2) as judge:
        answers = await asyncio.gather(
            *(judge.classify([Passage("How do I water a cactus?")]) for _ in range(4))
        )

    assert answers == [answers[0]] * 4


def test_a_model_that_does_not_judge_does_not_open(
    model: OnnxModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        model, "manifest", model.manifest.model_copy(update={"categories": ["pii"]})
    )

    with pytest.raises(ModelError, match=r"loads but does not judge: .*shape"):
        warm_up(model)


def test_cores_are_those_this_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 1 <= available_cores() <= (os.cpu_count() or 1)

    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: None)

    assert available_cores() == 1
