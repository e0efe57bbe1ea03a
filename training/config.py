"""What a run is made of: sources, rates, seeds. Written as JSON beside the weights it made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from guardproxy.classifiers.manifest import ContextFormat
from guardproxy.evals.rows import DANGEROUS_OR_CRIMINAL
from guardproxy.policy.taxonomy import V2_CATEGORIES

CATEGORIES: Final = V2_CATEGORIES
"""The order of the model's outputs."""

UNION: Final = DANGEROUS_OR_CRIMINAL
"""A label that says: one of the two, or both; see `losses`."""

HELD_APART: Final = (
    "bastioncorpus",  # jailbreaking, en de es fr it
    "catqa",  # all kinds of harm, en zh
    "ethos",  # hate and violence, en
    "jade",  # criminal, dangerous, hate, pii, zh
    "japanese_toxic",  # hate, sexual, criminal, ja
    "meqsum",  # health, en
    "pyrit_scored_responses",  # answers of assistants: sexual, violence, selfharm, hate, pii
    "self_instruct_seeds",  # benign requests, en
    "surge_toxicity",  # hate, sexual, violence, en
)
"""Whole sources that no run trains on, ever: settings are chosen on them, figures are theirs."""

FORBIDDEN_FOLDERS: Final = ("train-nc", "train-unlicensed", "eval-only", "dev", "measured")
"""Folders of the data that no run may read rows from to train on."""

CONTEXT: Final = ContextFormat(template="{context}</s>{text}", max_tokens=64)
"""The conversation, newest 64 tokens, then the text: `</s>` cannot be spelt out by a text.

Rows are framed so where both fit into one window; the proxy does it for a model packed so.
"""


@dataclass(frozen=True, slots=True)
class RunConfig:
    """Settings of a fine-tuning run.

    Attributes:
        train: files or folders of rows that are trained on.
        window: tokens of one text at most, special tokens too.
        batch_tokens: tokens of one batch, padding too.
        round_rows: rows drawn and augmented at once; then drawn anew.
        minutes: time of the whole run; the learning rate falls to nothing over it.
        rate: of the last layer; `layer_decay` less for each layer below.
        frozen_layers: lowest layers that keep their pretrained weights: a step takes two thirds of
            the time, and the early mean keeps what it is good at.
        head_alone: share of the time in which the head learns and the encoder stays as it is: a
            head that knows nothing yet would undo what a fine-tuned encoder already knows.
        source_power: a source's share of the draws grows with its size to this power.
        source_weights: how many times more often rows of a source are drawn than its size says;
            a name also stands for all sources that begin with it, unless a longer one does.
    """

    train: tuple[str, ...]
    seed: int = 0
    window: int = 128
    batch_tokens: int = 2048
    round_rows: int = 3_000
    minutes: float = 180.0
    rate: float = 3e-4
    layer_decay: float = 0.9
    head_rate: float = 1e-3
    weight_decay: float = 0.01
    smoothing: float = 0.02
    source_power: float = 0.6
    source_weights: dict[str, float] = field(
        default_factory=lambda: {
            "authored_contrast": 10.0,
            "authored_attacks": 8.0,
            "authored_context": 12.0,
            "authored_posts": 5.0,
            "authored_answers": 5.0,
            "authored_requests": 8.0,
            "authored_documents": 20.0,
            "authored_probes": 20.0,
            "authored_scenes": 12.0,
            "authored_replies": 20.0,
            "handwritten_seeds": 1.0,
            "authored": 2.5,
            "relabelled": 3.0,
            "chatterbot": 2.0,
            "clinc_oos": 2.5,
            "tatoeba": 3.0,
            "xquad_questions": 3.0,
        }
    )
    frozen_layers: int = 6
    head_alone: float = 0.0
    attention_pools: int = 2
    augment: dict[str, float] = field(
        default_factory=lambda: {
            "prefix": 0.16,
            "needle": 0.10,
            "filler": 0.05,
            "repeat": 0.05,
            "switch": 0.04,
            "wrap": 0.05,
            "noise": 0.10,
            "case": 0.06,
            "context": 0.08,
            "join": 0.05,
        }
    )

    def __post_init__(self) -> None:
        for folder in self.train:
            if strange := set(Path(folder).parts) & set(FORBIDDEN_FOLDERS):
                raise ValueError(f"{folder}: {min(strange)} is not for training")

    def write(self, file: Path, facts: Mapping[str, object]) -> None:
        """Writes the settings and whatever else the run says about itself."""
        file.write_text(json.dumps({**asdict(self), **facts}, indent=1) + "\n", encoding="utf-8")
