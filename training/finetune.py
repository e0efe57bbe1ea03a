"""Fine-tunes the upper layers of the encoder, the word table frozen, for a given time.

Batches hold texts of like length, in few shapes: a CPU compiles a kernel for each new one. Every
few minutes a checkpoint is written, from which the same command goes on.
"""

from __future__ import annotations

import json
import math
import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from safetensors.torch import save_file
from torch import Tensor, nn

from training.arrays import Floats
from training.augment import Pools, augmented
from training.config import CATEGORIES, RunConfig
from training.framing import PAD, Framer
from training.losses import masked_loss
from training.network import Encoder
from training.rows import Row
from training.sampling import weights
from training.teachers import Teachers

LENGTHS: Final = (16, 24, 32, 48, 64, 96, 128, 192, 256)
WEIGHTS_FILE: Final = "finetuned.safetensors"
CHECKPOINT_FILE: Final = "checkpoint.pt"
LOG_FILE: Final = "log.jsonl"
CONFIG_FILE: Final = "config.json"

HEAD_ALONE: Final = 0.04
"""Share of a run that starts from a packed model, whose head it does not have."""

_WARM_UP: Final = 0.05
_LEAST_RATE: Final = 1e-3
_MOST_POSITIVE_WEIGHT: Final = 4.0
_SMOOTH: Final = 0.98
_DROPOUT: Final = 0.1
_OTHER_WINDOW: Final = 0.3
"""How often a long text is shown in another window than its first, which mostly says what it is."""


@dataclass(frozen=True, slots=True)
class Batch:
    """ids int64 [texts, tokens], PAD where a text has ended; labels int8 [texts, LABELS].

    `soft` float32 [texts, categories] is what teachers say, where there are any.
    """

    ids: Tensor
    labels: Tensor
    soft: Tensor | None = None


class Draws:
    """An endless row of batches: rows drawn by weight, changed, cut, sorted by length."""

    def __init__(
        self,
        rows: Sequence[Row],
        framer: Framer,
        config: RunConfig,
        teachers: Teachers | None = None,
    ) -> None:
        self._rows = rows
        self._teachers = teachers
        self._framer = framer
        self._config = config
        self._pools = Pools.of(rows)
        self._weights = weights(rows, config)

    def batches(self, number: int) -> list[Batch]:
        """The batches of one round; the same number gives the same ones."""
        seed = self._config.seed * 1_000_003 + number
        chance = random.Random(seed)
        picked = np.random.default_rng(seed).choice(
            len(self._rows), size=self._config.round_rows, p=self._weights
        )
        rows = [
            augmented(self._rows[i], self._pools, self._config, chance) for i in picked.tolist()
        ]
        cut = self._framer.windows(rows)
        shown = [_shown(*each, chance) for each in zip(rows, cut, strict=True)]
        soft = self._teachers.soft(shown) if self._teachers else None
        result = list(_bucketed(shown, rows, soft, self._config.batch_tokens, chance))
        chance.shuffle(result)
        return result


def _shown(row: Row, windows: Sequence[Sequence[int]], chance: random.Random) -> Sequence[int]:
    """Of a harmless text any window, since all are harmless; of another the first mostly."""
    any_window = row.benign == 1 or chance.random() < _OTHER_WINDOW
    return chance.choice(windows) if any_window else windows[0]


