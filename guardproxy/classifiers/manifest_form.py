"""What a model folder's `manifest.yaml` may say: of one model, or of several that judge together.

A model is swapped by giving another folder: everything the code must know about it stands there.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Annotated, Final

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from guardproxy.classifiers.labels import Label, categories_named, places_of
from guardproxy.policy.taxonomy import V1_CATEGORIES, V2_CATEGORIES

MODEL_FILE: Final = "model.onnx"
TOKENIZER_FILE: Final = "tokenizer.json"

NAME: Final = r"^[a-z0-9][a-z0-9._-]{0,63}$"
VERSION: Final = r"^[0-9A-Za-z][0-9A-Za-z.+-]{0,31}$"

Probability = Annotated[float, Field(ge=0, le=1)]

EMBEDDED: Final = "embedded"
"""How a combination names the model that comes with the package."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


class Inputs(_Strict):
    """Names of the graph's inputs, int64 [texts, tokens]; `mask` and `types` only if it has them.

    `mask` is 1 for every token, `types` (BERT's segments) 0.
    """

    ids: str = Field(min_length=1)
    mask: str | None = None
    types: str | None = None

    @property
    def names(self) -> set[str]:
        return {name for name in (self.ids, self.mask, self.types) if name is not None}


class WindowShape(_Strict):
    """How long texts are cut. `tokens` counts everything of one run, special tokens too."""

    tokens: int = Field(default=256, ge=16)
    overlap: int = Field(default=64, ge=0)

    @model_validator(mode="after")
    def _overlap_leaves_room(self) -> WindowShape:
        if self.overlap * 2 > self.tokens:
            raise ValueError("overlap must be at most half of tokens")
        return self


class ContextFormat(_Strict):
    """How a model trained on conversations gets the turns before a text.

    `template` holds `{context}` before `{text}`, each once. The newest `max_tokens` tokens of the
    context are kept. A text of more than `max_text_tokens` is judged without: it stands for itself,
    and a short one keeps to a single window.
    """

    template: str
    max_tokens: int = Field(ge=1)
    max_text_tokens: int | None = Field(default=None, ge=1)

    @field_validator("template")
    @classmethod
    def _has_both_places_once(cls, template: str) -> str:
        before, _, after = template.partition("{context}")
        if template.count("{context}") != 1 or template.count("{text}") != 1 or "{text}" in before:
            raise ValueError("must hold {context} once and after it {text} once")
        return before + "{context}" + after

    @property
    def parts(self) -> tuple[str, str, str]:
        """What stands before the context, between context and text, and after the text."""
        before, _, rest = self.template.partition("{context}")
        between, _, after = rest.partition("{text}")
        return before, between, after


class Training(BaseModel):
    """What the model learnt from. `sources` are named as in the data; the rest is for a reader."""

    model_config = ConfigDict(extra="allow", frozen=True, hide_input_in_errors=True)

    sources: list[str] = Field(default_factory=list)


