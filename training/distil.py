"""A smaller student of an encoder: some of its layers, taught to pool what their teacher pools.

No labels are needed: the student meets the teacher's features (mean of the middle and of the last
layer, learned averages) on the texts that are drawn. A head is fitted to it as to its teacher.
"""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import torch
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from training.config import RunConfig
from training.encoder import WEIGHTS_FILE, layer_count
from training.finetune import CHECKPOINT_FILE, CONFIG_FILE, Batch, Draws
from training.finetune import WEIGHTS_FILE as TUNED_FILE
from training.framing import PAD, Framer
from training.network import Encoder
from training.prepare import APART_FILE, FACTS_FILE, KNOWN_FILE, TRAIN_FILE
from training.rows import Row
from training.unpack import START_FACTS

TUNED: Final = "finetune"
_RATE: Final = 3e-4
_WARM_UP: Final = 0.05
_SEEN: Final = 20
_SMOOTH: Final = 0.98
_MINUTES_BETWEEN_CHECKPOINTS: Final = 10


def student_of(tensors: Mapping[str, Tensor], layers: int) -> dict[str, Tensor]:
    """The tensors of an encoder with fewer layers, evenly chosen, the last among them.

    Raises:
        ValueError: it has not so many, or their number is odd, so that there is no middle.
    """
    count = layer_count(tensors)
    if not 0 < layers <= count or layers % 2:
        raise ValueError(f"a student of {count} layers has 2, 4, ... of them, not {layers}")
    kept = {round((number + 1) * count / layers) - 1: number for number in range(layers)}
    found = {}
    for name, tensor in tensors.items():
        first, _, rest = name.partition(".")
        if first != "layers":
            found[name] = tensor
        elif (old := int(rest.partition(".")[0])) in kept:
            found[f"layers.{kept[old]}.{rest.partition('.')[2]}"] = tensor
    return {name: tensor.contiguous() for name, tensor in found.items()}


class Distilling:
    """One run: teacher, student, how far apart they are.

    `seen` are batches that show how far the teacher's features spread: distances count by that.
    """

    def __init__(
        self, teacher: Path, student: Path, seen: Sequence[Batch], *, minutes: float, pools: int
    ) -> None:
        self.teacher = Encoder.load(teacher, attention_pools=pools).eval()
        self.student = Encoder.load(student, attention_pools=pools)
        self._spread = torch.cat([self._wanted(each) for each in seen]).std(dim=0)
        self._optimiser = torch.optim.AdamW(
            [each for each in self.student.parameters() if each.requires_grad], _RATE, fused=True
        )
        self._minutes = minutes
        self.seconds = 0.0
        self.round = 0
        self.texts = 0
        self.loss = math.nan

    def _wanted(self, batch: Batch) -> Tensor:
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            result: Tensor = self.teacher(batch.ids, batch.ids != PAD).float()
        return result

    @property
    def done(self) -> float:
        """Share of the time that has passed."""
        return min(1.0, self.seconds / (self._minutes * 60))

    def save(self, folder: Path) -> None:
        """Everything that is needed to go on."""
        state = {
            "student": self.student.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "spread": self._spread,
            "progress": (self.seconds, self.round, self.texts, self.loss),
        }
        partial = folder / (CHECKPOINT_FILE + ".partial")
        torch.save(state, partial)
        partial.replace(folder / CHECKPOINT_FILE)

    def resume(self, folder: Path) -> None:
        """Goes on where `save` left off."""
        state = torch.load(folder / CHECKPOINT_FILE, weights_only=True)
        self.student.load_state_dict(state["student"])
        self._optimiser.load_state_dict(state["optimiser"])
        self._spread = state["spread"]
        self.seconds, self.round, self.texts, self.loss = state["progress"]

    def step(self, batch: Batch) -> float:
        """One step; gives the mean squared distance, each feature by the teacher's spread."""
        began = time.monotonic()
        for group in self._optimiser.param_groups:
            warm = min(1.0, self.done / _WARM_UP)
            group["lr"] = _RATE * max(1e-3, warm * (0.5 + 0.5 * math.cos(math.pi * self.done)))
        with torch.autocast("cpu", torch.bfloat16):
            given = self.student(batch.ids, batch.ids != PAD).float()
        loss = ((given - self._wanted(batch)) / self._spread).square().mean()
        loss.backward()
        nn.utils.clip_grad_norm_(self.student.parameters(), 1.0)
        self._optimiser.step()
        self._optimiser.zero_grad(set_to_none=True)
        self.texts += len(batch.ids)
        self.seconds += time.monotonic() - began
        value = float(loss.detach())
        self.loss = value if math.isnan(self.loss) else _SMOOTH * self.loss + (1 - _SMOOTH) * value
        return value


def distil(
    config: RunConfig, rows: Sequence[Row], *, work: Path, teacher: Path, tokenizer: Path, to: Path,
    layers: int,
) -> Distilling:  # fmt: skip
    """Teaches a student for `config.minutes`; `to` becomes a work folder for the stages after.

    Stopped, it goes on from its last checkpoint when it is started again.

    Args:
        config: how texts are drawn and changed, and for how long.
        rows: texts to learn from, labels or none.
        work: where the teacher's rows were prepared.
        teacher: its averaged weights.
        tokenizer: of both.
        layers: of the student, see `student_of`.
        to: gets the student before (as its pretrained encoder) and after (as a fine-tuned one).
    """
    tuned = to / TUNED
    tuned.mkdir(parents=True, exist_ok=True)
    for name in (TRAIN_FILE, KNOWN_FILE, APART_FILE, FACTS_FILE, START_FACTS):
        if (work / name).exists():  # a teacher that was unpacked names what it learnt from
            shutil.copyfile(work / name, to / name)
    save_file(student_of(load_file(teacher), layers), to / WEIGHTS_FILE)
    draws = Draws(rows, Framer(tokenizer, config.window, config.window // 4), config)
    run = Distilling(
        teacher,
        to / WEIGHTS_FILE,
        draws.batches(0)[:_SEEN],
        minutes=config.minutes,
        pools=config.attention_pools,
    )
    if (tuned / CHECKPOINT_FILE).exists():
        run.resume(tuned)
    saved = run.seconds
    columns = (TextColumn("distilling"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, TextColumn("{task.description}")) as progress:
        task = progress.add_task("", total=1.0)
        try:
            while run.done < 1:
                for batch in draws.batches(run.round):
                    run.step(batch)
                    progress.update(task, completed=run.done, description=f"loss {run.loss:.4f}")
                    if run.done >= 1:
                        break
                run.round += 1
                if run.seconds - saved > _MINUTES_BETWEEN_CHECKPOINTS * 60:
                    run.save(tuned)
                    saved = run.seconds
        finally:
            run.save(tuned)
    weights = {name: value.float().contiguous() for name, value in run.student.state_dict().items()}
    save_file(weights, tuned / TUNED_FILE, metadata={"format": "pt"})
    facts = {"layers": layers, "texts": run.texts, "loss": round(run.loss, 5)}
    config.write(tuned / CONFIG_FILE, facts)
    return run