def _bucketed(
    ids: Sequence[Sequence[int]],
    rows: Sequence[Row],
    soft: Floats | None,
    tokens: int,
    chance: random.Random,
) -> Iterator[Batch]:
    buckets: dict[int, list[int]] = {}
    for place, text in enumerate(ids):
        length = next(length for length in LENGTHS if length >= len(text))
        buckets.setdefault(length, []).append(place)
    for length, places in buckets.items():
        chance.shuffle(places)
        size = max(4, tokens // length)
        for start in range(0, len(places), size):
            part = places[start : start + size]
            part += [chance.choice(places) for _ in range(size - len(part))]
            made = batch([ids[i] for i in part], [rows[i] for i in part], length)
            yield made if soft is None else replace(made, soft=torch.from_numpy(soft[part]))


def batch(ids: Sequence[Sequence[int]], rows: Sequence[Row], length: int) -> Batch:
    """Texts padded to one length."""
    padded = np.full((len(ids), length), PAD, np.int64)
    for place, text in enumerate(ids):
        padded[place, : len(text)] = text
    labels = np.array([row.labels for row in rows], np.int8)
    return Batch(torch.from_numpy(padded), torch.from_numpy(labels))


class FineTuning:
    """One run: encoder, head, optimiser, and how far it is."""

    def __init__(self, config: RunConfig, encoder_file: Path, rows: Sequence[Row]) -> None:
        torch.manual_seed(config.seed)
        self._config = config
        self.encoder = Encoder.load(encoder_file, attention_pools=config.attention_pools)
        for layer in self.encoder.layers[: config.frozen_layers]:
            layer.requires_grad_(requires_grad=False)
        if config.frozen_layers:
            self.encoder.positions.requires_grad = False
            self.encoder.norm.requires_grad_(requires_grad=False)
        self.head = nn.Linear(self.encoder.pooled_width, len(CATEGORIES))
        nn.init.normal_(self.head.weight, std=0.01)
        # A head of their own: what teachers say is calibrated, the labels are weighted.
        self._taught = nn.Linear(self.encoder.pooled_width, len(CATEGORIES))
        labels = np.array([row.labels for row in rows])
        positives, negatives = (labels == 1).sum(0) + 1, (labels == 0).sum(0) + 1
        with torch.no_grad():
            prior = np.log(positives / negatives)[:-1].clip(-4, 0)
            self.head.bias.copy_(torch.from_numpy(prior))
        self._positive_weight = torch.tensor(
            np.sqrt(negatives / positives).clip(1, _MOST_POSITIVE_WEIGHT), dtype=torch.float32
        )
        share = (positives + negatives) / len(rows)
        self._weight = torch.tensor(1 / np.sqrt(share), dtype=torch.float32)
        self._optimiser = torch.optim.AdamW(
            self._groups(), weight_decay=config.weight_decay, fused=True
        )
        self._rates = [group["lr"] for group in self._optimiser.param_groups]
        self.seconds = 0.0
        self.round = 0
        self.texts = 0
        self.loss = math.nan

    def _groups(self) -> list[dict[str, Any]]:
        config, layers = self._config, self.encoder.layers
        last = len(layers) - 1
        groups = [
            {
                "params": list(layer.parameters()),
                "lr": config.rate * config.layer_decay ** (last - i),
            }
            for i, layer in enumerate(layers)
        ]
        below = [self.encoder.positions, *self.encoder.norm.parameters()]
        groups.append({"params": below, "lr": config.rate * config.layer_decay ** (last + 1)})
        above = [self.encoder.queries, *self.head.parameters(), *self._taught.parameters()]
        groups.append({"params": above, "lr": config.head_rate})
        return groups

    def step(self, batch: Batch) -> float:
        """One step of the optimiser; gives the batch's loss."""
        self._set_rates()
        with torch.autocast("cpu", torch.bfloat16):
            pooled = self.encoder(batch.ids, batch.ids != PAD)
            dropped = nn.functional.dropout(pooled, _DROPOUT)
            logits = self.head(dropped)
            taught = None if batch.soft is None else self._taught(dropped)
        loss = masked_loss(
            logits.float(),
            batch.labels,
            self._positive_weight,
            self._weight,
            self._config.smoothing,
        )
        if taught is not None and batch.soft is not None:
            loss = loss + nn.functional.binary_cross_entropy_with_logits(taught.float(), batch.soft)
        loss.backward()
        nn.utils.clip_grad_norm_(
            [*self.encoder.parameters(), *self.head.parameters(), *self._taught.parameters()], 1.0
        )
        self._optimiser.step()
        self._optimiser.zero_grad(set_to_none=True)
        self.texts += len(batch.ids)
        value = float(loss.detach())
        self.loss = value if math.isnan(self.loss) else _SMOOTH * self.loss + (1 - _SMOOTH) * value
        return value

    @property
    def done(self) -> float:
        """Share of the time that has passed."""
        return min(1.0, self.seconds / (self._config.minutes * 60))

    def _set_rates(self) -> None:
        fall = 0.5 + 0.5 * math.cos(math.pi * self.done)
        *below, head = zip(self._optimiser.param_groups, self._rates, strict=True)
        head[0]["lr"] = head[1] * max(_LEAST_RATE, min(1.0, self.done / _WARM_UP) * fall)
        alone = self._config.head_alone
        warm = min(1.0, (self.done - alone) / _WARM_UP)
        for group, rate in below:
            group["lr"] = rate * max(_LEAST_RATE, warm * fall) if self.done >= alone else 0.0

    def save(self, folder: Path) -> None:
        """Everything that is needed to go on."""
        state = {
            "encoder": self.encoder.state_dict(),
            "head": self.head.state_dict(),
            "taught": self._taught.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "progress": (self.seconds, self.round, self.texts, self.loss),
        }
        partial = folder / (CHECKPOINT_FILE + ".partial")
        torch.save(state, partial)
        partial.replace(folder / CHECKPOINT_FILE)
        self.export(folder / WEIGHTS_FILE)

    def resume(self, folder: Path) -> None:
        """Goes on where `save` left off."""
        state = torch.load(folder / CHECKPOINT_FILE, weights_only=True)
        self.encoder.load_state_dict(state["encoder"])
        self.head.load_state_dict(state["head"])
        self._taught.load_state_dict(state["taught"])
        self._optimiser.load_state_dict(state["optimiser"])
        self.seconds, self.round, self.texts, self.loss = state["progress"]

    def export(self, file: Path) -> None:
        """The weights alone."""
        tensors = {f"head.{name}": value for name, value in self.head.state_dict().items()}
        tensors |= self.encoder.state_dict()
        contiguous = {name: value.float().contiguous() for name, value in tensors.items()}
        save_file(contiguous, file, metadata={"format": "pt"})


def finetune(
    config: RunConfig,
    rows: Sequence[Row],
    *,
    encoder_file: Path,
    tokenizer: Path,
    out: Path,
    teachers: Teachers | None = None,
    minutes_between_checkpoints: float = 10.0,
) -> FineTuning:
    """Runs, or goes on with, a fine-tuning in a folder."""
    framer = Framer(tokenizer, config.window, config.window // 4)
    run = FineTuning(config, encoder_file, rows)
    out.mkdir(parents=True, exist_ok=True)
    if (out / CHECKPOINT_FILE).exists():
        run.resume(out)
    facts: dict[str, object] = {
        "sources": Counter(row.source for row in rows),
        "torch": torch.__version__,
        "teachers": teachers.facts if teachers else [],
    }
    config.write(out / CONFIG_FILE, facts)
    draws = Draws(rows, framer, config, teachers)
    saved = run.seconds
    with (
        Progress(
            TextColumn("fine-tuning"),
            BarColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.description}"),
        ) as progress,
        (out / LOG_FILE).open("a", encoding="utf-8") as log,
    ):
        task = progress.add_task("", total=1.0)
        try:
            while run.done < 1:
                for each in draws.batches(run.round):
                    started = time.monotonic()
                    run.step(each)
                    run.seconds += time.monotonic() - started
                    progress.update(task, completed=run.done, description=f"loss {run.loss:.4f}")
                    if run.done >= 1:
                        break
                run.round += 1
                log.write(json.dumps(_state(run)) + "\n")
                log.flush()
                if run.seconds - saved > minutes_between_checkpoints * 60:
                    run.save(out)
                    saved = run.seconds
        finally:
            # Stopped with Ctrl-C, a run goes on from here.
            run.save(out)
    return run


def _state(run: FineTuning) -> dict[str, float]:
    return {
        "seconds": round(run.seconds, 1),
        "round": run.round,
        "texts": run.texts,
        "loss": round(run.loss, 5),
    }