class Manifest(_Strict):
    """What a model folder says about itself.

    `output` names a float32 output [texts, categories] of calibrated probabilities, in the order
    of `categories`. A model that was trained elsewhere has `labels` in place of `categories`: they
    say what each place of its output stands for. `logits`: the output is not probabilities yet.
    `exclusive`: of the labels exactly one holds (softmax), not any number (sigmoid).

    `prefix` stands before every text. `partial_thresholds` are for text that is not finished, where
    a policy has none of its own. `base_encoder`, `average_precision`, `training` and `notes` inform
    a reader and steer nothing; `guardproxy eval` reports `training.sources` apart.
    """

    name: str = Field(pattern=NAME)
    version: str = Field(pattern=VERSION)
    files: dict[str, Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]]
    inputs: Inputs
    output: str = Field(min_length=1)
    prefix: str = ""
    max_tokens: int = Field(ge=16)
    window: WindowShape = WindowShape()
    context: ContextFormat | None = None
    logits: bool = False
    exclusive: bool = False
    labels: Annotated[list[Label], Field(min_length=1)] | None = None
    categories: list[str]
    default_thresholds: dict[str, Probability]
    partial_thresholds: dict[str, Probability] = Field(default_factory=dict)
    languages: list[str] = Field(min_length=1)
    base_encoder: str | None = None
    average_precision: dict[str, list[float]] | None = None
    training: str | Training | None = None
    notes: str | None = None

    @field_validator("files")
    @classmethod
    def _files_stay_inside(cls, files: dict[str, str]) -> dict[str, str]:
        for name in files:
            path = PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts or "\\" in name or str(path) != name:
                raise ValueError(f"{name!r} is not a plain path inside the folder")
        if missing := [name for name in (MODEL_FILE, TOKENIZER_FILE) if name not in files]:
            raise ValueError(f"{missing[0]} is not listed")
        return files

    @model_validator(mode="before")
    @classmethod
    def _labels_say_which_categories(cls, content: object) -> object:
        if not isinstance(content, dict) or content.get("labels") is None:
            return content
        if "categories" in content:
            raise ValueError("categories: leave it out, the labels name them")
        return content | {"categories": categories_named(content["labels"], V2_CATEGORIES)}

    @field_validator("categories")
    @classmethod
    def _categories_are_ours(cls, categories: list[str], info: ValidationInfo) -> list[str]:
        if len(set(categories)) != len(categories):
            raise ValueError("a category stands twice")
        strange = set(categories) - set(V2_CATEGORIES)
        if info.data.get("labels") is None:
            strange |= set(V2_CATEGORIES) - set(categories)
            if strange:
                raise ValueError(f"must be exactly the v2 categories; look at {min(strange)}")
        elif strange:
            raise ValueError(f"{min(strange)} is no category; these are {', '.join(V2_CATEGORIES)}")
        elif not categories:
            raise ValueError("no label stands for a category")
        return categories

    @field_validator("default_thresholds")
    @classmethod
    def _thresholds_are_whole(
        cls, thresholds: dict[str, float], info: ValidationInfo
    ) -> dict[str, float]:
        if missing := set(info.data.get("categories", ())) - set(thresholds):
            raise ValueError(f"{min(missing)} is missing")
        if strange := set(thresholds) - set(V2_CATEGORIES) - set(V1_CATEGORIES):
            raise ValueError(f"{min(strange)} is no category")
        return thresholds

    @field_validator("partial_thresholds")
    @classmethod
    def _partial_thresholds_are_ours(cls, thresholds: dict[str, float]) -> dict[str, float]:
        if strange := set(thresholds) - set(V2_CATEGORIES):
            raise ValueError(f"{min(strange)} is no category")
        return thresholds

    @model_validator(mode="after")
    def _windows_fit_the_model(self) -> Manifest:
        if self.window.tokens > self.max_tokens:
            raise ValueError("window.tokens is more than max_tokens")
        if self.context is not None and self.context.max_tokens * 2 > self.window.tokens:
            raise ValueError("context.max_tokens must be at most half of window.tokens")
        return self

    @property
    def checksum(self) -> str:
        """sha256 of the graph, hexadecimal: what people compare."""
        return self.files[MODEL_FILE]

    @cached_property
    def label_places(self) -> tuple[tuple[int, ...], ...]:
        """For each category, at which places of the output its labels stand."""
        if self.labels is None:
            return tuple((place,) for place in range(len(self.categories)))
        return places_of(self.labels, self.categories)

    @property
    def outputs(self) -> int:
        """Places of the output."""
        return len(self.categories if self.labels is None else self.labels)

    @property
    def thresholds(self) -> Mapping[str, float]:
        return MappingProxyType(self.default_thresholds)

    @property
    def trained_on(self) -> frozenset[str]:
        """Names of the sources it learnt from; empty if it does not say."""
        return frozenset(self.training.sources if isinstance(self.training, Training) else ())


class Member(_Strict):
    """A model of a combination: a folder, as seen from the combination's own, or `embedded`.

    What it `owns` is judged by it alone, and it is asked about nothing else.
    """

    model: str = Field(min_length=1)
    owns: list[str] = Field(default_factory=list)


class Combination(_Strict):
    """What a folder says that puts several models together. It holds no files of its own.

    A category that nobody owns has the highest score of the members without `owns` that judge it;
    where these are several, `default_thresholds` must name it.
    """

    name: str = Field(pattern=NAME)
    version: str = Field(pattern=VERSION)
    members: list[Member] = Field(min_length=1)
    default_thresholds: dict[str, Probability] = Field(default_factory=dict)
    notes: str | None = None
