"""The ONNX graph and its tokenizer: a text to windows of tokens, a window to scores.

The session's options are measured on two cores: one thread a run, as many runs at once as there
are cores, beats more threads a run; spinning threads fight with the event loop.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
import onnxruntime
from tokenizers import Tokenizer

from guardproxy.classifiers.labels import Row, read_labels
from guardproxy.classifiers.manifest import Manifest, ModelFolder
from guardproxy.classifiers.windows import collapse_white_space, cut, slices
from guardproxy.content import Passage
from guardproxy.errors import ClassifierError, ModelError

__all__ = ("Feeds", "OnnxModel", "OnnxRun", "Row", "Window", "WindowsRun", "read_row")

Window: TypeAlias = tuple[int, ...]
"""Token ids of one run, with everything around the text that the model wants."""

Feeds: TypeAlias = Mapping[str, npt.NDArray[np.int64]]

_UNKNOWN_TOKENS: Final = frozenset({"<unk>", "[UNK]"})
_ORT_ERROR: Final = 3
"""onnxruntime's log level: it writes to stderr, past our logging."""


class OnnxModel:
    """A loaded model; usable from any thread, and runs release the GIL."""

    def __init__(self, folder: ModelFolder) -> None:
        """Loads graph and tokenizer, about 0.3 s.

        Raises:
            ModelError: they cannot be loaded, or are not what the manifest says.
        """
        self.manifest: Final = folder.manifest
        self._session = _load_session(folder)
        self._tokenizer = _load_tokenizer(folder)
        self._special = frozenset(
            token
            for token, added in self._tokenizer.get_added_tokens_decoder().items()
            if added.special and added.content not in _UNKNOWN_TOKENS
        )
        self._frame = self._read_frame()

    def windows(
        self, passage: Passage, stopped: Callable[[], bool] = lambda: False
    ) -> list[Window]:
        """Cuts a passage into runs; takes about 0.6 ms per thousand characters.

        Raises:
            ClassifierError: `stopped` said so, or the tokenizer failed.
        """
        tokens = self._tokens(passage.text, stopped)
        before, after = self._around(passage.context, len(tokens))
        shape = self.manifest.window
        room = shape.tokens - len(before) - len(after)
        overlap = min(shape.overlap, room // 2)
        return [before + tuple(window) + after for window in cut(tokens, room, overlap)]

    def count_tokens(self, text: str) -> int:
        """Tokens of the text alone, as vendors bill them: no special tokens, no prefix."""
        return len(self._tokens(text, lambda: False))

    def run(self, window: Window) -> OnnxRun:
        """One run of one window, not yet started."""
        ids = np.asarray([window], dtype=np.int64)
        feeds = {self.manifest.inputs.ids: ids}
        if self.manifest.inputs.mask is not None:
            feeds[self.manifest.inputs.mask] = np.ones_like(ids)
        if self.manifest.inputs.types is not None:
            feeds[self.manifest.inputs.types] = np.zeros_like(ids)
        return OnnxRun(self._session, self.manifest, feeds)

    def _around(self, context: str, tokens: int) -> tuple[Window, Window]:
        """What stands before and after a text of so many tokens in each of its windows."""
        frame, form = self._frame, self.manifest.context
        if form is None or not context or tokens > (form.max_text_tokens or tokens):
            return frame.before, frame.after
        # Unlike a text, the manifest may name special tokens: `</s>` parts what was said before
        # from the text so that no text can pretend to be the part that is judged.
        opening, between, closing = (
            tuple(self._encode(collapse_white_space(part))) for part in form.parts
        )
        newest = tuple(self._tokens(context)[-form.max_tokens :])
        return frame.before + opening + newest + between, closing + frame.after

    def _tokens(self, text: str, stopped: Callable[[], bool] = lambda: False) -> list[int]:
        """Token ids of a text alone.

        Special tokens that a text spells out (`</s>`) are dropped: to the model they would not be
        words but the end of the text.
        """
        tokens: list[int] = []
        for piece in slices(collapse_white_space(text)):
            if stopped():
                raise ClassifierError("stopped")
            tokens += self._encode(piece)
        return [token for token in tokens if token not in self._special]

    def _encode(self, piece: str) -> list[int]:
        # Half of a surrogate pair is no character, and the tokenizer refuses the whole string.
        well_formed = piece.encode("utf-8", "replace").decode("utf-8")
        ids: list[int] = self._tokenizer.encode(well_formed, add_special_tokens=False).ids
        return ids

    def _read_frame(self) -> _Frame:
        """Asks the tokenizer what it puts around a text."""
        inner = self._tokenizer.encode("a", add_special_tokens=False).ids
        whole = self._tokenizer.encode("a", add_special_tokens=True).ids
        start = next(i for i in range(len(whole)) if whole[i : i + len(inner)] == inner)
        prefix = tuple(self._tokens(self.manifest.prefix))
        return _Frame(
            before=tuple(whole[:start]) + prefix, after=tuple(whole[start + len(inner) :])
        )


@dataclass(frozen=True, slots=True)
class _Frame:
    before: Window
    after: Window


class OnnxRun:
    """One run of the graph over one window."""

    def __init__(
        self, session: onnxruntime.InferenceSession, manifest: Manifest, feeds: Feeds
    ) -> None:
        self._session = session
        self._manifest = manifest
        self._feeds = feeds
        self._options = onnxruntime.RunOptions()

    def __call__(self) -> Row:
        """The scores.

        Raises:
            ClassifierError: the run failed or was stopped, or its output is no scores.
        """
        try:
            output = self._session.run([self._manifest.output], self._feeds, self._options)[0]
        except Exception as error:  # onnxruntime's errors have no common base of their own
            raise ClassifierError(f"onnxruntime: {type(error).__name__}") from error
        manifest = self._manifest
        if manifest.labels is None and not manifest.logits:
            return read_row(output, len(manifest.categories))
        return read_labels(
            output,
            manifest.outputs,
            manifest.label_places,
            logits=manifest.logits,
            exclusive=manifest.exclusive,
        )

    def stop(self) -> None:
        """Ends the run before its next operator, within milliseconds."""
        self._options.terminate = True


class WindowsRun:
    """Cutting passages, as work for a thread."""

    def __init__(self, model: OnnxModel, passages: Sequence[Passage]) -> None:
        self._model = model
        self._passages = passages
        self._stopped = False

    def __call__(self) -> list[list[Window]]:
        """The windows of each passage."""
        return [self._model.windows(passage, self._stops) for passage in self._passages]

    def stop(self) -> None:
        """Ends the run before its next slice of text."""
        self._stopped = True

    def _stops(self) -> bool:
        return self._stopped


def read_row(output: object, categories: int) -> Row:
    """Scores out of a graph's output.

    Raises:
        ClassifierError: not [1, categories], or a value that is no probability (NaN).
    """
    scores = np.asarray(output)
    if scores.shape != (1, categories):
        raise ClassifierError(f"the model's output has the shape {list(scores.shape)}")
    row = tuple(scores[0].tolist())
    if not all(0 <= score <= 1 for score in row):
        raise ClassifierError("the model's output is no probability")
    return row


def _load_session(folder: ModelFolder) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = _ORT_ERROR
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = onnxruntime.InferenceSession(
            folder.graph, options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # onnxruntime's errors have no common base of their own
        raise ModelError(
            f"{folder.graph}: onnxruntime {onnxruntime.__version__} cannot load it "
            f"({type(error).__name__}); is it an ONNX graph of an opset it knows?"
        ) from error
    _check_names(folder, session)
    return session


def _check_names(folder: ModelFolder, session: onnxruntime.InferenceSession) -> None:
    manifest = folder.manifest
    wanted = manifest.inputs.names
    found = {node.name for node in session.get_inputs()}
    if wanted != found:
        raise ModelError(f"{folder.graph}: inputs are {sorted(found)}; the manifest says otherwise")
    outputs = {node.name for node in session.get_outputs()}
    if manifest.output not in outputs:
        raise ModelError(f"{folder.graph}: outputs are {sorted(outputs)}, not {manifest.output!r}")


def _load_tokenizer(folder: ModelFolder) -> Tokenizer:
    try:
        tokenizer = Tokenizer.from_file(str(folder.tokenizer))
    except Exception as error:  # the tokenizers library raises bare `Exception`
        raise ModelError(f"{folder.tokenizer}: not a tokenizer file: {error}") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer
