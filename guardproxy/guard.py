"""Texts + guardrails -> Verdict. Deadlines and failures become verdicts here and only here."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from guardproxy.content import Passage, Role, TextPart
from guardproxy.errors import ClassifierDeadline, ClassifierError, ClassifierMissing
from guardproxy.events import Judgement, Observer
from guardproxy.policy.decide import Guardrail, decide, decide_without_scores, doubted
from guardproxy.policy.scope import FAR, JOINED, TOOLS, MediaSplit
from guardproxy.verdict import Direction, GuardrailResult, Scores, Verdict

logger = logging.getLogger(__name__)

SPEAKERS = frozenset({Role.USER, Role.ASSISTANT, *TOOLS})
"""Whose texts are turns of a conversation."""

_TURN_END = 80
"""Characters of a long turn that are kept at either end."""


class Classifier(Protocol):
    """The seam to whatever judges text: the embedded model, a remote API, an LLM."""

    @property
    def name(self) -> str:
        """Name and version, for headers, logs and `/healthz`."""
        ...

    @property
    def default_thresholds(self) -> Mapping[str, float]:
        """v2 category -> threshold that counts unless a policy names another.

        May also hold the v1 key `dangerous_and_criminal_content`.
        """
        ...

    @property
    def context_characters(self) -> int:
        """How much of the conversation before a text it wants to see; 0 for none."""
        ...

    async def classify(self, passages: Sequence[Passage]) -> list[Scores]:
        """Scores of each passage, in order; every category that it judges is a key.

        Raises:
            ClassifierError: nothing can be said (deadline, overload, error, missing).
        """
        ...


@dataclass(frozen=True, slots=True)
class Guardrails:
    """The entries that judge one exchange in one direction: the operator's and the caller's.

    `tool_results` are the operator's for what tools return; None if `operator` judges that, too.
    `scored` decide nothing, but the scores of what they evaluate are wanted.
    """

    operator: tuple[Guardrail, ...]
    inline: tuple[Guardrail, ...] = ()
    tool_results: tuple[Guardrail, ...] | None = None
    scored: tuple[Guardrail, ...] = ()

    @property
    def want_scores(self) -> bool:
        """Some score can change the verdict, or is reported to the caller."""
        operator = (*self.operator, *(self.tool_results or ()), *self.scored)
        return any(entry.thresholds for entry in self.inline) or any(
            min(entry.thresholds.values(), default=1.0) < 1 for entry in operator
        )


NO_MEDIA = MediaSplit()


@runtime_checkable
class RememberingClassifier(Classifier, Protocol):
    """One that has scores it need not be waited for."""

    def remembered(self, passages: Sequence[Passage]) -> list[Scores | None]:
        """What it would say about each, in order; None where it would have to judge."""
        ...


class Guard:
    """Asks the classifier, lets the policy decide, tells the observer.

    Args:
        classifier: None when there is none; every question then fails as `missing`.
        deadline: seconds one question may take, whatever the classifier promises.
        observer: told of every judgement.
    """

    def __init__(
        self, classifier: Classifier | None, *, deadline: float, observer: Observer
    ) -> None:
        self._classifier = classifier
        self._memory = classifier if isinstance(classifier, RememberingClassifier) else None
        self._deadline = deadline
        self._observer = observer

    async def check(
        self,
        texts: Sequence[TextPart],
        guardrails: Guardrails,
        direction: Direction,
        *,
        media: MediaSplit = NO_MEDIA,
        exempt_characters: int = 0,
    ) -> Verdict:
        """The verdict on some texts; never raises for what the classifier does."""
        started = time.monotonic()
        verdict = await self._verdict(texts, guardrails, media)
        self._observer.judged(
            Judgement(
                direction=direction,
                verdict=verdict,
                seconds=time.monotonic() - started,
                texts=len(texts),
                characters=sum([len(part.text) for part in texts]),
                exempt_characters=exempt_characters,
            )
        )
        return verdict

    async def _verdict(
        self, texts: Sequence[TextPart], guardrails: Guardrails, media: MediaSplit
    ) -> Verdict:
        if not guardrails.want_scores:
            # No results rather than results with a score that nobody measured.
            return Verdict((), (), media.blocked, media.flagged)
        try:
            results, inline_results = await self._decide(texts, guardrails)
        except ClassifierError as error:
            results = decide_without_scores(_asked(texts, guardrails), error.reason)
            inline_results = decide_without_scores(guardrails.inline, error.reason)
        return Verdict(results, inline_results, media.blocked, media.flagged)

    async def _decide(
        self, texts: Sequence[TextPart], guardrails: Guardrails
    ) -> tuple[tuple[GuardrailResult, ...], tuple[GuardrailResult, ...]]:
        """The operator's results and the caller's.

        Raises:
            ClassifierError: whatever went wrong; a score that is missing or no probability, too.
        """
        try:
            scores = await self._classify(texts) if texts else []
            judged = [
                (part.path, doubted(each) if FAR in part.path else each)
                for part, each in zip(texts, scores, strict=True)
            ]
            results = _operators(texts, judged, guardrails)
            return results, decide(guardrails.inline, judged)
        except ClassifierError:
            raise
        except Exception as error:
            # Only the type: the message of a foreign error may hold the text.
            logger.error("classifier failed: %s", type(error).__name__)  # noqa: TRY400 - see above
            raise ClassifierError("the classifier failed") from error

    async def _classify(self, texts: Sequence[TextPart]) -> list[Scores]:
        if self._classifier is None:
            raise ClassifierMissing("no classifier")
        passages = passages_of(texts, self._classifier.context_characters)
        if self._memory is None:
            return await self._ask(self._classifier, passages)
        # Most texts of a conversation are known: no timer for them, and no second look.
        known = self._memory.remembered(passages)
        new = [passage for passage, scores in zip(passages, known, strict=True) if scores is None]
        fresh = iter(await self._ask(self._classifier, new) if new else ())
        return [next(fresh) if scores is None else scores for scores in known]

    async def _ask(self, classifier: Classifier, passages: Sequence[Passage]) -> list[Scores]:
        try:
            async with asyncio.timeout(self._deadline):
                scores = await classifier.classify(passages)
        except TimeoutError as error:
            raise ClassifierDeadline("the judgement took too long") from error
        # Scores that are fewer or more than the texts belong to nobody knows which.
        if len(scores) != len(passages):
            raise ClassifierError("the classifier gave another number of scores than of texts")
        return scores


def _asked(texts: Sequence[TextPart], guardrails: Guardrails) -> tuple[Guardrail, ...]:
    """The operator's entries that speak about some of the texts."""
    if guardrails.tool_results is None or all(part.role not in TOOLS for part in texts):
        return guardrails.operator
    return (*guardrails.operator, *guardrails.tool_results)


def _operators(
    texts: Sequence[TextPart], judged: Sequence[tuple[str, Scores]], guardrails: Guardrails
) -> tuple[GuardrailResult, ...]:
    """What the operator's entries say, each about its own texts; in the order of `_asked`."""
    if guardrails.tool_results is None:
        return decide(guardrails.operator, judged)
    of_tools = [each for part, each in zip(texts, judged, strict=True) if part.role in TOOLS]
    others = [each for part, each in zip(texts, judged, strict=True) if part.role not in TOOLS]
    results = decide(guardrails.operator, others)
    return (*results, *decide(guardrails.tool_results, of_tools)) if of_tools else results


def passages_of(texts: Sequence[TextPart], context_characters: int) -> list[Passage]:
    """Each text of a body as a classifier gets it.

    What users and tools say is read with the end of what was said before. An assistant's text
    stands for itself, as it did when it was an answer, and so do definitions, fields that nobody
    knows, and texts that were joined.

    Args:
        texts: in the order they were said.
        context_characters: how much of it the classifier wants to see; 0 for none.
    """
    if not context_characters:
        return [Passage(part.text) for part in texts]
    passages, before = [], ""
    for part in texts:
        said = part.role in SPEAKERS and JOINED not in part.path
        reads = said and part.role is not Role.ASSISTANT
        passages.append(Passage(part.text, before if reads else ""))
        if said:
            before = _after(before, part, context_characters)
    return passages


def context_of(turns: Iterable[TextPart], context_characters: int) -> str:
    """The end of what was said: by users, assistants and tools, for a system prompt is no turn."""
    before = ""
    for part in turns:
        if part.role in SPEAKERS:
            before = _after(before, part, context_characters)
    return before


def _after(before: str, part: TextPart, characters: int) -> str:
    return (before + turn(part.role, part.text))[-characters:] if characters else ""


def turn(role: str, text: str) -> str:
    """What was said, as context: one line, of a long text its beginning and its end.

    A long answer would leave no room for what it answers; and on one line nobody's text can pose
    as another's turn.
    """
    if len(text) > 2 * _TURN_END:
        text = f"{text[:_TURN_END]} … {text[-_TURN_END:]}"
    return f"{role}: {' '.join(text.split())}\n"
